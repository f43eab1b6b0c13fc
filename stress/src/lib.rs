//! The harness: a pipeline of plain data, one module per stage, in order.
//!
//! ```text
//! choices -> scenario -> run -> trace -> verdict -> shrink -> report
//! ```

pub mod campaign;
pub mod cli;
pub mod executor;
pub mod exploration;
pub mod generator;
pub mod lane;
pub mod oracles;
pub mod reference;
pub mod report;
pub mod scenario;
pub mod shrinker;
