//! A moving generational heap with debug modes and an independent verifier.
//!
//! ```text
//! value, object        words and layouts
//! space, allocator     the region, its blocks, who has them
//! account              who uses how much of the limit
//! demand               what an operation is about to allocate
//! tlab, card_table     allocation buffers, remembered set
//! permit, gate         who may touch the heap, who may stop it, who waits for that
//! identity             what tells heaps apart, where providers are at home
//! slot                 places outside that refer to objects, and the right to make them
//! roots, providers     where these places are
//! holder               a plain holder of some
//! handle               objects that the host keeps alive
//! compile_time         constants of a program, freed with its version
//! hashing              where keys lie in tables: keyed hashes
//! interning            strings that are shared while they live
//! finalizer            what is called when an object is about to be freed
//! mutator/             reading, writing, allocating, one file per kind
//! collector            evacuation
//! debug_mode, fault    what stress turns on, and what it says
//! watch                who wants to know when an object is freed
//! verifier             the independent look at everything
//! books                the audit of lists, counts and tables
//! tally                what a collection says that it did, against what it has left
//! ```
#![allow(unsafe_code, reason = "objects live in raw memory")]

mod account;
mod allocator;
mod books;
mod card_table;
pub mod checks;
mod collector;
mod compile_time;
pub mod config;
pub mod debug_mode;
mod demand;
mod fault;
mod finalizer;
mod gate;
mod handle;
mod hashing;
mod heap;
mod holder;
mod identity;
mod interning;
mod mutator;
mod object;
pub mod permit;
mod providers;
pub mod roots;
mod slot;
mod space;
mod stats;
mod tally;
mod tlab;
mod value;
pub mod verifier;
mod watch;

pub use account::{Charge, MemoryAccount};
pub use allocator::NeedsMemory;
pub use checks::{Checked, Checks, Unchecked};
pub use compile_time::CompileTimeObjects;
pub use config::HeapConfig;
pub use debug_mode::{
    CollectMode, CollectionKind, HeapDebug, HeapDebugError, KindMode, PromoteMode, VerifyLevel,
    VerifyWhen,
};
pub use fault::{FaultKind, HeapFault};
pub use finalizer::FinalizerOwner;
pub use handle::Handle;
pub use heap::{CollectionReport, Heap};
pub use holder::{Holder, Register};
pub use identity::Home;
pub use mutator::{
    Acquired, Comparing, Copying, ForkStop, FutureState, Grant, MapStoreError, Mutator, Received,
    Sent, Sizes, StreamState,
};
pub use object::Kind;
pub use permit::{ExclusivePermit, SharedPermit};
pub use roots::{RootAudit, RootKind, RootProvider, RootTracer};
pub use slot::{Place, RootRight, Slot};
pub use space::{Generation, Region};
pub use stats::HeapStats;
pub use tlab::Tlab;
pub use value::{SMALL_INT_MAX, SMALL_INT_MIN, Value};
pub use verifier::Violation;
