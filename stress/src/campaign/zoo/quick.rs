//! The quick zoo: bugs, seeds and budgets that every push goes through.
//!
//! Budgets are in scenarios, so that the verdict does not depend on the machine: each is
//! about four times what the bug took when the table was made. Each oracle must still be the
//! one that kills what it used to. `.ci/accept-quick-zoo.sh` writes the table anew.

use super::Case;
use crate::cli::values::{self, Budget};

/// Lines of bug, oracle that finds it, seed, scenarios of each lane; `#` starts a comment.
const TABLE: &str = include_str!("../../../zoo-quick.txt");

/// The cases of the quick zoo.
///
/// # Panics
/// A table that cannot be read; a test reads it.
pub fn cases() -> Vec<Case> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
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
        bug: values::bug(bug).unwrap_or_else(|error| panic!("`{line}`: {error}")),
        seeds: vec![number(seed)],
        budget: Budget::Scenarios(number(scenarios)),
        oracle: Some(oracle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_names_most_of_the_catalogue() {
        let cases = cases();
        assert!(cases.len() * 2 > gcrucible_platform::seeded_bugs::Bug::ALL.len());
        assert!(
            cases
                .iter()
                .all(|case| case.seeds.len() == 1 && case.oracle.is_some())
        );
    }
}
