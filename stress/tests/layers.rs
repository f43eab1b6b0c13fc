//! What the harness's own source must not contain.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_that_finds_bugs_knows_of_the_seeded_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for layer in [
        "generator",
        "scheduler",
        "executor",
        "oracles",
        "shrinker",
        "reference",
    ] {
        files.push(root.join(format!("{layer}.rs")));
        let before = files.len();
        sources(&root.join(layer), &mut files);
        assert!(files.len() > before, "{layer} has files");
    }
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["seeded_bugs", "Bug::", "B-0", "B-1"] {
            assert!(!text.contains(word), "{} mentions `{word}`", path.display());
        }
    }
}
