//! One task's machine.

use std::fmt;
use std::sync::{Arc, Weak};

use gcrucible_bytecode::Reg;
use gcrucible_heap::{Checks, Heap, SharedPermit, Slot, Tlab, Value};
use gcrucible_platform::sync::Mutex;

use crate::frame::Control;
use crate::interpreter::{Context, run};
use crate::program::LoadedProgram;
use crate::slice::{SliceEnd, SliceInput, SliceOutcome};

/// A virtual machine: runs one call, or a program's initialisation, in slices.
///
/// Nothing of it is touched outside of slices but its [exchange slot](Vm::exchange).
pub struct Vm {
    pub(crate) task: u32,
    pub(crate) program: Arc<LoadedProgram>,
    pub(crate) tlab: Tlab,
    pub(crate) exchange: Slot,
    pub(crate) state: Mutex<State>,
    max_frames: usize,
}

/// What a machine keeps from slice to slice.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) control: Control,
    pub(crate) start: Start,
    /// The register that gets what the engine leaves in the exchange slot.
    spawned: Option<Reg>,
    /// Whether the next instruction's safepoint has been taken.
    is_safepoint_passed: bool,
}

/// What is still to be started.
#[derive(Debug)]
pub(crate) enum Start {
    None,
    /// The initialisers of the modules from this one on.
    Init {
        next: usize,
    },
    Call {
        callee: Slot,
        args: Box<[Slot]>,
    },
}

impl Vm {
    /// The most frames of a task, unless [`Vm::with_max_frames`] says otherwise.
    pub const MAX_FRAMES: usize = 200;

    /// The most frames of a task in production.
    pub const MAX_FRAMES_PRODUCTION: usize = 10_000;

    /// A machine for `program`, registered with `heap`. Identity hashes of the objects
    /// that it sees first start at `task << 12`.
    pub fn new(heap: &Heap, program: Arc<LoadedProgram>, task: u32) -> Arc<Vm> {
        Self::with_max_frames(heap, program, task, Self::MAX_FRAMES)
    }

    /// The same, for which a call that needs more than `max_frames` frames (at least one)
    /// throws `StackOverflow`.
    pub fn with_max_frames(
        heap: &Heap,
        program: Arc<LoadedProgram>,
        task: u32,
        max_frames: usize,
    ) -> Arc<Vm> {
        let vm = Arc::new(Vm {
            task,
            program,
            tlab: Tlab::new(task << 12),
            exchange: Slot::nil(),
            state: Mutex::new(State {
                control: Control::new(),
                start: Start::None,
                spawned: None,
                is_safepoint_passed: false,
            }),
            max_frames: max_frames.max(1),
        });
        let weak: Weak<Vm> = Arc::downgrade(&vm);
        heap.add_provider(weak);
        vm
    }

    /// The program it runs.
    pub fn program(&self) -> &Arc<LoadedProgram> {
        &self.program
    }

    /// The slot through which machine and engine hand values to each other; see
    /// [`SliceEnd`].
    pub fn exchange(&self) -> &Slot {
        &self.exchange
    }

    /// Makes the next slices run all modules' initialisers in order.
    ///
    /// # Panics
    /// If the machine has something to run.
    pub fn start_init(&self) {
        self.start(Start::Init { next: 0 });
    }

    /// Makes the next slices call `callee`. Both it and the arguments are copied. The
    /// first slice throws `NotCallable` or `WrongArity` if they do not fit.
    ///
    /// # Panics
    /// If the machine has something to run.
    pub fn start_call(&self, callee: &Slot, args: &[Slot]) {
        let copy = |from: &Slot| {
            let slot = Slot::nil();
            slot.copy_from(from);
            slot
        };
        self.start(Start::Call {
            callee: copy(callee),
            args: args.iter().map(copy).collect(),
        });
    }

    fn start(&self, start: Start) {
        let mut state = self.state.lock();
        assert!(
            state.control.frames.is_empty(),
            "a machine runs one call at a time"
        );
        assert!(
            matches!(state.start, Start::None),
            "a machine is started once for a call"
        );
        state.start = start;
        state.is_safepoint_passed = false;
        self.exchange.clear();
    }

    /// Function and index of the next instruction of the top frame; of the first
    /// initialiser, or (0, 0), if there is none yet or no more.
    pub fn position(&self) -> (u16, u32) {
        let state = self.state.lock();
        if let Some(frame) = state.control.frames.last() {
            return (frame.function, frame.pc);
        }
        let module = match state.start {
            Start::Init { next } => self.program.program().modules.get(next),
            Start::None | Start::Call { .. } => None,
        };
        (module.map_or(0, |module| module.init), 0)
    }

    /// Runs until something is to be decided by the engine.
    ///
    /// # Panics
    /// If there is nothing to run; in the checked copy also with a
    /// [`HeapFault`](gcrucible_heap::HeapFault) when a stale reference is met.
    pub fn run_slice<C: Checks>(
        &self,
        permit: &SharedPermit<'_>,
        input: SliceInput,
    ) -> SliceOutcome {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        assert!(
            !state.control.frames.is_empty() || !matches!(state.start, Start::None),
            "a slice needs something to run"
        );
        let mut slice = Slice {
            vm: self,
            cx: Context {
                m: permit.mutator::<C>(&self.tlab),
                program: &self.program,
                exchange: &self.exchange,
                max_frames: self.max_frames,
                is_cancel_requested: input.cancel_requested,
                text_bytes_max: usize::try_from(permit.heap().config().limit_bytes)
                    .unwrap_or(usize::MAX),
            },
            state,
            left: input.fuel,
            delivered: false,
            printed: Vec::new(),
        };
        slice.state.control.thrown = 0;
        slice.state.control.caught = 0;
        let end = slice.run(input);
        SliceOutcome {
            end,
            instructions: input.fuel - slice.left,
            delivered: slice.delivered,
            printed: slice.printed,
            thrown: slice.state.control.thrown,
            caught: slice.state.control.caught,
        }
    }
}

/// A slice in execution.
struct Slice<'p, 's, C: Checks> {
    vm: &'p Vm,
    cx: Context<'p, C>,
    state: &'s mut State,
    left: u32,
    delivered: bool,
    printed: Vec<String>,
}

impl<C: Checks> Slice<'_, '_, C> {
    fn run(&mut self, input: SliceInput) -> SliceEnd {
        match self.state.spawned.take() {
            Some(register) => {
                let registers = self.state.control.registers::<C>();
                registers.slot(register).take_from(&self.vm.exchange);
            }
            None => self.vm.exchange.clear(),
        }
        if let Some(kind) = input.deliver {
            match self.cx.error(kind, Value::NIL) {
                Ok(error) => {
                    self.delivered = true;
                    if let Some(end) = self.throw(error) {
                        return end;
                    }
                }
                Err(needs) => return SliceEnd::NeedsMemory { words: needs.words },
            }
        }
        loop {
            if self.state.control.frames.is_empty() {
                match self.enter() {
                    Ok(()) => {}
                    Err(end) => return end,
                }
            }
            let is_passed = std::mem::take(&mut self.state.is_safepoint_passed);
            let ended = run(
                &self.cx,
                &mut self.state.control,
                &mut self.printed,
                self.left,
                is_passed,
            );
            let is_first = ended.left == self.left;
            self.left = ended.left;
            self.state.spawned = ended.spawned;
            self.state.is_safepoint_passed = match ended.end {
                SliceEnd::Safepoint => true,
                // The instruction runs again, and its safepoint is behind it.
                SliceEnd::NeedsMemory { .. } => is_passed && is_first,
                _ => false,
            };
            let has_more = matches!(
                self.state.start,
                Start::Init { next } if next < self.vm.program.program().modules.len()
            );
            match ended.end {
                SliceEnd::Returned if has_more => self.vm.exchange.clear(),
                SliceEnd::Returned | SliceEnd::Threw => {
                    self.state.start = Start::None;
                    return ended.end;
                }
                end => return end,
            }
        }
    }

    /// Pushes the frame of what is to be started.
    fn enter(&mut self) -> Result<(), SliceEnd> {
        let program = self.vm.program.program();
        let m = &self.cx.m;
        match &mut self.state.start {
            Start::None => unreachable!("a slice needs something to run"),
            Start::Init { next } => {
                let init = program.modules[*next].init;
                *next += 1;
                self.state.control.enter(program, init);
                let registers = self.state.control.registers::<C>();
                registers.callee().copy_from(self.vm.program.function(init));
                Ok(())
            }
            Start::Call { callee, args } => {
                match self.cx.callable(m.load_root(callee), args.len()) {
                    Ok(function) => {
                        self.state.control.enter(program, function);
                        let registers = self.state.control.registers::<C>();
                        registers.callee().take_from(callee);
                        let parameters = registers.range(0, args.len());
                        for (parameter, arg) in parameters.iter().zip(args) {
                            parameter.take_from(arg);
                        }
                        self.state.start = Start::None;
                        Ok(())
                    }
                    Err(kind) => match self.cx.error(kind, Value::NIL) {
                        Ok(error) => Err(self
                            .throw(error)
                            .expect("without a frame there is no handler")),
                        Err(needs) => Err(SliceEnd::NeedsMemory { words: needs.words }),
                    },
                }
            }
        }
    }
}

impl<'p, C: Checks> Slice<'p, '_, C> {
    /// Throws where the machine stands, at no cost. The end of the slice if nobody
    /// catches it.
    fn throw(&mut self, value: Value<'p>) -> Option<SliceEnd> {
        self.state.is_safepoint_passed = false;
        if self.state.control.throw(&self.cx.m, value) {
            return None;
        }
        self.state.start = Start::None;
        self.cx.m.store(&self.vm.exchange, value);
        Some(SliceEnd::Threw)
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (function, pc) = self.position();
        f.debug_struct("Vm")
            .field("task", &self.task)
            .field("function", &function)
            .field("pc", &pc)
            .finish_non_exhaustive()
    }
}
