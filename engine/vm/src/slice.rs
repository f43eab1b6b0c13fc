//! What goes into a slice and what comes out of it.

use gcrucible_bytecode::ErrorKind;

/// What the engine tells a machine at the start of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceInput {
    /// The most instructions to execute.
    pub fuel: u32,
    /// An error to throw where the machine stands, before the first instruction.
    pub deliver: Option<ErrorKind>,
    /// Whether the task's cancellation was requested: an await and a sleep throw
    /// `Cancelled` then.
    pub cancel_requested: bool,
}

/// What a slice did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceOutcome {
    /// Why it ended.
    pub end: SliceEnd,
    /// Instructions executed.
    pub instructions: u32,
    /// Whether [`SliceInput::deliver`] was thrown. False too if there was nothing to
    /// deliver, and when it found no memory: then it has to be given again.
    pub delivered: bool,
    /// Lines printed, in order.
    pub printed: Vec<String>,
    /// Values thrown, delivered ones included.
    pub thrown: u32,
    /// Of these, values that a `catch` got.
    pub caught: u32,
}

/// Why a slice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceEnd {
    /// All fuel is spent.
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
    /// stores the future there, which the next slice takes.
    Spawn,
    /// The task must wait for a future, which the exchange slot holds. The instruction
    /// runs again.
    Await {
        /// Id of the future.
        future: u64,
    },
    /// Cancellation was requested of the future in the exchange slot.
    Cancel,
    /// `sleep(ms)`.
    Sleep {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// `collect()`.
    Collect,
    /// The task is done, its value is in the exchange slot.
    Returned,
    /// Nobody caught the value in the exchange slot; the task is done.
    Threw,
}
