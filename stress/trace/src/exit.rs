//! Exit codes: what other tools read first.

use std::process::ExitCode;

/// How the command ended. Where several apply, the precedence is usage, harness broken,
/// finding, vacuous, clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing was found and nothing was vacuous; a replayed scenario passes.
    Clean = 0,
    /// Something was found; a replayed scenario fails the check it was kept for.
    Finding = 1,
    /// The command line or a file is wrong; nothing was begun.
    Usage = 2,
    /// A mode or lane did not do what it is there for.
    Vacuous = 3,
    /// The harness itself is broken: a canary survived, an infeasible pair happened, workers
    /// do not start, the unchanged engine fails a zoo scenario.
    HarnessBroken = 4,
    /// A replayed scenario fails another check than the one it was kept for.
    OtherCheck = 5,
    /// A replay took another way than the recording, the file was made by another format, or
    /// what was to be shrunk does not fail.
    Diverged = 6,
    /// Under `--bisect`: this commit can be neither good nor bad.
    Untestable = 125,
    /// Ctrl-C, without findings so far.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not be carried out, in a sentence that says what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// [`Exit::Usage`] unless something broke in the middle.
    pub exit: Exit,
    /// The sentence.
    pub message: String,
}

impl Refusal {
    /// The command line or a file is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// Something broke that the user did not cause.
    pub fn broken(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::HarnessBroken,
            message: message.into(),
        }
    }
}
