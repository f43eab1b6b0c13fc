//! Tokens to tree: recursive descent with a limit on nesting.
//!
//! Parsing never stops at an error. What is missing is reported and replaced by an
//! error node, then the parser skips to the next statement; at one token it reports at
//! most once. So all errors of a file are found in one go.
//!
//! Two limits bound the recursion of this and of all later passes: the depth of the
//! parser's own calls, and the height of the tree, which a long chain of operators
//! (`a + b + c …`) raises without any recursion here.

mod expr;
mod item;
mod literal;
mod pattern;
mod stmt;
mod structured;

use crate::ast::{
    Ast, Decl, DeclId, DeclKind, Expr, ExprId, ExprKind, Function, FunctionNodeId, List, PatternId,
    Stmt, StmtId, StmtKind, Symbol, TypeName, TypeNameId, list_of,
};
use crate::diagnostic::Sink;
use crate::hint::{MAX_HINTS, elsewhere};
use crate::lexer::{Token, TokenKind, lex};
use crate::source::Span;

/// The deepest nesting of blocks, brackets, closures and prefix operators.
const MAX_NESTING: u32 = 128;

/// The highest tree, counted in nested operations and blocks; a chain of operators may
/// have as many operands.
const MAX_HEIGHT: u32 = 600;

/// What a text is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Program,
    /// The library may define methods of built-in kinds and functions of namespaces.
    Library,
}

/// The tree of `text`; errors go to `sink`. `None` if the text is nested too deeply for
/// the passes that follow.
pub(crate) fn parse<'s>(text: &'s str, dialect: Dialect, sink: &mut Sink) -> Option<Ast<'s>> {
    let tokens = lex(text, sink);
    let mut parser = Parser {
        text,
        dialect,
        tokens,
        at: 0,
        ast: Ast::with_capacity(text.len()),
        sink,
        heights: Vec::with_capacity(text.len() / 5),
        tallest: 0,
        depth: 0,
        is_too_deep: false,
        is_in_brackets: false,
        is_in_head: false,
        last_error_at: usize::MAX,
        hints_left: MAX_HINTS,
        has_statements: false,
        pending_exprs: Vec::new(),
        pending_stmts: Vec::new(),
        pending_patterns: Vec::new(),
    };
    parser.module();
    (!parser.is_too_deep).then_some(parser.ast)
}

struct Parser<'s, 'd> {
    text: &'s str,
    dialect: Dialect,
    /// The last one is [`TokenKind::End`].
    tokens: Vec<Token>,
    /// The current token.
    at: usize,
    ast: Ast<'s>,
    sink: &'d mut Sink,
    /// For each expression the height of its tree.
    heights: Vec<u32>,
    /// The height of the tallest tree of the current block.
    tallest: u32,
    depth: u32,
    is_too_deep: bool,
    /// Whether line ends are ignored.
    is_in_brackets: bool,
    /// Whether a `{` after a name begins the body of an `if`, `while` or `for`.
    is_in_head: bool,
    last_error_at: usize,
    hints_left: u32,
    /// Whether a statement other than an import was read.
    has_statements: bool,
    /// Stacks of the lists that are being read.
    pending_exprs: Vec<ExprId>,
    pending_stmts: Vec<StmtId>,
    pending_patterns: Vec<PatternId>,
}

impl<'s> Parser<'s, '_> {
    fn module(&mut self) {
        let name = self.ast.names.intern("<module>");
        let end = self.text.len() as u32;
        let id = self.reserve_function();
        let body = self.stmts(TokenKind::End);
        self.ast.functions[id.index()] = Function {
            name,
            parameters: List::default(),
            body,
            span: Span::new(0, end),
        };
    }

    fn token(&self) -> Token {
        self.tokens[self.at]
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    /// The kind of the token behind the current one.
    fn next_kind(&self) -> TokenKind {
        self.tokens
            .get(self.at + 1)
            .map_or(TokenKind::End, |token| token.kind)
    }

    /// The span of the token before the current one.
    fn last_span(&self) -> Span {
        self.at
            .checked_sub(1)
            .map_or(Span::default(), |last| self.tokens[last].span)
    }

    fn is(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    /// Takes the current token. The last one stays.
    fn bump(&mut self) -> Token {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.is(kind);
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes a token of this kind, or reports that `what` was expected.
    fn expect(&mut self, kind: TokenKind, what: &str) -> bool {
        let found = self.eat(kind);
        if !found {
            self.unexpected(what);
        }
        found
    }

    /// Takes a closing bracket, or reports it missing and skips to it if it stands
    /// further on in the same statement.
    fn close(&mut self, kind: TokenKind, what: &str) {
        if self.expect(kind, what) {
            return;
        }
        let mut at = self.at;
        let mut open = 0u32;
        while self.tokens[at].kind != TokenKind::End && !self.tokens[at].is_on_new_line {
            let found = self.tokens[at].kind;
            if open == 0 && found == kind {
                self.at = at + 1;
                return;
            }
            match found {
                TokenKind::ParenOpen | TokenKind::BracketOpen | TokenKind::BraceOpen => open += 1,
                TokenKind::ParenClose | TokenKind::BracketClose | TokenKind::BraceClose => {
                    match open.checked_sub(1) {
                        Some(rest) => open = rest,
                        None => return,
                    }
                }
                TokenKind::Semicolon => return,
                _ => {}
            }
            at += 1;
        }
    }

    fn slice(&self, span: Span) -> &'s str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// Reports the current token, once.
    fn unexpected(&mut self, expected: &str) {
        if self.last_error_at == self.at || self.is_too_deep {
            return;
        }
        self.last_error_at = self.at;
        let token = self.token();
        let message = match token.kind {
            TokenKind::End => "unexpected end of the file".to_owned(),
            kind if kind.is_keyword() && expected.starts_with("the name of") => {
                format!("`{}` is a keyword", self.slice(token.span))
            }
            _ => {
                let text = self.slice(token.span);
                let mut shown: String = text.chars().take(40).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("unexpected `{shown}`")
            }
        };
        let hint = self.hint(token.kind, expected).map(str::to_owned);
        self.sink
            .add(token.span, message, Some(expected.to_owned()), hint);
    }

    /// A hint for a token that does not belong where it is.
    fn hint(&self, kind: TokenKind, expected: &str) -> Option<&'static str> {
        let before = |count: usize| self.at.checked_sub(count).map(|at| self.tokens[at].kind);
        let last = before(1);
        match (last, kind) {
            (_, TokenKind::Assign) if expected == "`{`" => Some("`==` compares"),
            (Some(TokenKind::Equal | TokenKind::NotEqual), TokenKind::Assign) => {
                Some("`==` and `!=` compare")
            }
            (Some(TokenKind::Plus), TokenKind::Plus) => Some("write `n += 1`, a statement"),
            // Two of them begin an expression, so what is missing comes after both.
            (Some(TokenKind::Minus), _) if before(2) == Some(TokenKind::Minus) => {
                Some("write `n -= 1`, a statement")
            }
            (_, TokenKind::If) if expected == "an expression" => Some(
                "`if` is a statement; a choice of values is `match n > 0 { true => a, _ => b }`",
            ),
            (_, TokenKind::Question) => {
                let next = self.tokens.get(self.at + 1).map(|token| token.kind);
                match next {
                    Some(TokenKind::Dot | TokenKind::Question) => {
                        Some("compare with `nil`, as in `if x != nil { … }`")
                    }
                    _ => Some("a choice of values is `match n > 0 { true => a, _ => b }`"),
                }
            }
            (_, TokenKind::Arrow) if expected.ends_with("`;`") => {
                Some("a closure is written `|x| …`")
            }
            _ if expected.ends_with("`;`") => {
                // Operators of other languages are names here.
                let places = [Some(self.at), self.at.checked_sub(1)];
                let mut words = places.into_iter().flatten();
                words.find_map(|at| {
                    let word = self.slice(self.tokens[at].span);
                    elsewhere(word).filter(|_| matches!(word, "and" | "or" | "not"))
                })
            }
            _ => None,
        }
    }

    /// Goes one level deeper. At the limit it reports that, drops the rest of the text
    /// and says false.
    fn enter(&mut self) -> bool {
        if self.depth >= MAX_NESTING {
            self.too_deep(format!(
                "nested too deeply, the limit is {MAX_NESTING} levels"
            ));
            return false;
        }
        self.depth += 1;
        true
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn too_deep(&mut self, message: String) {
        if !self.is_too_deep {
            self.is_too_deep = true;
            let span = self.token().span;
            self.sink.report(span, message);
        }
        self.at = self.tokens.len() - 1;
    }

    fn height(&self, id: ExprId) -> u32 {
        self.heights[id.index()]
    }

    /// Adds an expression whose operands have trees of at most this height.
    fn add(&mut self, kind: ExprKind, span: Span, at: u32, operands: u32) -> ExprId {
        let height = operands + 1;
        if height > MAX_HEIGHT {
            self.too_deep(format!(
                "expression too long, the limit is {MAX_HEIGHT} operations that depend on one \
                 another"
            ));
        }
        self.tallest = self.tallest.max(height);
        let id = ExprId(self.ast.exprs.len() as u32);
        self.ast.exprs.push(Expr { kind, span, at });
        self.heights.push(height);
        id
    }

    fn add_leaf(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.add(kind, span, span.start, 0)
    }

    fn error_expr(&mut self) -> ExprId {
        let span = self.token().span;
        self.add_leaf(ExprKind::Error, span)
    }

    fn add_stmt(&mut self, kind: StmtKind, span: Span) -> StmtId {
        let id = StmtId(self.ast.stmts.len() as u32);
        self.ast.stmts.push(Stmt { kind, span });
        id
    }

    fn add_decl(&mut self, name: Symbol, kind: DeclKind, span: Span) -> DeclId {
        let id = DeclId(self.ast.decls.len() as u32);
        self.ast.decls.push(Decl {
            name,
            kind,
            span,
            is_exported: false,
        });
        id
    }

    fn add_type(&mut self, name: TypeName) -> TypeNameId {
        let id = TypeNameId(self.ast.types.len() as u32);
        self.ast.types.push(name);
        id
    }

    /// A number for a function whose text begins here, so that functions are numbered in
    /// the order of the source.
    fn reserve_function(&mut self) -> FunctionNodeId {
        let id = FunctionNodeId(self.ast.functions.len() as u32);
        self.ast.functions.push(Function {
            name: Symbol::EMPTY,
            parameters: List::default(),
            body: List::default(),
            span: Span::default(),
        });
        id
    }

    /// Makes a list of the expressions pushed since `base`.
    fn finish_exprs(&mut self, base: usize) -> List {
        list_of(&mut self.ast.expr_ids, self.pending_exprs.drain(base..))
    }

    fn finish_stmts(&mut self, base: usize) -> List {
        list_of(&mut self.ast.stmt_ids, self.pending_stmts.drain(base..))
    }

    fn finish_patterns(&mut self, base: usize) -> List {
        list_of(
            &mut self.ast.pattern_ids,
            self.pending_patterns.drain(base..),
        )
    }

    /// Whether the current token is this word, which is a keyword in some places only.
    fn is_word(&self, word: &str) -> bool {
        self.is(TokenKind::Name) && self.slice(self.token().span) == word
    }

    /// Reads something whose tree counts as one, however it is made: what is read, and
    /// the height of the tallest tree in it.
    fn measure<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (T, u32) {
        let tallest = std::mem::replace(&mut self.tallest, 0);
        let result = read(self);
        (result, std::mem::replace(&mut self.tallest, tallest))
    }

    /// A name; if there is none, that is reported and the name is
    /// [`Symbol::EMPTY`]; a word or number in its place is skipped.
    fn name(&mut self, what: &str) -> (Symbol, Span) {
        let span = self.token().span;
        if self.eat(TokenKind::Name) {
            (self.ast.names.intern(self.slice(span)), span)
        } else {
            self.unexpected(what);
            if self.kind().is_in_place_of_name() && !self.token().is_on_new_line {
                self.bump();
            }
            (Symbol::EMPTY, span)
        }
    }
}

#[cfg(test)]
mod tests;
