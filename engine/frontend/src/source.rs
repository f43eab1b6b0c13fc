//! Source text, and how byte offsets become lines and columns.

use gcrucible_bytecode::SourceSpan;

/// A file of Crux source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as diagnostics and stack traces show it, `main.crux`.
    pub path: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A source of this path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }
}

/// The longest source that is compiled, in bytes. Offsets are 32 bits wide and the tree
/// of a source is some ten times its size.
pub const MAX_SOURCE_BYTES: usize = 8 << 20;

/// A range of bytes of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// From the start of this to the end of `last`.
    pub(crate) fn to(self, last: Span) -> Self {
        Self::new(self.start, last.end)
    }
}

/// Turns byte offsets into lines and columns.
///
/// Neighbouring questions are cheap: it counts from the place it gave last, so that a
/// long line of text beyond ASCII does not cost a count from its start each time.
pub(crate) struct Places<'s> {
    text: &'s str,
    is_ascii: bool,
    line_starts: Vec<u32>,
    line: usize,
    last_offset: usize,
    last_column: u32,
}

impl<'s> Places<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        let mut line_starts = Vec::with_capacity(text.len() / 24 + 1);
        line_starts.push(0);
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                line_starts.push(at as u32 + 1);
            }
        }
        Self {
            text,
            is_ascii: text.is_ascii(),
            line_starts,
            line: 0,
            last_offset: 0,
            last_column: 1,
        }
    }

    /// The line (from 1) and column (in characters, from 1) of a byte offset.
    pub(crate) fn place(&mut self, offset: u32) -> SourceSpan {
        if !self.is_in_line(self.line, offset) {
            self.line = if self.is_in_line(self.line + 1, offset) {
                self.line + 1
            } else {
                self.line_starts.partition_point(|&start| start <= offset) - 1
            };
            self.last_offset = self.line_starts[self.line] as usize;
            self.last_column = 1;
        }
        let offset = offset as usize;
        let column = if self.is_ascii {
            (offset - self.line_starts[self.line] as usize) as u32 + 1
        } else if offset >= self.last_offset {
            self.last_column + self.chars(self.last_offset, offset)
        } else {
            self.last_column - self.chars(offset, self.last_offset)
        };
        self.last_offset = offset;
        self.last_column = column;
        SourceSpan {
            line: self.line as u32 + 1,
            column,
        }
    }

    /// The line that `offset` lies in, without its end, as a byte range.
    pub(crate) fn line_of(&mut self, offset: u32) -> (usize, usize) {
        self.place(offset);
        let start = self.line_starts[self.line] as usize;
        let end = match self.line_starts.get(self.line + 1) {
            Some(&next) => next as usize - 1,
            None => self.text.len(),
        };
        (start, end)
    }

    fn is_in_line(&self, line: usize, offset: u32) -> bool {
        self.line_starts
            .get(line)
            .is_some_and(|&start| start <= offset)
            && self
                .line_starts
                .get(line + 1)
                .is_none_or(|&next| offset < next)
    }

    fn chars(&self, from: usize, to: usize) -> u32 {
        // Bytes that continue a character are 0b10xx_xxxx.
        let starts = |&&byte: &&u8| byte & 0xc0 != 0x80;
        self.text.as_bytes()[from..to].iter().filter(starts).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_in_any_order_of_questions() {
        let text = "let é = 1\n\nç + äö";
        let mut places = Places::new(text);
        let mut at = |needle: char| {
            let place = places.place(text.find(needle).expect("in the text") as u32);
            (place.line, place.column)
        };
        assert_eq!(at('ö'), (3, 6));
        assert_eq!(at('ç'), (3, 1));
        assert_eq!(at('='), (1, 7));
        assert_eq!(at('1'), (1, 9));
        assert_eq!(at('é'), (1, 5));
        assert_eq!(at('+'), (3, 3));
    }

    #[test]
    fn the_end_of_the_text_has_a_place() {
        let mut places = Places::new("a\n");
        assert_eq!(places.place(2), SourceSpan { line: 2, column: 1 });
        assert_eq!(places.line_of(2), (2, 2));
        assert_eq!(places.line_of(0), (0, 1));
    }
}
