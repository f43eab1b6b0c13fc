//! What the command line may say.

mod capabilities;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gcrucible_engine::{EngineOptions, HeapDebug};

use self::capabilities::CapabilityOptions;
use crate::Exit;

/// The environment's way to say `--gc`.
const GC_VARIABLE: &str = "GCRUCIBLE_GC";

/// Runs, serves, checks, lists and tries Crux programs.
///
/// Exit codes: 0 ok, 1 an uncaught error or a program that does not compile, 2 a command
/// line that makes no sense, 3 a deadlock: all that is left waits for what never comes,
/// 4 standard output that takes no more, 130 ended by Ctrl-C or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "crux", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program: its top level, then `main()` if there is one
    Run(RunOptions),
    /// Answer HTTP requests with the functions that a program exports as `routes`
    #[cfg(feature = "serve")]
    Serve(Box<crate::serve::ServeOptions>),
    /// Compile programs and say what is wrong with them
    Check {
        /// The entry modules
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print a program's bytecode
    Disasm {
        /// The entry module
        file: PathBuf,
    },
    /// Read lines and run them; `:help` says more
    Repl(HeapOptions),
}

const RUN_EXAMPLES: &str = "\
Examples:
  crux run main.crux one two         # sys.args() is [\"one\", \"two\"]
  crux run untrusted.crux --deny-all
  crux run report.crux --allow-fs=data --allow-net=api.example.com:443 --allow-env=HOME,LANG";

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunOptions {
    /// The entry module
    pub(crate) file: PathBuf,
    /// What `sys.args()` gives; after `--` they may begin with a dash
    pub(crate) args: Vec<String>,
    /// Print each step of the engine to standard error
    #[arg(long)]
    pub(crate) trace: bool,
    /// Go on until Ctrl-C, and reload the program whenever one of its files changes: the new
    /// version runs once its top level has; `main` of the old one is cancelled then
    #[cfg(feature = "hot")]
    #[arg(long)]
    pub(crate) hot: bool,
    #[command(flatten)]
    pub(crate) heap: HeapOptions,
}

#[derive(Debug, Args)]
pub(crate) struct HeapOptions {
    /// Debug modes of the heap, as in `collect=safepoint,zombie,verify=full`; the variable
    /// GCRUCIBLE_GC says the same
    #[arg(long, value_name = "MODES")]
    gc: Option<String>,
    /// Most bytes of the heap, with `k`, `m` or `g` for units of 1024
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    heap_limit: Option<u64>,
    #[command(flatten)]
    capabilities: CapabilityOptions,
}

impl HeapOptions {
    /// What the engine is to be made with.
    ///
    /// # Errors
    /// When the modes or capabilities make no sense; that has been said then.
    pub(crate) fn engine(&self) -> Result<EngineOptions, Exit> {
        let (text, origin) = match &self.gc {
            Some(text) => (text.clone(), "--gc"),
            None => (std::env::var(GC_VARIABLE).unwrap_or_default(), GC_VARIABLE),
        };
        let debug: HeapDebug = text.parse().map_err(|error| {
            say!("error: {origin}: {error}");
            Exit::Usage
        })?;
        let capabilities = self.capabilities.capabilities().map_err(|error| {
            eprintln!("error: {error}");
            Exit::Usage
        })?;
        let mut options = EngineOptions {
            debug,
            capabilities,
            ..EngineOptions::default()
        };
        if let Some(limit) = self.heap_limit {
            options.heap.limit_bytes = limit;
        }
        Ok(options)
    }
}

/// Reads `64m`, the size of a heap.
fn bytes(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes < LIMIT_LEAST {
        return Err(format!("a heap needs at least {LIMIT_LEAST} bytes"));
    }
    Ok(bytes)
}

/// Reads `64m`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.to_ascii_lowercase().strip_suffix(['k', 'm', 'g']) {
        None => (text.to_owned(), 1),
        Some(digits) => {
            let shift = match text.as_bytes()[digits.len()].to_ascii_lowercase() {
                b'k' => 10,
                b'm' => 20,
                _ => 30,
            };
            (digits.to_owned(), 1_u64 << shift)
        }
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "expected a number of bytes, such as 1048576, 512k or 64m".to_owned())?;
    Ok(number.checked_mul(unit).ok_or("too many bytes")?)
}

/// The least heap: a nursery and room to copy it to.
const LIMIT_LEAST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("2097152"), Ok(2 << 20));
        assert_eq!(bytes("1024k"), Ok(1 << 20));
        assert_eq!(bytes("64M"), Ok(64 << 20));
        assert_eq!(bytes("1g"), Ok(1 << 30));
        assert!(bytes("m").is_err());
        assert!(bytes("12x").is_err());
        assert!(bytes("10k").is_err());
        assert!(bytes("99999999999g").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }
}
