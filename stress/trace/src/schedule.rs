//! The decisions of a run as data.

use serde::{Deserialize, Serialize};

/// Which generations a collection goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CollectionKind {
    /// The young ones.
    Minor,
    /// All of them.
    Major,
}

/// One decision of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where the chosen actor stands: the key by which a shrunk program still finds it.
    pub site: Site,
    /// Instructions that the slice may run (1 is allowed); 0 for actors that run none.
    pub fuel: u32,
    /// A collection right before the slice.
    pub collect: Option<CollectionKind>,
    /// What else happens right before it, after that collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Injected>,
}

/// An event that a schedule brings about by itself. One whose target is not there has no
/// effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Injected {
    /// The next allocation fails, whatever is collected for it.
    AllocationFailure,
    /// Of the allocations to come so many succeed, and the one after them fails.
    LaterAllocationFailure(u32),
    /// Cancellation of the call with this id is requested.
    CancelCall(u32),
    /// Cancellation of the future with this id is requested.
    CancelFuture(u64),
    /// The host drops its future of the call with this id.
    DropCall(u32),
    /// The signal `INT` is raised for the call with this id.
    Interrupt(u32),
    /// The program is forked for serving.
    Fork,
    /// The fork that was made last is dropped.
    DropFork,
    /// A new version is asked for, of this number from 0; one that there is not does not compile.
    Reload(u32),
    /// The host looks at the promise of the entry.
    Tick,
    /// The task with this number is dropped where it stands, if it may be.
    DropTask(u32),
    /// The task with this number is polled, though nobody need have woken it.
    PollTask(u32),
    /// The task with this number panics at the next place at which it may.
    PanicTask(u32),
}

/// A stable place of an actor in a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Site {
    /// The actor: 0 is the host script, tasks count from 1 in order of creation, and
    /// timers are at [`Site::TIMERS`].
    pub actor: u32,
    /// Function of the instruction it will run next.
    pub function: u16,
    /// Index of that instruction, or of the yield point or host event.
    pub at: u32,
    /// How often the actor had stood there before.
    pub visit: u32,
}

impl Site {
    /// The actor number of the virtual clock: choosing it fires the next timer.
    pub const TIMERS: u32 = u32::MAX;
    /// The actor number of the host script.
    pub const HOST: u32 = 0;
}
