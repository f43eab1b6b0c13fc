//! Serving: what one request gets, independent of any web framework.
//!
//! ```text
//! fork   globals of its own, which share nothing that can change
//! ```

mod fork;

pub use fork::Fork;
