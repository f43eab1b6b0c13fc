//! What calls run.

/// What a call runs. Events and traces name each by a number: a call of the host by the id that the
/// host chose, the others by ids that are not for hosts.
///
/// ```
/// use gcrucible_engine::CallKind;
///
/// assert_eq!(CallKind::of_id(7), CallKind::Host(7));
/// assert_eq!(CallKind::of_id(CallKind::Init.id()), CallKind::Init);
/// assert!(!CallKind::of_id(CallKind::HOST_IDS).is_of_host());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// A function or object of the program, which the host calls under an id less than
    /// [`CallKind::HOST_IDS`].
    Host(u32),
    /// A finalizer; one at a time.
    Finalizer,
    /// The top level of a version of the program; one at a time.
    Init,
}

impl CallKind {
    /// Ids less than this one are for hosts.
    pub const HOST_IDS: u32 = u32::MAX - 1;

    /// The number that events and traces have for it.
    pub const fn id(self) -> u32 {
        match self {
            CallKind::Host(id) => id,
            CallKind::Finalizer => u32::MAX - 1,
            CallKind::Init => u32::MAX,
        }
    }

    /// What that number stands for.
    pub const fn of_id(id: u32) -> CallKind {
        match id {
            u32::MAX => CallKind::Init,
            Self::HOST_IDS => CallKind::Finalizer,
            id => CallKind::Host(id),
        }
    }

    /// Whether the host has called it.
    pub const fn is_of_host(self) -> bool {
        matches!(self, CallKind::Host(_))
    }
}
