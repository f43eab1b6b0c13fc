//! Where a scenario came from.

use gcrucible_trace::Failure;
use serde::{Deserialize, Serialize};

/// Provenance of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Origin {
    /// `lane:seed:index` of a generated one.
    pub seed: Option<String>,
    /// Version of the harness that wrote it.
    pub version: String,
    /// Commit of that harness, if it was known.
    pub commit: String,
    /// Cargo features of that build that matter (`seeded-bugs`).
    pub features: Vec<String>,
    /// The seeded bug that was on, if any.
    pub bug: Option<String>,
    /// The failure it was kept for, if any.
    pub failure: Option<Failure>,
}
