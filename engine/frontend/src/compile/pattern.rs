//! `match`: the patterns of its arms are tried one after the other.

use gcrucible_bytecode::{Builtin, Op, Reg, Type, ValueKind};

use super::emitter::{Emitter, Patch};
use crate::ast::{ArmBody, DeclId, List, PatternId, PatternKind};
use crate::resolve::Binding;
use crate::source::Span;

const TARGET: u32 = u32::MAX;

impl Emitter<'_, '_, '_, '_> {
    /// `dst =` the value of the first arm that takes the subject.
    pub(super) fn match_expr(&mut self, index: u32, dst: Reg, at: u32) {
        let node = self.ast.matches[index as usize];
        let arms = &self.ast.match_arms[node.arms.range()];
        // A guard may assign the variable that is the subject.
        let is_assigned = arms
            .iter()
            .any(|arm| arm.guard.is_some_and(|guard| self.may_assign(guard)));
        let subject = if is_assigned {
            self.copied(node.subject)
        } else {
            self.any(node.subject)
        };
        let mut ends = Vec::new();
        let mut fails = Vec::new();
        let mut is_complete = false;
        for arm in arms {
            fails.clear();
            let mark = self.mark();
            self.pattern(arm.pattern, subject, &mut fails);
            if let Some(guard) = arm.guard {
                self.cond(guard, false, &mut fails);
            }
            self.release(mark);
            match arm.body {
                ArmBody::Expr(value) => self.to(value, dst),
                ArmBody::Block(body) => {
                    self.stmts(body);
                    if self.is_reachable() {
                        self.emit(Op::LoadNil { dst }, at);
                    }
                }
            }
            // The arms behind one that takes everything are never reached.
            is_complete = fails.is_empty();
            if is_complete {
                break;
            }
            if self.is_reachable() {
                ends.push(self.emit_jump(Op::Jump { target: TARGET }, at));
            }
            self.patch_all(&fails);
        }
        if !is_complete {
            let base = self.take(self.ast.expr(node.subject).span);
            self.emit(
                Op::Move {
                    dst: base,
                    src: subject,
                },
                at,
            );
            self.emit(
                Op::CallBuiltin {
                    base,
                    builtin: Builtin::NewNoMatch,
                    argc: 1,
                },
                at,
            );
            self.emit(Op::Throw { src: base }, at);
        }
        self.patch_all(&ends);
    }

    /// Goes on behind the code if the pattern takes the value in `subject`; else takes one
    /// of the jumps that are added to `fails`.
    fn pattern(&mut self, id: PatternId, subject: Reg, fails: &mut Vec<Patch>) {
        let pattern = *self.ast.pattern(id);
        let span = pattern.span;
        let at = span.start;
        let mark = self.mark();
        match pattern.kind {
            PatternKind::Error | PatternKind::Any => {}
            PatternKind::Bind(decl) => self.bind(decl, subject, at),
            PatternKind::Is(decl, of) => {
                let type_id = self.resolved.types[of.index()];
                self.is(type_id, subject, span, fails);
                if let Some(decl) = decl {
                    self.bind(decl, subject, at);
                }
            }
            PatternKind::Literal(literal) => {
                let dst = self.copied(literal);
                self.test(
                    Op::Eq {
                        dst,
                        lhs: subject,
                        rhs: dst,
                    },
                    dst,
                    at,
                    fails,
                );
            }
            PatternKind::Range(first, end) => self.range_pattern(first, end, subject, span, fails),
            PatternKind::Variant(of, parts) => {
                let type_id = self.resolved.types[of.index()];
                self.is(type_id, subject, span, fails);
                for (index, part) in parts.unwrap_or_default().range().enumerate() {
                    let part = self.ast.pattern_ids[part];
                    let index = index as u8;
                    self.part(part, fails, |dst| Op::GetPayload {
                        dst,
                        src: subject,
                        index,
                    });
                }
            }
            PatternKind::Instance(_, fields) => {
                let Binding::Class { id: class, .. } = self.resolved.patterns[id.index()] else {
                    return;
                };
                let type_id = self.linker.type_id(Type::Class(class));
                self.is(type_id, subject, span, fails);
                for field in &self.ast.field_patterns[fields.range()] {
                    let name = self.text(field.name);
                    self.part(field.pattern, fails, |dst| Op::GetField {
                        dst,
                        object: subject,
                        name,
                    });
                }
            }
            PatternKind::Array(parts) => self.array_pattern(parts, subject, span, fails),
            PatternKind::Or(parts) => self.alternatives(parts, subject, at, fails),
        }
        self.release(mark);
    }

    fn bind(&mut self, decl: DeclId, src: Reg, at: u32) {
        let variable = self.resolved.variables[decl.index()];
        let dst = variable.register;
        let op = if variable.is_cell {
            Op::NewCell { dst, src }
        } else {
            Op::Move { dst, src }
        };
        self.emit(op, at);
    }

    /// A test whose result comes to `cond`.
    fn test(&mut self, op: Op, cond: Reg, at: u32, fails: &mut Vec<Patch>) {
        self.emit(op, at);
        let target = TARGET;
        fails.push(self.emit_jump(Op::JumpIfNot { cond, target }, at));
    }

    fn is(&mut self, type_id: u16, src: Reg, span: Span, fails: &mut Vec<Patch>) {
        let mark = self.mark();
        let dst = self.take(span);
        self.test(Op::Is { dst, src, type_id }, dst, span.start, fails);
        self.release(mark);
    }

    /// A pattern for what `load` puts into a register.
    fn part(&mut self, id: PatternId, fails: &mut Vec<Patch>, load: impl FnOnce(Reg) -> Op) {
        let pattern = *self.ast.pattern(id);
        let at = pattern.span.start;
        match pattern.kind {
            PatternKind::Any => {}
            PatternKind::Bind(decl) if !self.resolved.variables[decl.index()].is_cell => {
                let dst = self.resolved.variables[decl.index()].register;
                self.emit(load(dst), at);
            }
            _ => {
                let mark = self.mark();
                let dst = self.take(pattern.span);
                self.emit(load(dst), at);
                self.pattern(id, dst, fails);
                self.release(mark);
            }
        }
    }

    fn range_pattern(
        &mut self,
        first: i64,
        end: i64,
        subject: Reg,
        span: Span,
        fails: &mut Vec<Patch>,
    ) {
        let at = span.start;
        let int = self.linker.type_id(Type::Kind(ValueKind::Int));
        self.is(int, subject, span, fails);
        let dst = self.take(span);
        self.int(first, dst, at);
        self.test(
            Op::Le {
                dst,
                lhs: dst,
                rhs: subject,
            },
            dst,
            at,
            fails,
        );
        self.int(end, dst, at);
        self.test(
            Op::Lt {
                dst,
                lhs: subject,
                rhs: dst,
            },
            dst,
            at,
            fails,
        );
    }

    /// An array of exactly as many elements.
    fn array_pattern(&mut self, parts: List, subject: Reg, span: Span, fails: &mut Vec<Patch>) {
        let at = span.start;
        let array = self.linker.type_id(Type::Kind(ValueKind::Array));
        self.is(array, subject, span, fails);
        let base = self.take(span);
        self.emit(
            Op::Move {
                dst: base,
                src: subject,
            },
            at,
        );
        self.emit(
            Op::CallBuiltin {
                base,
                builtin: Builtin::Len,
                argc: 1,
            },
            at,
        );
        let count = self.take(span);
        self.int(i64::from(parts.len), count, at);
        self.test(
            Op::Eq {
                dst: base,
                lhs: base,
                rhs: count,
            },
            base,
            at,
            fails,
        );
        for (number, part) in parts.range().enumerate() {
            let part = self.ast.pattern_ids[part];
            if matches!(self.ast.pattern(part).kind, PatternKind::Any) {
                continue;
            }
            let index = base;
            self.int(number as i64, index, at);
            self.part(part, fails, |dst| Op::GetIndex {
                dst,
                object: subject,
                index,
            });
        }
    }

    fn alternatives(&mut self, parts: List, subject: Reg, at: u32, fails: &mut Vec<Patch>) {
        let mut taken = Vec::new();
        let last = parts.range().end.saturating_sub(1);
        for index in parts.range() {
            let part = self.ast.pattern_ids[index];
            if index == last {
                self.pattern(part, subject, fails);
                break;
            }
            let mut others = Vec::new();
            self.pattern(part, subject, &mut others);
            // One that takes everything.
            if others.is_empty() {
                break;
            }
            taken.push(self.emit_jump(Op::Jump { target: TARGET }, at));
            self.patch_all(&others);
        }
        self.patch_all(&taken);
    }
}
