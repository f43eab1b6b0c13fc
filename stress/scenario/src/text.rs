//! Scenarios as text that a person can write by hand, edit and diff.
//!
//! The format is RON. What is written fits in [`LINE_WIDTH`] columns where it can; lists of
//! operations, events and decisions have one item per line. Whatever is wrong with a text
//! is one error with line and column.

mod layout;

use std::fmt;
use std::path::Path;

use ron::error::SpannedError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the text format this build writes.
pub const FORMAT: u32 = 1;

/// Columns that a line may have if its content can be broken.
pub const LINE_WIDTH: usize = 100;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
    /// Whether the text is of a format that this build does not know.
    pub newer_format: bool,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for FormatError {}

/// A scenario as text, with a newline at its end.
pub fn to_text<T: Serialize>(scenario: &T) -> String {
    let config = ron::ser::PrettyConfig::new()
        .new_line("\n")
        .escape_strings(false)
        .struct_names(false)
        .extensions(ron::extensions::Extensions::empty());
    let plain = ron::ser::to_string_pretty(scenario, config)
        .expect("a scenario holds nothing that RON cannot say");
    layout::lay_out(&plain, LINE_WIDTH)
}

/// Reads what [`to_text`] writes, and what people make of it. `first_bad_value` names a field
/// whose value the types allow and the subject does not, and says what is wrong with it.
///
/// # Errors
/// The first thing that is wrong, with its place: a newer format version, an unknown
/// field, a bad value, a text that ends too early.
pub fn from_text<T: DeserializeOwned>(
    text: &str,
    first_bad_value: impl FnOnce(&T) -> Option<(&'static str, String)>,
) -> Result<T, FormatError> {
    let options = options();
    // The version first: a newer format may have fields that would only confuse.
    if let Ok(header) = options.from_str::<Header>(text)
        && header.format > FORMAT
    {
        return Err(FormatError {
            newer_format: true,
            ..at_field(
                text,
                "format",
                format!(
                    "this file has format version {}, this build reads versions up to {FORMAT}; \
                     use a newer crucible",
                    header.format
                ),
            )
        });
    }
    let scenario: T = options
        .from_str(text)
        .map_err(|error| describe(text, &error))?;
    match first_bad_value(&scenario) {
        Some((field, message)) => Err(at_field(text, field, message)),
        None => Ok(scenario),
    }
}

/// The subject that a text names, if it names one and is a scenario at all.
pub fn subject_of(text: &str) -> Option<String> {
    let header: Header = options().from_str(text).ok()?;
    header.subject
}

fn options() -> ron::Options {
    let mut options =
        ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    // Trees of generated programs nest deeper than the usual limit.
    options.recursion_limit = Some(256);
    options
}

/// The text of a file.
///
/// # Errors
/// Why the file cannot be read.
pub fn read(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|error| ReadError {
        message: format!("cannot read the scenario {}: {error}", path.display()),
        newer_format: false,
    })
}

impl FormatError {
    /// The same of the text of a file.
    pub fn in_file(self, path: &Path) -> ReadError {
        ReadError {
            message: format!("{}:{self}", path.display()),
            newer_format: self.newer_format,
        }
    }
}

/// Why a scenario file could not be read, in one line that names the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The line.
    pub message: String,
    /// Whether the file is of a format that this build does not know.
    pub newer_format: bool,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl From<ReadError> for gcrucible_trace::Refusal {
    fn from(error: ReadError) -> Self {
        let exit = if error.newer_format {
            gcrucible_trace::Exit::Diverged
        } else {
            gcrucible_trace::Exit::Usage
        };
        Self {
            exit,
            message: error.message,
        }
    }
}

/// The only parts of a scenario that all format versions share.
#[derive(Deserialize)]
struct Header {
    format: u32,
    #[serde(default)]
    subject: Option<String>,
}

fn describe(text: &str, error: &SpannedError) -> FormatError {
    let place = error.span.start;
    let rest: String = text
        .lines()
        .skip(error.span.end.line.saturating_sub(1))
        .collect();
    let at_the_end = rest
        .chars()
        .skip(error.span.end.col)
        .all(char::is_whitespace)
        && error.span.end.line >= text.trim_end().lines().count();
    let message = match &error.code {
        ron::Error::TrailingCharacters => {
            "unexpected text after the end of the scenario".to_owned()
        }
        _ if at_the_end => {
            format!(
                "the file ends too early, it may be cut off ({})",
                error.code
            )
        }
        code => code.to_string(),
    };
    FormatError {
        line: place.line.max(1),
        column: place.col.max(1),
        message,
        newer_format: false,
    }
}

/// An error at the first mention of `field`.
pub fn at_field(text: &str, field: &str, message: String) -> FormatError {
    let is_mention = |line: &str, at: usize| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && line[at + field.len()..].trim_start().starts_with(':')
    };
    let place = text.lines().enumerate().find_map(|(number, line)| {
        line.match_indices(field)
            .find(|(at, _)| is_mention(line, *at))
            .map(|(at, _)| (number + 1, line[..at].chars().count() + 1))
    });
    let (line, column) = place.unwrap_or((1, 1));
    FormatError {
        line,
        column,
        message,
        newer_format: false,
    }
}
