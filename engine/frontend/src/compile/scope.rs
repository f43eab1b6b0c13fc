//! Blocks with a scope of the machine: `deadline`, `sync`, `squad`, `step`; and `schedule`.

use gcrucible_bytecode::{Op, Reg, Step};

use super::control::Control;
use super::emitter::Emitter;
use crate::ast::{ExprId, FunctionNodeId, List};
use crate::source::Span;

impl Emitter<'_, '_, '_, '_> {
    /// A block in the scope that `push` opens.
    pub(super) fn scope(&mut self, push: Op, head: Span, body: List, at: u32) {
        self.emit(push, head.start);
        self.controls.push(Control::Scope);
        self.stmts(body);
        self.controls.pop();
        if self.is_reachable() {
            self.emit(Op::PopScope, at);
        }
    }

    /// `dst =` the results of the children. However the block is left, its children have
    /// settled then: a throw cancels and drains them.
    pub(super) fn squad(&mut self, body: List, dst: Reg, span: Span) {
        let at = span.start;
        let squad = self.base(dst, span);
        self.emit(Op::PushSquad { dst: squad }, at);
        let handler = self.emit_jump(Op::PushFinally { target: u32::MAX }, at);
        self.controls.push(Control::Squad(squad));
        self.stmts(body);
        self.controls.pop();
        let mut end = None;
        if self.is_reachable() {
            self.emit(Op::JoinSquad { squad }, at);
            self.emit(Op::PopHandler, at);
            self.emit(Op::PopScope, at);
            self.settle(dst, squad, at);
            end = Some(self.emit_jump(Op::Jump { target: u32::MAX }, at));
        }
        self.patch(handler);
        self.emit(Op::DrainSquad { squad }, at);
        self.emit(Op::EndFinally, at);
        if let Some(end) = end {
            self.patch(end);
        }
    }

    /// `dst =` what the body of the step returns.
    pub(super) fn step(&mut self, index: u32, dst: Reg, span: Span) {
        let at = span.start;
        let node = self.ast.steps[index as usize];
        let step = self.linker.step(Step {
            name: self.ast.names.text(node.name).to_owned(),
            instructions: node.instructions,
            calls: node.calls,
            time_ms: node.time_ms,
            boundary: node.boundary,
        });
        let base = self.base(dst, span);
        self.closure(node.body, base, at);
        self.emit(Op::CallStep { base, step }, at);
        self.settle(dst, base, at);
    }

    /// `dst =` the future of a task of the library, which runs the body.
    pub(super) fn schedule(&mut self, every: ExprId, body: FunctionNodeId, dst: Reg, span: Span) {
        let at = span.start;
        let base = self.base(dst, span);
        let entry = self.linker.catalog.function("__schedule");
        let function = entry.map_or(0, |entry| entry.function);
        let function = self.linker.function(function);
        self.emit(
            Op::LoadFunction {
                dst: base,
                function,
            },
            at,
        );
        let interval = self.take(span);
        self.to(every, interval);
        let closure = self.take(span);
        self.closure(body, closure, at);
        self.emit(Op::Spawn { base, argc: 2 }, at);
        self.settle(dst, base, at);
    }
}
