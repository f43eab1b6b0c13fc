//! Values on the command line, each with a parser that says what it expects.

pub use gcrucible_campaign::duration::duration_ms;
use gcrucible_platform::seeded_bugs::Bug;
pub use gcrucible_scenario::parse_seed as seed;

use gcrucible_explore::StrategyName;
use gcrucible_scenario::Lane;
use gcrucible_trace::OracleName;

/// Reads heap modes; in their canonical form.
///
/// # Errors
/// A text that [`HeapDebug`](gcrucible_heap::HeapDebug) does not take.
pub fn heap(text: &str) -> Result<String, String> {
    let modes: Result<gcrucible_heap::HeapDebug, _> = text.parse();
    modes
        .map(|modes| modes.to_string())
        .map_err(|error| error.to_string())
}

/// Reads the name of a lane.
///
/// # Errors
/// Any other name.
pub fn lane(text: &str) -> Result<Lane, String> {
    Lane::parse(text)
}

/// Reads the name of a strategy.
///
/// # Errors
/// Any other name.
pub fn strategy(text: &str) -> Result<StrategyName, String> {
    let mut all = StrategyName::ALL.into_iter();
    all.find(|strategy| strategy.name() == text).ok_or_else(|| {
        let names = StrategyName::ALL.map(StrategyName::name);
        format!("expected one of {}", names.join(", "))
    })
}

/// What `run --strategy` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStrategy {
    /// A campaign under this strategy.
    Drawn(StrategyName),
    /// All schedules of one scenario.
    Exhaustive,
}

/// The name of [`RunStrategy::Exhaustive`].
pub const EXHAUSTIVE: &str = "exhaustive";

/// Reads the name of a strategy, or of all schedules.
///
/// # Errors
/// Any other name.
pub fn run_strategy(text: &str) -> Result<RunStrategy, String> {
    if text == EXHAUSTIVE {
        return Ok(RunStrategy::Exhaustive);
    }
    let drawn = strategy(text).map(RunStrategy::Drawn);
    drawn.map_err(|expected| format!("{expected}, {EXHAUSTIVE}"))
}

/// Reads a bound of preemptions: a number, or `any`.
///
/// # Errors
/// Anything else.
pub fn preemptions(text: &str) -> Result<Preemptions, String> {
    match text {
        "any" => Ok(Preemptions(None)),
        text => text
            .parse()
            .map(|count| Preemptions(Some(count)))
            .map_err(|_| "expected a number of preemptions such as 2, or `any`".to_owned()),
    }
}

/// A bound of preemptions, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemptions(pub Option<u32>);

/// Reads the name of one seeded bug of this harness's catalogue.
///
/// # Errors
/// A name of none, or of several.
pub fn bug(text: &str) -> Result<Bug, String> {
    match Bug::named(text).as_slice() {
        [bug] => Ok(*bug),
        [] => Err("expected the id of a seeded bug, such as B-03; `crucible list` has all".into()),
        several => Err(format!(
            "stands for several switches; expected one of {}",
            several
                .iter()
                .map(|bug| bug.id())
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

/// Reads the name of an oracle.
///
/// # Errors
/// A name that no subject has.
pub fn oracle(text: &str) -> Result<OracleName, String> {
    let subjects = crate::subjects();
    let mut oracles = subjects.all().iter().flat_map(|subject| subject.oracles());
    oracles
        .find(|oracle| oracle.name == text)
        .map(|oracle| OracleName(oracle.name))
        .ok_or_else(|| "or an oracle of `crucible list`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_named_exactly() {
        assert_eq!(bug("B-03"), Ok(Bug::B03));
        assert!(bug("B-04").unwrap_err().contains("B-04a"));
        assert!(bug("B-999").unwrap_err().contains("expected"));
    }
}
