//! Registers, constants, globals, operators, captured variables.

use std::cmp::Ordering;

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, Value};
use gcrucible_platform::planted;

use crate::interpreter::arithmetic::Operator;
use crate::interpreter::run::{Executed, Flow, Run};

impl<'p, C: Checks> Run<'_, 'p, C> {
    pub(super) fn copy(&mut self, dst: Reg, src: Reg) -> Executed<'p> {
        self.set(dst, self.get(src))
    }

    pub(super) fn load_nil(&mut self, dst: Reg) -> Executed<'p> {
        self.set(dst, Value::NIL)
    }

    pub(super) fn load_bool(&mut self, dst: Reg, value: bool) -> Executed<'p> {
        self.set(dst, Value::bool(value))
    }

    pub(super) fn load_int(&mut self, dst: Reg, value: i32) -> Executed<'p> {
        self.set(dst, Value::int32(value))
    }

    pub(super) fn load_const(&mut self, dst: Reg, constant: u16) -> Executed<'p> {
        self.set(dst, self.cx.m.load(self.cx.program.constant(constant)))
    }

    pub(super) fn load_function(&mut self, dst: Reg, function: u16) -> Executed<'p> {
        self.set(dst, self.cx.m.load(self.cx.program.function(function)))
    }

    pub(super) fn load_global(&mut self, dst: Reg, global: u16) -> Executed<'p> {
        self.set(dst, self.cx.m.load(self.cx.realm.global(global)))
    }

    pub(super) fn store_global(&mut self, global: u16, src: Reg) -> Executed<'p> {
        if self.cx.realm.is_global_frozen(global) && !planted!(B107) {
            return Err(ErrorKind::StoreGlobalAfterInit.into());
        }
        let value = self.get(src);
        self.cx.m.store(self.cx.realm.global(global), value);
        Ok(Flow::Next)
    }

    #[inline]
    pub(super) fn add(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        self.binary(dst, Operator::Add, lhs, rhs)
    }

    #[inline]
    pub(super) fn sub(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        self.binary(dst, Operator::Sub, lhs, rhs)
    }

    #[inline]
    pub(super) fn mul(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        self.binary(dst, Operator::Mul, lhs, rhs)
    }

    #[inline]
    pub(super) fn div(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        self.binary(dst, Operator::Div, lhs, rhs)
    }

    #[inline]
    pub(super) fn rem(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        self.binary(dst, Operator::Rem, lhs, rhs)
    }

    #[inline]
    fn binary(&mut self, dst: Reg, operator: Operator, lhs: Reg, rhs: Reg) -> Executed<'p> {
        let (lhs, rhs) = (self.get(lhs), self.get(rhs));
        let made = self.here().binary(operator, lhs, rhs, self.safepoint())?;
        self.set(dst, made)
    }

    pub(super) fn neg(&mut self, dst: Reg, src: Reg) -> Executed<'p> {
        let made = self.here().negated(self.get(src), self.safepoint())?;
        self.set(dst, made)
    }

    pub(super) fn not(&mut self, dst: Reg, src: Reg) -> Executed<'p> {
        self.set(dst, Value::bool(!self.get(src).is_truthy()))
    }

    #[inline]
    pub(super) fn eq(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        let is_equal = self.are_equal(lhs, rhs);
        self.set(dst, Value::bool(is_equal))
    }

    #[inline]
    pub(super) fn ne(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        let is_equal = self.are_equal(lhs, rhs);
        self.set(dst, Value::bool(!is_equal))
    }

    #[inline]
    fn are_equal(&self, lhs: Reg, rhs: Reg) -> bool {
        let (lhs, rhs) = (self.get(lhs), self.get(rhs));
        self.cx.charge_comparison(lhs, rhs);
        self.cx.m.are_equal(lhs, rhs)
    }

    pub(super) fn lt(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        let ordering = self.cx.compared(self.get(lhs), self.get(rhs))?;
        self.set(dst, Value::bool(ordering == Some(Ordering::Less)))
    }

    pub(super) fn le(&mut self, dst: Reg, lhs: Reg, rhs: Reg) -> Executed<'p> {
        let ordering = self.cx.compared(self.get(lhs), self.get(rhs))?;
        let is_at_most = matches!(ordering, Some(Ordering::Less | Ordering::Equal));
        self.set(dst, Value::bool(is_at_most))
    }

    pub(super) fn concat(&mut self, dst: Reg, first: Reg, count: u8) -> Executed<'p> {
        self.poll()?;
        let made = self.here().concat(self.registers(), first, count)?;
        self.set(dst, made)
    }

    pub(super) fn is(&mut self, dst: Reg, src: Reg, type_id: u16) -> Executed<'p> {
        self.set(dst, Value::bool(self.cx.is(self.get(src), type_id)))
    }

    pub(super) fn load_cell(&mut self, dst: Reg, cell: Reg) -> Executed<'p> {
        let value = self.cx.m.cell_get(self.get(cell));
        self.set(dst, value.ok_or(ErrorKind::Internal)?)
    }

    pub(super) fn store_cell(&mut self, cell: Reg, src: Reg) -> Executed<'p> {
        match self.cx.m.cell_set(self.get(cell), self.get(src)) {
            true => Ok(Flow::Next),
            false => Err(ErrorKind::Internal.into()),
        }
    }

    pub(super) fn load_capture(&mut self, dst: Reg, index: u8) -> Executed<'p> {
        let cell = self.cx.captured_cell(self.registers(), index)?;
        let value = self.cx.m.cell_get(cell);
        self.set(dst, value.ok_or(ErrorKind::Internal)?)
    }

    pub(super) fn store_capture(&mut self, index: u8, src: Reg) -> Executed<'p> {
        let cell = self.cx.captured_cell(self.registers(), index)?;
        match self.cx.m.cell_set(cell, self.get(src)) {
            true => Ok(Flow::Next),
            false => Err(ErrorKind::Internal.into()),
        }
    }
}
