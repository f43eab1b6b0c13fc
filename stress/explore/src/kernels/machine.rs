//! The little machine that kernels run on: tasks over shared variables and locks.
//!
//! Each event of a task is one [`Op`]; what follows it that no other task can see (an early
//! exit, an assertion) belongs to it. There is no engine and no heap here: only the order
//! of events is at stake.

use gcrucible_trace::Site;

use crate::EventCounts;
use crate::decision::{Point, ReadyActor, Strategy};
use crate::touched::{Resource, Touched};

/// The counter that numbers tasks.
const NUMBERS: Resource = Resource::Of { space: 0, id: 0 };

/// A variable, a lock or a signal.
fn other(id: u32) -> Resource {
    Resource::Of {
        space: 1,
        id: id.into(),
    }
}

/// What a decision moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// One event, whatever the fuel.
    Event,
    /// As many events as the fuel allows, or fewer if the task must wait.
    Slice,
}

/// A register of a task, or a shared variable.
pub(super) type Index = usize;

/// One operation of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Something that concerns nobody else.
    Noise,
    /// Starts a task that runs this program.
    Spawn(Index),
    /// Waits until this task has ended; tasks count from 1.
    Join(u32),
    /// Register := variable.
    Read(Index, Index),
    /// Variable := value.
    Write(Index, i32),
    /// Variable := register + value.
    WriteSum(Index, Index, i32),
    /// Waits until the lock is free, and takes it.
    Lock(Index),
    /// Frees the lock.
    Unlock(Index),
    /// Waits for a signal that comes after it; not an event of its own until then.
    Wait,
    /// Wakes those who wait.
    Signal,
    /// Local: ends the task if the register is this.
    ExitIf(Index, i32),
    /// Local: the bug is there if this is false of the registers.
    Assert(fn(&[i32; 2]) -> bool),
}

/// What tasks share, and what a test of the end sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shared {
    pub(super) variables: [i32; 4],
    /// The holder of each lock.
    locks: [Option<u32>; 2],
    /// Signals sent.
    signals: u32,
}

/// Programs, of which tasks 1, 2, … run the first `initial` from the start.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) programs: Vec<Vec<Op>>,
    pub(super) initial: u32,
    /// What must hold when all tasks have ended.
    pub(super) at_end: fn(&Shared) -> bool,
}

#[derive(Clone, Debug)]
struct Task {
    program: Index,
    at: usize,
    registers: [i32; 2],
    /// Signals sent when it began to wait.
    waits_since: Option<u32>,
}

/// A run of a kernel. Buffers are kept from run to run.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    programs: &'a Programs,
    shared: Shared,
    tasks: Vec<Task>,
    ready: Vec<ReadyActor>,
    failed: bool,
}

impl<'a> Machine<'a> {
    pub(super) fn new(programs: &'a Programs) -> Self {
        Self {
            programs,
            shared: Shared::default(),
            tasks: Vec::new(),
            ready: Vec::new(),
            failed: false,
        }
    }

    /// Runs once under a strategy; whether the bug shows. The events are added to `counts`.
    pub(super) fn run(
        &mut self,
        strategy: &mut dyn Strategy,
        grain: Grain,
        mut counts: Option<&mut EventCounts>,
    ) -> bool {
        self.shared = Shared::default();
        self.failed = false;
        self.tasks.clear();
        for program in 0..self.programs.initial as usize {
            self.start(program);
        }
        let mut ordinal = 0;
        while !self.failed && self.show() {
            let point = Point {
                ready: &self.ready,
                ordinal,
            };
            let Ok(choice) = strategy.choose(&point) else {
                // Drawn schedules do not diverge; a search breaks off what it has seen.
                return false;
            };
            let actor = self.ready[choice.index].site.actor;
            let fuel = if grain == Grain::Slice {
                choice.fuel
            } else {
                1
            };
            let tasks = self.tasks.len();
            let touched = strategy.is_watching().then(|| self.touches(actor));
            let events = self.slice(actor, fuel);
            strategy.ran(events);
            if let Some(touched) = touched {
                strategy.touched(touched);
            }
            if let Some(counts) = &mut counts {
                counts.note(actor, events);
                for child in tasks..self.tasks.len() {
                    counts.spawned(child as u32 + 1, actor);
                }
            }
            ordinal += 1;
        }
        let ended = self.tasks.iter().all(|task| self.op(task).is_none());
        self.failed || !ended || !(self.programs.at_end)(&self.shared)
    }

    /// What tasks share, after a run.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What the next event of a task touches.
    fn touches(&self, actor: u32) -> Touched {
        const LOCKS: u32 = 100;
        const SIGNALS: u32 = 200;
        const ENDS: u32 = 300;
        let mut touched = Touched::default();
        let task = &self.tasks[actor as usize - 1];
        let variable = |index: Index| other(index as u32);
        match self.op(task) {
            None | Some(Op::Noise | Op::ExitIf(..) | Op::Assert(_)) => {}
            Some(Op::Spawn(_)) => touched.writes.push(NUMBERS),
            Some(Op::Join(task)) => touched.reads.push(other(ENDS + task)),
            Some(Op::Read(_, index)) => touched.reads.push(variable(index)),
            Some(Op::Write(index, _) | Op::WriteSum(index, ..)) => {
                touched.writes.push(variable(index));
            }
            Some(Op::Lock(lock) | Op::Unlock(lock)) => {
                touched.writes.push(other(LOCKS + lock as u32));
            }
            Some(Op::Wait) => touched.reads.push(other(SIGNALS)),
            Some(Op::Signal) => touched.writes.push(other(SIGNALS)),
        }
        // Any event may be a task's last.
        touched.writes.push(other(ENDS + actor));
        touched
    }

    /// Runs a task that goes on; how many events it ran, at most `fuel`.
    fn slice(&mut self, actor: u32, fuel: u32) -> u32 {
        let mut events = 0;
        while events < fuel && !self.failed && self.goes_on(&self.tasks[actor as usize - 1]) {
            self.step(actor);
            events += 1;
        }
        events
    }

    fn start(&mut self, program: Index) {
        self.tasks.push(Task {
            program,
            at: 0,
            registers: [0; 2],
            waits_since: None,
        });
    }

    fn op(&self, task: &Task) -> Option<Op> {
        self.programs.programs[task.program].get(task.at).copied()
    }

    fn goes_on(&self, task: &Task) -> bool {
        match self.op(task) {
            None => false,
            Some(Op::Lock(lock)) => self.shared.locks[lock].is_none(),
            Some(Op::Join(task)) => self.op(&self.tasks[task as usize - 1]).is_none(),
            Some(Op::Wait) => task
                .waits_since
                .is_none_or(|since| self.shared.signals > since),
            Some(_) => true,
        }
    }

    /// Fills `ready`; whether anybody is.
    fn show(&mut self) -> bool {
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        for (actor, task) in (1..).zip(&self.tasks) {
            if self.goes_on(task) {
                let (function, at) = (task.program as u16, task.at as u32);
                ready.push(ReadyActor {
                    site: Site {
                        actor,
                        function,
                        at,
                        visit: 0,
                    },
                });
            }
        }
        self.ready = ready;
        !self.ready.is_empty()
    }

    fn step(&mut self, actor: u32) {
        let Shared {
            variables,
            locks,
            signals,
        } = &mut self.shared;
        let task = &mut self.tasks[actor as usize - 1];
        let mut spawned = None;
        match self.programs.programs[task.program][task.at] {
            Op::Noise | Op::Join(_) | Op::ExitIf(..) | Op::Assert(_) => {}
            Op::Spawn(program) => spawned = Some(program),
            Op::Read(register, variable) => task.registers[register] = variables[variable],
            Op::Write(variable, value) => variables[variable] = value,
            Op::WriteSum(variable, register, value) => {
                variables[variable] = task.registers[register] + value;
            }
            Op::Lock(lock) => locks[lock] = Some(actor),
            Op::Unlock(lock) => locks[lock] = None,
            Op::Wait if task.waits_since.is_none() => {
                task.waits_since = Some(*signals);
                return;
            }
            Op::Wait => task.waits_since = None,
            Op::Signal => *signals += 1,
        }
        task.at += 1;
        let program = &self.programs.programs[task.program];
        loop {
            match program.get(task.at) {
                Some(&Op::ExitIf(register, value)) if task.registers[register] == value => {
                    task.at = program.len();
                }
                Some(Op::ExitIf(..)) => task.at += 1,
                Some(Op::Assert(holds)) => {
                    self.failed |= !holds(&task.registers);
                    task.at += 1;
                }
                _ => break,
            }
        }
        if let Some(program) = spawned {
            self.start(program);
        }
    }
}
