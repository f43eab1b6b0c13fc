//! The regression gate: instructions that hot paths take, under callgrind, against a
//! committed baseline. They hardly differ from run to run, however busy the machine is.
//!
//! Each hot path runs twice in a process of its own, once short and once long; the
//! difference is what the additional rounds took, without start-up and set-up.

pub mod baseline;
pub mod callgrind;
pub mod hot_paths;

use std::process::ExitCode;

use self::baseline::{Baseline, Verdict};
use self::callgrind::Missing;
use self::hot_paths::{HOT_PATHS, HotPath};

/// What the gate says with its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Nothing got slower.
    Clean = 0,
    /// A hot path got slower.
    Slower = 1,
    /// The gate could not measure: no valgrind, no baseline that can be read or written.
    Unusable = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Runs the gate as the command line says: `--accept` writes a new baseline, and
/// `--hot-path NAME ROUNDS` runs one hot path, which is what runs under callgrind. What is
/// meant for criterion is passed over.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, rounds, ..] = &args[..]
        && flag == "--hot-path"
    {
        let path = HOT_PATHS.iter().find(|path| path.name == name);
        let (Some(path), Ok(rounds)) = (path, rounds.parse()) else {
            eprintln!("expected --hot-path NAME ROUNDS, found {args:?}");
            return Exit::Unusable.into();
        };
        (path.run)(rounds);
        return Exit::Clean.into();
    }
    let is_accepting = args.iter().any(|arg| arg == "--accept");
    match gate(is_accepting) {
        Ok(exit) => exit.into(),
        Err(message) => {
            eprintln!("{message}");
            Exit::Unusable.into()
        }
    }
}

fn gate(is_accepting: bool) -> Result<Exit, String> {
    let mut counted = Baseline::new();
    for path in HOT_PATHS {
        let instructions = count(path).map_err(|missing| missing.to_string())?;
        counted
            .instructions
            .insert(path.name.to_owned(), instructions);
    }
    if is_accepting {
        counted.write()?;
        println!("accepted as {}:\n{counted}", Baseline::path().display());
        return Ok(Exit::Clean);
    }
    let accepted = Baseline::read()?;
    if accepted.compiler != counted.compiler {
        println!(
            "note: the baseline was made with {}, this is {}; another compiler makes other code",
            accepted.compiler, counted.compiler
        );
    }
    let verdicts = accepted.compare(&counted);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    if verdicts.iter().all(Verdict::is_accepted) {
        return Ok(Exit::Clean);
    }
    println!(
        "\nIf this is meant to be, accept it and say why in the commit:\n\
         cargo bench -p gcrucible-benches --bench gate -- --accept"
    );
    Ok(Exit::Slower)
}

/// Instructions of one round of a hot path.
fn count(path: &HotPath) -> Result<f64, Missing> {
    let [short, long] = path.rounds;
    let few = callgrind::instructions(path.name, short)?;
    let many = callgrind::instructions(path.name, long)?;
    Ok(many.saturating_sub(few) as f64 / f64::from(long - short))
}
