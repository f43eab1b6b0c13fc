//! Campaigns: many scenarios in worker processes, with a journal that survives everything.
//!
//! ```text
//! plan         what is to be done: all that the results depend on
//! supervisor   hands out chunks, watches, journals          (parent process)
//! worker       generates, runs, judges                       (worker processes)
//! guide        which scenarios are run out of turn, for what was not covered
//! watchdog     when a worker hangs
//! slot         what a worker is doing, readable after its death
//! totals       sums that do not depend on who did what when
//! vacuity      did every mode and lane do what it is there for?
//! ```
//!
//! Scenario *i* of a lane is a pure function of seed, lane, *i* and build, and every sum is
//! exact, so the number of workers changes nothing but the time it takes.

pub mod duration;
#[cfg(test)]
mod fake;
pub mod findings;
pub mod guide;
pub mod journal;
pub mod junit;
pub mod lane_queue;
pub mod plan;
pub mod process;
pub mod progress;
pub mod ranges;
pub mod session;
pub mod shard;
pub mod slot;
pub mod summary;
pub mod supervisor;
pub mod totals;
pub mod trial;
pub mod vacuity;
pub mod watch;
pub mod watchdog;
pub mod worker;
pub mod zoo;
