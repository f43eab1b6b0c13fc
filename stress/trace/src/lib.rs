//! What a run is asked for and what it leaves behind, as plain data: the ground that all
//! stages of the harness stand on.
//!
//! Nothing here knows what runs. A *subject* (an engine, a heap, futures) turns choices into a
//! scenario and a scenario into a [`RunReport`]; strategies turn a schedule into
//! [`Decision`]s; oracles make [`Failure`]s; campaigns add up [`Counters`] and pairs of events
//! ([`PairMatrix`]) and of what scenarios have ([`FeaturePairs`]).

pub mod choices;
pub mod clock;
mod counters;
mod event_kind;
mod exit;
mod failure;
mod features;
mod infeasible;
mod mode;
mod pair_tracker;
mod pairs;
mod run;
mod schedule;

pub use counters::{Counter, Counters, OwnCounters};
pub use event_kind::EventKind;
pub use exit::{Exit, Refusal};
pub use failure::Failure;
pub use features::{FeaturePairs, FeatureRule, FeatureSet, FeatureTable};
pub use infeasible::{forbidding_rule, infeasible};
pub use mode::Mode;
pub use pair_tracker::PairTracker;
pub use pairs::PairMatrix;
pub use run::{Advantages, OracleName, ReplayMode, RunOptions, RunReport, Verdict};
pub use schedule::{CollectionKind, Decision, Injected, Site};
