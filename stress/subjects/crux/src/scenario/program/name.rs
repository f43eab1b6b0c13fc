//! Names of generated programs: small, copied freely, readable.

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! stems {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The word a name begins with; it tells what the name stands for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Stem { $($(#[$doc])* $variant,)* }

        impl Stem {
            /// The word.
            pub fn text(self) -> &'static str {
                match self { $(Stem::$variant => $text,)* }
            }

            fn from_text(text: &str) -> Option<Stem> {
                match text { $($text => Some(Stem::$variant),)* _ => None }
            }
        }
    };
}

stems! {
    /// A function that the host calls.
    Entry = "entry",
    /// A function.
    Function = "f",
    /// A function that is spawned.
    Worker = "worker",
    /// A global variable.
    Global = "g",
    /// A local variable.
    Local = "x",
    /// A parameter.
    Param = "p",
    /// A local variable that holds a future.
    Future = "t",
    /// A counter of a loop.
    Counter = "n",
    /// A caught error.
    Caught = "e",
    /// The receiver of a method.
    Receiver = "self",
    /// A method; the one named `next` makes its class iterable.
    Method = "do",
    /// The method `next`.
    Next = "next",
    /// A local variable that holds a channel, mutex, stream or weak reference.
    Shared = "s",
    /// An enum.
    Enum = "E",
    /// A variant of an enum.
    Variant = "V",
    /// A class.
    Class = "C",
    /// A field.
    Field = "m",
    /// The field `kind` of errors.
    Kind = "kind",
    /// The field `message` of errors.
    Message = "message",
    /// The field `payload` of errors.
    Payload = "payload",
}

/// A name: a stem and a number, `x12`; number 0 is not written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Its first part.
    pub stem: Stem,
    /// Its second part.
    pub number: u16,
}

impl Name {
    /// The name of a stem and a number.
    pub const fn new(stem: Stem, number: u16) -> Self {
        Self { stem, number }
    }

    /// Appends the name's text.
    pub(super) fn write(self, out: &mut String) {
        out.push_str(self.stem.text());
        if self.number > 0 {
            let mut digits = [0; 5];
            let mut rest = self.number;
            let mut at = digits.len();
            while rest > 0 {
                at -= 1;
                digits[at] = (rest % 10) as u8;
                rest /= 10;
            }
            out.extend(digits[at..].iter().map(|digit| char::from(b'0' + digit)));
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.stem.text())?;
        match self.number {
            0 => Ok(()),
            number => write!(f, "{number}"),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no name of a generated program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no name of a generated program; expected a stem (entry, f, worker, g, x, p, t, n, e, self, do, next, s, E, V, C, m) and a number without leading zeros, such as `x3`",
            self.0
        )
    }
}

impl std::error::Error for NameError {}

impl FromStr for Name {
    type Err = NameError;

    /// Reads a name.
    ///
    /// # Errors
    /// The stem is unknown or the number is not one that is written so.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let stem = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = &text[stem.len()..];
        let number = match digits {
            "" => Some(0),
            digits if digits.starts_with('0') => None,
            digits => digits.parse().ok(),
        };
        match (Stem::from_text(stem), number) {
            (Some(stem), Some(number)) => Ok(Name { stem, number }),
            _ => Err(NameError(text.to_owned())),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        for text in ["x", "x7", "worker65535", "C12", "kind"] {
            let name: Name = text.parse().unwrap();
            let mut written = String::new();
            name.write(&mut written);
            assert_eq!(written, text);
            assert_eq!(name.to_string(), text);
        }
        for text in ["", "7", "x07", "x65536", "y1", "x1x"] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
