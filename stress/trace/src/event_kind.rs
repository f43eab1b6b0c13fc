//! The kinds of event that coverage is counted over.

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of event that pairs are made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant,)*];

            /// The name in files and reports.
            pub fn name(self) -> &'static str {
                match self { $(EventKind::$variant => $name,)* }
            }

            /// The kind with this name.
            pub fn from_name(name: &str) -> Option<EventKind> {
                match name { $($name => Some(EventKind::$variant),)* _ => None }
            }
        }
    };
}

events! {
    /// A task or future was spawned.
    Spawn = "spawn",
    /// A task awaited a future.
    Await = "await",
    /// A future became ready.
    Complete = "complete",
    /// A future settled with an error.
    Fail = "fail",
    /// Cancellation was requested.
    Cancel = "cancel",
    /// A deadline fired.
    Deadline = "deadline",
    /// An interrupt was delivered.
    Interrupt = "interrupt",
    /// A minor collection.
    Minor = "minor",
    /// A major collection.
    Major = "major",
    /// An object became old.
    Promote = "promote",
    /// A store marked a card.
    BarrierHit = "barrier_hit",
    /// A holder got a fresh allocation buffer.
    TlabRefill = "tlab_refill",
    /// A reload began.
    ReloadBegin = "reload_begin",
    /// A new version was swapped in.
    ReloadSwap = "reload_swap",
    /// A reload failed.
    ReloadFail = "reload_fail",
    /// A serving fork was made.
    Fork = "fork",
    /// A serving fork was dropped.
    ForkDrop = "fork_drop",
    /// A handle was taken.
    Protect = "protect",
    /// A handle was given back.
    Unprotect = "unprotect",
    /// A host call began.
    CallBegin = "call_begin",
    /// A host call ended.
    CallEnd = "call_end",
    /// The host dropped its future of a call.
    CallDrop = "call_drop",
    /// A value was sent to a channel.
    ChannelSend = "channel_send",
    /// A value was received from a channel.
    ChannelReceive = "channel_receive",
    /// A stream gave its next value.
    StreamNext = "stream_next",
    /// A sync guard was taken.
    GuardAcquire = "guard_acquire",
    /// A sync guard was released.
    GuardRelease = "guard_release",
    /// An error was thrown.
    Throw = "throw",
    /// An error was caught.
    Catch = "catch",
}

impl EventKind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();
}
