//! Literals with parts: arrays, maps, instances, and what goes side by side in registers.

use gcrucible_bytecode::{Op, Reg};

use super::emitter::Emitter;
use crate::ast::{ExprId, List, Symbol};
use crate::resolve::Binding;
use crate::source::Span;

/// Elements of an array or map literal that are made by one instruction.
pub(super) const CHUNK: usize = 32;

impl Emitter<'_, '_, '_, '_> {
    /// Evaluates the expressions of a list into registers that follow one another; the
    /// first of them, and their number.
    pub(super) fn sequence(&mut self, list: List, span: Span) -> (Reg, u8) {
        let first = self.mark().min(255) as u8;
        for at in list.range() {
            let register = self.take(span);
            self.to(self.ast.expr_ids[at], register);
        }
        // More were reported as too many registers.
        (first, list.len.min(255) as u8)
    }

    pub(super) fn instance(&mut self, id: ExprId, inits: List, dst: Reg, span: Span) {
        let Binding::Class { id: class, fields } = self.resolved.bindings[id.index()] else {
            return;
        };
        let first = self.mark().min(255) as u8;
        for _ in 0..fields {
            self.take(span);
        }
        // In the order of the source, into the order of the class.
        for at in inits.range() {
            let index = usize::from(self.resolved.fields[at]);
            let register = (usize::from(first) + index).min(255) as u8;
            let mark = self.mark();
            self.to(self.ast.field_inits[at].value, register);
            self.release(mark);
        }
        self.emit(Op::NewInstance { dst, class, first }, span.start);
    }

    pub(super) fn array(&mut self, list: List, dst: Reg, span: Span) {
        let at = span.start;
        let (head, rest) = split(list, CHUNK);
        if rest.len == 0 {
            let (first, count) = self.sequence(head, span);
            return self.emit(Op::NewArray { dst, first, count }, at);
        }
        let mark = self.mark();
        let (first, count) = self.sequence(head, span);
        self.emit(Op::NewArray { dst, first, count }, at);
        self.release(mark);
        let push = self.text(Symbol::PUSH);
        for index in rest.range() {
            let base = self.take(span);
            self.emit(
                Op::Move {
                    dst: base,
                    src: dst,
                },
                at,
            );
            let value = self.take(span);
            self.to(self.ast.expr_ids[index], value);
            self.emit(
                Op::CallMethod {
                    base,
                    name: push,
                    argc: 1,
                },
                at,
            );
            self.release(mark);
        }
    }

    pub(super) fn map(&mut self, list: List, dst: Reg, span: Span) {
        let at = span.start;
        let (head, rest) = split(list, 2 * CHUNK);
        let mark = self.mark();
        let (first, count) = self.sequence(head, span);
        self.emit(
            Op::NewMap {
                dst,
                first,
                pairs: count / 2,
            },
            at,
        );
        self.release(mark);
        for index in rest.range().step_by(2) {
            let key = self.before(self.ast.expr_ids[index], self.ast.expr_ids[index + 1]);
            let src = self.any(self.ast.expr_ids[index + 1]);
            self.emit(
                Op::SetIndex {
                    object: dst,
                    index: key,
                    src,
                },
                at,
            );
            self.release(mark);
        }
    }
}

/// The first `count` items of a list, and the others.
pub(super) fn split(list: List, count: usize) -> (List, List) {
    let count = (count as u32).min(list.len);
    let head = List {
        start: list.start,
        len: count,
    };
    (
        head,
        List {
            start: list.start + count,
            len: list.len - count,
        },
    )
}
