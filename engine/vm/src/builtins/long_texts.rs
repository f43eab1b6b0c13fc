//! Texts of any length, put together and searched in steps.
//!
//! A text is put together outside of the heap, and then copied there: both in steps.
#![allow(unsafe_code, reason = "strings are written in steps")]

use std::borrow::Cow;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Checks, Slot, Value};
use gcrucible_platform::planted;

use super::SPACES;
use crate::interpreter::{Context, Made, Stop};
use crate::roots::ROOTS;
use crate::work::{BYTES_PER_UNIT, Progress};

/// Short texts are repeated by as many of them as make about so many bytes.
const BLOCK_BYTES: usize = 4096;

/// Bytes that are looked at one by one in about one instruction's time.
const SPACES_PER_UNIT: usize = 8;

/// A text in the making.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    /// The text so far.
    text: String,
    /// Where it goes on in what it is made of.
    at: usize,
    copied: Copied,
}

/// A string on the heap that a text is copied to.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) string: Slot,
    bytes: usize,
}

impl Default for Copied {
    fn default() -> Self {
        Copied {
            string: Slot::nil(ROOTS),
            bytes: 0,
        }
    }
}

impl Writing {
    /// Bytes of the text so far.
    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Passes its root on.
    pub(crate) fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        root(&self.copied.string);
    }
}

/// Looks for a part of a text.
#[derive(Debug)]
pub(crate) struct Find {
    at: usize,
}

/// Takes the spaces around a text away: those in front, then those behind, then it copies what is
/// left.
#[derive(Debug)]
pub(crate) struct Trim {
    from: usize,
    to: usize,
    has_front: bool,
    has_back: bool,
    copied: Copied,
}

impl Trim {
    /// Passes its root on.
    pub(crate) fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        root(&self.copied.string);
    }
}

fn is_space(byte: &u8) -> bool {
    SPACES.contains(&char::from(*byte))
}

fn take_bytes(units: &mut u32, bytes: usize) {
    let done = u32::try_from(bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX);
    *units = units.saturating_sub(1 + done);
}

/// The end of the part of a text from `from` on that so many units reach, between characters.
fn reach(text: &str, from: usize, units: u32) -> usize {
    let end = from + units as usize * BYTES_PER_UNIT;
    let end = text.floor_char_boundary(end);
    // However few they are, they reach one character.
    match end > from {
        true => end,
        false => text.ceil_char_boundary((from + 1).min(text.len())),
    }
}

impl<'p, C: Checks> Context<'p, C> {
    /// A string with this text, once all of it is copied.
    pub(super) fn copied(
        &self,
        text: &str,
        copied: &mut Copied,
        units: &mut u32,
    ) -> Result<Option<Value<'p>>, Stop<'p>> {
        if copied.string.is_nil() {
            if text.len() <= *units as usize * BYTES_PER_UNIT {
                take_bytes(units, text.len());
                return Ok(Some(self.m.string(text)?));
            }
            // SAFETY: nobody but this reads the slot until all bytes are copied.
            let string = unsafe { self.m.begin_string(text.len())? };
            self.m.store(&copied.string, string);
            self.work.advance();
        }
        let string = self.m.load_root(&copied.string);
        while copied.bytes < text.len() {
            if *units == 0 {
                return Ok(None);
            }
            // In whole words, as they lie in memory.
            let bytes = (text.len() - copied.bytes).min(*units as usize * BYTES_PER_UNIT);
            let end = copied.bytes + bytes;
            let bytes_left = &text.as_bytes()[copied.bytes..end];
            // SAFETY: the string was begun above, for the same text: an instruction gives the one
            // that it began with until all of its bytes are copied.
            unsafe { self.m.write_string(string, copied.bytes, bytes_left) };
            copied.bytes = end;
            take_bytes(units, bytes);
        }
        Ok(Some(string))
    }

    /// A string of a text that `more` puts together: it appends to the text, goes on at the
    /// place that it left, and says whether there is no more.
    fn written(&self, more: impl FnOnce(&mut String, &mut usize, &mut u32) -> bool) -> Made<'p> {
        self.in_steps(
            || Progress::Writing(Writing::default()),
            |progress, units| {
                let Progress::Writing(writing) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let is_whole = more(&mut writing.text, &mut writing.at, units);
                self.check_text(writing.text.len() as u64)?;
                match is_whole {
                    true => self.copied(&writing.text, &mut writing.copied, units),
                    false => Ok(None),
                }
            },
        )
    }

    /// A text piece by piece, each made into something of the same or another length.
    pub(super) fn mapped_text(&self, text: &str, map: impl Fn(&str) -> String) -> Made<'p> {
        self.written(|out, at, units| {
            while *at < text.len() {
                if *units == 0 {
                    return false;
                }
                let end = reach(text, *at, *units);
                out.push_str(&map(&text[*at..end]));
                take_bytes(units, end - *at);
                *at = end;
            }
            true
        })
    }

    /// A text without the spaces around it.
    pub(super) fn trimmed_text(&self, text: &str) -> Made<'p> {
        let bytes = text.as_bytes();
        self.in_steps(
            || {
                Progress::Trim(Trim {
                    from: 0,
                    to: text.len(),
                    has_front: false,
                    has_back: false,
                    copied: Copied::default(),
                })
            },
            |progress, units| {
                let Progress::Trim(trim) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                while !trim.has_front {
                    if *units == 0 {
                        return Ok(None);
                    }
                    let end = trim.to.min(trim.from + *units as usize * SPACES_PER_UNIT);
                    let spaces = bytes[trim.from..end].iter();
                    let count = spaces.take_while(|byte| is_space(byte)).count();
                    trim.from += count;
                    trim.has_front = trim.from < end || end == trim.to;
                    *units = units.saturating_sub(1 + (count / SPACES_PER_UNIT) as u32);
                }
                while !trim.has_back {
                    if *units == 0 {
                        return Ok(None);
                    }
                    let begin = trim.to.saturating_sub(*units as usize * SPACES_PER_UNIT);
                    let begin = begin.max(trim.from);
                    let spaces = bytes[begin..trim.to].iter().rev();
                    let count = spaces.take_while(|byte| is_space(byte)).count();
                    trim.to -= count;
                    trim.has_back = trim.to > begin || begin == trim.from;
                    *units = units.saturating_sub(1 + (count / SPACES_PER_UNIT) as u32);
                }
                self.copied(&text[trim.from..trim.to], &mut trim.copied, units)
            },
        )
    }

    /// Texts one after the other.
    pub(crate) fn joined_texts(&self, texts: [&str; 2]) -> Made<'p> {
        let len = texts[0].len() + texts[1].len();
        self.written(|out, _, units| {
            while out.len() < len {
                if *units == 0 {
                    return false;
                }
                let (text, from) = match out.len().checked_sub(texts[0].len()) {
                    Some(from) => (texts[1], from),
                    None => (texts[0], out.len()),
                };
                let end = reach(text, from, *units);
                out.push_str(&text[from..end]);
                take_bytes(units, end - from);
            }
            true
        })
    }

    /// A text so many times.
    pub(super) fn repeated_text(&self, text: &str, count: usize) -> Made<'p> {
        let len = text.len() * count;
        let block = match text.len() {
            0..BLOCK_BYTES if len > 0 => {
                Cow::Owned(text.repeat((BLOCK_BYTES / text.len()).min(count).max(1)))
            }
            // One that is long enough as it is.
            _ => Cow::Borrowed(text),
        };
        self.written(|out, _, units| {
            while out.len() < len {
                if *units == 0 {
                    return false;
                }
                let from = out.len() % block.len();
                let end = reach(&block, from, *units).min(from + len - out.len());
                out.push_str(&block[from..end]);
                take_bytes(units, end - from);
            }
            true
        })
    }

    /// A text with each occurrence of `from`, which is not empty, replaced.
    pub(super) fn replaced_text(&self, text: &str, from: &str, to: &str) -> Made<'p> {
        let bytes = text.as_bytes();
        self.written(|out, at, units| {
            while *at < text.len() {
                if *units == 0 || out.len() > self.text_bytes_max {
                    return false;
                }
                let window = *units as usize * BYTES_PER_UNIT;
                let end = (*at + window + from.len()).min(bytes.len());
                match memchr::memmem::find(&bytes[*at..end], from.as_bytes()) {
                    Some(found) if !planted!(B227, *at + found + from.len() == bytes.len()) => {
                        out.push_str(&text[*at..*at + found]);
                        out.push_str(to);
                        take_bytes(units, found + to.len());
                        *at += found + from.len();
                    }
                    _ => {
                        // An occurrence may begin in what is too short for one.
                        let safe = match end == bytes.len() {
                            true => end,
                            false => text.floor_char_boundary(end - from.len() + 1),
                        };
                        let safe = if safe > *at {
                            safe
                        } else {
                            text.ceil_char_boundary(*at + 1)
                        };
                        out.push_str(&text[*at..safe]);
                        take_bytes(units, safe - *at);
                        *at = safe;
                    }
                }
            }
            true
        })
    }

    /// Where a part of a text begins first, nil if it is none.
    pub(super) fn text_search(&self, text: &str, part: &str) -> Made<'p> {
        let (bytes, part) = (text.as_bytes(), part.as_bytes());
        self.in_steps(
            || Progress::Find(Find { at: 0 }),
            |progress, units| {
                let Progress::Find(find) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                loop {
                    let window = *units as usize * BYTES_PER_UNIT;
                    let end = (find.at + window + part.len()).min(bytes.len());
                    let found = memchr::memmem::find(&bytes[find.at..end], part);
                    take_bytes(units, found.unwrap_or(end - find.at));
                    match found {
                        Some(found) => return Ok(Some(self.m.int((find.at + found) as i64)?)),
                        None if end == bytes.len() => return Ok(Some(Value::NIL)),
                        None => find.at = end - part.len() + 1,
                    }
                    if *units == 0 {
                        return Ok(None);
                    }
                }
            },
        )
    }
}
