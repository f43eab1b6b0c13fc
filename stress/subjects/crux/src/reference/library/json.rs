//! JSON as RFC 8259 has it.

use std::fmt::Write;

use gcrucible_bytecode::ErrorKind;

use super::super::model::Model;
use super::super::value::{Object, Value};
use super::Expected;
use super::shape::Shape;

/// Containers within each other, at most.
const LEVELS_MAX: usize = 256;

/// What a text stands for.
pub(super) fn parsed(text: &str) -> Expected {
    let mut parser = Parser {
        rest: text,
        levels: 0,
    };
    let value = parser.value().filter(|_| {
        parser.skip_spaces();
        parser.rest.is_empty()
    });
    value.map_or(Expected::Throws(ErrorKind::ParseError), Expected::Returns)
}

/// What is left of a text.
struct Parser<'t> {
    rest: &'t str,
    levels: usize,
}

impl Parser<'_> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t', '\r']);
    }

    /// Whether this comes next; it is taken then.
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Option<Shape> {
        self.skip_spaces();
        if self.rest.starts_with(['[', '{']) {
            if self.levels >= LEVELS_MAX {
                return None;
            }
            self.levels += 1;
            let container = match self.takes("[") {
                true => self.elements(),
                false => self.entries(),
            };
            self.levels -= 1;
            return container;
        }
        for (word, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Nil),
        ] {
            if self.takes(word) {
                return Some(Shape::Same(value));
            }
        }
        match self.rest.starts_with('"') {
            true => self.string().map(Shape::Text),
            false => self.number().map(Shape::Same),
        }
    }

    fn elements(&mut self) -> Option<Shape> {
        let mut elements = Vec::new();
        self.skip_spaces();
        if self.takes("]") {
            return Some(Shape::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            self.skip_spaces();
            if self.takes("]") {
                return Some(Shape::Array(elements));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn entries(&mut self) -> Option<Shape> {
        self.takes("{").then_some(())?;
        let mut entries: Vec<(Shape, Shape)> = Vec::new();
        self.skip_spaces();
        if self.takes("}") {
            return Some(Shape::Map(entries));
        }
        loop {
            self.skip_spaces();
            let key = Shape::Text(self.string()?);
            self.skip_spaces();
            self.takes(":").then_some(())?;
            let value = self.value()?;
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = value,
                None => entries.push((key, value)),
            }
            self.skip_spaces();
            if self.takes("}") {
                return Some(Shape::Map(entries));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn digits(&mut self) -> Option<()> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let has_some = rest.len() < self.rest.len();
        self.rest = rest;
        has_some.then_some(())
    }

    fn number(&mut self) -> Option<Value> {
        let from = self.rest;
        self.takes("-");
        if !self.takes("0") {
            self.digits()?;
        }
        let mut is_int = true;
        if self.takes(".") {
            is_int = false;
            self.digits()?;
        }
        if self.takes("e") || self.takes("E") {
            is_int = false;
            let _ = self.takes("+") || self.takes("-");
            self.digits()?;
        }
        let number = &from[..from.len() - self.rest.len()];
        if is_int && let Ok(int) = number.parse() {
            return Some(Value::Int(int));
        }
        let float: f64 = number.parse().ok()?;
        float.is_finite().then_some(Value::Float(float))
    }

    fn string(&mut self) -> Option<String> {
        self.takes("\"").then_some(())?;
        let mut text = String::new();
        loop {
            let c = self.rest.chars().next()?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                '\0'..' ' => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(match c {
            '"' | '\\' | '/' => c,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let high = self.hex()?;
                if !(0xD800..0xE000).contains(&high) {
                    return char::from_u32(high);
                }
                self.takes("\\u").then_some(())?;
                let low = self.hex()?;
                return char::decode_utf16([high as u16, low as u16]).next()?.ok();
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        self.rest = &self.rest[4..];
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    }
}

/// A string in quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' | '\\' => out.extend(['\\', c]),
            // Writing to a string cannot fail.
            '\0'..' ' => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}

impl Model<'_> {
    /// The text of a value.
    pub(super) fn stringified(&self, value: Value, indent: Value) -> Expected {
        /// Wider ones are not made for a comparison.
        const INDENT_MAX: i64 = 64;
        let indent = match indent {
            Value::Nil => None,
            Value::Int(count @ 0..=INDENT_MAX) => Some(" ".repeat(count as usize)),
            other => match self.store.text(other) {
                Some(text) => Some(text.to_string()),
                None => return Expected::Anything,
            },
        };
        let mut out = String::new();
        match self.write_json(value, indent.as_deref(), 0, &mut out) {
            Some(()) => Expected::Returns(Shape::Text(out)),
            None => Expected::Throws(ErrorKind::User),
        }
    }

    fn write_json(
        &self,
        value: Value,
        indent: Option<&str>,
        level: usize,
        out: &mut String,
    ) -> Option<()> {
        let line = |out: &mut String, level| {
            if let Some(indent) = indent {
                out.push('\n');
                out.push_str(&indent.repeat(level));
            }
        };
        match (value, self.store.object(value)) {
            (Value::Nil, _) => out.push_str("null"),
            (Value::Bool(bool), _) => out.push_str(if bool { "true" } else { "false" }),
            (Value::Int(int), _) => out.push_str(&int.to_string()),
            (Value::Float(float), _) if float.is_finite() => out.push_str(&format!("{float:?}")),
            (_, Some(Object::String(text))) => out.push_str(&quoted(text)),
            (_, Some(Object::Array(_) | Object::Map(_))) if level >= LEVELS_MAX => return None,
            (_, Some(Object::Array(elements))) => {
                out.push('[');
                for (at, &element) in elements.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    line(out, level + 1);
                    self.write_json(element, indent, level + 1, out)?;
                }
                if !elements.is_empty() {
                    line(out, level);
                }
                out.push(']');
            }
            (_, Some(Object::Map(map))) => {
                out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    line(out, level + 1);
                    out.push_str(&quoted(self.store.text(key)?));
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    self.write_json(value, indent, level + 1, out)?;
                }
                if !map.is_empty() {
                    line(out, level);
                }
                out.push('}');
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_for_what_rfc_8259_says() {
        let text = |text: &str| Shape::Text(text.to_owned());
        let int = |int| Shape::Same(Value::Int(int));
        assert_eq!(
            parsed(" [1, -0.5e1, {\"a\\u0041\": [], \"aA\": null}]\n"),
            Expected::Returns(Shape::Array(vec![
                int(1),
                Shape::Same(Value::Float(-5.0)),
                Shape::Map(vec![(text("aA"), Shape::Same(Value::Nil))]),
            ]))
        );
        assert_eq!(parsed("\"\\ud83d\\ude00\""), Expected::Returns(text("😀")));
        assert_eq!(
            parsed("9223372036854775808"),
            Expected::Returns(Shape::Same(Value::Float(9_223_372_036_854_775_808.0)))
        );
        for wrong in [
            "",
            "01",
            "[1,]",
            "{\"a\"}",
            "\"\\ud83d\"",
            "1e999",
            "\"\n\"",
            "nul",
        ] {
            assert_eq!(
                parsed(wrong),
                Expected::Throws(ErrorKind::ParseError),
                "{wrong}"
            );
        }
        let deep = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert!(matches!(parsed(&deep(256)), Expected::Returns(_)));
        assert_eq!(parsed(&deep(257)), Expected::Throws(ErrorKind::ParseError));
    }

    #[test]
    fn control_characters_have_escapes() {
        assert_eq!(quoted("a\n\u{1}\"\\é"), "\"a\\n\\u0001\\\"\\\\é\"");
    }
}
