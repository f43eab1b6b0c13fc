//! When an input is complete.

use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Completer, Helper, Highlighter, Hinter};

/// Lets an input go on over several lines until its brackets are closed.
#[derive(Completer, Helper, Highlighter, Hinter)]
pub(super) struct Lines;

impl Validator for Lines {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_open(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

/// Whether a bracket, a text or a comment is open at the end. A closing bracket too many is
/// for the front end to complain about.
pub(super) fn is_open(input: &str) -> bool {
    /// What is open: a bracket, a text, or `${` within a text.
    #[derive(Clone, Copy, PartialEq)]
    enum Open {
        Bracket,
        Text,
    }

    let mut open: Vec<Open> = Vec::new();
    let mut chars = input.chars().peekable();
    while let Some(c) = chars.next() {
        if open.last() == Some(&Open::Text) {
            match c {
                '\\' => {
                    chars.next();
                }
                '"' => {
                    open.pop();
                }
                '$' if chars.peek() == Some(&'{') => {
                    chars.next();
                    open.push(Open::Bracket);
                }
                // A text ends with its line; the front end says so.
                '\n' => {
                    open.pop();
                }
                _ => {}
            }
            continue;
        }
        match c {
            '"' => open.push(Open::Text),
            '(' | '[' | '{' => open.push(Open::Bracket),
            ')' | ']' | '}' => {
                open.pop();
            }
            '/' if chars.peek() == Some(&'/') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    open.contains(&Open::Bracket)
}

#[cfg(test)]
mod tests {
    use super::is_open;

    #[test]
    fn an_input_goes_on_until_its_brackets_are_closed() {
        for complete in [
            "1 + 1",
            "fn f() { return [1, {}] }",
            "f(\"(\")",
            "// {",
            "}",
            "\"${x}\"",
        ] {
            assert!(!is_open(complete), "{complete}");
        }
        for open in ["fn f() {", "[1,", "f(\"a ${g(", "{ // }", "if x {\n  y("] {
            assert!(is_open(open), "{open}");
        }
    }
}
