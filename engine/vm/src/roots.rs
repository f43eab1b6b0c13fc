//! What the collector finds in a machine, and the right to make what it finds.
//!
//! # Safety
//! This crate claims the [`RootRight`] once, here. Its slots are in [`Vm`], in
//! [`Realm`](crate::Realm), in [`LoadedProgram`](crate::LoadedProgram), in
//! [`Forking`](crate::Forking), and in what works in steps, which is part of a machine or was made
//! by somebody who showed the right himself.
#![allow(unsafe_code, reason = "the collector believes what a provider says")]

use gcrucible_bytecode::{Function, Op, Reg, RegisterSet};
use gcrucible_heap::{Home, RootAudit, RootKind, RootProvider, RootRight, RootTracer, Tlab};
use gcrucible_platform::planted;

use crate::exception::{Completion, CompletionKind};
use crate::frame::{Control, Frame};
use crate::live_frames::LiveFrames;
use crate::scope::ScopeKind;
use crate::vm::{Start, Vm};

/// The right of this crate.
// SAFETY: rule 1: each provider of the crate passes all its slots on, as its own comment says, and
// slots elsewhere are filled and read within one slice. Rule 2: machines, realms and programs check
// their home wherever safe code hands them a permit or each other. Rule 3: slices and forks run
// under a permit, and nothing else copies slots. Rule 4: what hands slots out is private to the
// crate, or takes the right.
pub(crate) const ROOTS: RootRight = unsafe { RootRight::claim() };

// SAFETY: rule 1: the stack's frames, the control state, the call to come, the progress of an
// instruction, `exchange` and `locals` are all slots that it has; what lies above the top frame is
// cleared before it is read. Rule 2: `home` and `tlab` are made once, for one heap, and whoever
// reads or writes a slot in `context` or next to it has checked the former. Rule 3: by inspection.
unsafe impl RootProvider for Vm {
    fn name(&self) -> String {
        format!("task {}", self.task)
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        let state = self.state.lock();
        let functions = &self.realm.program().functions;
        for (frame, alive) in LiveFrames::of(&state.control, functions) {
            let locals = functions[usize::from(frame.function)].locals;
            let slots = state
                .control
                .stack
                .frame(frame.base as usize, frame.registers);
            let (callee, registers) = slots.split_first().expect("a frame has a callee");
            tracer.slot(RootKind::Callee, callee);
            if planted!(B34, self.program().is_library(frame.function)) {
                continue;
            }
            for (index, slot) in registers.iter().enumerate() {
                if !alive.has(index as Reg) {
                    tracer.dead(slot);
                    continue;
                }
                let code = &functions[usize::from(frame.function)].code;
                let steps = |op: &Op| matches!(op, Op::NextOrJump { iterator, .. } if usize::from(*iterator) == index);
                if planted!(B15, slot.is_object() && code.iter().any(steps)) {
                    continue;
                }
                if index < usize::from(locals) {
                    tracer.slot(RootKind::Local, slot);
                    continue;
                }
                if planted!(B13, slot.is_object()) {
                    continue;
                }
                tracer.slot(RootKind::Temporary, slot);
            }
        }
        for value in state
            .control
            .completions
            .iter()
            .filter_map(Completion::value)
        {
            if planted!(B14, value.is_object()) {
                continue;
            }
            tracer.slot(RootKind::InFlight, value);
        }
        for scope in &state.control.scopes.scopes {
            if let Some(slot) = scope.root() {
                tracer.slot(RootKind::Scope, slot);
            }
        }
        if !planted!(B19, self.locals.is_object()) {
            tracer.slot(RootKind::RunLocals, &self.locals);
        }
        if let Some(progress) = &state.progress {
            progress.roots(&mut |slot| tracer.slot(RootKind::Temporary, slot));
        }
        if let Start::Call { callee, args } = &state.start {
            tracer.slot(RootKind::Callee, callee);
            for arg in args {
                tracer.slot(RootKind::Local, arg);
            }
        }
        tracer.slot(RootKind::Result, &self.exchange);
    }

    /// Goes over the stack slot by slot from its top, and says of each which frame's it
    /// is and whether that may still read it; the trace goes frame by frame.
    fn audit(&self, audit: &mut RootAudit<'_>) {
        audit.root(RootKind::Result, &self.exchange);
        let state = self.state.lock();
        if let Some(progress) = &state.progress {
            progress.audit(&mut |slot| audit.root(RootKind::Temporary, slot));
        }
        match &state.start {
            Start::Call { callee, args } => {
                for index in (0..args.len()).rev() {
                    audit.root(RootKind::Local, &args[index]);
                }
                audit.root(RootKind::Callee, callee);
            }
            Start::None | Start::Init { .. } => {}
        }
        for completion in state.control.completions.iter().rev() {
            match &completion.kind {
                CompletionKind::ResumeWith { value, .. } => audit.root(RootKind::InFlight, value),
                CompletionKind::Throw { value, .. } => audit.root(RootKind::InFlight, value),
                CompletionKind::Resume { .. } => {}
            }
        }
        audit.root(RootKind::RunLocals, &self.locals);
        for scope in state.control.scopes.scopes.iter().rev() {
            match &scope.kind {
                ScopeKind::Squad { children, .. } => audit.root(RootKind::Scope, children),
                ScopeKind::Guard { mutex } => audit.root(RootKind::Scope, mutex),
                ScopeKind::Deadline { .. } | ScopeKind::Step { .. } | ScopeKind::Interrupt => {}
            }
        }
        let used = state.control.stack.used();
        let functions = &self.realm.program().functions;
        let mut frames = state.control.frames.iter().enumerate().rev().peekable();
        let mut alive: Option<(usize, RegisterSet)> = None;
        for (index, slot) in used.iter().enumerate().rev() {
            while frames
                .peek()
                .is_some_and(|(_, frame)| frame.base as usize > index)
            {
                frames.next();
            }
            let Some(&(at, frame)) = frames.peek() else {
                break;
            };
            let function = &functions[usize::from(frame.function)];
            let Some(register) = (index - frame.base as usize).checked_sub(1) else {
                audit.root(RootKind::Callee, slot);
                continue;
            };
            let read = match alive {
                Some((of, read)) if of == at => read,
                _ => alive.insert((at, read_by(&state.control, at, function))).1,
            };
            if read.has(register as Reg) {
                let is_local = register < usize::from(function.locals);
                let kind = match is_local {
                    true => RootKind::Local,
                    false => RootKind::Temporary,
                };
                audit.root(kind, slot);
            }
        }
    }

    fn tlab(&self) -> Option<&Tlab> {
        Some(&self.tlab)
    }
}

/// The registers that the frame with this index may still read, found out frame by frame.
fn read_by(control: &Control, index: usize, function: &Function) -> RegisterSet {
    let frame = &control.frames[index];
    let read_from = |pc: u32, but: Option<Reg>| {
        let mut read = function.live.at(function.registers, pc as usize);
        but.into_iter().for_each(|register| read.remove(register));
        read
    };
    let above = control.frames.get(index + 1);
    let result = above.filter(|above| above.flags & (Frame::INTERRUPT | Frame::BOTTOM) == 0);
    let mut read = read_from(frame.pc, result.map(|above| above.result));
    let depth = index as u32 + 1;
    for completion in control.completions.iter().filter(|at| at.depth == depth) {
        match completion.kind {
            CompletionKind::Resume { pc } => read.add_all(&read_from(pc, None)),
            CompletionKind::ResumeWith { pc, register, .. } => {
                read.add_all(&read_from(pc, Some(register)));
            }
            CompletionKind::Throw { .. } => {}
        }
    }
    for handler in control.handlers.iter().filter(|at| at.frames == depth) {
        read.add_all(&read_from(handler.target, handler.kind.register()));
    }
    read
}
