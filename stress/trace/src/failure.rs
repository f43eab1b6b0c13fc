//! What a failing check says.

use serde::{Deserialize, Serialize};

/// One broken claim.
///
/// `oracle`, `check` and `site` are the fingerprint: two failures with the same three are
/// the same finding. None of them may hold what differs from run to run (addresses,
/// ordinals, seeds).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// The oracle that failed, as `list` names it: `heap_is_sound`, `matches_reference`,
    /// `futures_settle_once`, `nothing_leaks`, `progress_is_made`, `no_crash`, ….
    pub oracle: String,
    /// The check within it: `dangling_reference`, `printed`, `I-11`, ….
    pub check: String,
    /// Where, in terms that survive shrinking: an object kind and slot, an operation.
    pub site: String,
    /// One sentence for people, with the details of this run.
    pub message: String,
}
