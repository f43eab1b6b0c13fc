//! The command line of any subject: campaigns, replay and shrinking of what an executable was
//! built with, in one call.
//!
//! ```text
//! run      a campaign in worker processes: a crash or a hang of the subject is a finding
//! replay   one scenario again, with what happens in it
//! shrink   a failing scenario made small
//! worker   what the campaign starts, not for people
//! ```
//!
//! An executable that wants it calls [`main`] and nothing else, for it is also its own worker.

mod replay;
mod run;
mod shrink;
mod target;
pub mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gcrucible_campaign::worker::{self, WorkerArgs};
use gcrucible_subject::Subjects;
use gcrucible_trace::{Exit, Refusal};

use terminal::complain;

/// Stress-tests what it was built with, and shrinks what fails.
#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// What `run` takes, when no command is named.
    #[command(flatten)]
    run: run::RunArgs,
}

const EXIT_CODES: &str = "\
Exit codes: 0 clean, 1 finding, 2 usage, 3 vacuous, 4 the harness is broken,
5 another check fails (replay), 6 diverged or does not fail, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a campaign; what happens when no command is given.
    Run(run::RunArgs),
    /// Run one scenario again and show what happens.
    Replay(replay::ReplayArgs),
    /// Make a failing scenario small.
    Shrink(shrink::ShrinkArgs),
    /// A worker process of a campaign.
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Runs the command line of this process with these subjects.
pub fn main(subjects: Subjects) -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        None => run::run(&cli.run, subjects),
        Some(Command::Run(args)) => run::run(args, subjects),
        Some(Command::Replay(args)) => replay::replay(args, subjects),
        Some(Command::Shrink(args)) => shrink::shrink(args, subjects),
        Some(Command::Worker(args)) => worker::serve(args, subjects),
    };
    let exit = done.unwrap_or_else(|Refusal { exit, message }| {
        complain(&format!("error: {message}"));
        exit
    });
    Exit::into(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
