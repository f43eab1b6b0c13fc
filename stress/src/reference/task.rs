//! Tasks: what runs, and where it stands.

use std::collections::VecDeque;

use gcrucible_bytecode::{ErrorKind, FunctionId, Op, Program, Reg};

use super::model::BodyEnd;
use super::value::{ObjectId, Value};

/// A task.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// Whether it can run.
    pub status: Status,
    /// Whether its cancellation was requested. It never goes back.
    pub token: bool,
    /// Whether that request was delivered at the start of a slice.
    pub delivered: bool,
    /// Whether it ran at all.
    pub started: bool,
    /// The future whose body it is, if it is one's.
    pub future: Option<u64>,
    /// How its body ended.
    pub end: Option<BodyEnd>,
    pub(super) frames: Vec<Frame>,
    pub(super) handlers: Vec<Handler>,
    pub(super) completions: Vec<Completion>,
    /// Module bodies still to be run.
    pub(super) inits: VecDeque<FunctionId>,
    /// Whether it is the one that initialises the modules.
    pub(super) initialises: bool,
    /// Thrown before the first instruction: what it should run cannot be called.
    pub(super) refused: Option<ErrorKind>,
    /// Where it stood last, for reports.
    pub(super) last: Option<(FunctionId, usize)>,
}

/// Whether a task can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It can.
    #[default]
    Ready,
    /// It waits for a future.
    Waiting(u64),
    /// It sleeps for so many milliseconds, since this time.
    Sleeping {
        /// Milliseconds.
        ms: u64,
        /// Milliseconds since the start of the run.
        since: u64,
    },
    /// Its body has ended, or never began and never will.
    Ended,
}

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
    /// The register of a `catch`; none for a `finally`.
    pub(super) register: Option<Reg>,
    pub(super) target: u32,
}

/// What a `finally` block does when it is through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Completion {
    /// Goes on at an instruction.
    Resume(usize),
    /// Goes on at an instruction with a value put back into its register.
    ResumeWith(usize, Reg, Value),
    /// Throws a value on.
    Throw(Value),
}

impl Task {
    /// A task that will run one function.
    pub(super) fn of(frame: Frame) -> Self {
        Task {
            frames: vec![frame],
            ..Task::default()
        }
    }

    /// Ends it; `None` when it never began.
    pub(super) fn end(&mut self, result: Option<Result<Value, Value>>) {
        self.status = Status::Ended;
        self.end = Some(BodyEnd {
            result,
            token: self.token,
        });
    }

    /// The instruction that it will run next, and that one's function.
    pub(super) fn next(&self, program: &Program) -> Option<(FunctionId, usize, Op)> {
        let frame = self.frames.last()?;
        let op = program.functions[usize::from(frame.function)].code[frame.at];
        Some((frame.function, frame.at, op))
    }
}
