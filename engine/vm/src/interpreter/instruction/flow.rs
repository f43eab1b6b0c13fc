//! Jumps, returns, throws, handlers, `finally`.

use gcrucible_bytecode::{Op, Reg};
use gcrucible_heap::{Checks, Slot};
use gcrucible_platform::planted;

use crate::exception::{CompletionKind, HandlerKind};
use crate::frame::Frame;
use crate::interpreter::Stop;
use crate::interpreter::run::{Executed, Flow, Run};
use crate::roots::ROOTS;
use crate::slice::SliceEnd;

impl<'p, C: Checks> Run<'_, 'p, C> {
    pub(super) fn jump(&mut self, target: u32) -> Executed<'p> {
        Ok(Flow::Goto(target))
    }

    pub(super) fn jump_if(&mut self, cond: Reg, target: u32) -> Executed<'p> {
        match self.get(cond).is_truthy() {
            true => Ok(Flow::Goto(target)),
            false => Ok(Flow::Next),
        }
    }

    pub(super) fn jump_if_not(&mut self, cond: Reg, target: u32) -> Executed<'p> {
        match self.get(cond).is_truthy() {
            true => Ok(Flow::Next),
            false => Ok(Flow::Goto(target)),
        }
    }

    pub(super) fn loop_back(&mut self, target: u32) -> Executed<'p> {
        self.poll()?;
        Ok(Flow::Goto(target))
    }

    /// The hot loop does those of which nothing is special.
    #[inline]
    pub(super) fn return_from(&mut self, src: Reg) -> Executed<'p> {
        let value = self.get(src);
        let flags = self.control.top().flags;
        if flags & Frame::SCOPES != 0 {
            self.control.pop_frame_scopes(self.cx, self.effects);
        }
        if flags & Frame::BOTTOM != 0 {
            self.cx.m.store(self.cx.exchange, value);
            self.control.leave();
            return Ok(Flow::Over(SliceEnd::Returned));
        }
        if flags & Frame::INTERRUPT != 0 {
            self.control.end_interrupt(self.cx, self.effects);
            if self.control.operation.is_some() {
                return Ok(Flow::Over(SliceEnd::Resume));
            }
        } else {
            let result = self.control.leave().result;
            self.registers().set(&self.cx.m, result, value);
        }
        Ok(Flow::Resume)
    }

    pub(super) fn throw(&mut self, src: Reg) -> Executed<'p> {
        Err(Stop::Throw(self.get(src)))
    }

    pub(super) fn push_catch(&mut self, dst: Reg, target: u32) -> Executed<'p> {
        self.control.push_handler(HandlerKind::Catch(dst), target);
        Ok(Flow::Next)
    }

    pub(super) fn push_catch_if(&mut self, dst: Reg, type_id: u16, target: u32) -> Executed<'p> {
        let kind = HandlerKind::CatchIf(dst, type_id);
        self.control.push_handler(kind, target);
        Ok(Flow::Next)
    }

    pub(super) fn push_finally(&mut self, target: u32) -> Executed<'p> {
        self.control.push_handler(HandlerKind::Finally, target);
        Ok(Flow::Next)
    }

    pub(super) fn pop_handler(&mut self) -> Executed<'p> {
        if planted!(B83, matches!(self.code()[self.pc], Op::Return { .. })) {
            return Ok(Flow::Next);
        }
        self.control.handlers.pop();
        Ok(Flow::Next)
    }

    pub(super) fn enter_finally(&mut self, target: u32) -> Executed<'p> {
        let pc = self.pc as u32;
        self.control.push_completion(CompletionKind::Resume { pc });
        Ok(Flow::Goto(target))
    }

    pub(super) fn enter_finally_with(&mut self, register: Reg, target: u32) -> Executed<'p> {
        let value = Slot::nil(ROOTS);
        value.take_from(self.registers().slot(register));
        let pc = self.pc as u32;
        self.control.push_completion(CompletionKind::ResumeWith {
            pc,
            register,
            value,
        });
        Ok(Flow::Goto(target))
    }

    pub(super) fn end_finally(&mut self) -> Executed<'p> {
        match self.control.completions.pop().map(|ended| ended.kind) {
            Some(CompletionKind::Resume { pc }) => Ok(Flow::Goto(pc)),
            Some(CompletionKind::ResumeWith {
                pc,
                register,
                value,
            }) => {
                self.registers().slot(register).take_from(&value);
                Ok(Flow::Goto(pc))
            }
            Some(CompletionKind::Throw { value, trace }) => {
                let value = self.cx.m.load_root(&value);
                Err(Stop::ThrowOn(value, Box::new(trace)))
            }
            None => unreachable!("verified code has a completion here"),
        }
    }

    pub(super) fn drop_completion(&mut self) -> Executed<'p> {
        self.control.completions.pop();
        Ok(Flow::Next)
    }
}
