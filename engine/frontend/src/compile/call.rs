//! Calls and spawns: the callee and its arguments in registers that follow one another.

use gcrucible_bytecode::{Builtin, Op, Reg};

use super::emitter::Emitter;
use super::literal::split;
use crate::ast::{Expr, ExprId, ExprKind, List, Symbol};
use crate::resolve::Binding;
use crate::source::Span;

impl Emitter<'_, '_, '_, '_> {
    /// The register at which a call for `dst` begins, with the next ones free.
    pub(super) fn base(&mut self, dst: Reg, span: Span) -> Reg {
        if self.is_last_taken(dst) {
            dst
        } else {
            self.take(span)
        }
    }

    /// Moves the result of a call to where it is wanted.
    pub(super) fn settle(&mut self, dst: Reg, base: Reg, at: u32) {
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
            Binding::Builtin(builtin) => self.builtin(builtin, arguments, dst, span, at),
            Binding::Cancel => {
                let src = self.any(self.ast.expr_ids[arguments.range().start]);
                self.emit(Op::Cancel { src }, at);
                self.emit(Op::LoadNil { dst }, at);
            }
            Binding::Library(index) => {
                let base = self.base(dst, span);
                let argc = self.library_call(index, arguments, base, span, at);
                self.emit(Op::Call { base, argc }, at);
                self.settle(dst, base, at);
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

    fn builtin(&mut self, builtin: Builtin, arguments: List, dst: Reg, span: Span, at: u32) {
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

    /// A function of the library in `base`, and its arguments behind it with what was left
    /// out; their number.
    fn library_call(&mut self, index: u16, list: List, base: Reg, span: Span, at: u32) -> u8 {
        let entry = &self.linker.catalog.functions[usize::from(index)];
        let (function, has_rest) = (entry.function, entry.has_rest);
        let named = u32::from(entry.required) + u32::from(entry.optional);
        let function = self.linker.function(function);
        self.emit(
            Op::LoadFunction {
                dst: base,
                function,
            },
            at,
        );
        let (head, rest) = split(list, named as usize);
        self.arguments(head);
        for _ in head.len..named {
            let dst = self.take(span);
            self.emit(Op::LoadNil { dst }, at);
        }
        if has_rest {
            let dst = self.take(span);
            self.array(rest, dst, span);
        }
        (named as u8).saturating_add(u8::from(has_rest))
    }

    /// A call of a method, of a function in a namespace, or an enum's value with a payload.
    pub(super) fn method_call(
        &mut self,
        id: ExprId,
        receiver: ExprId,
        name: Symbol,
        arguments: List,
        dst: Reg,
    ) {
        let Expr { span, at, .. } = *self.ast.expr(id);
        match self.resolved.bindings[id.index()] {
            Binding::Builtin(builtin) => self.builtin(builtin, arguments, dst, span, at),
            Binding::Library(index) => {
                let base = self.base(dst, span);
                let argc = self.library_call(index, arguments, base, span, at);
                self.emit(Op::Call { base, argc }, at);
                self.settle(dst, base, at);
            }
            Binding::Variant { variant, .. } => {
                let (first, _) = self.sequence(arguments, span);
                self.emit(
                    Op::NewVariant {
                        dst,
                        variant,
                        first,
                    },
                    at,
                );
            }
            _ => {
                self.linker.calls_method(self.ast.names.text(name));
                let name = self.text(name);
                let base = self.base(dst, span);
                self.to(receiver, base);
                let argc = self.arguments(arguments);
                self.emit(Op::CallMethod { base, name, argc }, at);
                self.settle(dst, base, at);
            }
        }
    }

    pub(super) fn spawn(&mut self, call: ExprId, is_detached: bool, dst: Reg, span: Span) {
        let at = span.start;
        let base = self.base(dst, span);
        let Expr {
            kind, at: call_at, ..
        } = *self.ast.expr(call);
        let binding = match kind {
            ExprKind::Call(callee, _) => self.resolved.bindings[callee.index()],
            _ => self.resolved.bindings[call.index()],
        };
        let argc = match (kind, binding) {
            (
                ExprKind::Call(_, arguments) | ExprKind::MethodCall(_, _, arguments),
                Binding::Library(index),
            ) => self.library_call(index, arguments, base, span, call_at),
            (ExprKind::Call(callee, arguments), _) => {
                self.to(callee, base);
                self.arguments(arguments)
            }
            // A task runs a closure: the method bound to its receiver, or the one that
            // the field of this name holds.
            (ExprKind::MethodCall(receiver, name, arguments), _) => {
                let name = self.text(name);
                let mark = self.mark();
                let object = self.operand(receiver, base);
                self.emit(
                    Op::GetField {
                        dst: base,
                        object,
                        name,
                    },
                    call_at,
                );
                self.release(mark);
                self.arguments(arguments)
            }
            _ => 0,
        };
        let op = if is_detached {
            Op::SpawnDetached { base, argc }
        } else {
            Op::Spawn { base, argc }
        };
        self.emit(op, at);
        self.settle(dst, base, at);
    }
}
