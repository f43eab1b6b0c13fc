//! The header is up to date, and hosts in C and Python find what they were promised.

use std::path::{Path, PathBuf};
use std::process::Command;

fn here(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(part)
}

/// The folder of the library that was built with this test.
fn library_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().expect("it lies in a folder");
    assert!(
        folder.join("libgcrucible.so").exists(),
        "{} has no libgcrucible.so",
        folder.display()
    );
    folder.to_owned()
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[test]
fn the_header_is_what_the_source_says() {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).expect("a good configuration");
    let bindings = cbindgen::Builder::new()
        .with_crate(env!("CARGO_MANIFEST_DIR"))
        .with_config(config)
        .generate()
        .expect("the source parses");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).expect("a header is text");
    let path = here("include/gcrucible.h");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if made != committed && std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("the header can be written");
        return;
    }
    assert!(
        made == committed,
        "include/gcrucible.h is out of date: run this test with UPDATE_HEADER=1"
    );
}

#[test]
fn a_host_in_c() {
    if !is_there("cc") {
        eprintln!("there is no C compiler: skipped");
        return;
    }
    let library = library_folder();
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("embed");
    run(Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
        .arg(&program)
        .arg(here("tests/c/embed.c"))
        .arg("-I")
        .arg(here("include"))
        .arg("-L")
        .arg(&library)
        .arg("-lgcrucible"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("embed-data");
    std::fs::create_dir_all(&folder).expect("a folder");
    let printed = run(Command::new(&program)
        .arg(&folder)
        .env("LD_LIBRARY_PATH", &library)
        .env("HOME", &folder));
    assert_eq!(printed, "ok\n");
}

#[test]
fn a_host_in_python() {
    if !is_there("python3") {
        eprintln!("there is no Python: skipped");
        return;
    }
    run(Command::new("python3")
        .args(["-m", "unittest", "discover", "-s"])
        .arg(here("python/tests"))
        .env("PYTHONPATH", here("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env(
            "GCRUCIBLE_LIBRARY",
            library_folder().join("libgcrucible.so"),
        ));
}
