//! When a worker hangs.
//!
//! A worker is taken to hang when it makes no progress for so long on the wall clock, or for so
//! much CPU time. Only time in which it could have run is counted: a worker that somebody has
//! stopped (SIGSTOP, a debugger, a suspended machine) does not hang, nor does one whose watcher
//! was stopped with it.

use super::process::{Death, WorkerProcess, WorkerState};

/// The most milliseconds that pass between two looks without somebody having stopped the watcher.
const GAP_MS_MAX: u64 = 1_000;

/// How much longer a scenario that seemed to hang may take when it is tried again.
pub const SECOND_TRY_FACTOR: u64 = 10;

/// After how much time without progress a worker is taken to hang.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Milliseconds in which it could have run.
    pub wall_ms: u64,
    /// Nanoseconds of its CPU time.
    pub cpu_ns: u64,
}

/// Which part of the time on the wall clock a worker may spend on the CPU. The rest is for a
/// machine that has other things to do.
const CPU_SHARE: u64 = 10;

impl Patience {
    /// So many milliseconds on the wall clock, and a tenth of that on the CPU.
    pub fn of_timeout(wall_ms: u64) -> Patience {
        Patience {
            wall_ms,
            cpu_ns: wall_ms.saturating_mul(1_000_000) / CPU_SHARE,
        }
    }

    /// So many times as long.
    pub fn times(self, factor: u64) -> Patience {
        Patience {
            wall_ms: self.wall_ms.saturating_mul(factor),
            cpu_ns: self.cpu_ns.saturating_mul(factor),
        }
    }
}

/// The time that a worker has gone without progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watchdog {
    looked_ms: Option<u64>,
    idle_ms: u64,
    cpu_ns_at_progress: u64,
}

impl Watchdog {
    /// The worker got further.
    pub fn progress(&mut self, now_ms: u64, state: WorkerState) {
        *self = Watchdog {
            looked_ms: Some(now_ms),
            idle_ms: 0,
            cpu_ns_at_progress: state.cpu_ns,
        };
    }

    /// The worker got no further since the last look. Returns whether it hangs.
    pub fn no_progress(&mut self, now_ms: u64, state: WorkerState, patience: Patience) -> bool {
        let looked_ms = self.looked_ms.replace(now_ms).unwrap_or(now_ms);
        if !state.is_stopped {
            self.idle_ms += now_ms.saturating_sub(looked_ms).min(GAP_MS_MAX);
        }
        self.idle_ms >= patience.wall_ms
            || state.cpu_ns.saturating_sub(self.cpu_ns_at_progress) >= patience.cpu_ns
    }
}

impl WorkerProcess {
    /// Kills the worker as one that hangs if `watchdog` says so. Returns whether it did.
    pub fn kill_if_hanging(&mut self, watchdog: &mut Watchdog, patience: Patience) -> bool {
        let hangs = watchdog.no_progress(
            gcrucible_trace::clock::monotonic_ms(),
            self.state(),
            patience,
        );
        if hangs {
            self.kill(Death::HANG);
        }
        hangs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        wall_ms: 1_000,
        cpu_ns: 100,
    };

    fn runs(cpu_ns: u64) -> WorkerState {
        WorkerState {
            cpu_ns,
            is_stopped: false,
        }
    }

    #[test]
    fn a_worker_without_progress_hangs_by_wall_clock_or_by_cpu_time() {
        let mut watchdog = Watchdog::default();
        watchdog.progress(0, runs(7));
        assert!(!watchdog.no_progress(900, runs(106), PATIENCE));
        assert!(watchdog.no_progress(1_000, runs(7), PATIENCE));
        watchdog.progress(1_000, runs(7));
        assert!(watchdog.no_progress(1_001, runs(107), PATIENCE));
    }

    #[test]
    fn time_in_which_it_was_stopped_does_not_count() {
        let stopped = WorkerState {
            cpu_ns: 0,
            is_stopped: true,
        };
        let mut watchdog = Watchdog::default();
        watchdog.progress(0, runs(0));
        for look in 1..100 {
            assert!(!watchdog.no_progress(look * 250, stopped, PATIENCE));
        }
        assert!(!watchdog.no_progress(25_000, runs(0), PATIENCE));
        assert!(watchdog.no_progress(26_000, runs(0), PATIENCE));
    }

    #[test]
    fn time_in_which_the_watcher_was_stopped_counts_for_one_look() {
        let patience = PATIENCE.times(2);
        let mut watchdog = Watchdog::default();
        watchdog.progress(0, runs(0));
        assert!(!watchdog.no_progress(3_600_000, runs(0), patience));
        assert!(watchdog.no_progress(3_601_000, runs(0), patience));
    }
}
