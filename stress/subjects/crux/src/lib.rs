//! The engine and its heap as subjects: five lanes.
//!
//! ```text
//! choices -> scenario -> run -> trace -> verdict
//! generator  scenario    executor       oracles, reference
//! ```

pub mod executor;
pub mod exploration;
pub mod generator;
pub mod lane;
pub mod oracles;
pub mod reference;
pub mod scenario;
pub mod shrink;

pub use lane::{EngineLane, SUBJECTS};
