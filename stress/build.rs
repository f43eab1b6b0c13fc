//! Notes the commit that the harness is built from; scenarios record it.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Whoever builds a copy of the sources says of which commit they are.
    println!("cargo::rerun-if-env-changed=GCRUCIBLE_COMMIT");
    if std::env::var_os("GCRUCIBLE_COMMIT").is_some() {
        return;
    }
    // The log grows with each commit. A path that does not exist would mean a new build
    // each time.
    let log = "../.git/logs/HEAD";
    if Path::new(log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    let output = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    if let Ok(output) = output
        && output.status.success()
    {
        let commit = String::from_utf8_lossy(&output.stdout);
        println!("cargo::rustc-env=GCRUCIBLE_COMMIT={}", commit.trim());
    }
}
