//! Numbers and strings.

use std::borrow::Cow;

use super::Parser;
use crate::ast::{ExprId, ExprKind, Symbol};
use crate::lexer::TokenKind;
use crate::source::Span;

impl<'s> Parser<'s, '_> {
    /// An integer or duration; a minus sign before it was taken if `is_negative`, and
    /// stands at `start`.
    pub(super) fn int(&mut self, is_negative: bool, start: Span) -> ExprId {
        let span = start.to(self.token().span);
        let kind = match self.int_value(is_negative, start) {
            Some(value) => ExprKind::Int(value),
            None => ExprKind::Error,
        };
        self.add_leaf(kind, span)
    }

    /// The value of an int or duration, which is the current token; `None` if it is out of
    /// range, which is reported.
    pub(super) fn int_value(&mut self, is_negative: bool, start: Span) -> Option<i64> {
        let token = self.bump();
        let text = self.slice(token.span);
        let (digits, unit) = match token.kind {
            TokenKind::Duration => {
                let unit = text.find(|c: char| c.is_ascii_lowercase());
                let (digits, unit) = text.split_at(unit.unwrap_or(text.len()));
                let ms = match unit {
                    "ms" => 1,
                    "s" => 1000,
                    _ => 60_000,
                };
                (digits, ms)
            }
            _ => (text, 1),
        };
        let digits = without_underscores(digits);
        // The magnitude first: that of the smallest int is no int.
        let magnitude = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        let value = magnitude.and_then(|magnitude| {
            if is_negative {
                0i64.checked_sub_unsigned(magnitude)
            } else {
                i64::try_from(magnitude).ok()
            }
        });
        if value.is_none() {
            self.sink.report_expected(
                start.to(token.span),
                "integer literal out of range",
                "a value from -9223372036854775808 to 9223372036854775807",
            );
        }
        value
    }

    pub(super) fn float(&mut self) -> ExprId {
        let token = self.bump();
        let digits = without_underscores(self.slice(token.span));
        let kind = match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => ExprKind::Float(value),
            _ => {
                self.sink.report_expected(
                    token.span,
                    "float literal out of range",
                    "a value below 1.8e308",
                );
                ExprKind::Error
            }
        };
        self.add_leaf(kind, token.span)
    }

    pub(super) fn string(&mut self) -> ExprId {
        let token = self.bump();
        let text = self.string_text(token.span, 1);
        self.add_leaf(ExprKind::String(text), token.span)
    }

    /// A string with interpolations; the current token is its head.
    pub(super) fn interpolated(&mut self) -> ExprId {
        let start = self.token().span;
        let base = self.pending_exprs.len();
        let mut height = 0;
        loop {
            let token = self.bump();
            let is_tail = token.kind == TokenKind::StringTail;
            let text = self.string_text(token.span, if is_tail { 1 } else { 2 });
            if text != Symbol::EMPTY {
                let part = self.add_leaf(ExprKind::String(text), token.span);
                self.pending_exprs.push(part);
            }
            if is_tail {
                break;
            }
            let part = self.in_brackets(Self::expr);
            height = height.max(self.height(part));
            self.pending_exprs.push(part);
            if !matches!(self.kind(), TokenKind::StringMiddle | TokenKind::StringTail) {
                self.unexpected("`}` after the interpolated expression");
                self.skip_interpolation();
            }
            if !matches!(self.kind(), TokenKind::StringMiddle | TokenKind::StringTail) {
                break;
            }
        }
        let list = self.finish_exprs(base);
        let span = start.to(self.last_span());
        self.add(ExprKind::Concat(list), span, span.start, height)
    }

    /// Skips to the rest of the string whose interpolation is wrong.
    fn skip_interpolation(&mut self) {
        let mut open = 0u32;
        loop {
            match self.kind() {
                TokenKind::End => return,
                TokenKind::StringHead => open += 1,
                TokenKind::StringMiddle | TokenKind::StringTail if open == 0 => return,
                TokenKind::StringTail => open -= 1,
                _ => {}
            }
            self.bump();
        }
    }

    /// The text of a string without interpolation, where `what` is expected. `None` if
    /// there is none, which is reported.
    pub(super) fn plain_string(&mut self, what: &str) -> Option<(Symbol, Span)> {
        let token = self.token();
        if token.kind == TokenKind::StringHead {
            let string = self.interpolated();
            let span = self.span(string);
            let message = "this string must not have interpolations";
            self.sink.report_expected(span, message, what);
            return None;
        }
        if !self.expect(TokenKind::String, what) {
            return None;
        }
        Some((self.string_text(token.span, 1), token.span))
    }

    /// The text of a string token without its first byte and its last `end` bytes, with
    /// escapes replaced.
    fn string_text(&mut self, span: Span, end: u32) -> Symbol {
        // An unterminated string can be shorter than its delimiters; that was reported.
        let inner = Span::new(span.start + 1, span.end.saturating_sub(end));
        let raw = self.slice(inner);
        if !raw.contains('\\') {
            return self.ast.names.intern(raw);
        }
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.find('\\') {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            let (decoded, length) = match escape(rest) {
                Ok(found) => found,
                Err((message, length)) => {
                    let start = inner.start + (raw.len() - rest.len()) as u32;
                    self.sink.report_expected(
                        Span::new(start, start + length as u32),
                        message,
                        "one of \\n \\r \\t \\0 \\\\ \\\" \\$ \\u{…}",
                    );
                    ('\u{fffd}', length)
                }
            };
            text.push(decoded);
            rest = &rest[length..];
        }
        text.push_str(rest);
        self.ast.names.intern_owned(text)
    }
}

fn without_underscores(text: &str) -> Cow<'_, str> {
    if text.contains('_') {
        Cow::Owned(text.replace('_', ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// The character that the escape at the start of `text` stands for, and its length in
/// bytes; or what is wrong with it, and the length of that.
fn escape(text: &str) -> Result<(char, usize), (&'static str, usize)> {
    let Some(kind) = text[1..].chars().next() else {
        return Err(("unknown escape", 1));
    };
    let plain = match kind {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        '\\' | '"' | '$' => kind,
        'u' => {
            let digits = text
                .get(3..)
                .and_then(|rest| rest.split_once('}'))
                .map(|(d, _)| d);
            return match digits {
                Some(digits) if text[2..].starts_with('{') && digits.len() <= 6 => {
                    let length = 4 + digits.len();
                    u32::from_str_radix(digits, 16)
                        .ok()
                        .filter(|_| !digits.starts_with('+'))
                        .and_then(char::from_u32)
                        .map(|c| (c, length))
                        .ok_or(("no such character", length))
                }
                _ => Err(("unknown escape", 2)),
            };
        }
        _ => return Err(("unknown escape", 1 + kind.len_utf8())),
    };
    Ok((plain, 2))
}
