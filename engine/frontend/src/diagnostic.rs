//! What is wrong with a source, for people.

use std::fmt;

use ariadne::{CharSet, Config, IndexType, Label, Report, ReportKind};

use crate::source::{Places, Source, Span};

/// One error of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, without the place.
    pub message: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters, at least 1, at most to the end of the line.
    pub length: u32,
    /// What was expected there.
    pub expected: Option<String>,
    /// What might help.
    pub hint: Option<String>,
    /// Byte offset of the place.
    start: u32,
}

/// All errors of a source, in order of their places; never empty when it comes from
/// [`compile`](crate::compile).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
}

/// The most diagnostics that are kept of one source; the others are counted.
pub const MAX_DIAGNOSTICS: usize = 1000;

impl Diagnostics {
    /// The errors, in order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The number of errors kept.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A report for people: file, line, column, the line itself, what was expected.
    /// Very long lines are shown in part. `source` must be the source that was compiled;
    /// with another one the excerpts are wrong.
    pub fn render(&self, source: &Source, color: bool) -> String {
        let mut out = Vec::new();
        let mut places = Places::new(&source.text);
        for diagnostic in &self.list {
            // Writing to memory does not fail.
            let _ = render_one(diagnostic, source, &mut places, color, &mut out);
        }
        let mut out = String::from_utf8_lossy(&out).into_owned();
        if self.omitted > 0 {
            out.push_str(&format!("and {} more errors\n", self.omitted));
        }
        out
    }
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, ", expected {expected}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.list.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Characters of a line that are shown before and from the place of an error on.
const EXCERPT_BEFORE: usize = 60;
const EXCERPT_FROM: usize = 100;

fn render_one(
    diagnostic: &Diagnostic,
    source: &Source,
    places: &mut Places<'_>,
    color: bool,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let mut at = (diagnostic.start as usize).min(source.text.len());
    while !source.text.is_char_boundary(at) {
        at -= 1;
    }
    let (line_start, line_end) = places.line_of(at as u32);
    let before = &source.text[line_start..at];
    let after = &source.text[at..line_end.max(at)];
    let mut excerpt: String = {
        let mut reversed: Vec<char> = before.chars().rev().take(EXCERPT_BEFORE).collect();
        reversed.reverse();
        reversed.into_iter().collect()
    };
    let is_cut_before = excerpt.len() < before.len();
    if is_cut_before {
        excerpt.insert_str(0, "… ");
    }
    let start = excerpt.chars().count();
    excerpt.extend(after.chars().take(EXCERPT_FROM));
    let is_cut_after =
        excerpt.chars().count() - start < after.chars().take(EXCERPT_FROM + 1).count();
    let shown = excerpt.chars().count() - start;
    let length = (diagnostic.length as usize).min(shown);
    if is_cut_after {
        excerpt.push_str(" …");
    }
    // The renderer would take some of these for line ends.
    let excerpt: String = excerpt
        .chars()
        .map(|c| {
            if (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();

    let path = source.path.as_str();
    let config = Config::default()
        .with_color(color)
        .with_index_type(IndexType::Char)
        .with_char_set(if color {
            CharSet::Unicode
        } else {
            CharSet::Ascii
        })
        .with_compact(false);
    let span = (path, start..start + length);
    let mut label = Label::new(span.clone());
    label = match &diagnostic.expected {
        Some(expected) => label.with_message(format!("expected {expected}")),
        None => label.with_message("here"),
    };
    let mut report = Report::build(ReportKind::Error, span)
        .with_config(config)
        .with_message(&diagnostic.message)
        .with_label(label);
    if is_cut_before {
        report = report.with_note(format!(
            "this is column {}; the line is shown in part",
            diagnostic.column
        ));
    }
    if let Some(hint) = &diagnostic.hint {
        report = report.with_help(hint);
    }
    let lines_before = diagnostic.line.saturating_sub(1) as usize;
    let excerpt = ariadne::Source::from(excerpt).with_display_line_offset(lines_before);
    let mut rendered = Vec::new();
    report.finish().write((path, excerpt), &mut rendered)?;
    let rendered = String::from_utf8_lossy(&rendered);
    out.extend(renumber(&rendered, diagnostic.line).bytes());
    Ok(())
}

/// Puts the number of the line into the margin: the renderer, which is given that line
/// alone, writes 1 there whatever offset it is told.
fn renumber(rendered: &str, line: u32) -> String {
    let number = line.to_string();
    let widen = |by: char| String::from(by).repeat(number.len() - 1);
    let mut out = String::with_capacity(rendered.len() + 16);
    for (at, row) in rendered.split_inclusive('\n').enumerate() {
        let is_margin = row.starts_with(' ');
        let bar = row.find(['|', '│']);
        let is_numbered = |bar: usize| row[..bar].ends_with("1 ");
        match bar {
            Some(bar) if is_margin && is_numbered(bar) => {
                out.push_str(&row[..bar - 2]);
                out.push_str(&number);
                out.push_str(&row[bar - 1..]);
            }
            _ if is_margin => {
                out.push_str(&widen(' '));
                out.push_str(row);
            }
            // The corner below the margin; the first row is the message.
            _ => match row.find(['-', '─']).filter(|_| at > 0) {
                Some(corner) => {
                    let rule = if row[corner..].starts_with('-') {
                        '-'
                    } else {
                        '─'
                    };
                    out.push_str(&row[..corner]);
                    out.push_str(&widen(rule));
                    out.push_str(&row[corner..]);
                }
                None => out.push_str(row),
            },
        }
    }
    out
}

/// Collects errors while a source is compiled.
#[derive(Default)]
pub(crate) struct Sink {
    found: Vec<Found>,
    omitted: usize,
}

struct Found {
    message: String,
    span: Span,
    expected: Option<String>,
    hint: Option<String>,
}

impl Sink {
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The number of errors so far, those beyond the limit included.
    pub(crate) fn len(&self) -> usize {
        self.found.len() + self.omitted
    }

    /// Whether the next error is kept and not only counted.
    pub(crate) fn keeps_more(&self) -> bool {
        self.found.len() < MAX_DIAGNOSTICS
    }

    pub(crate) fn report(&mut self, span: Span, message: impl Into<String>) {
        self.add(span, message.into(), None, None);
    }

    pub(crate) fn report_expected(
        &mut self,
        span: Span,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) {
        self.add(span, message.into(), Some(expected.into()), None);
    }

    pub(crate) fn report_hint(
        &mut self,
        span: Span,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.add(span, message.into(), None, hint);
    }

    pub(crate) fn add(
        &mut self,
        span: Span,
        message: String,
        expected: Option<String>,
        hint: Option<String>,
    ) {
        if self.keeps_more() {
            self.found.push(Found {
                message: shortened(message),
                span,
                expected: expected.map(shortened),
                hint: hint.map(shortened),
            });
        } else {
            self.omitted += 1;
        }
    }

    /// The errors with their places in `text`.
    pub(crate) fn finish(mut self, text: &str) -> Diagnostics {
        self.found.sort_by_key(|found| found.span.start);
        let mut places = Places::new(text);
        let list = self.found.into_iter().map(|found| {
            let Found {
                message,
                span,
                expected,
                hint,
            } = found;
            let place = places.place(span.start);
            let (_, line_end) = places.line_of(span.start);
            let end = (span.end as usize).min(line_end);
            let covered = text.get(span.start as usize..end).unwrap_or("");
            Diagnostic {
                message,
                line: place.line,
                column: place.column,
                length: (covered.chars().count() as u32).max(1),
                expected,
                hint,
                start: span.start,
            }
        });
        Diagnostics {
            list: list.collect(),
            omitted: self.omitted,
        }
    }
}

/// A text without what is too long in it, as a name may be.
fn shortened(mut text: String) -> String {
    const MAX_BYTES: usize = 400;
    if text.len() > MAX_BYTES {
        let end = (0..=MAX_BYTES).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostics(text: &str, start: usize, end: usize) -> Diagnostics {
        let mut sink = Sink::default();
        sink.report_expected(
            Span::new(start as u32, end as u32),
            "unexpected `x`",
            "a name",
        );
        sink.finish(text)
    }

    #[test]
    fn the_margin_has_the_number_of_the_line() {
        let source = Source::new("main.crux", "\n".repeat(122) + "let x|1 | = 1");
        let found = diagnostics(&source.text, 126, 127);
        let shown = found.render(&source, false);
        let rows: Vec<&str> = shown.lines().map(str::trim_end).collect();
        let expected = [
            "Error: unexpected `x`",
            "     ,-[ main.crux:123:5 ]",
            "     |",
            " 123 | let x|1 | = 1",
            "     |     |",
            "     |     `-- expected a name",
            "-----'",
        ];
        assert_eq!(rows, expected);
        let coloured = found.render(&source, true);
        assert!(coloured.contains("123 │"), "{coloured}");
        assert!(!coloured.contains("m1 │"), "{coloured}");
    }

    #[test]
    fn shows_file_line_column_the_line_and_what_was_expected() {
        let source = Source::new("dir/main.crux", "let a = 1\nlet x\n");
        let found = diagnostics(&source.text, 14, 15);
        let shown = found.render(&source, false);
        for part in [
            "unexpected `x`",
            "dir/main.crux:2:5",
            "let x",
            "expected a name",
        ] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
        assert!(
            !shown.contains('\u{1b}'),
            "no colours were asked for:\n{shown}"
        );
        assert!(found.render(&source, true).contains('\u{1b}'));
        assert_eq!(found.to_string(), "2:5: unexpected `x`, expected a name");
    }

    #[test]
    fn long_lines_are_shown_in_part() {
        let source = Source::new("m", format!("{}x{}", "é".repeat(5000), "é".repeat(5000)));
        let shown = diagnostics(&source.text, 10000, 10001).render(&source, false);
        assert!(shown.len() < 2000, "{shown}");
        assert!(shown.contains("column 5001"), "{shown}");
    }

    #[test]
    fn odd_line_ends_and_the_end_of_the_text_are_shown() {
        for text in ["", "\n", "a\u{b}\u{2028}\r\u{85}b", "ab\r\ncd"] {
            let source = Source::new("m", text);
            let found = diagnostics(text, text.len(), text.len());
            assert!(found.render(&source, false).contains("expected a name"));
        }
    }

    #[test]
    fn too_many_are_counted() {
        let mut sink = Sink::default();
        for _ in 0..MAX_DIAGNOSTICS + 5 {
            sink.report(Span::default(), "wrong");
        }
        let source = Source::new("m", "");
        let found = sink.finish("");
        assert_eq!(found.len(), MAX_DIAGNOSTICS);
        assert!(
            found
                .render(&source, false)
                .ends_with("and 5 more errors\n")
        );
    }
}
