//! Hot reload: the versions of a program side by side, one of them current.
//!
//! A new version is loaded and its top level run beside the old one. Once that has settled
//! well, one step makes it current: calls that run go on with the version they began with, new
//! ones see the new version. A version lives as long as something runs on it or refers to it
//! (I-20). One that does not compile, does not load, throws or is cancelled is reported once,
//! and the old one stays.
//!
//! What comes of an evaluation is a promise in the heap: the [entry slot](entry_slot) protects
//! it. The host asks again and again, by [`Engine::tick`], and all that a reload changes
//! changes there or in [`Engine::reload`], one caller after the other.
//!
//! ```text
//! request       what a reload is asked with, and what comes of it
//! entry_slot    the slot of the entry's promise, and its one setter
//! reloader      the versions, and the evaluation that is watched
//! evaluation    the run of a top level, from its beginning to its promise's settling
//! ticks         what the host asks again and again: judging, swapping, deferring
//! preload       programs that run before the entry
//! turn          one caller after the other
//! ```
//!
//! What the top level of a version has started (a `schedule`, say) goes on after the swap, on
//! that version, until it ends by itself.
//!
//! [`Engine::tick`]: crate::Engine::tick
//! [`Engine::reload`]: crate::Engine::reload

mod entry_slot;
mod evaluation;
mod preload;
mod reloader;
mod request;
mod ticks;
mod turn;

pub use preload::Preload;
pub(crate) use reloader::Reloader;
pub use request::{NewVersion, ReloadAnswer, ReloadFailure, ReloadOptions, ReloadStep, Tick};
pub(crate) use turn::{Turn, TurnGuard};
