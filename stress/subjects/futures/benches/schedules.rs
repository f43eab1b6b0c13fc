//! Schedules a CPU second on the workload by which schedulers are compared.
//!
//! `cargo bench -p gcrucible-futures-subject` prints a line for each strategy. `benches/schedulers` has
//! shuttle beside it in the same run.

#[path = "rounds/ours.rs"]
mod ours;
#[path = "rounds/mod.rs"]
mod rounds;

use gcrucible_futures_subject::StrategyName;

use rounds::Points;

fn main() {
    for points in [Points::Yields, Points::Each] {
        for strategy in [StrategyName::Random, StrategyName::Pct3, StrategyName::Urw] {
            let (rate, decisions) = ours::rate(strategy, points, 100_000);
            println!(
                "{points:?}, {:>6}: {rate:>8.0} schedules a CPU second, {:.0} ns a decision, {decisions:.0} decisions each",
                strategy.name(),
                1e9 / rate / decisions,
            );
        }
    }
}
