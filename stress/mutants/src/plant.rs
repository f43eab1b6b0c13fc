//! Writes the mutants into the sources.
//!
//! Nothing here adds or removes a line, so that the compiler's messages about the copy are about the same lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::draw::{self, Mutant, Place};

/// The function by which a mutant asks whether it is on, and its crate, which all mutated crates depend on.
const CRATE: &str = "engine/platform/src/lib.rs";
const SWITCH: &str = "
/// Whether this is the mutant that the environment asks for.
#[doc(hidden)]
pub fn is_mutant(number: u32) -> bool {
    static ON: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        let asked = std::env::var(\"CRUCIBLE_MUTANT\").ok();
        asked.and_then(|asked| asked.parse().ok()).unwrap_or(0)
    });
    *ON == number
}
";

/// What a mutant does to the expression, arm or function that it is in.
enum Change {
    /// The operator of an expression, with its operands.
    Binary {
        left: Range<usize>,
        right: Range<usize>,
    },
    /// The operator before an expression.
    Unary { operand: Range<usize> },
    /// The body of a function returns at once. The place is that behind its brace.
    Body,
    /// An arm never matches; its guard, if it has one, with the words before.
    Arm { guard: Option<Range<usize>> },
    /// A guard has the value that the replacement says.
    Guard,
}

/// All mutants of one place.
struct Edit {
    whole: Range<usize>,
    operator: Range<usize>,
    change: Change,
    mutants: Vec<(usize, String)>,
}

pub(crate) fn plant(drawn: &str, tree: &str, skipped: &str) -> Result<(), String> {
    let mutants = draw::read(drawn)?;
    let skipped: BTreeSet<usize> = skipped
        .split_whitespace()
        .map(|number| number.parse().map_err(|_| format!("no number: {number}")))
        .collect::<Result<_, _>>()?;
    let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in (1..).zip(&mutants) {
        if !skipped.contains(&number) {
            files
                .entry(&mutant.file)
                .or_default()
                .push((number, mutant));
        }
    }
    for (file, mutants) in files {
        let path = Path::new(tree).join(file);
        let source = read(&path)?;
        let (planted, left_out) =
            planted(&source, &mutants).map_err(|error| format!("{}: {error}", path.display()))?;
        write(&path, &planted)?;
        for number in left_out {
            println!("{number}");
        }
    }
    let path = Path::new(tree).join(CRATE);
    let source = read(&path)?;
    if !source.contains("fn is_mutant") {
        write(&path, &(source + SWITCH))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The source with its mutants, and the numbers of those that have no such form: fields left out, and what is constant.
fn planted(source: &str, mutants: &[(usize, &Mutant)]) -> Result<(String, Vec<usize>), String> {
    let file = syn::parse_file(source).map_err(|error| error.to_string())?;
    let mut finder = Finder {
        lines: Lines::of(source),
        wanted: mutants,
        edits: Vec::new(),
    };
    finder.visit_file(&file);
    let mut edits = finder.edits;
    let found: BTreeSet<usize> = edits
        .iter()
        .flat_map(|edit| edit.mutants.iter().map(|&(number, _)| number))
        .collect();
    let numbers = mutants.iter().map(|&(number, _)| number);
    let left_out = numbers.filter(|number| !found.contains(number)).collect();
    // An edit comes before those inside of it.
    edits.sort_by_key(|edit| (edit.whole.start, std::cmp::Reverse(edit.whole.end)));
    Ok((rendered(source, 0..source.len(), &edits), left_out))
}

/// A part of the source, with the edits inside of it.
fn rendered(source: &str, part: Range<usize>, edits: &[Edit]) -> String {
    let mut out = String::new();
    let mut at = part.start;
    for (place, edit) in edits.iter().enumerate() {
        if edit.whole.start < at || edit.whole.end > part.end {
            continue;
        }
        out.push_str(&source[at..edit.whole.start]);
        out.push_str(&edit.rendered(source, &edits[place + 1..]));
        at = edit.whole.end;
    }
    out.push_str(&source[at..part.end]);
    out
}

fn is_on(number: usize) -> String {
    format!("::gcrucible_platform::is_mutant({number})")
}

impl Edit {
    fn rendered(&self, source: &str, inner: &[Edit]) -> String {
        let part = |part: &Range<usize>| rendered(source, part.clone(), inner);
        let mut out = String::new();
        match &self.change {
            Change::Binary { left, right } => {
                let (left, right) = (part(left), part(right));
                out.push('(');
                for (number, operator) in &self.mutants {
                    let on = is_on(*number);
                    // The operands have lines of their own once only.
                    let (left, right) = (one_line(&left), one_line(&right));
                    let _ = write!(out, "if {on} {{ {left} {operator} {right} }} else ");
                }
                let operator = &source[self.operator.clone()];
                let _ = write!(out, "{{ {left} {operator} {right} }})");
            }
            Change::Unary { operand } => {
                let operand = part(operand);
                let (number, _) = &self.mutants[0];
                let without = one_line(&operand);
                let operator = &source[self.operator.clone()];
                let on = is_on(*number);
                let _ = write!(
                    out,
                    "(if {on} {{ {without} }} else {{ {operator}{operand} }})"
                );
            }
            Change::Body => {
                for (number, value) in &self.mutants {
                    let on = is_on(*number);
                    let _ = write!(out, " if {on} {{ return {}; }} ", one_line(value));
                }
            }
            Change::Arm { guard } => {
                let off = format!("!{}", is_on(self.mutants[0].0));
                match guard {
                    Some(guard) => {
                        let _ = write!(out, "{off} && ({})", part(guard));
                    }
                    None => {
                        let _ = write!(out, " if {off}");
                    }
                }
            }
            Change::Guard => {
                let guard = part(&self.whole);
                let mut value = format!("({guard})");
                for (number, constant) in &self.mutants {
                    let on = is_on(*number);
                    value = match constant.as_str() {
                        "true" => format!("({on} || {value})"),
                        _ => format!("(!{on} && {value})"),
                    };
                }
                out.push_str(&value);
            }
        }
        out
    }
}

/// Without line breaks, which a comment would not survive.
fn one_line(text: &str) -> String {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    code.collect::<Vec<_>>().join(" ")
}

/// Where the lines of a source begin.
struct Lines(Vec<usize>, String);

impl Lines {
    fn of(source: &str) -> Lines {
        let ends = source.match_indices('\n').map(|(at, _)| at + 1);
        Lines(std::iter::once(0).chain(ends).collect(), source.to_owned())
    }

    fn byte(&self, place: LineColumn) -> usize {
        let begins = self.0[place.line - 1];
        let line = &self.1[begins..];
        begins
            + line
                .chars()
                .take(place.column)
                .map(char::len_utf8)
                .sum::<usize>()
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.byte(span.start())..self.byte(span.end())
    }
}

struct Finder<'a> {
    lines: Lines,
    wanted: &'a [(usize, &'a Mutant)],
    edits: Vec<Edit>,
}

fn is_at(place: Place, at: LineColumn) -> bool {
    (place.line, place.column) == (at.line, at.column + 1)
}

impl Finder<'_> {
    /// The mutants of a kind whose text begins where this does.
    fn of(&self, genre: &str, span: Span) -> Vec<(usize, String)> {
        let wanted = self
            .wanted
            .iter()
            .filter(|(_, mutant)| mutant.genre == genre && is_at(mutant.span.start, span.start()));
        wanted
            .map(|(number, mutant)| (*number, mutant.replacement.clone()))
            .collect()
    }

    fn add(
        &mut self,
        whole: Range<usize>,
        operator: Range<usize>,
        change: Change,
        mutants: Vec<(usize, String)>,
    ) {
        if !mutants.is_empty() {
            self.edits.push(Edit {
                whole,
                operator,
                change,
                mutants,
            });
        }
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if signature.constness.is_some() {
            return;
        }
        let brace = block.brace_token.span.open();
        let begin = self.lines.byte(brace.end());
        // The list has the span from the first statement to the last one, or that of the empty braces.
        let mutants = self.wanted.iter().filter(|(_, mutant)| {
            let first = block
                .stmts
                .first()
                .map(|statement| statement.span().start());
            mutant.genre == "FnValue"
                && (first.is_some_and(|first| is_at(mutant.span.start, first))
                    || is_at(mutant.span.start, brace.start())
                    || is_at(mutant.span.start, brace.end()))
        });
        let mutants = mutants
            .map(|(number, mutant)| (*number, mutant.replacement.clone()))
            .collect();
        self.add(begin..begin, begin..begin, Change::Body, mutants);
    }
}

fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.body(&function.sig, &function.block);
        if function.sig.constness.is_none() {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.body(&function.sig, &function.block);
        if function.sig.constness.is_none() {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.body(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}

    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        if !has_let(&expr.left) && !has_let(&expr.right) {
            let mutants = self.of("BinaryOperator", expr.op.span());
            let change = Change::Binary {
                left: self.lines.range(expr.left.span()),
                right: self.lines.range(expr.right.span()),
            };
            let (whole, operator) = (
                self.lines.range(expr.span()),
                self.lines.range(expr.op.span()),
            );
            self.add(whole, operator, change, mutants);
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let mutants = self.of("UnaryOperator", expr.op.span());
        let operand = self.lines.range(expr.expr.span());
        let (whole, operator) = (
            self.lines.range(expr.span()),
            self.lines.range(expr.op.span()),
        );
        self.add(whole, operator, Change::Unary { operand }, mutants);
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let mutants = self.of("MatchArm", arm.span());
        match &arm.guard {
            None => {
                let end = self.lines.range(arm.pat.span()).end;
                self.add(end..end, end..end, Change::Arm { guard: None }, mutants);
            }
            Some((_, guard)) if !has_let(guard) => {
                let whole = self.lines.range(guard.span());
                let change = Change::Arm {
                    guard: Some(whole.clone()),
                };
                self.add(whole.clone(), whole.clone(), change, mutants);
                let mutants = self.of("MatchArmGuard", guard.span());
                if mutants.len() == 1 && self.edits.last().is_none_or(|edit| edit.whole != whole) {
                    self.add(whole.clone(), whole, Change::Guard, mutants);
                }
            }
            Some(_) => {}
        }
        visit::visit_arm(self, arm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Span as Extent;

    fn mutant(genre: &str, at: (usize, usize), replacement: &str) -> Mutant {
        let place = Place {
            line: at.0,
            column: at.1,
        };
        Mutant {
            name: String::new(),
            file: String::new(),
            genre: genre.to_owned(),
            replacement: replacement.to_owned(),
            span: Extent {
                start: place,
                end: place,
            },
            function: None,
        }
    }

    fn plant(source: &str, mutants: &[Mutant]) -> (String, Vec<usize>) {
        let numbered: Vec<_> = (1..).zip(mutants).collect();
        let (planted, left_out) = planted(source, &numbered).expect("it is Rust");
        syn::parse_file(&planted).expect("it still is");
        assert_eq!(planted.lines().count(), source.lines().count());
        (
            planted.replace("::gcrucible_platform::is_mutant", "on"),
            left_out,
        )
    }

    #[test]
    fn mutants_of_one_place_and_within_each_other_stand_side_by_side() {
        let source = "fn f(a: u32, b: u32) -> bool { !(a + 1 < b) }";
        let mutants = [
            mutant("BinaryOperator", (1, 40), "<="),
            mutant("BinaryOperator", (1, 40), "=="),
            mutant("BinaryOperator", (1, 36), "-"),
            mutant("UnaryOperator", (1, 32), ""),
            mutant("FnValue", (1, 32), "true"),
        ];
        let (planted, left_out) = plant(source, &mutants);
        let sum = "(if on(3) { a - 1 } else { a + 1 })";
        let less = format!(
            "((if on(1) {{ {sum} <= b }} else if on(2) {{ {sum} == b }} else {{ {sum} < b }}))"
        );
        let not = format!("(if on(4) {{ {less} }} else {{ !{less} }})");
        assert_eq!(
            planted,
            format!("fn f(a: u32, b: u32) -> bool {{ if on(5) {{ return true; }}  {not} }}")
        );
        assert_eq!(left_out, [0; 0]);
    }

    #[test]
    fn arms_and_guards_are_turned_off() {
        let source = "fn f(a: u32) -> u32 {\n    match a {\n        0 => 1,\n        1 if a > 0 => 2,\n        _ => 3,\n    }\n}\n";
        let (planted, _) = plant(
            source,
            &[
                mutant("MatchArm", (3, 9), ""),
                mutant("MatchArmGuard", (4, 14), "true"),
            ],
        );
        assert!(planted.contains("0 if !on(1) => 1"), "{planted}");
        assert!(
            planted.contains("1 if (on(2) || (a > 0)) => 2"),
            "{planted}"
        );
    }

    #[test]
    fn what_is_constant_is_left_out() {
        let source = "const fn f(a: u32) -> u32 { a + 1 }";
        let (planted, left_out) = plant(source, &[mutant("BinaryOperator", (1, 31), "-")]);
        assert_eq!((planted.as_str(), left_out), (source, vec![1]));
    }
}
