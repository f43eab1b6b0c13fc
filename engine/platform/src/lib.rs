//! Everything that the operating system gives the engine: time, threads, timers,
//! chance, locks, memory. Nothing else in the engine reads a clock, spawns a thread or
//! draws a random number.
#![allow(unsafe_code, reason = "address space is reserved with mmap")]

mod budget;
mod capabilities;
pub mod clock;
pub mod host;
pub mod listener;
pub mod memory;
pub mod platform;
pub mod seeded_bugs;
mod stop_token;
pub mod sync;
#[cfg(feature = "tokio")]
pub mod tokio_platform;
#[cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "the platform of threads lets them go on")
)]
pub mod turns;
pub mod virtual_platform;
pub mod waiting;

pub use budget::{DataBudget, DataHolder};
pub use capabilities::Capabilities;
pub use host::{HostOperation, HostRequest, HostValue};
pub use platform::{Place, Platform, Task, yield_point};
pub use stop_token::StopToken;
#[cfg(feature = "tokio")]
pub use tokio_platform::TokioPlatform;
pub use virtual_platform::VirtualPlatform;
