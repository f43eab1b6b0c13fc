//! `crucible keep`.

use std::path::PathBuf;

use clap::Args;

use super::say;
use crate::subjects;
use gcrucible_campaign::journal::write_whole;
use gcrucible_campaign::totals::finding_id;
use gcrucible_trace::{Exit, Refusal};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cargo crucible keep target/crucible/20260131-120000/findings/dangling-0123456789.shrunk.scenario \\
      --cause \"map storage was not forwarded\"")]
pub(super) struct KeepArgs {
    /// Scenario file of the finding, shrunk if possible.
    #[arg(value_name = "FINDING")]
    finding: PathBuf,
    /// What was wrong, in a sentence.
    #[arg(long, value_name = "TEXT")]
    cause: String,
    /// Folder of the regression tests.
    #[arg(long, value_name = "DIR", default_value = "stress/regressions")]
    to: PathBuf,
}

pub(super) fn keep(args: &KeepArgs) -> Result<Exit, Refusal> {
    let scenario = subjects().read(&args.finding)?;
    if args.cause.trim().is_empty() {
        return Err(Refusal::usage(
            "--cause is empty; expected a sentence that says what was wrong",
        ));
    }
    let Some(failure) = &scenario.origin().failure else {
        return Err(Refusal::usage(format!(
            "{} has no failure in its origin; expected the file of a finding",
            args.finding.display()
        )));
    };
    let path = args.to.join(format!("{}.scenario", finding_id(failure)));
    let unusable =
        |error: std::io::Error| Refusal::usage(format!("cannot write {}: {error}", path.display()));
    if path.exists() {
        return Err(Refusal::usage(format!(
            "{} is kept already",
            path.display()
        )));
    }
    std::fs::create_dir_all(&args.to).map_err(unusable)?;
    let cause = args.cause.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = format!("// cause: {cause}\n{}", scenario.to_text());
    write_whole(&path, text.as_bytes()).map_err(unusable)?;
    say(&format!("kept as {}\n", path.display()));
    Ok(Exit::Clean)
}
