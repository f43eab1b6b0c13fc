//! Text to tokens.
//!
//! A string with interpolations becomes several tokens: `"a${x}b${y}c"` is
//! [`StringHead`](TokenKind::StringHead) `a`, the tokens of `x`,
//! [`StringMiddle`](TokenKind::StringMiddle) `b`, the tokens of `y`,
//! [`StringTail`](TokenKind::StringTail) `c`. So the text is read once, however deep
//! strings nest, and interpolated expressions need no second lexer.

use logos::{Lexer, Logos};

use crate::diagnostic::Sink;
use crate::source::Span;

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// Whether a line end stands between this token and the one before it.
    pub(crate) is_on_new_line: bool,
    pub(crate) span: Span,
}

/// The kinds of tokens.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(skip r"[ \t\r\x0c]+")]
#[logos(skip(r"//[^\n]*", allow_greedy = true))]
pub(crate) enum TokenKind {
    #[token("\n")]
    Newline,
    #[token("/*")]
    CommentStart,

    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Name,
    #[regex(r"[0-9][0-9_]*")]
    Int,
    #[regex(r"[0-9][0-9_]*\.[0-9][0-9_]*([eE][+-]?[0-9]+)?")]
    #[regex(r"[0-9][0-9_]*[eE][+-]?[0-9]+")]
    Float,
    /// `50ms`, `2s`, `1m`
    #[regex(r"[0-9][0-9_]*(ms|s|m)")]
    Duration,
    /// A string without interpolation.
    #[token("\"")]
    String,
    /// A string from its start to the first `${`.
    StringHead,
    /// A string from a `}` to the next `${`.
    StringMiddle,
    /// A string from a `}` to its end.
    StringTail,

    #[token("nil")]
    Nil,
    #[token("true")]
    True,
    #[token("false")]
    False,
    #[token("let")]
    Let,
    #[token("const")]
    Const,
    #[token("fn")]
    Fn,
    #[token("class")]
    Class,
    #[token("if")]
    If,
    #[token("else")]
    Else,
    #[token("while")]
    While,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("break")]
    Break,
    #[token("continue")]
    Continue,
    #[token("return")]
    Return,
    #[token("try")]
    Try,
    #[token("catch")]
    Catch,
    #[token("finally")]
    Finally,
    #[token("throw")]
    Throw,
    #[token("spawn")]
    Spawn,
    #[token("await")]
    Await,
    #[token("import")]
    Import,
    #[token("export")]
    Export,
    #[token("enum")]
    Enum,
    #[token("match")]
    Match,
    #[token("is")]
    Is,

    #[token("(")]
    ParenOpen,
    #[token(")")]
    ParenClose,
    #[token("[")]
    BracketOpen,
    #[token("]")]
    BracketClose,
    #[token("{")]
    BraceOpen,
    #[token("}")]
    BraceClose,
    #[token(",")]
    Comma,
    #[token(";")]
    Semicolon,
    #[token(":")]
    Colon,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    /// Behind the last parameter of a library function.
    #[token("...")]
    Ellipsis,
    /// Behind a parameter of a library function.
    #[token("?")]
    Question,
    #[token("=>")]
    Arrow,
    #[token("|")]
    Pipe,
    #[token("||")]
    PipePipe,
    #[token("&&")]
    AmpAmp,
    #[token("!")]
    Bang,
    #[token("=")]
    Assign,
    #[token("==")]
    Equal,
    #[token("!=")]
    NotEqual,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEqual,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEqual,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("+=")]
    PlusAssign,
    #[token("-=")]
    MinusAssign,
    #[token("*=")]
    StarAssign,
    #[token("/=")]
    SlashAssign,
    #[token("%=")]
    PercentAssign,

    /// The end of the text, always the last token.
    End,
}

impl TokenKind {
    /// Whether this is a word that cannot be a name.
    pub(crate) fn is_keyword(self) -> bool {
        use TokenKind::{
            Await, Break, Catch, Class, Const, Continue, Else, Enum, Export, False, Finally, Fn,
            For, If, Import, In, Is, Let, Match, Nil, Return, Spawn, Throw, True, Try, While,
        };
        matches!(
            self,
            Nil | True
                | False
                | Let
                | Const
                | Fn
                | Class
                | If
                | Else
                | While
                | For
                | In
                | Break
                | Continue
                | Return
                | Try
                | Catch
                | Finally
                | Throw
                | Spawn
                | Await
                | Import
                | Export
                | Enum
                | Match
                | Is
        )
    }

    /// Whether someone who wrote this where a name belongs meant it as the name.
    pub(crate) fn is_in_place_of_name(self) -> bool {
        use TokenKind::{Duration, Else, Float, For, If, In, Int, Return, String, While};
        matches!(self, Int | Float | Duration | String)
            || self.is_keyword() && !matches!(self, If | Else | While | For | In | Return)
    }
}

/// The tokens of `text`, which is at most
/// [`MAX_SOURCE_BYTES`](crate::MAX_SOURCE_BYTES) long. Characters that begin no token
/// are reported and left out.
pub(crate) fn lex(text: &str, sink: &mut Sink) -> Vec<Token> {
    let mut scanner = Scanner {
        lexer: TokenKind::lexer(text),
        tokens: Vec::with_capacity(text.len() / 3 + 8),
        interpolations: Vec::new(),
        is_on_new_line: true,
        sink,
    };
    scanner.run();
    scanner.tokens
}

struct Scanner<'s, 'd> {
    lexer: Lexer<'s, TokenKind>,
    tokens: Vec<Token>,
    /// For each open interpolation where it began, and how many braces are open in it.
    interpolations: Vec<(u32, u32)>,
    is_on_new_line: bool,
    sink: &'d mut Sink,
}

impl Scanner<'_, '_> {
    fn run(&mut self) {
        while let Some(next) = self.lexer.next() {
            match next {
                Ok(TokenKind::Newline) => {
                    self.is_on_new_line = true;
                    self.close_interpolations();
                }
                Ok(TokenKind::CommentStart) => self.skip_comment(),
                Ok(TokenKind::String) => self.string(TokenKind::String, TokenKind::StringHead),
                Ok(TokenKind::BraceOpen) => {
                    if let Some((_, open)) = self.interpolations.last_mut() {
                        *open += 1;
                    }
                    self.push(TokenKind::BraceOpen);
                }
                Ok(TokenKind::BraceClose) => match self.interpolations.last_mut() {
                    Some((_, 0)) => {
                        self.interpolations.pop();
                        self.string(TokenKind::StringTail, TokenKind::StringMiddle);
                    }
                    Some((_, open)) => {
                        *open -= 1;
                        self.push(TokenKind::BraceClose);
                    }
                    None => self.push(TokenKind::BraceClose),
                },
                Ok(kind) => self.push(kind),
                Err(()) => self.unknown(),
            }
        }
        self.close_interpolations();
        let end = self.lexer.source().len() as u32;
        self.tokens.push(Token {
            kind: TokenKind::End,
            is_on_new_line: true,
            span: Span::new(end, end),
        });
    }

    fn push(&mut self, kind: TokenKind) {
        let span = self.lexer.span();
        self.tokens.push(Token {
            kind,
            is_on_new_line: std::mem::replace(&mut self.is_on_new_line, false),
            span: Span::new(span.start as u32, span.end as u32),
        });
    }

    /// Reads on after a `"`, or after the `}` of an interpolation, and pushes the token:
    /// `whole` if the string ends, `part` if an interpolation begins.
    fn string(&mut self, whole: TokenKind, part: TokenKind) {
        let bytes = self.lexer.remainder().as_bytes();
        let mut at = 0;
        let (length, kind) = loop {
            match bytes.get(at) {
                Some(b'"') => break (at + 1, Some(whole)),
                Some(b'$') if bytes.get(at + 1) == Some(&b'{') => break (at + 2, Some(part)),
                // What follows is looked at when the escape is decoded. It is no end of
                // the string, unless it is the end of the line.
                Some(b'\\') if bytes.get(at + 1).is_some_and(|&b| b != b'\n') => at += 2,
                Some(b'\n') | None => break (at, None),
                Some(_) => at += 1,
            }
        };
        self.lexer.bump(length);
        match kind {
            Some(kind) => {
                if kind == part {
                    self.interpolations
                        .push((self.lexer.span().start as u32, 0));
                }
                self.push(kind);
            }
            None => {
                let span = self.lexer.span();
                let span = Span::new(span.start as u32, span.end as u32);
                self.sink.report_expected(
                    span,
                    "unterminated string",
                    "`\"` before the end of the line",
                );
                self.push(whole);
            }
        }
    }

    /// At the end of a line no interpolation may be open; without this rule one missing
    /// `}` would turn the rest of the file inside out.
    fn close_interpolations(&mut self) {
        let Some(&(start, _)) = self.interpolations.first() else {
            return;
        };
        self.interpolations.clear();
        let end = self.lexer.span().start as u32;
        self.sink.report_expected(
            Span::new(start, end),
            "unterminated interpolation",
            "`}` and `\"` before the end of the line",
        );
        let at = Span::new(end, end);
        self.tokens.push(Token {
            kind: TokenKind::StringTail,
            is_on_new_line: false,
            span: at,
        });
    }

    fn skip_comment(&mut self) {
        let rest = self.lexer.remainder();
        match rest.find("*/") {
            Some(length) => {
                if rest[..length].contains('\n') {
                    self.is_on_new_line = true;
                    self.close_interpolations();
                }
                self.lexer.bump(length + 2);
            }
            None => {
                let start = self.lexer.span().start as u32;
                let span = Span::new(start, start + 2);
                self.sink
                    .report_expected(span, "unterminated comment", "a `*/` that ends it");
                self.lexer.bump(rest.len());
            }
        }
    }

    fn unknown(&mut self) {
        let span = self.lexer.span();
        let slice = self.lexer.slice();
        let span = Span::new(span.start as u32, span.end as u32);
        let rest = self.lexer.remainder();
        match slice.chars().next() {
            Some('&') => {
                let hint = Some("did you mean `&&`?".to_owned());
                self.sink.report_hint(span, "unexpected `&`", hint);
            }
            Some('#') => {
                let hint = Some("a comment begins with `//`".to_owned());
                self.sink
                    .report_hint(span, "unexpected character `#`", hint);
                self.lexer.bump(rest.find('\n').unwrap_or(rest.len()));
            }
            Some('\'') => {
                let hint = Some("a string stands between double quotes".to_owned());
                self.sink
                    .report_hint(span, "unexpected character `'`", hint);
                // The text up to the next one on the line was meant as a string.
                if let Some(end) = rest.find(['\'', '\n'])
                    && rest[end..].starts_with('\'')
                {
                    self.lexer.bump(end + 1);
                    self.push(TokenKind::String);
                }
            }
            Some(c) => {
                let message = format!("unexpected character `{}`", c.escape_debug());
                self.sink.report(span, message);
            }
            None => self.sink.report(span, "unexpected character"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let mut sink = Sink::default();
        let tokens = lex(text, &mut sink);
        assert!(sink.is_empty(), "{}", sink.finish(text));
        tokens.iter().map(|token| token.kind).collect()
    }

    fn errors(text: &str) -> String {
        let mut sink = Sink::default();
        lex(text, &mut sink);
        sink.finish(text).to_string()
    }

    #[test]
    fn numbers_leave_ranges_and_fields_alone() {
        use TokenKind::*;
        assert_eq!(kinds("1..2"), [Int, DotDot, Int, End]);
        assert_eq!(
            kinds("1_000.5e-3 2e9 1.x"),
            [Float, Float, Int, Dot, Name, End]
        );
    }

    #[test]
    fn keywords_are_whole_words() {
        use TokenKind::*;
        assert_eq!(kinds("for format in int"), [For, Name, In, Name, End]);
    }

    #[test]
    fn interpolations_nest() {
        use TokenKind::*;
        assert_eq!(
            kinds(r#""a${ {"k": "${x}"} }b${y}" + "$" "#),
            [
                StringHead,
                BraceOpen,
                String,
                Colon,
                StringHead,
                Name,
                StringTail,
                BraceClose,
                StringMiddle,
                Name,
                StringTail,
                Plus,
                String,
                End
            ]
        );
    }

    #[test]
    fn comments_end_lines_only_if_they_hold_a_line_end() {
        let mut sink = Sink::default();
        let tokens = lex("a /* x */ b /*\n*/ c // d\ne", &mut sink);
        let flags: Vec<bool> = tokens.iter().map(|token| token.is_on_new_line).collect();
        assert_eq!(flags, [true, false, true, true, true]);
    }

    #[test]
    fn unterminated_things_are_reported_where_they_begin() {
        assert!(errors("let s = \"abc\nlet t = 1").starts_with("1:9: unterminated string"));
        assert!(errors("\"abc\\").starts_with("1:1: unterminated string"));
        assert!(errors("x\n \"a${b\n}").starts_with("2:2: unterminated interpolation"));
        assert!(errors("x /* y").starts_with("1:3: unterminated comment"));
    }

    #[test]
    fn unknown_characters_are_reported() {
        assert_eq!(
            errors("a é # b # c\n'x' & @"),
            "1:3: unexpected character `é`\n\
             1:5: unexpected character `#` (a comment begins with `//`)\n\
             2:1: unexpected character `'` (a string stands between double quotes)\n\
             2:5: unexpected `&` (did you mean `&&`?)\n\
             2:7: unexpected character `@`"
        );
    }
}
