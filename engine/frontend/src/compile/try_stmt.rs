//! `try` with its catch and finally blocks.

use gcrucible_bytecode::{Op, Reg};

use super::control::Control;
use super::emitter::Emitter;
use crate::ast::{Catch, List};
use crate::source::Span;

impl Emitter<'_, '_, '_, '_> {
    pub(super) fn try_stmt(&mut self, index: u32, span: Span) {
        let stmt = self.ast.tries[index as usize];
        let Some(finally) = stmt.finally else {
            return self.try_catch(stmt.body, stmt.catches, span);
        };
        let at = span.start;
        let handler = self.emit_jump(Op::PushFinally { target: u32::MAX }, at);
        self.controls.push(Control::Finally {
            entries: vec![handler],
        });
        self.try_catch(stmt.body, stmt.catches, span);
        let entries = match self.controls.pop() {
            Some(Control::Finally { entries }) => entries,
            _ => Vec::new(),
        };
        let mut end = None;
        if self.is_reachable() {
            self.emit(Op::PopHandler, at);
            let entry = self.emit_jump(Op::EnterFinally { target: u32::MAX }, at);
            end = Some(self.emit_jump(Op::Jump { target: u32::MAX }, at));
            self.patch(entry);
        }
        self.patch_all(&entries);
        self.controls.push(Control::Completion);
        self.stmts(finally);
        self.controls.pop();
        if self.is_reachable() {
            self.emit(Op::EndFinally, at);
        }
        if let Some(end) = end {
            self.patch(end);
        }
    }

    /// The body with the handlers of its catch blocks; the first block's is pushed last.
    fn try_catch(&mut self, body: List, catches: List, span: Span) {
        if catches.len == 0 {
            return self.stmts(body);
        }
        let at = span.start;
        let list = &self.ast.catches[catches.range()];
        let mut pushes = Vec::with_capacity(list.len());
        for catch in list.iter().rev() {
            let dst = self.caught(catch);
            let target = u32::MAX;
            let op = match catch.of {
                None => Op::PushCatch { dst, target },
                Some(of) => Op::PushCatchIf {
                    dst,
                    type_id: self.resolved.types[of.index()],
                    target,
                },
            };
            pushes.push(self.emit_jump(op, catch.span.start));
            self.controls.push(Control::Catch);
        }
        self.stmts(body);
        self.controls.truncate(self.controls.len() - list.len());
        let mut ends = Vec::new();
        if self.is_reachable() {
            for _ in list {
                self.emit(Op::PopHandler, at);
            }
            ends.push(self.emit_jump(Op::Jump { target: u32::MAX }, at));
        }
        for (index, (catch, push)) in list.iter().zip(pushes.into_iter().rev()).enumerate() {
            self.patch(push);
            let at = catch.span.start;
            // The handlers of the blocks behind this one are not for what happens in it.
            for _ in index + 1..list.len() {
                self.emit(Op::PopHandler, at);
            }
            if let Some(variable) = catch.variable
                && self.resolved.variables[variable.index()].is_cell
            {
                let src = self.caught(catch);
                let dst = self.resolved.variables[variable.index()].register;
                self.emit(Op::NewCell { dst, src }, at);
            }
            self.stmts(catch.body);
            if index + 1 < list.len() && self.is_reachable() {
                ends.push(self.emit_jump(Op::Jump { target: u32::MAX }, at));
            }
        }
        self.patch_all(&ends);
    }

    /// Where a handler puts the value: into the register of its variable, or into a
    /// temporary one if that holds a cell or there is none.
    fn caught(&mut self, catch: &Catch) -> Reg {
        let variable = catch
            .variable
            .map(|decl| self.resolved.variables[decl.index()]);
        match variable {
            Some(variable) if !variable.is_cell => variable.register,
            _ => {
                let mark = self.mark();
                let register = self.take(catch.span);
                self.release(mark);
                register
            }
        }
    }
}
