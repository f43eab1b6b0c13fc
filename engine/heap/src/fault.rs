//! What an access to a dead or moved object says.

use std::any::Any;
use std::fmt;

use crate::object::Kind;

/// A stale or corrupt reference that a checked access met. It is thrown as a panic with
/// this value as payload, so that the harness can tell it from other panics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapFault {
    /// What the reference led to.
    pub what: FaultKind,
    /// Kind of the object, as far as memory still tells.
    pub kind: Option<Kind>,
    /// Site at which the object was allocated, as far as memory still tells.
    pub allocated_at: Option<u32>,
    /// Collection in which it died, if it is a zombie.
    pub died_in_collection: Option<u32>,
}

/// What a bad reference led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Memory that no object owns.
    FreeMemory,
    /// An object that a collection has moved: the reference was not forwarded.
    MovedObject,
    /// A dead object: nothing kept it alive.
    Zombie,
    /// A block that has been reused since the reference was made.
    StaleTag,
    /// A word that a debug mode wrote over dead memory.
    Poison,
    /// Something that is no object.
    Corrupt,
}

impl FaultKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::FreeMemory => "free_memory",
            FaultKind::MovedObject => "moved_object",
            FaultKind::Zombie => "zombie",
            FaultKind::StaleTag => "stale_tag",
            FaultKind::Poison => "poison",
            FaultKind::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for HeapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stale reference: {}", self.what.name())
            .and_then(|()| match self.kind {
                Some(kind) => write!(f, ", it was a {}", kind.name()),
                None => Ok(()),
            })
            .and_then(|()| match self.allocated_at {
                Some(site) => write!(f, ", allocated at site {site:#x}"),
                None => Ok(()),
            })
            .and_then(|()| match self.died_in_collection {
                Some(collection) => write!(f, ", died in collection {collection}"),
                None => Ok(()),
            })
    }
}

impl std::error::Error for HeapFault {}

impl HeapFault {
    pub(crate) fn new(what: FaultKind) -> Self {
        HeapFault {
            what,
            kind: None,
            allocated_at: None,
            died_in_collection: None,
        }
    }

    /// Ends the access.
    #[cold]
    pub(crate) fn raise(self) -> ! {
        std::panic::panic_any(self)
    }
}

/// The text that a panic was made with, a fault's included.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> String {
    let fault = panic.downcast_ref::<HeapFault>().map(HeapFault::to_string);
    let text = || panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let string = || panic.downcast_ref::<String>().cloned();
    let message = fault.or_else(text).or_else(string);
    message.unwrap_or_else(|| "it panicked".to_owned())
}
