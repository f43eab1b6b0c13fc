//! The harness: a pipeline of plain data, one module per stage, in order.
//!
//! ```text
//! choices -> scenario -> run -> trace -> verdict -> shrink -> report
//! ```

pub mod executor;
pub mod generator;
pub mod oracles;
pub mod reference;
pub mod scenario;
