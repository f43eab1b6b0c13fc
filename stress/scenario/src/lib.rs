//! Scenarios: all that is needed to repeat a run, as data and as text.
//!
//! What a scenario holds is its subject's own business; what all of them have in common is
//! [`ScenarioData`]: an [`Origin`], a schedule, a text form ([`text`]). A generated one is a pure
//! function of its [`ScenarioSeed`].

mod data;
mod lane;
mod modes;
mod origin;
mod plain;
mod size;
pub mod text;

pub use data::ScenarioData;
pub use lane::{Lane, SEED_LIMIT, ScenarioSeed, parse_seed};
pub use modes::ModeCounts;
pub use origin::Origin;
pub use plain::Plain;
pub use size::Size;
