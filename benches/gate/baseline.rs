//! Accepted instruction counts, and the comparison with new ones.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Parts of a hundred by which a count may grow.
pub const TOLERANCE_PERCENT: f64 = 3.0;

/// Instructions per round of each hot path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The compiler that the counts belong to, as it names itself.
    pub compiler: String,
    /// By name of the hot path.
    pub instructions: BTreeMap<String, f64>,
}

/// How one hot path compares with its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The hot path.
    pub name: String,
    /// Instructions that were accepted; `None` for a new hot path.
    pub accepted: Option<f64>,
    /// Instructions now; `None` if there is no such hot path any more.
    pub counted: Option<f64>,
}

impl Baseline {
    /// No counts yet, by the compiler that is installed.
    pub fn new() -> Baseline {
        let output = Command::new("rustc").arg("--version").output();
        let compiler = output.map_or_else(
            |error| format!("unknown ({error})"),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        );
        Baseline {
            compiler,
            instructions: BTreeMap::new(),
        }
    }

    /// The file of this machine's kind of processor.
    pub fn path() -> PathBuf {
        let name = format!("instructions-{}.json", std::env::consts::ARCH);
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("baselines")
            .join(name)
    }

    /// Reads the committed baseline.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn read() -> Result<Baseline, String> {
        let path = Self::path();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!(
                "cannot read the baseline {}: {error}; write one with \
                 `cargo bench -p gcrucible-benches --bench gate -- --accept`",
                path.display()
            )
        })?;
        serde_json::from_str(&text)
            .map_err(|error| format!("{} is no baseline: {error}", path.display()))
    }

    /// Writes this as the baseline.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn write(&self) -> Result<(), String> {
        let path = Self::path();
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(&path, text + "\n")
            .map_err(|error| format!("cannot write the baseline {}: {error}", path.display()))
    }

    /// Compares new counts with these, hot path by hot path.
    pub fn compare(&self, counted: &Baseline) -> Vec<Verdict> {
        let mut names: Vec<&String> = self
            .instructions
            .keys()
            .chain(counted.instructions.keys())
            .collect();
        names.sort_unstable();
        names.dedup();
        let verdict = |name: &String| Verdict {
            name: name.clone(),
            accepted: self.instructions.get(name).copied(),
            counted: counted.instructions.get(name).copied(),
        };
        names.into_iter().map(verdict).collect()
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, instructions) in &self.instructions {
            writeln!(f, "{name:<40} {instructions:>14.1} instructions")?;
        }
        Ok(())
    }
}

impl Default for Baseline {
    fn default() -> Self {
        Self::new()
    }
}

impl Verdict {
    /// By how many parts of a hundred the count grew; negative when it shrank.
    pub fn change_percent(&self) -> Option<f64> {
        let (accepted, counted) = (self.accepted?, self.counted?);
        Some((counted / accepted - 1.0) * 100.0)
    }

    /// Whether the gate lets it pass. A hot path that appears or disappears must be
    /// accepted first.
    pub fn is_accepted(&self) -> bool {
        self.change_percent()
            .is_some_and(|change| change <= TOLERANCE_PERCENT)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (self.accepted, self.counted, self.change_percent()) {
            (Some(accepted), Some(counted), Some(change)) => {
                let verdict = if !self.is_accepted() {
                    "SLOWER"
                } else if change < -TOLERANCE_PERCENT {
                    "faster: accept it, to keep it so"
                } else {
                    "ok"
                };
                write!(
                    f,
                    "{name:<40} {accepted:>14.1} -> {counted:>14.1} instructions \
                     {change:>+7.2} %  {verdict}"
                )
            }
            (None, Some(counted), _) => {
                write!(
                    f,
                    "{name:<40} {counted:>14.1} instructions  NEW: it has no baseline"
                )
            }
            _ => write!(f, "{name:<40} GONE: the baseline has it, the gate does not"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(counts: &[(&str, f64)]) -> Baseline {
        let instructions = counts
            .iter()
            .map(|&(name, count)| (name.to_owned(), count))
            .collect();
        Baseline {
            compiler: "rustc".to_owned(),
            instructions,
        }
    }

    #[test]
    fn a_worse_number_fails_and_a_better_one_passes() {
        let accepted = baseline(&[("a", 1000.0), ("b", 1000.0), ("c", 1000.0), ("d", 1000.0)]);
        let counted = baseline(&[("a", 1031.0), ("b", 1029.0), ("c", 1000.0), ("d", 500.0)]);
        let verdicts = accepted.compare(&counted);
        let passed: Vec<bool> = verdicts.iter().map(Verdict::is_accepted).collect();
        assert_eq!(passed, [false, true, true, true]);
        let text = verdicts[0].to_string();
        assert!(
            text.contains("SLOWER") && text.contains("+3.10 %"),
            "{text}"
        );
        assert!(verdicts[3].to_string().contains("faster"));
    }

    #[test]
    fn hot_paths_that_come_or_go_must_be_accepted() {
        let verdicts = baseline(&[("old", 1.0)]).compare(&baseline(&[("new", 1.0)]));
        assert!(verdicts.iter().all(|verdict| !verdict.is_accepted()));
        assert!(verdicts[0].to_string().contains("NEW"));
        assert!(verdicts[1].to_string().contains("GONE"));
    }

    #[test]
    fn the_committed_baseline_knows_every_hot_path() {
        let names: Vec<&str> = crate::gate::HOT_PATHS
            .iter()
            .map(|path| path.name)
            .collect();
        let folder = Baseline::path().parent().expect("a folder").to_owned();
        let files = std::fs::read_dir(folder).expect("the folder of baselines");
        let paths: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
        assert!(!paths.is_empty());
        for path in paths {
            let text = std::fs::read_to_string(&path).expect("a file of text");
            let accepted: Baseline = serde_json::from_str(&text).expect("a baseline");
            assert_eq!(
                accepted.instructions.len(),
                names.len(),
                "{}",
                path.display()
            );
            assert!(
                names
                    .iter()
                    .all(|&name| accepted.instructions.contains_key(name))
            );
        }
    }
}
