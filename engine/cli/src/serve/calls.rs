//! Calls of the program.

use gcrucible_engine::{CallError, CallHandle, CallKind, Fork, HostValue, Outcome, Unfit};
use gcrucible_platform::sync::atomic::{AtomicU32, Ordering};

/// Ids for calls.
#[derive(Debug, Default)]
pub(crate) struct CallIds(AtomicU32);

/// How a call ended.
pub(crate) enum Ended {
    /// With plain data.
    Data(HostValue),
    /// With a value that is none.
    NoData(String),
    /// With data of which there is too much.
    TooLarge(String),
    /// With an error that nobody caught, and where it was thrown.
    Threw {
        /// The display text of the error.
        text: String,
        /// The same with its payload and causes, for the log.
        report: String,
        trace: String,
    },
}

/// Calls an exported function in a fork. Dropping the handle cancels the call.
///
/// # Errors
/// Why the call could not begin.
pub(crate) async fn start(
    ids: &CallIds,
    fork: &Fork,
    export: &str,
    args: &[HostValue],
) -> Result<CallHandle, CallError> {
    loop {
        let id = ids.0.fetch_add(1, Ordering::Relaxed) % CallKind::HOST_IDS;
        match fork.call(id, export, args).await {
            // A call that began some billions of calls ago has it.
            Err(CallError::DuplicateCallId(_)) => {}
            made => return made,
        }
    }
}

/// Waits for a call's end.
pub(crate) async fn ended(call: &CallHandle) -> Ended {
    let outcome = call.join().await;
    if outcome == Outcome::Returned {
        return match call.try_data().await {
            Ok(data) => Ended::Data(data),
            Err(Unfit::NoData) => Ended::NoData(call.text().await),
            Err(why) => Ended::TooLarge(why.to_string()),
        };
    }
    let trace = call.call().trace();
    let frames: Vec<String> = trace.iter().map(ToString::to_string).collect();
    Ended::Threw {
        text: call.text().await,
        report: call.uncaught().await.replace("\n  ", "; "),
        trace: frames.join(" < "),
    }
}
