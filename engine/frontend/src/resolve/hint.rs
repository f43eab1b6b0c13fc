//! Unknown names, and which known one may have been meant.

use gcrucible_bytecode::Builtin;

use super::Resolver;
use crate::ast::Symbol;
use crate::source::Span;

/// Hints per source: each one compares many names.
pub(super) const MAX_HINTS: u32 = 40;

/// Names that are compared for one hint.
const MAX_CANDIDATES: usize = 1000;

/// Names longer than this are not compared.
const MAX_LENGTH: usize = 40;

impl Resolver<'_, '_, '_> {
    pub(super) fn unknown_name(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let ast = self.ast;
        let may_hint = self.take_hint();
        let names = self
            .active
            .iter()
            .rev()
            .map(|decl| ast.names.text(ast.decl(*decl).name));
        let builtins = Builtin::ALL.iter().map(|builtin| builtin.name());
        let hint = if may_hint {
            nearest(text, names.chain(builtins))
        } else {
            None
        };
        self.sink
            .report_hint(span, format!("unknown name `{text}`"), hint);
    }

    pub(super) fn unknown_class(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let ast = self.ast;
        let classes = ast.classes.iter().map(|class| ast.names.text(class.name));
        let hint = if self.take_hint() {
            nearest(text, classes)
        } else {
            None
        };
        self.sink
            .report_hint(span, format!("unknown class `{text}`"), hint);
    }

    fn take_hint(&mut self) -> bool {
        let has_one = self.hints_left > 0;
        self.hints_left = self.hints_left.saturating_sub(1);
        has_one
    }
}

/// A hint at the candidate that differs from `name` in the fewest characters, if they
/// are few.
fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<String> {
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
