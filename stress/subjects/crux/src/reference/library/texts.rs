//! Strings and numbers.

use super::super::model::Model;
use super::super::value::Value;
use super::shape::Shape;
use super::{Expected, Pledge, Pledged};

/// `text` with so much of `fill`, over and over, as it lacks to `width` characters.
fn padding(text: &str, width: i64, fill: &str) -> String {
    let missing = width.saturating_sub(text.chars().count() as i64).max(0);
    fill.chars().cycle().take(missing as usize).collect()
}

/// The lines of a text without their ends.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    // An end behind the last line begins no other, and nothing is no line.
    if lines.last() == Some(&"") {
        lines.pop();
    }
    lines
        .into_iter()
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect()
}

impl Model<'_> {
    pub(super) fn of_text(&self, pledge: &Pledge) -> Expected {
        /// Wider texts are not made for a comparison.
        const WIDTH_MAX: i64 = 1 << 16;
        let args = &pledge.args;
        let Some(text) = self.store.text(args[0]) else {
            return Expected::Anything;
        };
        Expected::Returns(match pledge.function {
            Pledged::StringChars => {
                let chars = text.chars().map(|c| Shape::Text(c.to_string()));
                Shape::Array(chars.collect())
            }
            Pledged::StringLines => Shape::texts(lines(text)),
            Pledged::StringPadStart | Pledged::StringPadEnd => {
                let (Value::Int(width @ ..=WIDTH_MAX), Some(fill)) =
                    (args[1], self.store.text(args[2]))
                else {
                    return Expected::Anything;
                };
                let padding = padding(text, width, fill);
                Shape::Text(match pledge.function {
                    Pledged::StringPadStart => format!("{padding}{text}"),
                    _ => format!("{text}{padding}"),
                })
            }
            _ => return Expected::Anything,
        })
    }

    pub(super) fn of_numbers(&self, pledge: &Pledge) -> Expected {
        let args = &pledge.args;
        if !args
            .iter()
            .all(|arg| matches!(arg, Value::Int(_) | Value::Float(_)))
        {
            return Expected::Anything;
        }
        let is_nan = |value: Value| matches!(value, Value::Float(float) if float.is_nan());
        let is_less = |a, b| matches!(self.compare(a, b), Ok(Some(order)) if order.is_lt());
        let value = match pledge.function {
            Pledged::MathAbs => match args[0] {
                Value::Int(i64::MIN) => return Expected::Anything,
                Value::Int(int) => Value::Int(int.abs()),
                Value::Float(float) => Value::Float(float.abs()),
                _ => return Expected::Anything,
            },
            // A NaN is greater than all numbers.
            Pledged::MathMin if is_nan(args[0]) || is_less(args[1], args[0]) => args[1],
            Pledged::MathMax if is_nan(args[1]) || is_less(args[0], args[1]) => args[1],
            Pledged::MathMin | Pledged::MathMax => args[0],
            Pledged::MathClamp if is_less(args[0], args[1]) => args[1],
            Pledged::MathClamp if is_less(args[2], args[0]) => args[2],
            _ => args[0],
        };
        match is_nan(value) {
            true => Expected::Returns(Shape::NaN),
            false => Expected::Returns(Shape::Same(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padding_goes_over_its_text_again_and_again() {
        assert_eq!(padding("a", 6, "xyz"), "xyzxy");
        assert_eq!(padding("größe", 5, "x"), "");
        assert_eq!(padding("a", 4, ""), "");
    }

    #[test]
    fn nothing_is_no_line() {
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("a\r\n\nb"), ["a", "", "b"]);
        assert_eq!(lines("a\n"), ["a"]);
    }
}
