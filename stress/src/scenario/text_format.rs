//! Scenarios as text that a person can write by hand, edit and diff.
//!
//! The format is RON. What is written fits in [`LINE_WIDTH`] columns where it can; lists of
//! operations, events and decisions have one item per line. Whatever is wrong with a text
//! is one error with line and column.

mod layout;

use std::fmt;
use std::path::Path;

use ron::error::SpannedError;
use serde::Deserialize;

use super::model::{Body, FORMAT, Scenario};

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

impl Scenario {
    /// The scenario as text, with a newline at its end.
    pub fn to_text(&self) -> String {
        let config = ron::ser::PrettyConfig::new()
            .new_line("\n")
            .escape_strings(false)
            .struct_names(false)
            .extensions(ron::extensions::Extensions::empty());
        let plain = ron::ser::to_string_pretty(self, config)
            .expect("a scenario holds nothing that RON cannot say");
        layout::lay_out(&plain, LINE_WIDTH)
    }

    /// Reads what [`Scenario::to_text`] writes, and what people make of it.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place: a newer format version, an unknown
    /// field, a bad value, a text that ends too early.
    pub fn from_text(text: &str) -> Result<Scenario, FormatError> {
        let mut options = ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        // Trees of generated programs nest deeper than the usual limit.
        options.recursion_limit = Some(256);
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
        let scenario: Scenario = options
            .from_str(text)
            .map_err(|error| describe(text, &error))?;
        match first_bad_value(&scenario) {
            Some((field, message)) => Err(at_field(text, field, message)),
            None => Ok(scenario),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `file:line:column: what is wrong`, or why the file cannot be read.
    pub fn read(path: &Path) -> Result<Scenario, ReadError> {
        let text = std::fs::read_to_string(path).map_err(|error| ReadError {
            message: format!("cannot read the scenario {}: {error}", path.display()),
            newer_format: false,
        })?;
        Scenario::from_text(&text).map_err(|error| ReadError {
            message: format!("{}:{error}", path.display()),
            newer_format: error.newer_format,
        })
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

/// The only part of a scenario that all format versions share.
#[derive(Deserialize)]
struct Header {
    format: u32,
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
fn at_field(text: &str, field: &str, message: String) -> FormatError {
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

/// A value that the types allow and the engine does not.
fn first_bad_value(scenario: &Scenario) -> Option<(&'static str, String)> {
    let heap = &scenario.heap;
    let power_within =
        |value: u32, from: u32, to: u32| value.is_power_of_two() && (from..=to).contains(&value);
    if scenario.format == 0 {
        return Some((
            "format",
            format!("format versions start at 1; expected {FORMAT}"),
        ));
    }
    if !power_within(heap.block_bytes, 512, 1 << 20) {
        let found = heap.block_bytes;
        return Some((
            "block_bytes",
            format!("block_bytes is {found}; expected a power of two from 512 to 1048576"),
        ));
    }
    if !power_within(heap.card_bytes, 64, heap.block_bytes) {
        let found = heap.card_bytes;
        return Some((
            "card_bytes",
            format!("card_bytes is {found}; expected a power of two from 64 to block_bytes"),
        ));
    }
    if heap.nursery_bytes == 0 || heap.tlab_bytes == 0 {
        let field = if heap.nursery_bytes == 0 {
            "nursery_bytes"
        } else {
            "tlab_bytes"
        };
        return Some((field, format!("{field} is 0; expected at least 1")));
    }
    if heap.limit_bytes < u64::from(heap.block_bytes) {
        return Some((
            "limit_bytes",
            format!(
                "limit_bytes is {}; expected at least block_bytes",
                heap.limit_bytes
            ),
        ));
    }
    match &scenario.body {
        Body::HeapOps(body) if body.holders == 0 => {
            Some(("holders", "holders is 0; expected at least 1".to_owned()))
        }
        Body::HeapOps(body) if body.registers == 0 => Some((
            "registers",
            "registers is 0; expected at least 1".to_owned(),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{HeapOp, HeapOps, HostEvent, ModuleSource, Origin, Programs};
    use gcrucible_heap::{CollectionKind, HeapConfig};
    use gcrucible_trace::{Decision, Schedule, Site, StrategyName};

    fn heap_ops() -> Scenario {
        Scenario {
            format: FORMAT,
            origin: Origin {
                seed: Some("heap-ops:1:2".into()),
                ..Origin::default()
            },
            heap: HeapConfig::tiny(),
            debug: "zombie,collect=at:1:5,verify=full".parse().unwrap(),
            schedule: Schedule::Drawn {
                strategy: StrategyName::Pct2,
                seed: 9,
            },
            faults: vec![crate::scenario::Fault::OutOfMemory { at: 3 }],
            body: Body::HeapOps(HeapOps {
                holders: 2,
                registers: 4,
                ops: vec![HeapOp::Array(0, 3), HeapOp::Collect(CollectionKind::Minor)],
            }),
        }
    }

    fn programs() -> Scenario {
        let source = "fn main() {\n  print(\"a#\\\"b\")\n}\n".to_owned();
        let site = Site {
            actor: 1,
            function: 0,
            at: 4,
            visit: 2,
        };
        Scenario {
            schedule: Schedule::Recorded(vec![
                Decision {
                    site: Site::default(),
                    fuel: 0,
                    collect: None,
                    inject: None,
                },
                Decision {
                    site,
                    fuel: 7,
                    collect: Some(gcrucible_trace::CollectionKind::Major),
                    inject: Some(gcrucible_trace::Injected::CancelFuture(3)),
                },
            ]),
            faults: Vec::new(),
            body: Body::Programs(Programs {
                entry: ModuleSource::Text(source),
                answers: Vec::new(),
                edits: Vec::new(),
                versions: Vec::new(),
                host: vec![
                    HostEvent::Call {
                        call: 0,
                        function: "main".into(),
                        args: vec![1, -2],
                    },
                    HostEvent::JoinCall { call: 0 },
                ],
            }),
            ..heap_ops()
        }
    }

    #[test]
    fn scenarios_read_what_they_write() {
        for scenario in [heap_ops(), programs()] {
            let text = scenario.to_text();
            assert_eq!(Scenario::from_text(&text).unwrap(), scenario, "{text}");
            assert_eq!(Scenario::from_text(&text).unwrap().to_text(), text);
        }
    }

    #[test]
    fn generated_scenarios_read_what_they_write() {
        for lane in crate::scenario::Lane::ALL {
            for index in 0..300 {
                let seed = crate::scenario::ScenarioSeed {
                    lane,
                    seed: 1,
                    index,
                };
                let mut scenario = crate::generator::generate(seed, &Default::default());
                scenario.origin.failure = Some(gcrucible_trace::Failure {
                    oracle: "a".into(),
                    check: "b \"c\"".into(),
                    site: "r#\"d\"# \\ ')".into(),
                    message: "one (\n two: [\n  \"three\"".into(),
                });
                let text = scenario.to_text();
                let read = Scenario::from_text(&text).unwrap_or_else(|e| panic!("{seed}: {e}"));
                assert_eq!(read, scenario, "{seed}");
                assert_eq!(read.to_text(), text, "{seed}");
            }
        }
    }

    #[test]
    fn operations_stand_on_lines_of_their_own() {
        let text = heap_ops().to_text();
        assert!(
            text.lines().any(|line| line.trim() == "Array(0, 3),"),
            "{text}"
        );
        assert!(
            text.lines().any(|line| line.trim() == "Collect(Minor),"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= LINE_WIDTH), "{text}");
        let text = programs().to_text();
        assert!(
            text.contains("\n  print("),
            "source text stays readable: {text}"
        );
    }

    #[test]
    fn every_prefix_is_a_clear_error() {
        let text = heap_ops().to_text();
        for end in 0..text.trim_end().len() - 1 {
            let error = Scenario::from_text(&text[..end]).unwrap_err();
            assert!(error.line >= 1 && error.column >= 1);
            assert!(!error.message.is_empty());
        }
        let half = Scenario::from_text(&text[..text.len() / 2]).unwrap_err();
        assert!(half.message.contains("too early"), "{half}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let text = heap_ops().to_text();
        let cases = [
            ("holders: 2", "holdres: 2", "holdres"),
            ("holders: 2", "holders: 0", "at least 1"),
            ("holders: 2", "holders: 300", ""),
            ("Array(0, 3)", "Arroy(0, 3)", "Arroy"),
            ("card_bytes: 128", "card_bytes: 100", "power of two"),
            ("format: 1", "format: 2", "newer"),
            ("format: 1", "format: one", ""),
        ];
        for (from, to, expected) in cases {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from} is in the text");
            let line = 1 + broken[..broken.find(to).unwrap()].matches('\n').count();
            let error = Scenario::from_text(&broken).unwrap_err();
            assert!(error.message.contains(expected), "{to}: {error}");
            assert_eq!(error.line, line, "{to}: {error}");
        }
        let error = Scenario::from_text(&format!("{text} 1")).unwrap_err();
        assert!(error.message.contains("after the end"), "{error}");
    }

    #[test]
    fn a_newer_format_is_recognised_whatever_else_it_holds() {
        let error = Scenario::from_text("(\n  format: 9,\n  galaxy: [1, (a: 2)],\n)").unwrap_err();
        assert!(error.newer_format);
        assert_eq!((error.line, error.column), (2, 3));
    }
}
