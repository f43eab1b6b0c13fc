//! Calls of all sorts, and the protocol of `for`.

use gcrucible_bytecode::{Builtin, ErrorKind, Reg};
use gcrucible_heap::{Checks, Kind, Value};

use crate::frame::Operation;
use crate::interpreter::calls::Found;
use crate::interpreter::run::{Executed, Flow, Run, Takes};
use crate::slice::SliceEnd;

impl<'p, C: Checks> Run<'_, 'p, C> {
    #[inline]
    pub(super) fn call(&mut self, base: Reg, argc: u8) -> Executed<'p> {
        self.poll()?;
        let callee = self.cx.callable(self.get(base), usize::from(argc))?;
        self.check_call()?;
        self.enter(callee, base + 1, argc, base)
    }

    #[inline]
    pub(super) fn call_method(&mut self, base: Reg, name: u16, argc: u8) -> Executed<'p> {
        self.poll()?;
        let receiver = self.get(base);
        let site = self.site();
        match self
            .cx
            .find_method(site, receiver, name, usize::from(argc))?
        {
            Found::Callee(callee) => {
                self.check_call()?;
                self.enter(callee, base + 1, argc, base)
            }
            Found::Builtin => {
                if self.cx.waits(name, argc) {
                    self.check_wait()?;
                }
                let here = self.here();
                let registers = self.control.registers();
                let made = here.call_method(registers, base, name, argc, self.effects)?;
                self.set(base, made)
            }
        }
    }

    #[inline]
    pub(super) fn call_builtin(&mut self, base: Reg, builtin: Builtin, argc: u8) -> Executed<'p> {
        match builtin {
            Builtin::Next if argc == 1 => {
                let kind = self.cx.m.kind(self.get(base));
                if let Some(kind @ (Kind::Instance | Kind::Stream | Kind::Channel)) = kind {
                    return self.call_next(base, kind);
                }
            }
            Builtin::Sleep | Builtin::Host | Builtin::CheckWait => self.check_wait()?,
            _ => {}
        }
        let (here, safepoint) = (self.here(), self.safepoint());
        let registers = self.control.registers();
        let (value, end) =
            here.call_builtin(registers, base, builtin, argc, safepoint, self.effects)?;
        registers.set(&self.cx.m, base, value);
        match end {
            None => Ok(Flow::Next),
            Some(end) => {
                self.control.operation = operation(end, base);
                Ok(Flow::End(end, Takes::Nothing))
            }
        }
    }

    /// `next(v)` of what is no iterator, but has elements.
    fn call_next(&mut self, base: Reg, kind: Kind) -> Executed<'p> {
        let source = self.get(base);
        if kind == Kind::Channel {
            self.check_wait()?;
            let received = self.cx.receive(source, true, self.effects)?;
            return self.set(base, received.unwrap_or(Value::NIL));
        }
        self.poll()?;
        let callee = self.cx.next_method(source)?.ok_or(ErrorKind::TypeError)?;
        self.check_call()?;
        self.enter(callee, base, 0, base)
    }

    pub(super) fn call_step(&mut self, base: Reg, step: u16) -> Executed<'p> {
        self.poll()?;
        let callee = self.cx.callable(self.get(base), 0)?;
        self.check_call()?;
        let (caller, now_ms) = (self.function, self.cx.now_ms);
        let entered = self.enter(callee, base, 0, base)?;
        let program = self.cx.program.program();
        self.control.push_step(program, step, caller, now_ms);
        Ok(entered)
    }

    pub(super) fn new_iterator(&mut self, dst: Reg, src: Reg) -> Executed<'p> {
        self.poll()?;
        let made = self.here().new_iterator(self.get(src))?;
        self.set(dst, made)
    }

    #[inline]
    pub(super) fn next_or_jump(&mut self, dst: Reg, iterator: Reg, target: u32) -> Executed<'p> {
        let source = self.get(iterator);
        let element = match self.cx.m.kind(source) {
            Some(Kind::Instance | Kind::Stream) => {
                self.poll()?;
                let callee = self.cx.next_method(source)?.ok_or(ErrorKind::Internal)?;
                self.check_call()?;
                return self.enter(callee, 0, 0, dst);
            }
            Some(Kind::Channel) => {
                self.check_wait()?;
                self.cx.receive(source, true, self.effects)?
            }
            _ => self.here().next(source)?,
        };
        match element {
            Some(element) => {
                self.registers().set(&self.cx.m, dst, element);
                Ok(Flow::Skip)
            }
            None => Ok(Flow::Goto(target)),
        }
    }

    pub(super) fn end_if_nil(&mut self, dst: Reg, target: u32) -> Executed<'p> {
        match self.get(dst).is_nil() {
            true => Ok(Flow::Goto(target)),
            false => Ok(Flow::Next),
        }
    }
}

/// What the machine stands at when `end` ends a built-in.
fn operation(end: SliceEnd, base: Reg) -> Option<Operation> {
    match end {
        SliceEnd::Sleep { .. } => Some(Operation { result: None }),
        SliceEnd::Host => Some(Operation { result: Some(base) }),
        _ => None,
    }
}
