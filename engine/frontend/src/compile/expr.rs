//! Expressions.
//!
//! [`Emitter::to`] puts a value into a given register, [`Emitter::any`] says in which
//! register it is. No operand changes while another one is evaluated: assignments are
//! statements, and what a closure may assign lives in a cell, which is read into a
//! temporary register in its turn. Where expressions have blocks in them (`match`,
//! `squad`), whose statements may assign variables, the operands before are copied.

use gcrucible_bytecode::{Op, Reg};

use super::emitter::{Emitter, Patch};
use super::literal::CHUNK;
use crate::ast::{BinaryOp, ExprId, ExprKind, FunctionNodeId};
use crate::resolve::Binding;

/// `dst = lhs op rhs`
pub(super) fn binary(op: BinaryOp, dst: Reg, lhs: Reg, rhs: Reg) -> Op {
    match op {
        BinaryOp::Add => Op::Add { dst, lhs, rhs },
        BinaryOp::Sub => Op::Sub { dst, lhs, rhs },
        BinaryOp::Mul => Op::Mul { dst, lhs, rhs },
        BinaryOp::Div => Op::Div { dst, lhs, rhs },
        BinaryOp::Rem => Op::Rem { dst, lhs, rhs },
        BinaryOp::Eq => Op::Eq { dst, lhs, rhs },
        BinaryOp::Ne => Op::Ne { dst, lhs, rhs },
        BinaryOp::Lt => Op::Lt { dst, lhs, rhs },
        BinaryOp::Le => Op::Le { dst, lhs, rhs },
        BinaryOp::Gt => Op::Lt {
            dst,
            lhs: rhs,
            rhs: lhs,
        },
        BinaryOp::Ge => Op::Le {
            dst,
            lhs: rhs,
            rhs: lhs,
        },
    }
}

impl Emitter<'_, '_, '_, '_> {
    /// Evaluates an expression; the result is the register of its value: that of the
    /// variable it names, or a temporary one.
    pub(super) fn any(&mut self, id: ExprId) -> Reg {
        if let Some(register) = self.variable(id) {
            return register;
        }
        let dst = self.take(self.ast.expr(id).span);
        self.to(id, dst);
        dst
    }

    /// The register of the variable that an expression names, if it is one.
    fn variable(&self, id: ExprId) -> Option<Reg> {
        match self.resolved.bindings[id.index()] {
            Binding::Local(decl) => {
                let variable = self.resolved.variables[decl.index()];
                (!variable.is_cell).then_some(variable.register)
            }
            _ => None,
        }
    }

    /// Whether [`Self::to`] writes to its register with its last instruction only, and
    /// nothing before reads or needs the place.
    pub(super) fn writes_last(&self, id: ExprId) -> bool {
        match self.ast.expr(id).kind {
            ExprKind::And(..) | ExprKind::Or(..) | ExprKind::Match(_) => false,
            ExprKind::Array(list) => list.range().len() <= CHUNK,
            ExprKind::Map(list) => list.range().len() <= 2 * CHUNK,
            _ => true,
        }
    }

    /// Evaluates an expression into `dst`. Other registers above the ones taken may be
    /// overwritten.
    pub(super) fn to(&mut self, id: ExprId, dst: Reg) {
        let expr = *self.ast.expr(id);
        let at = expr.at;
        let mark = self.mark();
        match expr.kind {
            ExprKind::Error => {}
            ExprKind::Nil => self.emit(Op::LoadNil { dst }, at),
            ExprKind::Bool(value) => self.emit(Op::LoadBool { dst, value }, at),
            ExprKind::Int(value) => self.int(value, dst, at),
            ExprKind::Float(value) => {
                let constant = self.linker.constants.float(value);
                self.emit(Op::LoadConst { dst, constant }, at);
            }
            ExprKind::String(text) => {
                let constant = self.text(text);
                self.emit(Op::LoadConst { dst, constant }, at);
            }
            ExprKind::Concat(parts) => {
                let (first, count) = self.sequence(parts, expr.span);
                self.emit(Op::Concat { dst, first, count }, at);
            }
            ExprKind::Array(list) => self.array(list, dst, expr.span),
            ExprKind::Map(list) => self.map(list, dst, expr.span),
            ExprKind::Range(from, to) => {
                let first = self.take(expr.span);
                self.to(from, first);
                let end = self.take(expr.span);
                self.to(to, end);
                self.emit(Op::NewRange { dst, first }, at);
            }
            ExprKind::Name(_) => self.name(id, dst, at),
            ExprKind::Binary(op, lhs, rhs) => {
                let lhs = self.operand_before(lhs, dst, rhs);
                let rhs = self.any(rhs);
                self.emit(binary(op, dst, lhs, rhs), at);
            }
            ExprKind::Is(operand, of) => {
                let src = self.operand(operand, dst);
                let type_id = self.resolved.types[of.index()];
                self.emit(Op::Is { dst, src, type_id }, at);
            }
            ExprKind::And(lhs, rhs) => {
                self.to(lhs, dst);
                let end = self.emit_jump(
                    Op::JumpIfNot {
                        cond: dst,
                        target: u32::MAX,
                    },
                    at,
                );
                self.to(rhs, dst);
                self.patch(end);
            }
            ExprKind::Or(lhs, rhs) => {
                self.to(lhs, dst);
                let end = self.emit_jump(
                    Op::JumpIf {
                        cond: dst,
                        target: u32::MAX,
                    },
                    at,
                );
                self.to(rhs, dst);
                self.patch(end);
            }
            ExprKind::Neg(operand) => match self.ast.expr(operand).kind {
                ExprKind::Float(value) => {
                    let constant = self.linker.constants.float(-value);
                    self.emit(Op::LoadConst { dst, constant }, at);
                }
                _ => {
                    let src = self.operand(operand, dst);
                    self.emit(Op::Neg { dst, src }, at);
                }
            },
            ExprKind::Not(operand) => {
                let src = self.operand(operand, dst);
                self.emit(Op::Not { dst, src }, at);
            }
            ExprKind::Await(operand) => {
                let src = self.operand(operand, dst);
                self.emit(Op::Await { dst, src }, at);
            }
            ExprKind::Field(object, name) => {
                if let Binding::Variant { variant, .. } = self.resolved.bindings[id.index()] {
                    self.emit(Op::LoadVariant { dst, variant }, at);
                    return;
                }
                let name = self.text(name);
                let object = self.operand(object, dst);
                self.emit(Op::GetField { dst, object, name }, at);
            }
            ExprKind::Index(object, index) => {
                let object = self.operand_before(object, dst, index);
                let index = self.any(index);
                self.emit(Op::GetIndex { dst, object, index }, at);
            }
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, dst, expr.span, at),
            ExprKind::MethodCall(receiver, name, arguments) => {
                self.method_call(id, receiver, name, arguments, dst);
            }
            ExprKind::Instance(_, fields) => self.instance(id, fields, dst, expr.span),
            ExprKind::Closure(function) => self.closure(function, dst, at),
            ExprKind::Spawn(call, is_detached) => self.spawn(call, is_detached, dst, expr.span),
            ExprKind::Match(index) => self.match_expr(index, dst, at),
            ExprKind::Squad(body) => self.squad(body, dst, expr.span),
            ExprKind::Step(index) => self.step(index, dst, expr.span),
            ExprKind::Schedule(every, body) => self.schedule(every, body, dst, expr.span),
        }
        self.release(mark);
    }

    /// Evaluates the first operand of an operation that writes to `dst` afterwards: in
    /// `dst` itself if that is a temporary register, which nothing else reads.
    pub(super) fn operand(&mut self, id: ExprId, dst: Reg) -> Reg {
        match self.variable(id) {
            Some(register) => register,
            None if self.is_last_taken(dst) => {
                self.to(id, dst);
                dst
            }
            None => self.any(id),
        }
    }

    pub(super) fn int(&mut self, value: i64, dst: Reg, at: u32) {
        let op = match i32::try_from(value) {
            Ok(value) => Op::LoadInt { dst, value },
            Err(_) => Op::LoadConst {
                dst,
                constant: self.linker.constants.int(value),
            },
        };
        self.emit(op, at);
    }

    /// As [`Self::operand`], where `rest` is evaluated between the operand and its use.
    fn operand_before(&mut self, id: ExprId, dst: Reg, rest: ExprId) -> Reg {
        if self.variable(id).is_some() && self.may_assign(rest) {
            return self.copied(id);
        }
        self.operand(id, dst)
    }

    /// As [`Self::any`], where `rest` is evaluated between the expression and its use.
    pub(super) fn before(&mut self, id: ExprId, rest: ExprId) -> Reg {
        if self.variable(id).is_some() && self.may_assign(rest) {
            return self.copied(id);
        }
        self.any(id)
    }

    /// Whether evaluating an expression may assign variables of this function.
    pub(super) fn may_assign(&self, id: ExprId) -> bool {
        self.ast.has_blocks(self.ast.expr(id).span)
    }

    /// Evaluates an expression into a temporary register.
    pub(super) fn copied(&mut self, id: ExprId) -> Reg {
        let dst = self.take(self.ast.expr(id).span);
        self.to(id, dst);
        dst
    }

    /// Emits jumps that are taken if the truth of the expression is `sense`; otherwise
    /// control goes on behind them.
    pub(super) fn cond(&mut self, id: ExprId, sense: bool, jumps: &mut Vec<Patch>) {
        let expr = *self.ast.expr(id);
        let target = u32::MAX;
        match expr.kind {
            ExprKind::Not(operand) => self.cond(operand, !sense, jumps),
            ExprKind::And(lhs, rhs) if !sense => {
                self.cond(lhs, false, jumps);
                self.cond(rhs, false, jumps);
            }
            ExprKind::Or(lhs, rhs) if sense => {
                self.cond(lhs, true, jumps);
                self.cond(rhs, true, jumps);
            }
            ExprKind::And(lhs, rhs) | ExprKind::Or(lhs, rhs) => {
                let mut skips = Vec::new();
                self.cond(lhs, !sense, &mut skips);
                self.cond(rhs, sense, jumps);
                self.patch_all(&skips);
            }
            ExprKind::Bool(value) => {
                if value == sense {
                    jumps.push(self.emit_jump(Op::Jump { target }, expr.at));
                }
            }
            _ => {
                let mark = self.mark();
                let cond = self.any(id);
                let op = if sense {
                    Op::JumpIf { cond, target }
                } else {
                    Op::JumpIfNot { cond, target }
                };
                jumps.push(self.emit_jump(op, expr.at));
                self.release(mark);
            }
        }
    }

    /// The closure of `function`, made here.
    pub(super) fn closure(&mut self, function: FunctionNodeId, dst: Reg, at: u32) {
        let captures = &self.resolved.frames[function.index()].captures;
        let function = self.function_number(function);
        let op = if captures.is_empty() {
            Op::LoadFunction { dst, function }
        } else {
            Op::NewClosure { dst, function }
        };
        self.emit(op, at);
    }

    fn name(&mut self, id: ExprId, dst: Reg, at: u32) {
        match self.resolved.bindings[id.index()] {
            Binding::Local(decl) => {
                let variable = self.resolved.variables[decl.index()];
                let register = variable.register;
                if variable.is_cell {
                    self.emit(
                        Op::LoadCell {
                            dst,
                            cell: register,
                        },
                        at,
                    );
                } else if register != dst {
                    self.emit(Op::Move { dst, src: register }, at);
                }
            }
            Binding::Capture(index) => self.emit(Op::LoadCapture { dst, index }, at),
            Binding::Global(global) => self.emit(Op::LoadGlobal { dst, global }, at),
            // Not values; refused by the resolver.
            Binding::None
            | Binding::Builtin(_)
            | Binding::Cancel
            | Binding::Library(_)
            | Binding::Class { .. }
            | Binding::Variant { .. }
            | Binding::Named(_) => {}
        }
    }
}
