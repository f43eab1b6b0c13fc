//! Other people's futures: async code is tested by describing a [`World`] of tasks.
//!
//! ```text
//! world      what the code under test is given: tasks, time, places to yield, tokens
//! settings   what disturbs a run, as plain data: drops, polls that nobody asked for, dead wakers, panics
//! waker      wakers that know whether they are still the right ones
//! executor   runs a world under a strategy, one decision for each poll, and judges it
//! lane       all of that as a subject of the harness
//! check      entry points: a function for `#[test]`, an executable
//! explore    another one: every schedule of a small world
//! ```
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! gcrucible_futures_subject::check(|world| {
//!     let sum = Rc::new(Cell::new(0));
//!     for task in 1..=2 {
//!         let (world_of_task, sum) = (world.clone(), Rc::clone(&sum));
//!         world.task("adds", async move {
//!             world_of_task.yield_now().await;
//!             sum.set(sum.get() + task);
//!         });
//!     }
//!     world.at_rest(move || assert_eq!(sum.get(), 3));
//! });
//! ```
//!
//! The world is made anew for each run. What it does must depend on the schedule and on
//! [`World::below`] alone. Threads and real time are not for it: everything runs on one thread, under virtual time.

mod check;
mod executor;
mod explore;
mod lane;
mod settings;
mod token;
mod waker;
mod world;

pub use check::{Checker, NamedWorld, check, futures_main};
pub use explore::{Explored, Explorer, explore};
pub use gcrucible_explore::StrategyName;
pub use lane::{FuturesLane, FuturesScenario};
pub use settings::{Disturbance, Settings};
pub use token::Token;
pub use world::World;
