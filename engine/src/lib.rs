//! An embeddable runtime for Crux: many virtual machines on one moving heap, global
//! futures, cancellation.
//!
//! ```text
//! engine        the embedder's door: load a program, call, cancel, collect
//! call          calls of the host, by id
//! run           a call and every task that it started
//! task/         one task: slices of its machine, and what the engine does between them
//! futures/      the registry of unfinished futures, waiting and waking
//! serve/        requests, each with a fork of the program
//! wait_lists    who waits for channels and mutexes
//! failures      where tasks have failed, and whether anybody knows
//! deadlock      when all tasks wait for each other
//! cancellation/ tokens
//! reload/       versions of a program side by side
//! event         what an observer sees of all this
//! object        values of the program that the host keeps
//! output        where the lines go that the program prints
//! ```
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! use std::sync::Arc;
//!
//! use gcrucible_engine::{Engine, EngineOptions, HostValue, Outcome, Source, TokioPlatform};
//! use gcrucible_engine::{compile, on_print};
//!
//! let source = Source::new(
//!     "main.crux",
//!     r#"
//!     fn square(x) { return x * x }
//!     fn sum_of_squares(numbers) {
//!       let futures = []
//!       for n in numbers { futures.push(spawn square(n)) }
//!       let sum = 0
//!       for f in futures { sum = sum + await f }
//!       print("the sum is ${sum}")
//!       return sum
//!     }
//!     "#,
//! );
//! let program = compile(&source)?;
//! let platform = Arc::new(TokioPlatform::new(2)?);
//! let engine = Engine::new(
//!     Arc::new(program),
//!     &EngineOptions::default(),
//!     Arc::clone(&platform) as _,
//!     Some(on_print(|line| println!("{line}"))),
//! )?;
//! platform.block_on(async {
//!     assert_eq!(engine.start_init().await?.join().await, Outcome::Returned);
//!     let numbers = [1, 2, 3].map(HostValue::Int).to_vec();
//!     let call = engine.call(1, "sum_of_squares", &[HostValue::Array(numbers)]).await?;
//!     assert_eq!(call.join().await, Outcome::Returned);
//!     assert_eq!(call.data().await, Some(HostValue::Int(14)));
//!     Ok::<(), gcrucible_engine::CallError>(())
//! })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
pub mod cancellation;
mod conversion;
mod deadlock;
mod engine;
mod event;
mod failures;
pub mod futures;
mod give_way;
mod memory;
mod object;
mod output;
mod pace;
mod reload;
mod roots;
mod run;
mod serve;
mod task;
mod trace;
mod wait_lists;

pub use call::{Call, CallError, CallHandle, CallKind, Outcome};
pub use deadlock::{Deadlock, WaitingTask, WaitsFor};
pub use engine::{Engine, EngineError, EngineOptions};
pub use event::{EngineEvent, Observer, on_print};
pub use gcrucible_frontend::{
    Diagnostics, Listing, Loader, ModuleErrors, Source, compile, compile_modules, module_paths,
};
pub use gcrucible_heap::{HeapConfig, HeapDebug, NeedsMemory};
#[cfg(feature = "tokio")]
pub use gcrucible_platform::TokioPlatform;
pub use gcrucible_platform::{Capabilities, HostValue, Platform, VirtualPlatform};
pub use gcrucible_vm::host_value::Unfit;
pub use gcrucible_vm::{Attachment, ForkError, RealmStats};
pub use object::{Argument, Object};
pub use output::{Level, Output, OutputLine, OutputSink};
pub use reload::{
    NewVersion, Preload, ReloadAnswer, ReloadFailure, ReloadOptions, ReloadStep, Tick,
};
pub use serve::{Admission, Fork, ForkOptions, OpenRequest, Request, RequestError, RequestId};
pub use task::yield_points;
pub use trace::TraceFrame;
