//! What people read, kept as snapshots: `programs/` and `scenarios/` are what goes in,
//! `expected/` is what must come out.
//!
//! A change of the output is accepted after reading it, with
//! `INSTA_UPDATE=always cargo test -p gcrucible-snapshots` and `git diff`.

use std::path::Path;

/// The files of a folder of this package with an extension, as name without extension and
/// text, in order of their names.
///
/// # Panics
/// If the folder cannot be read or holds no such file.
pub fn inputs(folder: &str, extension: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut inputs: Vec<(String, String)> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let name = path.file_stem().expect("a file").to_string_lossy();
            (
                name.into_owned(),
                std::fs::read_to_string(&path).expect("a file of text"),
            )
        })
        .collect();
    inputs.sort_unstable();
    assert!(
        !inputs.is_empty(),
        "no .{extension} in {}",
        folder.display()
    );
    inputs
}

/// Compares a text with `expected/NAME.snap`.
///
/// # Panics
/// If it differs.
pub fn expect(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../expected");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
