//! What the host holds by pointer: a table that knows what lives.
//!
//! A pointer to options, an engine, a call or a handle is a number that is given out once and
//! never again; it is no address. So a pointer that was freed, is of another type or was made
//! up is not found, whatever was made since.
//!
//! A forked child has a copy of the parent's memory, but none of its threads: a lock that one of
//! them held stays locked for ever. The child therefore begins a table of its own, and knows what
//! the parent made by its number alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::call::{CallState, GcrCall};
use crate::engine::{GcrEngine, Running};
use crate::handle::{GcrHandle, Kept};
use crate::options::{Chosen, GcrOptions};
use crate::status::{Failure, GcrStatus, bad_argument};

/// What lives.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Options(Arc<Mutex<Chosen>>),
    Engine(Arc<Running>),
    Call(Arc<CallState>),
    Handle(Arc<Kept>),
}

/// A type that the host holds by pointer.
pub(crate) trait Listed {
    /// What lies behind it.
    type State;
    /// What it is, in words.
    const WHAT: &'static str;

    fn wrap(state: Arc<Self::State>) -> Object;
    fn unwrap(object: &Object) -> Option<&Arc<Self::State>>;
}

macro_rules! listed {
    ($type:ty, $variant:ident, $state:ty, $what:literal) => {
        impl Listed for $type {
            type State = $state;
            const WHAT: &'static str = $what;

            fn wrap(state: Arc<Self::State>) -> Object {
                Object::$variant(state)
            }

            fn unwrap(object: &Object) -> Option<&Arc<Self::State>> {
                match object {
                    Object::$variant(state) => Some(state),
                    _ => None,
                }
            }
        }
    };
}

listed!(GcrOptions, Options, Mutex<Chosen>, "the options");
listed!(GcrEngine, Engine, Running, "the engine");
listed!(GcrCall, Call, CallState, "the call");
listed!(GcrHandle, Handle, Kept, "the handle");

/// The objects of a process.
#[derive(Debug)]
struct Table {
    process: u32,
    /// Those with smaller numbers are of the process that this one was forked from.
    first: usize,
    live: Mutex<BTreeMap<usize, Object>>,
}

static TABLE: AtomicPtr<Table> = AtomicPtr::new(std::ptr::null_mut());
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The table of this process. Those of the processes that it was forked from are leaked: to
/// free what is in them would need their locks and threads.
fn table() -> &'static Table {
    let process = std::process::id();
    loop {
        let known = TABLE.load(Ordering::Acquire);
        // SAFETY: null, or a table that is never freed.
        if let Some(table) = unsafe { known.as_ref() }
            && table.process == process
        {
            return table;
        }
        let new = Box::into_raw(Box::new(Table {
            process,
            first: NEXT.load(Ordering::Relaxed),
            live: Mutex::default(),
        }));
        let set = TABLE.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire);
        if set.is_err() {
            // SAFETY: nobody has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}

/// Numbers are odd, so that no address is one.
fn pointer<T>(number: usize) -> *mut T {
    std::ptr::without_provenance_mut(number << 1 | 1)
}

fn number<T>(pointer: *const T) -> Option<usize> {
    let bits = pointer.addr();
    (bits & 1 == 1).then_some(bits >> 1)
}

/// Gives an object to the host.
pub(crate) fn list<T: Listed>(state: T::State) -> *mut T {
    let table = table();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    table.live.lock().insert(number, T::wrap(Arc::new(state)));
    pointer(number)
}

/// The object that the host means.
pub(crate) fn find<T: Listed>(pointer: *const T) -> Result<Arc<T::State>, Failure> {
    let what = T::WHAT;
    if pointer.is_null() {
        return Err(bad_argument(&format!("{what} is null")));
    }
    let strange = || bad_argument(&format!("{what} was freed, or is something else"));
    let number = number(pointer).ok_or_else(strange)?;
    let table = table();
    if number < table.first {
        return Err(forked(what));
    }
    let live = table.live.lock();
    let found = live.get(&number).and_then(T::unwrap);
    found.map(Arc::clone).ok_or_else(strange)
}

/// Takes an object from the host. `None` for null, and for what is not there or not of that type.
pub(crate) fn unlist<T: Listed>(pointer: *mut T) -> Option<Arc<T::State>> {
    let number = number(pointer)?;
    let table = table();
    let mut live = table.live.lock();
    let found = live.get(&number).and_then(T::unwrap).map(Arc::clone);
    let removed = found.is_some().then(|| live.remove(&number));
    // What it drops may take its time, and the lock of something else.
    drop(live);
    drop(removed);
    found
}

fn forked(what: &str) -> Failure {
    let message = format!(
        "{what} was made before fork(): its threads run in the parent only; make a new engine"
    );
    (GcrStatus::Forked, message)
}
