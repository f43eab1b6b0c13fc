//! Methods of strings.

use gcrucible_bytecode::{ErrorKind, Method};
use gcrucible_heap::{Checks, Value};

use super::SPACES;
use super::methods::Call;
use crate::interpreter::{Context, Made};

impl<'p, C: Checks> Context<'p, C> {
    pub(super) fn string_method(&self, method: Method, call: Call<'p, '_>) -> Made<'p> {
        let text = self.m.text(call.receiver).ok_or(ErrorKind::TypeError)?;
        match method {
            Method::Slice => {
                let (from, to) = self.bounds(call, text.len())?;
                let part = text.get(from..to).ok_or(ErrorKind::IndexOutOfBounds)?;
                Ok(self.m.string(part)?)
            }
            Method::Has => Ok(Value::bool(text.contains(self.text_arg(call, 0)?))),
            Method::StartsWith => Ok(Value::bool(text.starts_with(self.text_arg(call, 0)?))),
            Method::EndsWith => Ok(Value::bool(text.ends_with(self.text_arg(call, 0)?))),
            Method::IndexOf => Ok(match text.find(self.text_arg(call, 0)?) {
                Some(index) => self.m.int(index as i64)?,
                None => Value::NIL,
            }),
            Method::Upper => Ok(self.m.string(&text.to_ascii_uppercase())?),
            Method::Lower => Ok(self.m.string(&text.to_ascii_lowercase())?),
            Method::Trim => Ok(self.m.string(text.trim_matches(SPACES))?),
            Method::Split => self.split(text, self.text_arg(call, 0)?),
            Method::Replace => {
                let (from, to) = (self.text_arg(call, 0)?, self.text_arg(call, 1)?);
                if from.is_empty() {
                    return Ok(call.receiver);
                }
                let count = text.matches(from).count() as u64;
                let bytes = text.len() as u64 - count * from.len() as u64;
                self.check_text(bytes.saturating_add(count.saturating_mul(to.len() as u64)))?;
                Ok(self.m.string(&text.replace(from, to))?)
            }
            Method::Repeat => {
                let count = self.m.as_int(self.arg(call, 0));
                let count = u64::try_from(count.ok_or(ErrorKind::TypeError)?);
                let count = count.map_err(|_| ErrorKind::IndexOutOfBounds)?;
                self.check_text((text.len() as u64).saturating_mul(count))?;
                let count = if text.is_empty() { 0 } else { count as usize };
                Ok(self.m.string(&text.repeat(count))?)
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    fn text_arg(&self, call: Call<'p, '_>, index: usize) -> Result<&'p str, ErrorKind> {
        self.m
            .text(self.arg(call, index))
            .ok_or(ErrorKind::TypeError)
    }
}
