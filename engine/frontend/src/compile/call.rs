//! Calls and spawns: the callee and its arguments in registers that follow one another.

use gcrucible_bytecode::{Op, Reg};

use super::emitter::Emitter;
use crate::ast::{Expr, ExprId, ExprKind, List, Symbol};
use crate::resolve::Binding;
use crate::source::Span;

impl Emitter<'_, '_, '_> {
    /// The register at which a call for `dst` begins, with the next ones free.
    fn base(&mut self, dst: Reg, span: Span) -> Reg {
        if self.is_last_taken(dst) {
            dst
        } else {
            self.take(span)
        }
    }

    /// Moves the result of a call to where it is wanted.
    fn settle(&mut self, dst: Reg, base: Reg, at: u32) {
        if dst != base {
            self.emit(Op::Move { dst, src: base }, at);
        }
    }

    /// Arguments behind the base of a call; their number.
    fn arguments(&mut self, list: List) -> u8 {
        for at in list.range() {
            let id = self.ast.expr_ids[at];
            let register = self.take(self.ast.expr(id).span);
            self.to(id, register);
        }
        list.len.min(255) as u8
    }

    pub(super) fn call(&mut self, callee: ExprId, arguments: List, dst: Reg, span: Span, at: u32) {
        match self.resolved.bindings[callee.index()] {
            Binding::Builtin(builtin) => {
                let base = self.base(dst, span);
                let mark = self.mark();
                for (index, argument) in arguments.range().enumerate() {
                    let argument = self.ast.expr_ids[argument];
                    let register = if index == 0 { base } else { self.take(span) };
                    self.to(argument, register);
                }
                self.release(mark);
                let argc = arguments.len.min(255) as u8;
                self.emit(
                    Op::CallBuiltin {
                        base,
                        builtin,
                        argc,
                    },
                    at,
                );
                self.settle(dst, base, at);
            }
            Binding::Cancel => {
                let src = self.any(self.ast.expr_ids[arguments.range().start]);
                self.emit(Op::Cancel { src }, at);
                self.emit(Op::LoadNil { dst }, at);
            }
            _ => {
                let base = self.base(dst, span);
                self.to(callee, base);
                let argc = self.arguments(arguments);
                self.emit(Op::Call { base, argc }, at);
                self.settle(dst, base, at);
            }
        }
    }

    pub(super) fn method_call(
        &mut self,
        receiver: ExprId,
        name: Symbol,
        arguments: List,
        dst: Reg,
        expr: &Expr,
    ) {
        let name = self.constants.string(&self.ast.names, name);
        let base = self.base(dst, expr.span);
        self.to(receiver, base);
        let argc = self.arguments(arguments);
        self.emit(Op::CallMethod { base, name, argc }, expr.at);
        self.settle(dst, base, expr.at);
    }

    pub(super) fn spawn(&mut self, call: ExprId, dst: Reg, span: Span, at: u32) {
        let base = self.base(dst, span);
        let arguments = match self.ast.expr(call).kind {
            ExprKind::Call(callee, arguments) => {
                self.to(callee, base);
                arguments
            }
            // A task runs a closure: the one that the field of this name holds.
            ExprKind::MethodCall(receiver, name, arguments) => {
                let name = self.constants.string(&self.ast.names, name);
                let mark = self.mark();
                let object = self.operand(receiver, base);
                self.emit(
                    Op::GetField {
                        dst: base,
                        object,
                        name,
                    },
                    self.ast.expr(call).at,
                );
                self.release(mark);
                arguments
            }
            _ => List::default(),
        };
        let argc = self.arguments(arguments);
        self.emit(Op::Spawn { base, argc }, at);
        self.settle(dst, base, at);
    }
}
