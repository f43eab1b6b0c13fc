//! The command line of Crux.
//!
//! ```text
//! options      what the command line may say
//! program      files to a program
//! run          a program from its top level to the end of `main`
//! hot          the same again and again, whenever its files change
//! serve/       a program that answers requests
//! reloading    a program that is loaded anew from its files
//! watch        which files have changed
//! lines        standard output and standard error, whoever reads them
//! output       what it prints, and the trace of its steps
//! signals      Ctrl-C
//! repl/        lines that people type, one after the other
//! ```

#[macro_use]
mod lines;

#[cfg(feature = "hot")]
mod hot;
mod options;
mod output;
mod program;
#[cfg(any(feature = "hot", feature = "serve"))]
mod reloading;
mod repl;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod signals;
#[cfg(feature = "hot")]
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::{Command, Options};

/// How the process ends. The command line's own refusals are 2, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The program returned, the check found nothing.
    Ok = 0,
    /// An error that nobody caught, or a program that does not compile.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// All that is left of the program waits for what never comes.
    Deadlock = 3,
    /// Nobody takes what is written to standard output.
    Output = 4,
    /// Ctrl-C or SIGTERM ended the program.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

fn main() -> ExitCode {
    let exit = match Options::parse().command {
        #[cfg(feature = "hot")]
        Command::Run(options) if options.hot => hot::run(&options),
        Command::Run(options) => run::run(&options),
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve::run(&options),
        Command::Check { files } => program::check(&files),
        Command::Disasm { file } => program::disassemble(&file),
        Command::Repl(options) => repl::repl(&options),
    };
    exit.into()
}
