//! The quick zoo: bugs, seeds and budgets that every push goes through.
//!
//! Budgets are in scenarios, so that the verdict does not depend on the machine: each is
//! about four times what the bug took when the table was made. Each oracle has at least two
//! bugs here, and must still be the one that kills them.

use super::Case;
use crate::cli::values::{self, Budget};

/// Bug, oracle that finds it, seed, scenarios of each lane.
const QUICK: &[(&str, &str, u64, u64)] = &[];

/// The cases of the quick zoo.
pub fn cases() -> Vec<Case> {
    let case = |&(id, oracle, seed, scenarios): &(&str, &'static str, u64, u64)| Case {
        bug: values::bug(id).expect("a test checks the ids"),
        seeds: vec![seed],
        budget: Budget::Scenarios(scenarios),
        oracle: Some(oracle),
    };
    QUICK.iter().map(case).collect()
}
