//! Leaving blocks by `break`, `continue` and `return`.
//!
//! What is open at run time, from the outside in, is kept while compiling. A jump out
//! undoes it from the inside: it pops the handler of a `try`, runs its `finally` block
//! like a subroutine, drops the completion of a `finally` block that it leaves, pops the
//! scopes of `deadline` and `sync`, and joins a squad.

use gcrucible_bytecode::{Op, Reg};

use super::emitter::{Emitter, Label, Patch};

/// Something around the current statement.
pub(super) enum Control {
    /// A loop.
    Loop { top: Label, breaks: Vec<Patch> },
    /// A `try` block with a catch block: its handler is open.
    Catch,
    /// A `try` or catch block with a `finally` block: its handler is open. The patches
    /// are the entries to the block.
    Finally { entries: Vec<Patch> },
    /// A `finally` block: its completion is open.
    Completion,
    /// A `deadline` or `sync` block: its scope is open.
    Scope,
    /// A squad, whose children are in the register: its scope and its handler are open.
    Squad(Reg),
}

impl Emitter<'_, '_, '_, '_> {
    /// Undoes everything that is open inside of control number `keep`. A return value
    /// waits in `value` meanwhile.
    pub(super) fn leave(&mut self, keep: usize, value: Option<Reg>, at: u32) {
        for index in (keep..self.controls.len()).rev() {
            match self.controls[index] {
                Control::Loop { .. } => {}
                // A return pops the scopes of its frame itself.
                Control::Scope if value.is_some() && !self.is_in_handler(index) => {}
                Control::Scope => self.emit(Op::PopScope, at),
                Control::Squad(squad) => {
                    self.emit(Op::JoinSquad { squad }, at);
                    self.emit(Op::PopHandler, at);
                    self.emit(Op::PopScope, at);
                }
                Control::Catch => self.emit(Op::PopHandler, at),
                Control::Finally { .. } => {
                    self.emit(Op::PopHandler, at);
                    let enter = match value {
                        Some(value) => Op::EnterFinallyWith {
                            value,
                            target: u32::MAX,
                        },
                        None => Op::EnterFinally { target: u32::MAX },
                    };
                    let entry = self.emit_jump(enter, at);
                    if let Control::Finally { entries } = &mut self.controls[index] {
                        entries.push(entry);
                    }
                }
                Control::Completion => self.emit(Op::DropCompletion, at),
            }
        }
    }

    /// Whether a handler or completion is open outside of control number `index`.
    fn is_in_handler(&self, index: usize) -> bool {
        self.controls[..index]
            .iter()
            .any(|control| !matches!(control, Control::Loop { .. } | Control::Scope))
    }

    /// Whether a jump out of everything runs a `finally` block on its way.
    pub(super) fn runs_finally(&self) -> bool {
        self.controls
            .iter()
            .any(|control| matches!(control, Control::Finally { .. }))
    }

    /// The number of the innermost loop among the controls.
    pub(super) fn innermost_loop(&self) -> Option<usize> {
        self.controls
            .iter()
            .rposition(|control| matches!(control, Control::Loop { .. }))
    }
}
