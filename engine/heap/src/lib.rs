//! A moving generational heap with debug modes and an independent verifier.

pub mod config;
pub mod debug_mode;

pub use config::HeapConfig;
pub use debug_mode::{
    CollectMode, CollectionKind, HeapDebug, HeapDebugError, KindMode, PromoteMode, VerifyLevel,
    VerifyWhen,
};
