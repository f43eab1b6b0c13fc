//! The C API of the engine.
//!
//! ```text
//! status   codes, and the boundary that no panic crosses
//! error    why something failed: a code and a message
//! value    plain data: nil, bools, numbers, strings, arrays, maps
//! engine   a program on an engine of its own threads
//! call     calls by id: wait, cancel, result
//! handle   objects that the host keeps alive
//! ```
//!
//! # Rules
//!
//! 1. What a function returns through an `out` parameter belongs to the caller, who frees it with
//!    the function of its type, once. Freeing null does nothing.
//! 2. Every pointer that is passed is null where that is allowed, or points to what its type
//!    says, unfreed. Strings are UTF-8 and end with a zero byte.
//! 3. Every function may be called from any thread; a single object must not be freed while
//!    another thread uses it.
//! 4. No panic crosses: it becomes [`GcrStatus::Internal`]. An engine on which that happened
//!    stays usable for other calls.
#![allow(unsafe_code, reason = "C passes pointers")]

mod call;
mod engine;
mod error;
mod handle;
mod status;
mod value;

pub use call::*;
pub use engine::*;
pub use error::*;
pub use handle::*;
pub use status::GcrStatus;
pub use value::*;
