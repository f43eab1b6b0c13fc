//! Methods of strings.

use gcrucible_bytecode::{ErrorKind, Method};
use gcrucible_heap::{Checks, Value};

use super::methods::Call;
use crate::interpreter::{Context, Made};

impl<'p, C: Checks> Context<'p, C> {
    pub(super) fn string_method(&self, method: Method, call: Call<'p, '_>) -> Made<'p> {
        let text = self.m.text(call.receiver).ok_or(ErrorKind::TypeError)?;
        match method {
            Method::Slice => {
                let (from, to) = self.bounds(call, text.len())?;
                let part = text.get(from..to).ok_or(ErrorKind::IndexOutOfBounds)?;
                self.made_of(part, str::to_owned)
            }
            Method::Has => {
                let index = self.text_search(text, self.text_arg(call, 0)?)?;
                Ok(Value::bool(!index.is_nil()))
            }
            Method::StartsWith => Ok(Value::bool(text.starts_with(self.text_arg(call, 0)?))),
            Method::EndsWith => Ok(Value::bool(text.ends_with(self.text_arg(call, 0)?))),
            Method::IndexOf => self.text_search(text, self.text_arg(call, 0)?),
            Method::Upper => self.made_of(text, str::to_ascii_uppercase),
            Method::Lower => self.made_of(text, str::to_ascii_lowercase),
            Method::Trim => self.trimmed_text(text),
            Method::Split => self.split(text, self.text_arg(call, 0)?),
            Method::Replace => {
                let (from, to) = (self.text_arg(call, 0)?, self.text_arg(call, 1)?);
                match from.is_empty() {
                    true => Ok(call.receiver),
                    false => self.replaced_text(text, from, to),
                }
            }
            Method::Repeat => {
                let count = self.m.as_int(self.arg(call, 0));
                let count = u64::try_from(count.ok_or(ErrorKind::TypeError)?);
                let count = count.map_err(|_| ErrorKind::IndexOutOfBounds)?;
                self.check_text((text.len() as u64).saturating_mul(count))?;
                let count = if text.is_empty() { 0 } else { count as usize };
                self.repeated_text(text, count)
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    /// A string of a text, or of what `map` makes of its pieces: of a short one in one go.
    fn made_of(&self, text: &str, map: impl Fn(&str) -> String) -> Made<'p> {
        if !self.work.has_progress() && text.len() <= self.work.step() as usize {
            self.work.charge_bytes(text.len());
            return Ok(self.m.string(&map(text))?);
        }
        self.mapped_text(text, map)
    }

    fn text_arg(&self, call: Call<'p, '_>, index: usize) -> Result<&'p str, ErrorKind> {
        self.m
            .text(self.arg(call, index))
            .ok_or(ErrorKind::TypeError)
    }
}
