//! Makes the seed corpora of the five targets that race, and of `scenario_text`: few small inputs whose scenarios differ in what happens in
//! them. The same build writes the same files.
//!
//! ```text
//! cargo run --release --manifest-path fuzz/Cargo.toml --example make_seeds
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::generator::fuzzed::FuzzTarget;
use gcrucible_scenario::ScenarioData as _;
use gcrucible_trace::RunOptions;
use gcrucible_trace::choices::{Choices as _, SeededChoices};

/// Inputs that are tried for each target.
const CANDIDATES: u64 = 600;

/// Inputs that are kept for each target at most.
const KEPT_MAX: usize = 20;

/// Bytes of a seed of `scenario_text`, at most.
const TEXT_BYTES_MAX: usize = 6_000;

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
    scenario_texts(&seeds)
}

/// Small scenarios of all lanes, and those that once failed, as texts; and their words.
fn scenario_texts(seeds: &Path) -> std::io::Result<()> {
    let folder = seeds.join("scenario_text");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut words = BTreeSet::new();
    let mut keep = |name: String, text: &str| {
        let named = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named = named.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
        words.extend(named.map(str::to_owned));
        std::fs::write(folder.join(name), text)
    };
    for target in FuzzTarget::ALL {
        let texts = (0..CANDIDATES).map(|candidate| target.scenario(&input(candidate)).to_text());
        let small = texts.filter(|text| text.len() < TEXT_BYTES_MAX);
        for (number, text) in small.take(KEPT_MAX / 2).enumerate() {
            keep(format!("{}_{number}", target.name()), &text)?;
        }
    }
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stress/regressions");
    for file in std::fs::read_dir(regressions)? {
        let path = file?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "scenario")
        {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            keep(name, &std::fs::read_to_string(&path)?)?;
        }
    }
    let quoted: String = words.iter().map(|word| format!("\"{word}\"\n")).collect();
    let heading = "# Words of scenarios, for the fuzz target `scenario_text`.\n";
    std::fs::write(
        seeds.join("../scenario_text.dict"),
        format!("{heading}{quoted}"),
    )
}

fn input(candidate: u64) -> Vec<u8> {
    let mut choices = SeededChoices::new(candidate);
    let length = LENGTHS[candidate as usize % LENGTHS.len()];
    (0..length).map(|_| choices.below(256) as u8).collect()
}
