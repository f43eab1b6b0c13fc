//! Statements.

use gcrucible_bytecode::{Op, Reg};

use super::control::Control;
use super::emitter::{Emitter, Label};
use super::expr::binary;
use crate::ast::{BinaryOp, DeclId, ExprId, ExprKind, FunctionNodeId, List, StmtId, StmtKind};
use crate::resolve::Binding;
use crate::source::Span;

impl Emitter<'_, '_, '_, '_> {
    pub(super) fn stmts(&mut self, list: List) {
        for at in list.range() {
            self.stmt(self.ast.stmt_ids[at]);
        }
    }

    fn stmt(&mut self, id: StmtId) {
        let stmt = *self.ast.stmt(id);
        let at = stmt.span.start;
        let mark = self.mark();
        match stmt.kind {
            StmtKind::Error | StmtKind::Class(_) | StmtKind::Enum(_) | StmtKind::Import => {}
            StmtKind::Expr(expr) => {
                self.any(expr);
            }
            StmtKind::Let(decl, value) => self.let_stmt(decl, value),
            StmtKind::Fn(decl, function) => self.fn_stmt(decl, function, stmt.span),
            StmtKind::Assign(target, op, value) => self.assign(target, op, value),
            StmtKind::Block(body) => self.stmts(body),
            StmtKind::If(arms, otherwise) => self.if_stmt(arms, otherwise, at),
            StmtKind::While(cond, body) => {
                let top = self.label();
                let mut exits = Vec::new();
                self.cond(cond, false, &mut exits);
                self.release(mark);
                let breaks = self.loop_body(top, body, at);
                self.patch_all(&exits);
                self.patch_all(&breaks);
            }
            StmtKind::For(decl, iterable, body) => self.for_stmt(decl, iterable, body, at),
            StmtKind::Break => {
                if let Some(index) = self.innermost_loop() {
                    self.leave(index + 1, None, at);
                    let patch = self.emit_jump(Op::Jump { target: u32::MAX }, at);
                    if let Control::Loop { breaks, .. } = &mut self.controls[index] {
                        breaks.push(patch);
                    }
                }
            }
            StmtKind::Continue => {
                if let Some(index) = self.innermost_loop() {
                    self.leave(index + 1, None, at);
                    if let Control::Loop { top, .. } = self.controls[index] {
                        self.emit_loop(top, at);
                    }
                }
            }
            StmtKind::Return(value) => self.return_stmt(value, stmt.span),
            StmtKind::Throw(value) => {
                let src = self.any(value);
                self.emit(Op::Throw { src }, at);
            }
            StmtKind::Try(index) => self.try_stmt(index, stmt.span),
            StmtKind::Deadline(time, body) => {
                let src = self.any(time);
                self.scope(Op::PushDeadline { src }, self.ast.expr(time).span, body, at);
            }
            StmtKind::Sync(mutex, body) => {
                let src = self.any(mutex);
                self.scope(Op::PushGuard { src }, self.ast.expr(mutex).span, body, at);
            }
        }
        self.release(mark);
    }

    fn let_stmt(&mut self, decl: DeclId, value: Option<ExprId>) {
        let variable = self.resolved.variables[decl.index()];
        let span = self.ast.decl(decl).span;
        if variable.global.is_none() && !variable.is_cell {
            // Nothing can see the variable before its definition is done, so its
            // register may hold parts of the value on the way; unless the value has
            // blocks, whose variables may live in that register.
            return match value {
                Some(value) if self.may_assign(value) => {
                    let src = self.copied(value);
                    let dst = variable.register;
                    self.emit(Op::Move { dst, src }, span.start);
                }
                Some(value) => self.to(value, variable.register),
                None => self.emit(
                    Op::LoadNil {
                        dst: variable.register,
                    },
                    span.start,
                ),
            };
        }
        let src = match value {
            Some(value) => self.any(value),
            None => {
                let nil = self.take(span);
                self.emit(Op::LoadNil { dst: nil }, span.start);
                nil
            }
        };
        let op = match variable.global {
            Some(global) => Op::StoreGlobal { global, src },
            None => Op::NewCell {
                dst: variable.register,
                src,
            },
        };
        self.emit(op, span.start);
    }

    /// A function in a block; those at the top level were hoisted.
    fn fn_stmt(&mut self, decl: DeclId, function: FunctionNodeId, span: Span) {
        let variable = self.resolved.variables[decl.index()];
        if variable.global.is_some() {
            return;
        }
        let at = span.start;
        if !variable.is_cell {
            return self.closure(function, variable.register, at);
        }
        // The function may capture itself, so its cell is there before it is.
        let value = self.take(span);
        self.emit(Op::LoadNil { dst: value }, at);
        self.emit(
            Op::NewCell {
                dst: variable.register,
                src: value,
            },
            at,
        );
        self.closure(function, value, at);
        self.emit(
            Op::StoreCell {
                cell: variable.register,
                src: value,
            },
            at,
        );
    }

    fn assign(&mut self, target: ExprId, op: Option<BinaryOp>, value: ExprId) {
        let expr = *self.ast.expr(target);
        let at = expr.at;
        match expr.kind {
            ExprKind::Name(_) => self.assign_name(target, op, value, expr.span),
            ExprKind::Field(object, name) => {
                let name = self.text(name);
                let object = self.before(object, value);
                let src = match op {
                    None => self.any(value),
                    Some(op) => {
                        let old = self.take(expr.span);
                        self.emit(
                            Op::GetField {
                                dst: old,
                                object,
                                name,
                            },
                            at,
                        );
                        self.combine(op, old, value, at)
                    }
                };
                self.emit(Op::SetField { object, name, src }, at);
            }
            ExprKind::Index(object, index) => {
                // Both are needed after the value, and the object after the index.
                let object = if self.may_assign(index) || self.may_assign(value) {
                    self.copied(object)
                } else {
                    self.any(object)
                };
                let index = self.before(index, value);
                let src = match op {
                    None => self.any(value),
                    Some(op) => {
                        let old = self.take(expr.span);
                        self.emit(
                            Op::GetIndex {
                                dst: old,
                                object,
                                index,
                            },
                            at,
                        );
                        self.combine(op, old, value, at)
                    }
                };
                self.emit(Op::SetIndex { object, index, src }, at);
            }
            _ => {}
        }
    }

    /// `old = old op value`
    fn combine(&mut self, op: BinaryOp, old: Reg, value: ExprId, at: u32) -> Reg {
        let rhs = self.any(value);
        self.emit(binary(op, old, old, rhs), at);
        old
    }

    fn assign_name(&mut self, target: ExprId, op: Option<BinaryOp>, value: ExprId, span: Span) {
        let at = span.start;
        let binding = self.resolved.bindings[target.index()];
        if let Binding::Local(decl) = binding {
            let variable = self.resolved.variables[decl.index()];
            if !variable.is_cell {
                let register = variable.register;
                return match op {
                    Some(op) if self.may_assign(value) => {
                        let old = self.copied(target);
                        let src = self.combine(op, old, value, at);
                        self.emit(Op::Move { dst: register, src }, at);
                    }
                    Some(op) => {
                        self.combine(op, register, value, at);
                    }
                    None if self.writes_last(value) => self.to(value, register),
                    // The old value is still needed, by the expression itself or by a
                    // handler if it throws.
                    None => {
                        let src = self.any(value);
                        self.emit(Op::Move { dst: register, src }, at);
                    }
                };
            }
        }
        let src = match op {
            None => self.any(value),
            Some(op) => {
                let old = self.take(span);
                self.to(target, old);
                self.combine(op, old, value, at)
            }
        };
        match binding {
            Binding::Local(decl) => {
                let cell = self.resolved.variables[decl.index()].register;
                self.emit(Op::StoreCell { cell, src }, at);
            }
            Binding::Capture(index) => self.emit(Op::StoreCapture { index, src }, at),
            Binding::Global(global) => self.emit(Op::StoreGlobal { global, src }, at),
            _ => {}
        }
    }

    fn if_stmt(&mut self, arms: List, otherwise: List, at: u32) {
        let mut ends = Vec::new();
        let mut exits = Vec::new();
        for index in arms.range() {
            let arm = self.ast.arms[index];
            let mark = self.mark();
            exits.clear();
            self.cond(arm.cond, false, &mut exits);
            self.release(mark);
            self.stmts(arm.body);
            let is_last = index + 1 == arms.range().end && otherwise.len == 0;
            if !is_last && self.is_reachable() {
                ends.push(self.emit_jump(Op::Jump { target: u32::MAX }, at));
            }
            self.patch_all(&exits);
        }
        self.stmts(otherwise);
        self.patch_all(&ends);
    }

    /// The body of a loop and its back-edge; the result are the breaks.
    fn loop_body(&mut self, top: Label, body: List, at: u32) -> Vec<super::emitter::Patch> {
        self.controls.push(Control::Loop {
            top,
            breaks: Vec::new(),
        });
        self.stmts(body);
        if self.is_reachable() {
            self.emit_loop(top, at);
        }
        match self.controls.pop() {
            Some(Control::Loop { breaks, .. }) => breaks,
            _ => Vec::new(),
        }
    }

    fn for_stmt(&mut self, decl: DeclId, iterable: ExprId, body: List, at: u32) {
        let variable = self.resolved.variables[decl.index()];
        let span = self.ast.decl(decl).span;
        let iterator = self.take(span);
        let mark = self.mark();
        let src = self.any(iterable);
        self.emit(
            Op::NewIterator { dst: iterator, src },
            self.ast.expr(iterable).span.start,
        );
        self.release(mark);
        let top = self.label();
        let dst = if variable.is_cell {
            self.take(span)
        } else {
            variable.register
        };
        let exit = self.emit_jump(
            Op::NextOrJump {
                dst,
                iterator,
                target: u32::MAX,
            },
            at,
        );
        let end = self.emit_jump(
            Op::EndIfNil {
                dst,
                target: u32::MAX,
            },
            at,
        );
        if variable.is_cell {
            self.emit(
                Op::NewCell {
                    dst: variable.register,
                    src: dst,
                },
                span.start,
            );
        }
        self.release(mark);
        let breaks = self.loop_body(top, body, at);
        self.patch(exit);
        self.patch(end);
        self.patch_all(&breaks);
    }

    fn return_stmt(&mut self, value: Option<ExprId>, span: Span) {
        let at = span.start;
        let src = match value {
            // A finally block takes the value out of its register, so that must not be
            // one of a variable.
            Some(value) if self.runs_finally() => {
                let src = self.take(span);
                self.to(value, src);
                src
            }
            Some(value) => self.any(value),
            None => {
                let src = self.take(span);
                self.emit(Op::LoadNil { dst: src }, at);
                src
            }
        };
        self.leave(0, Some(src), at);
        self.emit(Op::Return { src }, at);
    }
}
