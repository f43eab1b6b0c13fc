//! Unknown names, and which known one may have been meant.

use gcrucible_bytecode::{Builtin, ErrorKind, ValueKind};

use super::Resolver;
use super::types::Named;
use crate::ast::Symbol;
use crate::library::{NAMESPACES, is_private};
use crate::source::Span;

/// Hints per source: each one compares many names.
pub(super) const MAX_HINTS: u32 = 40;

/// Names that are compared for one hint.
const MAX_CANDIDATES: usize = 1000;

/// Names longer than this are not compared.
const MAX_LENGTH: usize = 40;

impl Resolver<'_, '_, '_, '_> {
    pub(super) fn unknown_name(&mut self, name: Symbol, span: Span) {
        if name == Symbol::EMPTY {
            return;
        }
        let text = self.ast.names.text(name);
        let ast = self.ast;
        let hint = match elsewhere(text) {
            Some(hint) => Some(hint.to_owned()),
            None if self.take_hint() => {
                let names = self.active.iter().rev();
                let names = names.map(|decl| ast.names.text(ast.decl(*decl).name));
                let builtins = Builtin::ALL.iter().map(|builtin| builtin.name());
                let builtins = builtins.filter(|name| !is_private(name));
                let library = self.linker.catalog.public_names();
                let types = self.type_names();
                let known = names.chain(builtins).chain(library).chain(types);
                nearest(text, known.chain(NAMESPACES.iter().copied()))
            }
            None => None,
        };
        self.sink
            .report_hint(span, format!("unknown name `{text}`"), hint);
    }

    pub(super) fn unknown_class(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let hint = if self.take_hint() {
            nearest(text, self.type_names())
        } else {
            None
        };
        self.sink
            .report_hint(span, format!("unknown class `{text}`"), hint);
    }

    pub(super) fn unknown_type(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let hint = if self.take_hint() {
            let errors = ErrorKind::ALL.iter().map(|kind| kind.name());
            let kinds = ValueKind::ALL.iter().map(|kind| kind.name());
            nearest(text, self.type_names().chain(errors).chain(kinds))
        } else {
            None
        };
        self.sink.add(
            span,
            format!("unknown type `{text}`"),
            Some("a class, enum, error kind or kind of values".to_owned()),
            hint,
        );
    }

    /// A field, variant or function that a class, enum or namespace does not have.
    pub(super) fn unknown_member(&mut self, what: &str, named: Named, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let names = self.member_names(named);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = if self.take_hint() {
            nearest(text, names.iter().copied())
        } else {
            None
        };
        let expected = match (named.what(), names.is_empty()) {
            ("class", true) => "none, it has no fields".to_owned(),
            ("class", false) => format!("one of its fields: {}", list(&names)),
            (_, _) => format!("one of {}", list(&names)),
        };
        self.sink
            .add(span, format!("{what} `{text}`"), Some(expected), hint);
    }

    /// The classes and enums that this source defines.
    fn type_names(&self) -> impl Iterator<Item = &str> {
        let ast = self.ast;
        let classes = ast.classes.iter().map(|class| ast.names.text(class.name));
        let enums = ast.enums.iter().map(|of| ast.names.text(of.name));
        let imports = ast.import_names.iter();
        let imports = imports.map(|import| ast.names.text(ast.decl(import.decl).name));
        classes.chain(enums).chain(imports)
    }

    fn take_hint(&mut self) -> bool {
        let has_one = self.hints_left > 0;
        self.hints_left = self.hints_left.saturating_sub(1);
        has_one
    }
}

/// Some of these names, for a message.
pub(crate) fn list(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A hint for a word that other languages have.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "null" | "None" | "undefined" => "nothing is `nil`",
        "True" => "did you mean `true`?",
        "False" => "did you mean `false`?",
        "self" | "this" => "the receiver is `self`, which only methods have",
        "function" | "func" | "def" => "a function is defined by `fn`",
        "var" | "val" | "mut" => "a variable is defined by `let`",
        "elif" | "elseif" | "elsif" => "write `else if`",
        "switch" | "case" => "write `match`",
        "except" | "rescue" => "write `catch`",
        "not" => "write `!`",
        "async" => "a task is started by `spawn`",
        _ => return None,
    })
}

/// A hint at the candidate that differs from `name` in the fewest characters, if they
/// are few.
pub(crate) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<String> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let allowed = (name.len() / 3).clamp(1, 3);
    candidates
        .take(MAX_CANDIDATES)
        .filter(|other| other.len() <= MAX_LENGTH && other.len().abs_diff(name.len()) <= allowed)
        .map(|other| (distance(name.as_bytes(), other.as_bytes()), other))
        .filter(|&(distance, other)| distance <= allowed && distance < other.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, other)| format!("did you mean `{other}`?"))
}

/// The edit distance: insertions, removals, replacements and swaps of neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"form", b"from"), 1);
        assert_eq!(distance(b"", b"ab"), 2);
    }

    #[test]
    fn only_near_names_are_hinted() {
        let hint = |name| nearest(name, ["count", "x", "total"].into_iter());
        assert_eq!(hint("cuont").as_deref(), Some("did you mean `count`?"));
        assert_eq!(hint("y"), None);
        assert_eq!(hint("something"), None);
    }
}
