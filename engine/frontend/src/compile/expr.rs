//! Expressions.
//!
//! [`Emitter::to`] puts a value into a given register, [`Emitter::any`] says in which
//! register it is. No operand changes while another one is evaluated: assignments are
//! statements, and what a closure may assign lives in a cell, which is read into a
//! temporary register in its turn.

use gcrucible_bytecode::{Op, Reg};

use super::emitter::{Emitter, Patch};
use crate::ast::{BinaryOp, ExprId, ExprKind, FunctionNodeId, List, Symbol};
use crate::resolve::Binding;
use crate::source::Span;

/// Elements of an array or map literal that are made by one instruction.
const CHUNK: usize = 32;

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

impl Emitter<'_, '_, '_> {
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
            ExprKind::And(..) | ExprKind::Or(..) => false,
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
            ExprKind::Int(value) => {
                let op = match i32::try_from(value) {
                    Ok(value) => Op::LoadInt { dst, value },
                    Err(_) => Op::LoadConst {
                        dst,
                        constant: self.constants.int(value),
                    },
                };
                self.emit(op, at);
            }
            ExprKind::Float(value) => {
                let constant = self.constants.float(value);
                self.emit(Op::LoadConst { dst, constant }, at);
            }
            ExprKind::String(text) => {
                let constant = self.constants.string(&self.ast.names, text);
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
                let lhs = self.operand(lhs, dst);
                let rhs = self.any(rhs);
                self.emit(binary(op, dst, lhs, rhs), at);
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
                    let constant = self.constants.float(-value);
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
                let name = self.constants.string(&self.ast.names, name);
                let object = self.operand(object, dst);
                self.emit(Op::GetField { dst, object, name }, at);
            }
            ExprKind::Index(object, index) => {
                let object = self.operand(object, dst);
                let index = self.any(index);
                self.emit(Op::GetIndex { dst, object, index }, at);
            }
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, dst, expr.span, at),
            ExprKind::MethodCall(receiver, name, arguments) => {
                let name = self.constants.string(&self.ast.names, name);
                let base = self.base(dst, expr.span);
                self.to(receiver, base);
                let argc = self.arguments(arguments);
                self.emit(Op::CallMethod { base, name, argc }, at);
                self.settle(dst, base, at);
            }
            ExprKind::Instance(_, fields) => self.instance(id, fields, dst, expr.span),
            ExprKind::Closure(function) => self.closure(function, dst, at),
            ExprKind::Spawn(call) => self.spawn(call, dst, expr.span, at),
        }
        self.release(mark);
    }

    /// Evaluates the first operand of an operation that writes to `dst` afterwards: in
    /// `dst` itself if that is a temporary register, which nothing else reads.
    fn operand(&mut self, id: ExprId, dst: Reg) -> Reg {
        match self.variable(id) {
            Some(register) => register,
            None if self.is_last_taken(dst) => {
                self.to(id, dst);
                dst
            }
            None => self.any(id),
        }
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
        let function = function.0 as u16;
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
            Binding::None | Binding::Builtin(_) | Binding::Cancel | Binding::Class(_) => {}
        }
    }

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

    /// Evaluates the expressions of a list into registers that follow one another; the
    /// first of them, and their number.
    fn sequence(&mut self, list: List, span: Span) -> (Reg, u8) {
        let first = self.mark().min(255) as u8;
        for at in list.range() {
            let register = self.take(span);
            self.to(self.ast.expr_ids[at], register);
        }
        // More were reported as too many registers.
        (first, list.len.min(255) as u8)
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

    fn call(&mut self, callee: ExprId, arguments: List, dst: Reg, span: Span, at: u32) {
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

    fn spawn(&mut self, call: ExprId, dst: Reg, span: Span, at: u32) {
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

    fn instance(&mut self, id: ExprId, inits: List, dst: Reg, span: Span) {
        let Binding::Class(class) = self.resolved.bindings[id.index()] else {
            return;
        };
        let fields = self.ast.classes[class.index()].fields;
        let first = self.mark().min(255) as u8;
        for _ in fields.range() {
            self.take(span);
        }
        // In the order of the source, into the order of the class.
        for init in &self.ast.field_inits[inits.range()] {
            let fields = &self.ast.class_fields[fields.range()];
            if let Some(index) = fields.iter().position(|field| field.name == init.name) {
                let register = (usize::from(first) + index).min(255) as u8;
                let mark = self.mark();
                self.to(init.value, register);
                self.release(mark);
            }
        }
        let class = class.0 as u16;
        self.emit(Op::NewInstance { dst, class, first }, span.start);
    }

    fn array(&mut self, list: List, dst: Reg, span: Span) {
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
        let push = self.constants.string(&self.ast.names, Symbol::PUSH);
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

    fn map(&mut self, list: List, dst: Reg, span: Span) {
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
            let key = self.any(self.ast.expr_ids[index]);
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
fn split(list: List, count: usize) -> (List, List) {
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
