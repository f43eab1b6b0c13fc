//! What every command line needs: its output, its signals, and the defaults of a campaign.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gcrucible_scenario::SEED_LIMIT;
use gcrucible_trace::{Exit, Refusal, clock};

/// Writes to stdout. Whoever reads may have gone; that is no failure.
pub fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Writes a line to stderr.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A seed for those who do not care: another one in each run.
pub fn fresh_seed() -> u64 {
    let (seconds, nanoseconds) = clock::since_epoch();
    (seconds << 20 ^ u64::from(nanoseconds) ^ u64::from(std::process::id()) << 32) % SEED_LIMIT
}

/// A folder for the results of a campaign that is not there yet: `target/crucible/<time>`.
pub fn default_folder() -> PathBuf {
    let base = PathBuf::from("target/crucible").join(clock::stamp(clock::since_epoch().0));
    let numbered = (2..).map(|n| PathBuf::from(format!("{}-{n}", base.display())));
    std::iter::once(base.clone())
        .chain(numbered)
        .find(|dir| !dir.exists())
        .unwrap_or(base)
}

/// A flag that Ctrl-C (or SIGTERM) sets; the second Ctrl-C ends the process at once.
///
/// # Errors
/// When the system takes no handler.
pub fn catch_signals() -> Result<Arc<AtomicBool>, Refusal> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    let broken = |error| Refusal::broken(format!("cannot handle signals: {error}"));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag still unset.
        let at_once = Exit::Interrupted as i32;
        signal_hook::flag::register_conditional_shutdown(signal, at_once, Arc::clone(&stop))
            .map_err(broken)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(broken)?;
    }
    Ok(stop)
}
