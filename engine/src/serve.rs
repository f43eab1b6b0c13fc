//! Serving: what one request gets, independent of any web framework.
//!
//! ```text
//! fork        globals of its own, which share nothing that can change
//! request     a fork and the call that answers, until the client has it or goes away
//! request_id  the name that a request has in logs and answers
//! ```

mod fork;
mod request;
mod request_id;

pub use fork::{Fork, ForkOptions};
pub(crate) use request::RequestTable;
pub use request::{Admission, OpenRequest, Request, RequestError};
pub use request_id::RequestId;
