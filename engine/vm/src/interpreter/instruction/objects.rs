//! Making, reading and writing objects.

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::Checks;

use crate::interpreter::run::{Executed, Flow, Run};

impl<'p, C: Checks> Run<'_, 'p, C> {
    #[inline]
    pub(super) fn new_array(&mut self, dst: Reg, first: Reg, count: u8) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_array(self.registers(), first, count)?;
        self.set(dst, made)
    }

    pub(super) fn new_map(&mut self, dst: Reg, first: Reg, pairs: u8) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_map(self.registers(), first, pairs)?;
        self.set(dst, made)
    }

    #[inline]
    pub(super) fn new_instance(&mut self, dst: Reg, class: u16, first: Reg) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_instance(self.registers(), class, first)?;
        self.set(dst, made)
    }

    pub(super) fn load_variant(&mut self, dst: Reg, variant: u16) -> Executed<'p> {
        self.set(dst, self.cx.m.load(self.cx.program.variant(variant)))
    }

    pub(super) fn new_variant(&mut self, dst: Reg, variant: u16, first: Reg) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_variant(self.registers(), variant, first)?;
        self.set(dst, made)
    }

    pub(super) fn get_payload(&mut self, dst: Reg, src: Reg, index: u8) -> Executed<'p> {
        let part = self.cx.m.enum_payload(self.get(src), u32::from(index));
        self.set(dst, part.ok_or(ErrorKind::Internal)?)
    }

    #[inline]
    pub(super) fn new_closure(&mut self, dst: Reg, function: u16) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_closure(self.registers(), function)?;
        self.set(dst, made)
    }

    pub(super) fn new_range(&mut self, dst: Reg, first: Reg) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_range(self.registers(), first)?;
        self.set(dst, made)
    }

    #[inline]
    pub(super) fn new_cell(&mut self, dst: Reg, src: Reg) -> Executed<'p> {
        self.poll()?;
        let made = self.here().m.cell(self.get(src))?;
        self.set(dst, made)
    }

    #[inline]
    pub(super) fn get_field(&mut self, dst: Reg, object: Reg, name: u16) -> Executed<'p> {
        let object = self.get(object);
        let made = self
            .here()
            .get_field(self.site(), object, name, self.safepoint())?;
        self.set(dst, made)
    }

    pub(super) fn set_field(&mut self, object: Reg, name: u16, src: Reg) -> Executed<'p> {
        let (object, value) = (self.get(object), self.get(src));
        self.cx.set_field(self.site(), object, name, value)?;
        Ok(Flow::Next)
    }

    #[inline]
    pub(super) fn get_index(&mut self, dst: Reg, object: Reg, index: Reg) -> Executed<'p> {
        let (object, index) = (self.get(object), self.get(index));
        let made = self.here().get_index(object, index, self.safepoint())?;
        self.set(dst, made)
    }

    #[inline]
    pub(super) fn set_index(&mut self, object: Reg, index: Reg, src: Reg) -> Executed<'p> {
        let (object, index, value) = (self.get(object), self.get(index), self.get(src));
        self.here()
            .set_index(object, index, value, self.safepoint())?;
        Ok(Flow::Next)
    }
}
