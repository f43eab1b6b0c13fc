//! What a run may cost is bounded by counted work, so that a long scenario under dear modes is
//! not taken for one that hangs.

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_trace::RunOptions;

/// Keeps some thousand objects alive and goes round a loop, a safepoint each time.
fn looping(rounds: u32) -> Scenario {
    let source = format!(
        "fn main() {{
           let kept = []
           for i in 0..400 {{ kept.push([i, \"${{i}}\"]) }}
           for i in 0..{rounds} {{ kept[i % 400] = [i] }}
           return kept.len()
         }}"
    );
    Scenario {
        debug: "collect=safepoint,kind=major,verify=full".parse().unwrap(),
        ..Scenario::of_program(source)
    }
}

#[test]
fn collections_for_a_modes_sake_end_when_they_have_gone_over_enough() {
    let collections = |rounds| {
        let report = executor::run(&looping(rounds), &RunOptions::default());
        assert_eq!(report.failure, None);
        report.counters.collections_major
    };
    let (few, many, more) = (collections(100), collections(20_000), collections(40_000));
    assert!(
        few >= 500,
        "{few}: a usual scenario has all its collections"
    );
    assert!(many > few, "{many}: at least those of a usual scenario");
    assert!(
        more < many + 2_000,
        "{more} after {many}: twice the rounds do not collect any more for the mode's sake"
    );
}
