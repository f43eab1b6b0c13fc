//! The quick zoo: bugs, seeds and budgets that every push goes through.
//!
//! Budgets are in scenarios, so that the verdict does not depend on the machine: each is
//! about four times what the bug took when the table was made. Each oracle must still be the
//! one that kills what it used to. `.ci/accept-quick-zoo.sh` writes the table anew.

use super::Case;
use super::budget::Budget;

/// The cases of a quick zoo: lines of bug, oracle that finds it, seed, scenarios of each lane; `#`
/// starts a comment.
///
/// # Panics
/// A table that cannot be read.
pub fn cases(table: &'static str) -> Vec<Case> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.map(case).collect()
}

fn case(line: &'static str) -> Case {
    let parts: Vec<&str> = line.split(' ').collect();
    let [bug, oracle, seed, scenarios] = parts[..] else {
        panic!("`{line}`: expected bug, oracle, seed and scenarios");
    };
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| panic!("`{line}`: bad number"))
    };
    Case {
        bug: bug.to_owned(),
        seeds: vec![number(seed)],
        budget: Budget::Scenarios(number(scenarios)),
        oracle: Some(oracle),
    }
}
