//! The command line: one file per subcommand, one for the values they take, one for how
//! they end.

mod bugs;
mod building;
mod explore;
mod foreign;
mod import_fuzz;
mod keep;
mod list;
mod merge;
mod patched;
mod replay;
mod run;
mod shrink;
mod target;
pub mod values;
mod zoo;

use clap::{Parser, Subcommand};

use crate::subjects;
use gcrucible_campaign::worker::{self, WorkerArgs};
use gcrucible_command::terminal::{complain, say};
use gcrucible_trace::{Exit, Refusal};

/// Stress-tests an engine's garbage collector, futures and cancellation: generates programs,
/// runs them on a simulated platform under every kind of collection and schedule, judges
/// them by independent oracles, and shrinks what fails.
#[derive(Debug, Parser)]
#[command(name = "crucible", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 clean, 1 finding, 2 usage, 3 vacuous, 4 the harness is broken,
5 another check fails (replay), 6 diverged or made by another format, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a campaign.
    Run(Box<run::RunArgs>),
    /// Run one scenario again and show what happens.
    Replay(replay::ReplayArgs),
    /// Make a failing scenario small.
    Shrink(shrink::ShrinkArgs),
    /// Look for each seeded bug, and measure how fast it is found.
    Zoo(zoo::ZooArgs),
    /// List lanes, strategies, heap modes, oracles, invariants and seeded bugs.
    List(list::ListArgs),
    /// Merge the results of a campaign's shards.
    Merge(merge::MergeArgs),
    /// Keep a finding as a regression test.
    Keep(keep::KeepArgs),
    /// Turn a fuzzer's crash file into a scenario.
    ImportFuzz(import_fuzz::ImportFuzzArgs),
    /// A worker process of a campaign.
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// Hash the stream of scenarios of a seed.
    #[command(hide = true)]
    StreamHash(zoo::StreamHashArgs),
}

/// Runs the command line of this process.
pub fn main() -> Exit {
    // Names of lanes are read with the command line.
    subjects();
    let cli = Cli::parse();
    let is_bisecting = matches!(&cli.command, Command::Replay(args) if args.bisect);
    let exit = match dispatch(cli.command) {
        Ok(exit) => exit,
        Err(refusal) => {
            complain(&format!("error: {}", refusal.message));
            refusal.exit
        }
    };
    match exit {
        Exit::Usage | Exit::HarnessBroken | Exit::OtherCheck | Exit::Diverged if is_bisecting => {
            Exit::Untestable
        }
        exit => exit,
    }
}

fn dispatch(command: Command) -> Result<Exit, Refusal> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Shrink(args) => shrink::shrink(&args),
        Command::Zoo(args) => zoo::zoo(&args),
        Command::List(args) => list::list(&args),
        Command::Merge(args) => merge::merge(&args),
        Command::Keep(args) => keep::keep(&args),
        Command::ImportFuzz(args) => import_fuzz::import_fuzz(&args),
        Command::Worker(args) => worker::serve(&args, subjects()),
        Command::StreamHash(args) => zoo::stream_hash(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_shows_an_example() {
        for command in Cli::command()
            .get_subcommands()
            .filter(|c| !c.is_hide_set())
        {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let example = format!("cargo crucible {}", command.get_name());
            assert!(help.contains(&example), "{}: {help}", command.get_name());
        }
    }
}
