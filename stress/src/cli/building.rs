//! Cargo, run by this command: with progress, and ended by Ctrl-C.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use gcrucible_campaign::progress::Waiting;
use gcrucible_campaign::watch::{Watch, wait};
use gcrucible_trace::{Exit, Refusal};

/// The cargo that runs this command, else the one on the path.
pub(super) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs it to its end; what it complains of goes to stderr.
///
/// # Errors
/// No cargo, a build that fails, a signal ([`Exit::Interrupted`]): `what` says what was to be built.
pub(super) fn run(cargo: &mut Command, what: &str, stop: &AtomicBool) -> Result<(), Refusal> {
    let no_cargo = |error| {
        Refusal::usage(format!(
            "cannot run cargo: {error}; expected a Rust toolchain, which builds {what}"
        ))
    };
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(no_cargo)?;
    let mut waiting = Waiting::default();
    let mut watch = Watch {
        stop,
        show: &mut |line| waiting.show(line),
    };
    let status = wait(&mut child, &format!("building {what}"), &mut watch).map_err(no_cargo)?;
    waiting.clear();
    if stop.load(Ordering::Relaxed) {
        return Err(interrupted(what));
    }
    if status.success() {
        return Ok(());
    }
    Err(Refusal::broken(format!("{what}: the build fails")))
}

/// Somebody pressed Ctrl-C before `what` was built.
pub(super) fn interrupted(what: &str) -> Refusal {
    Refusal {
        exit: Exit::Interrupted,
        message: format!("interrupted while building {what}"),
    }
}
