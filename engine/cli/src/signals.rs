//! Signals of the operating system.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a program, unless it handles them.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Their names.
    pub(crate) const NAMES: [&str; 2] = ["SIGINT", "SIGTERM"];

    /// Takes them over from the operating system, which would end the process. Must be called
    /// within a runtime.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => Self::NAMES[0],
            _ = self.terminate.recv() => Self::NAMES[1],
        }
    }
}

/// The signal that asks for a reload.
#[cfg(feature = "serve")]
pub(crate) struct Hangups(Signal);

#[cfg(feature = "serve")]
impl Hangups {
    /// As [`Signals::new`].
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Hangups(signal(SignalKind::hangup())?))
    }

    /// Waits for the next one. Several that come at once may be one.
    pub(crate) async fn next(&mut self) {
        // The signal's channel is open as long as the process.
        let _ = self.0.recv().await;
    }
}
