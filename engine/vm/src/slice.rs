//! What goes into a slice and what comes out of it.

use gcrucible_bytecode::ErrorKind;

use gcrucible_platform::{HostRequest, HostValue};

/// What the engine tells a machine at the start of a slice.
///
/// A slice begins in this order, at no cost:
///
/// 1. What the engine left in the exchange slot for an instruction that ended a slice is
///    stored in its register, unless that is an operation which is not over.
/// 2. The interrupt is dispatched, if it can be ([`SliceInput::interrupt`]).
/// 3. [`SliceInput::deliver`] is thrown where the machine stands.
/// 4. What has thrown its error before and is not left after the grace time throws again, of several
///    the outermost, and nothing inside catches that.
/// 5. Of the deadlines (what the task inherited, then its scopes from the outermost on) the
///    first that has passed and has not thrown before throws: `DeadlineExceeded` of a deadline,
///    `StepExhausted` of a step with a time, `HandlerTimeout` of an interrupt frame. A squad whose
///    child has failed ([`SliceInput::failed_squads`]) is as good as a deadline that has passed, and
///    throws `Cancelled`.
///
/// As long as an interrupt frame is there, only its own scope and those above it count as
/// deadlines, and `Cancelled` is not delivered: both are for the frames below. Where the next
/// instruction is a [`DrainSquad`](gcrucible_bytecode::Op::DrainSquad), neither 4 nor 5 happens
/// nor is `Cancelled` delivered: a squad outlives its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceInput {
    /// The most instructions to execute, less for those that do much.
    pub fuel: u32,
    /// An error to throw where the machine stands, before the first instruction.
    pub deliver: Option<ErrorKind>,
    /// The message of that error, if it is not that of its kind.
    pub deliver_message: Option<String>,
    /// Whether the task's cancellation was requested: waiting instructions and host
    /// operations throw `Cancelled` then.
    pub cancel_requested: bool,
    /// Milliseconds since the engine began. Never less than in the slice before.
    pub now_ms: u64,
    /// The deadline that the task inherited from its spawner, in the same milliseconds.
    pub inherited_deadline: Option<u64>,
    /// A signal for the program's interrupt function. It is dispatched if the program has
    /// one, the machine is the root of its run and stands in a frame, and no handler of the
    /// same signal runs.
    pub interrupt: Option<String>,
    /// Whether the sleep or host operation that the machine stands at is over, its result in
    /// the exchange slot. Until this is true or something is thrown at it, the machine stands
    /// there: a slice that finds nothing else to do ends at once with [`SliceEnd::Resume`].
    pub operation_over: bool,
    /// Tasks of this run, not detached, that have not settled: `sys.unsettled()`.
    pub open_tasks: u32,
    /// The channel or mutex that the task was woken for, until it has looked.
    pub turn: Option<u64>,
    /// Squads, by their [numbers](crate::Vm::squad), one of whose children has failed since the
    /// slice before. Their other children are cancelled by this slice, whatever it comes to.
    pub failed_squads: Vec<u32>,
}

impl SliceInput {
    /// So much fuel, and nothing else of note.
    pub fn with_fuel(fuel: u32) -> Self {
        SliceInput {
            fuel,
            ..SliceInput::default()
        }
    }
}

/// What a slice did.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceOutcome {
    /// Why it ended.
    pub end: SliceEnd,
    /// Instructions executed.
    pub instructions: u32,
    /// Fuel that was spent for work which they did beyond their own cost.
    pub charged: u32,
    /// Whether an instruction that works in steps got further, though it is not done.
    pub advanced: bool,
    /// Whether the next instruction has done a part of its work.
    pub unfinished: bool,
    /// Whether [`SliceInput::deliver`] was thrown. False too if there was nothing to
    /// deliver, and when it found no memory: then it has to be given again.
    pub delivered: bool,
    /// Whether [`SliceInput::interrupt`] was dispatched. If not, it stays pending.
    pub interrupted: bool,
    /// Lines printed, in order.
    pub printed: Vec<String>,
    /// Values thrown, delivered ones included.
    pub thrown: u32,
    /// Of these, values that a `catch` got.
    pub caught: u32,
    /// Channels and mutexes that changed, in order, each once: some of those who wait for them
    /// are to be woken.
    pub changed: Vec<Change>,
    /// Whether the task has taken what it was woken for ([`SliceInput::turn`]).
    pub took_turn: bool,
    /// Futures whose cancellation is requested, in order: what was spawned in a deadline
    /// scope that has fired, and the children of a squad that has failed or drains.
    pub cancel: Vec<u64>,
    /// Signals that `sys.interrupt` raised, in order.
    pub interrupts: Vec<String>,
    /// With [`SliceEnd::AwaitMany`]: pending futures, of a squad the last that it has. The task is
    /// woken when any of them settles, and runs again at once if one has.
    pub awaited: Vec<u64>,
    /// With [`SliceEnd::Host`]: what is asked for.
    pub host: Option<HostRequest>,
    /// Data that nobody needs any more, so much that dropping it takes long.
    pub discarded: Vec<HostValue>,
    /// With [`SliceEnd::Threw`]: function and instruction of each frame at the throw,
    /// innermost first. Of a frame that called, the calling instruction.
    pub trace: Vec<(u16, u32)>,
    /// With [`SliceEnd::Threw`]: the future that failed with the value, if it came with an await
    /// of that or with the end of a squad.
    pub failed: Option<u64>,
    /// Futures that have failed and were awaited in the slice, or belong to a squad that ended in
    /// it: somebody knows of their errors.
    pub seen: Vec<u64>,
    /// Steps whose spent budget let them return nil (`boundary: continue`).
    pub skipped_steps: u32,
    /// Whether the program's finish function was entered.
    pub finishing: bool,
}

/// A channel or mutex that changed, as the slice left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub object: u64,
    /// How many could receive, or acquire: [`u32::MAX`] of a closed channel.
    pub takes: u32,
    /// How many could send.
    pub puts: u32,
    /// Its version before these were counted: they miss no change up to that one.
    pub version: u64,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A value of a channel, or a mutex.
    Take,
    /// A free place in a channel.
    Put,
}

/// Why a slice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceEnd {
    /// All fuel is spent; or the next instruction has done a part of its work, and goes on
    /// with it in the next slice. Until it is done it counts as not executed.
    Fuel,
    /// At a safepoint somebody asked for slices to end. The next slice goes past it.
    Safepoint,
    /// An allocation found no memory. The instruction had no effect and runs again.
    NeedsMemory {
        /// Words that were asked for.
        words: u32,
    },
    /// `yield_now()`.
    Yielded,
    /// A call was spawned: the exchange slot holds the unscheduled future. The engine
    /// stores the future there, which the next slice takes. Unless it is detached, the new
    /// task inherits [`Vm::inheritable_deadline`](crate::Vm::inheritable_deadline).
    Spawn {
        /// Whether the task belongs to no run.
        detached: bool,
    },
    /// The task must wait for a future, which the exchange slot holds. The instruction
    /// runs again. Timer: [`Vm::deadline`](crate::Vm::deadline).
    Await {
        /// Id of the future.
        future: u64,
    },
    /// The task must wait for one of several futures, [`SliceOutcome::awaited`]. The
    /// instruction runs again. Timer: [`Vm::deadline`](crate::Vm::deadline), but for a squad
    /// that drains (then it is `None`).
    AwaitMany {
        /// Whether neither cancellation nor a deadline ends the wait.
        drain: bool,
    },
    /// The machine stands at a sleep or host operation that is not over, after an interrupt
    /// handler that ran in the middle of it: the engine goes on waiting.
    Resume,
    /// The task must wait for a channel or mutex, which the exchange slot holds, to change.
    /// The engine registers it as a waiter, then compares the object's version, and waits
    /// only if it is still this one. The instruction runs again. Timer:
    /// [`Vm::deadline`](crate::Vm::deadline).
    Wait {
        /// Id of the channel or mutex.
        object: u64,
        /// Its version when the instruction looked.
        version: u64,
        /// What of it the task is to have.
        side: Side,
    },
    /// Cancellation was requested of the future in the exchange slot.
    Cancel,
    /// `sleep(ms)`: a host operation. Timer: [`Vm::deadline`](crate::Vm::deadline).
    Sleep {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// A host operation, [`SliceOutcome::host`]. The engine stores its result in the
    /// exchange slot, which the next slice takes; a failure is delivered as `HostError` with
    /// the host's message. Timer: [`Vm::deadline`](crate::Vm::deadline).
    Host,
    /// `collect()`.
    Collect,
    /// The task is done, its value is in the exchange slot.
    Returned,
    /// Nobody caught the value in the exchange slot; the task is done.
    Threw,
}
