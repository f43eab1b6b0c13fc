//! Draws mutants from the list, and reads those that were drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A place in a source, as cargo-mutants counts: lines and columns from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) start: Place,
    pub(crate) end: Place,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) function_name: String,
}

/// A mutant of cargo-mutants' list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) genre: String,
    pub(crate) replacement: String,
    pub(crate) span: Span,
    pub(crate) function: Option<Function>,
}

pub(crate) fn draw(list: &str, seed: &str, count: &str, files: &[&str]) -> Result<(), String> {
    let text = std::fs::read_to_string(list).map_err(|error| format!("{list}: {error}"))?;
    let all: Vec<Mutant> =
        serde_json::from_str(&text).map_err(|error| format!("{list}: {error}"))?;
    let seed: u64 = number(seed)?;
    let count: u64 = number(count)?;
    let mut pool: Vec<Mutant> = all
        .into_iter()
        .filter(|mutant| files.is_empty() || files.iter().any(|at| mutant.file.starts_with(at)))
        .collect();
    let mut sources: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mutant in &pool {
        if !sources.contains_key(&mutant.file) {
            let text = std::fs::read_to_string(&mutant.file)
                .map_err(|error| format!("{}: {error}", mutant.file))?;
            let lines = text.lines().map(str::to_owned).collect();
            sources.insert(mutant.file.clone(), lines);
        }
    }
    // What joins seeded bugs to the code does nothing while they are off, and nor do its mutants.
    pool.retain(|mutant| {
        let lines = &sources[&mutant.file];
        let mut at = mutant.span.start.line - 1..mutant.span.end.line.max(mutant.span.start.line);
        mutant.genre == "FnValue" || !at.any(|line| lines[line].contains("planted!"))
    });
    let mut state = seed;
    for _ in 0..count.min(pool.len() as u64) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let at = (mixed(state) % pool.len() as u64) as usize;
        let mutant = pool.remove(at);
        let line = serde_json::to_string(&mutant).map_err(|error| error.to_string())?;
        println!("{line}");
    }
    Ok(())
}

/// SplitMix64's output function.
fn mixed(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

/// The mutants of a file of JSON lines; the first has number 1.
pub(crate) fn read(drawn: &str) -> Result<Vec<Mutant>, String> {
    let text = std::fs::read_to_string(drawn).map_err(|error| format!("{drawn}: {error}"))?;
    let line = |line| serde_json::from_str(line).map_err(|error| format!("{drawn}: {error}"));
    text.lines().map(line).collect()
}
