//! The C API of the engine.
//!
//! ```text
//! status   codes, and the boundary that no panic crosses
//! text     text with its length, both ways
//! objects  what the host holds by pointer: a table that knows what lives
//! error    why something failed: a code and a message
//! value    plain data: nil, bools, numbers, strings, arrays, maps
//! options  what an engine is made with
//! print    the callback for what a program prints
//! engine   a program on an engine of its own threads
//! call     calls by id: wait, cancel, result
//! handle   values of the program that the host keeps and uses
//! ```
//!
//! # Rules
//!
//! 1. What a function returns through an `out` parameter belongs to the caller, who frees it with
//!    the function of its type, once. Freeing null does nothing.
//! 2. Text is UTF-8 with a length in bytes, and may have zero bytes in it. What is passed need
//!    not end with one; what is returned has one behind its end, which does not count. Where the
//!    length of returned text is not asked for, text that has zero bytes in it is not returned.
//! 3. Options, engines, calls and handles are names rather than addresses: one that was freed,
//!    is null or of another type is refused, and freeing it again does nothing. Values and
//!    errors are addresses: they must be null where that is allowed, or unfreed.
//! 4. Every function may be called from any thread. A value must not be changed or freed while
//!    another thread uses it, and may be read by several.
//! 5. What waits is refused within a callback: it would wait for itself.
//! 6. After `fork()` the child has none of the engine's threads: it may free what it has, and
//!    everything else is refused. It may make engines of its own.
//! 7. No panic crosses: it becomes [`GcrStatus::Internal`]. An engine on which that happened
//!    stays usable for other calls.
#![allow(unsafe_code, reason = "C passes pointers")]

mod call;
mod engine;
mod error;
mod handle;
mod objects;
mod options;
mod print;
mod status;
mod text;
mod value;

pub use call::*;
pub use engine::*;
pub use error::*;
pub use handle::*;
pub use options::*;
pub use print::{GcrLevel, GcrPrint};
pub use status::GcrStatus;
pub use value::*;
