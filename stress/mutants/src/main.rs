//! Plants mutants in a copy of the sources, all of them at once, each behind a number that the environment chooses.
//!
//! `cargo mutants --list --json` says which mutants there are; testing them as it does takes a build for each. Here one
//! build has them all (mutant schemata; Untch, Offutt, Harrold: "Mutation analysis using mutant schemata", ISSTA 1993), and a
//! run with `CRUCIBLE_MUTANT=17` behaves as if the 17th alone had been made.
//!
//!     mutants draw LIST.json SEED COUNT [FILE...]   so many of the list, of these files or folders, as JSON lines
//!     mutants plant DRAWN.jsonl TREE [SKIPPED]      into the sources below TREE; numbers in SKIPPED are left out
//!     mutants unviable DRAWN.jsonl                  cargo's messages on stdin: numbers of the mutants that do not compile
//!
//! Exit codes: 0 done, 2 a wrong call or a list that does not fit the sources.

mod draw;
mod plant;
mod unviable;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["draw", list, seed, count, ref files @ ..] => draw::draw(list, seed, count, files),
        ["plant", drawn, tree] => plant::plant(drawn, tree, ""),
        ["plant", drawn, tree, skipped] => plant::plant(drawn, tree, skipped),
        ["unviable", drawn] => unviable::unviable(drawn),
        _ => Err("draw LIST.json SEED COUNT [FILE...] | plant DRAWN.jsonl TREE [SKIPPED] | unviable DRAWN.jsonl".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("mutants: {message}");
            ExitCode::from(2)
        }
    }
}
