//! A process that takes long, and who looks on.

use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::poll;
use rustix::process::{Pid, Signal};

use crate::process::timespec;
use gcrucible_trace::clock;

/// Milliseconds between two looks at a process.
const LOOK_MS: u64 = 5;

/// Milliseconds from which on somebody is told what takes so long.
const SILENT_MS: u64 = 1000;

/// Milliseconds that a process has to end in, once it was asked to.
const GRACE_MS: u64 = 5000;

/// Who looks on while processes run.
pub struct Watch<'a> {
    /// Set when everything is to end.
    pub stop: &'a AtomicBool,
    /// Told now and then what is under way, once that has taken a second.
    pub show: &'a mut dyn FnMut(&str),
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("stop", self.stop)
            .finish_non_exhaustive()
    }
}

/// Waits for a process to end. If told to stop it asks the process to end, and ends it if that takes long.
///
/// # Errors
/// The system does not say what becomes of the process.
pub fn wait(child: &mut Child, what: &str, watch: &mut Watch<'_>) -> std::io::Result<ExitStatus> {
    let begun = clock::monotonic_ms();
    let mut asked = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let now = clock::monotonic_ms();
        match asked {
            None if watch.stop.load(Ordering::Relaxed) => {
                asked = Some(now);
                if let Some(pid) = Pid::from_raw(child.id() as i32) {
                    // It may have ended meanwhile, which is as well.
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
            }
            Some(since) if now > since + GRACE_MS => {
                child.kill()?;
                return child.wait();
            }
            _ if now > begun + SILENT_MS => {
                (watch.show)(&format!("{what}, {} s", (now - begun) / 1000));
            }
            _ => {}
        }
        pause();
    }
}

/// Waits a moment, for what nobody tells of.
pub fn pause() {
    let _ = poll(&mut [], Some(&timespec(LOOK_MS)));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn command(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).spawn().unwrap()
    }

    #[test]
    fn who_waits_is_told_after_a_second_and_not_before() {
        let stop = AtomicBool::new(false);
        let mut lines = Vec::new();
        let mut watch = Watch {
            stop: &stop,
            show: &mut |line: &str| lines.push(line.to_owned()),
        };
        assert!(
            wait(&mut command("exit 0"), "short", &mut watch)
                .unwrap()
                .success()
        );
        wait(&mut command("sleep 1.3"), "long", &mut watch).unwrap();
        assert!(lines.iter().all(|line| line == "long, 1 s"), "{lines:?}");
        assert!(!lines.is_empty());
    }

    #[test]
    fn a_process_that_is_to_stop_is_asked_to() {
        let stop = AtomicBool::new(true);
        let mut watch = Watch {
            stop: &stop,
            show: &mut |_| {},
        };
        let mut child = command("trap 'exit 130' TERM; while :; do sleep 0.02; done");
        // The shell has to get as far as its trap, or the signal ends it at once: either is an end.
        let status = wait(&mut child, "endless", &mut watch).unwrap();
        assert!(!status.success());
    }
}
