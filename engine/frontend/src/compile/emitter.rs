//! The code of one function as it grows: instructions, registers, jumps.

use gcrucible_bytecode::verify::MAX_CODE;
use gcrucible_bytecode::{Op, Reg, SourceSpan};

use super::control::Control;
use crate::ast::{Ast, FunctionNodeId, StmtKind, Symbol};
use crate::link::Linker;
use crate::resolve::{MAX_REGISTERS, Resolved, Unit};
use crate::source::{Places, Span};

/// A jump whose target is not known yet: the index of its instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch(usize);

/// A place in the code that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(u32);

/// Why a function cannot be compiled.
pub(super) enum TooLarge {
    /// More registers than there are, needed at this place.
    Registers(Span),
    Code,
}

/// The parts of a finished function: code, spans, number of registers.
pub(super) type Finished = (Vec<Op>, Vec<SourceSpan>, u8, Option<TooLarge>);

pub(super) struct Emitter<'a, 's, 't, 'l> {
    pub(super) ast: &'a Ast<'s>,
    pub(super) resolved: &'a Resolved,
    pub(super) linker: &'a mut Linker<'l>,
    unit: &'a Unit<'a>,
    /// The blocks around the current statement that a jump out must leave in order.
    pub(super) controls: Vec<Control>,
    places: &'a mut Places<'t>,
    code: Vec<Op>,
    spans: Vec<SourceSpan>,
    last_offset: u32,
    last_place: SourceSpan,
    locals: u32,
    next_register: u32,
    registers: u32,
    /// The last instruction index that a jump may go to.
    last_label: usize,
    too_large: Option<TooLarge>,
}

impl<'a, 's, 't, 'l> Emitter<'a, 's, 't, 'l> {
    pub(super) fn new(
        ast: &'a Ast<'s>,
        resolved: &'a Resolved,
        unit: &'a Unit<'a>,
        linker: &'a mut Linker<'l>,
        places: &'a mut Places<'t>,
        locals: u8,
    ) -> Self {
        Self {
            ast,
            resolved,
            unit,
            linker,
            controls: Vec::new(),
            places,
            code: Vec::with_capacity(64),
            spans: Vec::with_capacity(64),
            last_offset: u32::MAX,
            last_place: SourceSpan::default(),
            locals: u32::from(locals),
            next_register: u32::from(locals),
            registers: u32::from(locals),
            last_label: 0,
            too_large: None,
        }
    }

    /// Compiles the whole function.
    pub(super) fn function(&mut self, id: FunctionNodeId) {
        let node = *self.ast.function(id);
        for parameter in self.ast.parameters(id) {
            let variable = self.resolved.variables[parameter.index()];
            if variable.is_cell {
                let register = variable.register;
                let at = self.ast.decl(parameter).span.start;
                self.emit(
                    Op::NewCell {
                        dst: register,
                        src: register,
                    },
                    at,
                );
            }
        }
        if id.index() == 0 {
            self.hoisted_functions(node.body);
        }
        self.stmts(node.body);
        if self.is_reachable() {
            let at = node.span.end.saturating_sub(1).max(node.span.start);
            let nil = self.take(node.span);
            self.emit(Op::LoadNil { dst: nil }, at);
            self.emit(Op::Return { src: nil }, at);
        }
    }

    /// The globals of all functions are set before anything else runs.
    fn hoisted_functions(&mut self, body: crate::ast::List) {
        for at in body.range() {
            let stmt = *self.ast.stmt(self.ast.stmt_ids[at]);
            let StmtKind::Fn(decl, function) = stmt.kind else {
                continue;
            };
            let Some(global) = self.resolved.variables[decl.index()].global else {
                continue;
            };
            let mark = self.mark();
            let dst = self.take(stmt.span);
            self.emit(
                Op::LoadFunction {
                    dst,
                    function: self.function_number(function),
                },
                stmt.span.start,
            );
            self.emit(Op::StoreGlobal { global, src: dst }, stmt.span.start);
            self.release(mark);
        }
    }

    /// The number of a function of this source.
    pub(super) fn function_number(&self, function: FunctionNodeId) -> u16 {
        (self.unit.bases.functions + function.index()) as u16
    }

    /// The constant of a name or literal.
    pub(super) fn text(&mut self, symbol: Symbol) -> u16 {
        self.linker.text(&self.ast.names, symbol)
    }

    pub(super) fn finish(self) -> Finished {
        (
            self.code,
            self.spans,
            self.registers.min(255) as u8,
            self.too_large,
        )
    }

    /// Appends an instruction that stands for the source at byte `at`.
    pub(super) fn emit(&mut self, op: Op, at: u32) {
        if at != self.last_offset {
            self.last_offset = at;
            self.last_place = self.places.place(at);
        }
        if self.code.len() >= MAX_CODE {
            self.too_large = Some(TooLarge::Code);
            return;
        }
        self.code.push(op);
        self.spans.push(self.last_place);
    }

    /// Appends a jump, or another instruction with a target, to be patched.
    pub(super) fn emit_jump(&mut self, op: Op, at: u32) -> Patch {
        let patch = Patch(self.code.len());
        self.emit(op, at);
        patch
    }

    /// A label here, for jumps backwards.
    pub(super) fn label(&mut self) -> Label {
        self.last_label = self.code.len();
        Label(self.code.len() as u32)
    }

    pub(super) fn emit_loop(&mut self, label: Label, at: u32) {
        self.emit(Op::Loop { target: label.0 }, at);
    }

    /// Lets a jump go to the next instruction.
    pub(super) fn patch(&mut self, patch: Patch) {
        self.last_label = self.code.len();
        let here = self.code.len() as u32;
        // There is none where the code was too long.
        if let Some(op) = self.code.get_mut(patch.0) {
            *op = op.with_target(|_| here);
        }
    }

    pub(super) fn patch_all(&mut self, patches: &[Patch]) {
        for &patch in patches {
            self.patch(patch);
        }
    }

    /// Whether control can come to the next instruction.
    pub(super) fn is_reachable(&self) -> bool {
        self.last_label == self.code.len() || !self.code.last().is_some_and(|op| op.facts().ends)
    }

    /// Takes the next temporary register. `span` is reported if there is none.
    pub(super) fn take(&mut self, span: Span) -> Reg {
        let register = self.next_register;
        if register >= MAX_REGISTERS {
            if self.too_large.is_none() {
                self.too_large = Some(TooLarge::Registers(span));
            }
            return MAX_REGISTERS as u8;
        }
        self.next_register += 1;
        self.registers = self.registers.max(self.next_register);
        register as u8
    }

    /// What to give to [`Self::release`] to give back the registers taken since.
    pub(super) fn mark(&self) -> u32 {
        self.next_register
    }

    pub(super) fn release(&mut self, mark: u32) {
        self.next_register = mark;
    }

    /// Whether `register` is the temporary taken last, so that the next ones follow it.
    pub(super) fn is_last_taken(&self, register: Reg) -> bool {
        let register = u32::from(register);
        register >= self.locals && register + 1 == self.next_register
    }
}
