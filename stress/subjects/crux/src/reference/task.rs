//! Tasks: what runs, and where it stands.

use std::collections::VecDeque;

use gcrucible_bytecode::{ErrorKind, FunctionId, Op, Program, Reg};

use super::library::Pledge;
use super::model::{BodyEnd, Spawning};
use super::value::{ObjectId, Value};
use crate::executor::trace::TaskId;

/// A task.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// Whether it can run.
    pub status: Status,
    /// Its number.
    pub number: TaskId,
    /// The version of the program that it runs on.
    pub version: usize,
    /// Whether its cancellation was requested. It never goes back.
    pub token: bool,
    /// The task whose cancellation reaches it, too.
    pub above: Option<TaskId>,
    /// Whether it has ended for everybody: its cancellation cannot be requested any more.
    pub is_over: bool,
    /// Whether that request was delivered at the start of a slice.
    pub delivered: bool,
    /// Whether `Cancelled` was thrown in it at the start of a slice.
    pub has_thrown_cancel: bool,
    /// When it was requested, if it was.
    pub requested_ms: u64,
    /// Since when its body has had the time to end, once that is delivered.
    pub body_since_ms: u64,
    /// Whether that time has begun: also when there was no memory for the error.
    pub body_begun: bool,
    /// The task in whose squad it was spawned, and which of that task's squads it is.
    pub squad: Option<(TaskId, u32)>,
    /// Its own squads that were told of a failure since its last slice.
    pub failed_squads: Vec<u32>,
    /// Since when it has waited for the end of a squad, if it did last.
    pub drains_since: Option<u64>,
    /// Whether the request was offered last and not taken.
    pub refused_cancel: bool,
    /// Whether it ran at all.
    pub started: bool,
    /// Whether it has entered its first frame.
    pub entered: bool,
    /// The future whose body it is, if it is one's.
    pub future: Option<u64>,
    /// The root task of its run; none if it is detached.
    pub root: Option<TaskId>,
    /// The deadline that it inherited.
    pub inherited_deadline: Option<u64>,
    /// How its body ended.
    pub end: Option<BodyEnd>,
    /// The host operation that failed and was not thrown yet.
    pub failed_operation: Option<String>,
    /// Signals that were raised for it as the root of its run.
    pub signals: VecDeque<String>,
    pub(super) frames: Vec<Frame>,
    pub(super) handlers: Vec<Handler>,
    pub(super) completions: Vec<Pending>,
    pub(super) scopes: Vec<Scope>,
    pub(super) interrupts: Vec<Interrupt>,
    /// What it stands at.
    pub(super) operation: Option<Operation>,
    /// Futures spawned since the outermost deadline was pushed.
    pub(super) children: Vec<u64>,
    /// Whether what it inherited has thrown.
    pub(super) inherited_threw: bool,
    /// As of a scope, of what it inherited.
    pub(super) inherited_told: Option<u64>,
    pub(super) inherited_cut: bool,
    /// Squads that it has opened.
    pub(super) squads: u32,
    /// Whether what it waited for last was to send.
    pub(super) puts: bool,
    /// Instructions executed.
    pub(super) executed: u64,
    /// State of its random numbers.
    pub(super) random: u64,
    /// What belongs to the run, if it is the root and has asked for it.
    pub(super) locals: Option<Value>,
    /// Whether the lifecycle's end began.
    pub(super) finishing: bool,
    /// Module bodies still to be run, with their modules.
    pub(super) inits: VecDeque<(usize, FunctionId)>,
    /// The module whose body it runs.
    pub(super) module: Option<usize>,
    /// Thrown before the first instruction, with this message: what it should run cannot be
    /// called.
    pub(super) refused: Option<(ErrorKind, String)>,
    /// Where it stood last, for reports.
    pub(super) last: Option<(FunctionId, usize)>,
    /// What it spawned, until the engine has registered it.
    pub(super) spawning: Option<Spawning>,
    /// The register of the sleep or host operation that it began last.
    pub(super) operation_register: Reg,
}

/// Whether a task can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It can.
    #[default]
    Ready,
    /// It waits for a future.
    Waiting(u64),
    /// It waits for any of several futures.
    WaitingForAny {
        /// Which ones.
        futures: Vec<u64>,
        /// Whether only their end ends the wait.
        drain: bool,
    },
    /// It waits for a channel or mutex to change.
    Blocked {
        /// Number of the object.
        object: u64,
        /// How often it had changed.
        version: u64,
        /// Whether it wants to send.
        puts: bool,
    },
    /// It sleeps for so many milliseconds, since this time.
    Sleeping {
        /// Milliseconds.
        ms: u64,
        /// Milliseconds since the start of the run.
        since: u64,
    },
    /// It waits for a host operation; whether that has ended.
    Host(bool),
    /// Its body has ended, or never began and never will.
    Ended,
}

/// A sleep or host operation that a task stands at.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// The register that gets its result.
    pub(super) register: Reg,
    /// What the task waits for while nothing comes between.
    pub(super) status: Status,
    /// Its result, as soon as it is there.
    pub(super) value: Value,
    /// Of a host operation, how it began, once it has.
    pub(super) began: Option<Began>,
}

/// How a host operation began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    /// How many had begun before it.
    pub(super) number: usize,
    pub(super) at_ms: u64,
    /// An interrupt handler began it: cancellation does not concern it.
    pub(super) is_handlers: bool,
}

impl Operation {
    /// The number of a host operation under way that a cancellation concerns.
    pub(super) fn watched(&self) -> Option<usize> {
        let began = self.began.filter(|began| !began.is_handlers)?;
        (self.status == Status::Host(false)).then_some(began.number)
    }
}

/// A guard, deadline, squad, step or interrupt handler.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Frames up to and including its own.
    pub(super) depth: usize,
    /// When its time is over.
    pub(super) until: Option<u64>,
    /// Whether it has thrown.
    pub(super) threw: bool,
    /// Since when what runs inside has had the time to end.
    pub(super) told: Option<u64>,
    /// Whether that is over: nothing inside catches any more.
    pub(super) cut: bool,
    /// Handlers outside of it.
    pub(super) handlers: usize,
    pub(super) kind: ScopeKind,
}

#[derive(Clone, Debug)]
pub(super) enum ScopeKind {
    /// The mutex it holds.
    Guard(ObjectId),
    /// How many children there were before.
    Deadline(usize),
    Squad {
        /// The array.
        children: Value,
        drains: bool,
        number: u32,
        /// Whether a child's failure has ended the block.
        failed: bool,
    },
    Step {
        step: u16,
        /// Instructions executed when its budget is spent.
        instructions_end: Option<u64>,
        calls_left: Option<u32>,
        /// The function that has the step.
        caller: FunctionId,
    },
    Interrupt,
}

/// An interrupt handler that runs, and what was there before it.
#[derive(Clone, Debug)]
pub(super) struct Interrupt {
    pub(super) signal: String,
    pub(super) frames: usize,
    pub(super) handlers: usize,
    pub(super) completions: usize,
    pub(super) scopes: usize,
    pub(super) operation: Option<Operation>,
}

/// Function and instruction of every frame at a throw, innermost first.
pub(super) type Trace = Vec<(FunctionId, u32)>;

/// One running function.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Which function.
    pub(super) function: FunctionId,
    /// The instruction that it will run next.
    pub(super) at: usize,
    pub(super) registers: Vec<Value>,
    /// Its closure, which has the captured cells.
    pub(super) closure: Option<ObjectId>,
    /// The caller's register that gets the result.
    pub(super) result: Reg,
    /// Whether it handles an interrupt.
    pub(super) interrupts: bool,
    /// For a frame of a client: whether cancellation was requested when it was entered.
    pub(super) of_client: Option<bool>,
    /// For a function of the library: what it pledges.
    pub(super) pledge: Option<Box<Pledge>>,
    /// Whether a function of the library has called it back.
    pub(super) is_asked: bool,
}

impl Frame {
    pub(super) fn new(program: &Program, function: FunctionId, arguments: &[Value]) -> Self {
        let mut registers =
            vec![Value::Nil; usize::from(program.functions[usize::from(function)].registers)];
        registers[..arguments.len()].copy_from_slice(arguments);
        Self {
            function,
            at: 0,
            registers,
            closure: None,
            result: 0,
            interrupts: false,
            of_client: None,
            pledge: None,
            is_asked: false,
        }
    }
}

/// Where a throw goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handler {
    /// Frames that were there when it was pushed.
    pub(super) frames: usize,
    /// Completions that were there.
    pub(super) completions: usize,
    /// Scopes that were there.
    pub(super) scopes: usize,
    pub(super) takes: Takes,
    pub(super) target: u32,
}

/// What a handler takes, and where it puts it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// Any value, in a register.
    Any(Reg),
    /// Values of a type, in a register.
    Type(Reg, u16),
    /// Any value, as a completion.
    Finally,
}

/// What a `finally` block does when it is through, and the frames up to its own.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) depth: usize,
    pub(super) then: Completion,
}

/// See [`Pending`].
#[derive(Clone, Debug)]
pub(super) enum Completion {
    /// Goes on at an instruction.
    Resume(usize),
    /// Goes on at an instruction with a value put back into its register.
    ResumeWith(usize, Reg, Value),
    /// Throws a value on, with its trace.
    Throw(Value, Trace),
}

impl Task {
    /// A task that will run one function.
    pub(super) fn of(frame: Frame) -> Self {
        Task {
            frames: vec![frame],
            ..Task::default()
        }
    }

    /// Whether it stands at a sleep or host operation.
    pub fn is_at_operation(&self) -> bool {
        self.operation.is_some()
    }

    /// Whether time will end what it waits for.
    pub fn has_deadline(&self, grace_ms: u64) -> bool {
        !matches!(self.status, Status::WaitingForAny { drain: true, .. })
            && self.deadline(grace_ms).is_some()
    }

    /// Ends it; `None` when it never began.
    pub(super) fn end(&mut self, result: Option<Result<Value, Value>>) {
        self.status = Status::Ended;
        self.end = Some(BodyEnd {
            result,
            token: self.token,
            panic: None,
        });
    }

    /// The instruction that it will run next, and that one's function.
    pub(super) fn next(&self, program: &Program) -> Option<(FunctionId, usize, Op)> {
        let frame = self.frames.last()?;
        let op = program.functions[usize::from(frame.function)].code[frame.at];
        Some((frame.function, frame.at, op))
    }

    /// Whether the instruction that it will run next waits for a squad's end.
    pub(super) fn drains(&self, program: &Program) -> bool {
        matches!(self.next(program), Some((_, _, Op::DrainSquad { .. })))
    }
}
