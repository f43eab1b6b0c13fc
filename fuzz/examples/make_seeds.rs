//! Makes the seed corpora of the four targets that race: few small inputs whose scenarios differ in what happens in
//! them. The same build writes the same files.
//!
//! ```text
//! cargo run --release --manifest-path fuzz/Cargo.toml --example make_seeds
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::generator::fuzzed::FuzzTarget;
use gcrucible_trace::RunOptions;
use gcrucible_trace::choices::{Choices as _, SeededChoices};

/// Inputs that are tried for each target.
const CANDIDATES: u64 = 600;

/// Inputs that are kept for each target at most.
const KEPT_MAX: usize = 20;

/// Lengths of the inputs that are tried, in turn.
const LENGTHS: [usize; 4] = [48, 160, 480, 1200];

fn main() -> std::io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for target in [
        FuzzTarget::HeapOps,
        FuzzTarget::ProgramRace,
        FuzzTarget::CancelRace,
        FuzzTarget::ServeFork,
        FuzzTarget::ReloadRace,
    ] {
        let folder = seeds.join(target.name());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let mut seen = BTreeSet::new();
        let mut kept = 0;
        for candidate in 0..CANDIDATES {
            let input = input(candidate);
            let scenario = target.scenario(&input);
            let report = executor::run(&scenario, &RunOptions::default());
            let pairs = report.pairs.iter().filter(|&(_, _, times)| times > 0);
            let before = seen.len();
            seen.extend(pairs.map(|(first, second, _)| (first, second)));
            if seen.len() > before && kept < KEPT_MAX {
                std::fs::write(folder.join(format!("{candidate:03}")), &input)?;
                kept += 1;
            }
        }
        println!(
            "{}: {kept} seeds, {} event pairs",
            target.name(),
            seen.len()
        );
    }
    Ok(())
}

fn input(candidate: u64) -> Vec<u8> {
    let mut choices = SeededChoices::new(candidate);
    let length = LENGTHS[candidate as usize % LENGTHS.len()];
    (0..length).map(|_| choices.below(256) as u8).collect()
}
