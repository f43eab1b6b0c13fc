//! Serving: what one request gets, independent of any web framework.
//!
//! ```text
//! detached    tasks that outlive the calls of their forks
//! fork        globals of its own, which share nothing that can change
//! request     a fork and the call that answers, until the client has it or goes away
//! request_id  the name that a request has in logs and answers
//! ```

mod detached;
mod fork;
mod request;
mod request_id;

pub(crate) use detached::{DetachedPlace, DetachedTasks};
pub use fork::{Fork, ForkOptions};
pub(crate) use request::RequestTable;
pub use request::{Admission, OpenRequest, Request, RequestError};
pub use request_id::RequestId;
