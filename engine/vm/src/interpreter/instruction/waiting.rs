//! Tasks, squads, guards, deadlines.

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, FutureState, Slot};
use gcrucible_platform::planted;

use crate::interpreter::Stop;
use crate::interpreter::run::{Executed, Flow, Run, Takes};
use crate::roots::ROOTS;

impl<'p, C: Checks> Run<'_, 'p, C> {
    pub(super) fn spawn(&mut self, base: Reg, argc: u8) -> Executed<'p> {
        self.spawned(base, argc, false)
    }

    pub(super) fn spawn_detached(&mut self, base: Reg, argc: u8) -> Executed<'p> {
        self.spawned(base, argc, true)
    }

    fn spawned(&mut self, base: Reg, argc: u8, detached: bool) -> Executed<'p> {
        self.poll()?;
        let (here, registers) = (self.here(), self.registers());
        match here.spawn(registers, &self.control.scopes, base, argc, detached) {
            Stop::End(end) => {
                let register = base;
                Ok(Flow::End(end, Takes::Future { register, detached }))
            }
            stop => Err(stop),
        }
    }

    #[inline]
    pub(super) fn await_future(&mut self, dst: Reg, src: Reg) -> Executed<'p> {
        let is_ready = || {
            let state = self.cx.m.future_state(self.get(src));
            matches!(state, Some((FutureState::Ready, _)))
        };
        if !planted!(B63, is_ready()) {
            self.check_wait()?;
        }
        let value = self.cx.awaited(self.get(src))?;
        self.set(dst, value)
    }

    pub(super) fn cancel(&mut self, src: Reg) -> Executed<'p> {
        Err(self.cx.cancel(self.get(src)))
    }

    pub(super) fn push_guard(&mut self, src: Reg) -> Executed<'p> {
        self.check_wait()?;
        let mutex = self.get(src);
        self.cx.push_guard(mutex, self.control, self.effects)?;
        Ok(Flow::Next)
    }

    pub(super) fn push_deadline(&mut self, src: Reg) -> Executed<'p> {
        let ms = self.cx.m.as_int(self.get(src));
        let ms = ms.and_then(|ms| u64::try_from(ms).ok());
        let ms = ms.ok_or(ErrorKind::TypeError)?;
        self.control
            .push_deadline(self.cx.now_ms.saturating_add(ms));
        Ok(Flow::Next)
    }

    pub(super) fn push_squad(&mut self, dst: Reg) -> Executed<'p> {
        self.poll()?;
        let children = self.here().m.array(&[])?;
        let slot = Slot::nil(ROOTS);
        self.cx.m.store(&slot, children);
        self.control.push_squad(slot);
        self.set(dst, children)
    }

    pub(super) fn pop_scope(&mut self) -> Executed<'p> {
        self.control.pop_scope(self.cx, self.effects);
        Ok(Flow::Next)
    }

    pub(super) fn join_squad(&mut self, squad: Reg) -> Executed<'p> {
        self.check_wait()?;
        self.cx.join_squad(self.get(squad), self.effects)?;
        Ok(Flow::Next)
    }

    pub(super) fn drain_squad(&mut self, squad: Reg) -> Executed<'p> {
        let squad = self.get(squad);
        let scopes = &mut self.control.scopes;
        self.cx.drain_squad(squad, scopes, self.effects)?;
        Ok(Flow::Next)
    }
}
