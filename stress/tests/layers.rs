//! What the harness's own source must not contain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for layer in [
        "explore",
        "report",
        "scenario",
        "shrink",
        "subjects/crux/src",
        "trace",
    ] {
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

/// The packages that a package of this workspace depends on, directly or not.
fn tree(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", package])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_core_names_no_engine() {
    for package in [
        "gcrucible-trace",
        "gcrucible-scenario",
        "gcrucible-explore",
        "gcrucible-shrink",
        "gcrucible-subject",
        "gcrucible-report",
        "gcrucible-campaign",
        "gcrucible-toy-subject",
    ] {
        let tree = tree(package);
        assert!(tree.starts_with(package), "{tree}");
        for engine in [
            "platform", "bytecode", "frontend", "heap", "vm", "engine", "crux",
        ] {
            let name = format!("gcrucible-{engine}");
            assert!(!tree.contains(&name), "{package} depends on {name}\n{tree}");
        }
    }
}
