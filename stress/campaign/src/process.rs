//! The parent's end of a worker process.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal};

use super::slot::{Phase, Slot, SlotState};
use super::watchdog::{Patience, Watchdog};
use super::worker::{Command, Reply};

/// What a worker is started with.
#[derive(Clone, Debug)]
pub struct WorkerSetup {
    /// The executable: this one, or one with the seeded bugs.
    pub program: PathBuf,
    /// The campaign's plan, if it has one.
    pub plan: Option<PathBuf>,
    /// Seeded bug to turn on.
    pub bug: Option<String>,
    /// Folder for the worker's slot and for what it prints to stderr; without one it has
    /// no slot and its stderr is dropped.
    pub dir: Option<PathBuf>,
    /// Resident bytes after which it is killed.
    pub memory_bytes: u64,
}

/// What a worker prints before a scenario, if the one before it printed something.
pub const NEXT_SCENARIO: &str = "-- next scenario --";

/// Why a worker is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The check that its scenario failed: `signal SIGSEGV`, `abort`, `hang`, `memory`, ….
    pub check: String,
    /// What it printed last, in one line.
    pub last_words: String,
    /// Somebody else killed it (SIGKILL), so it may not be the scenario's fault.
    pub killed_from_outside: bool,
    /// What its slot said.
    pub slot: Option<SlotState>,
    /// CPU nanoseconds of its whole life, to about 10 ms.
    pub cpu_ns: u64,
}

/// A running worker.
#[derive(Debug)]
pub struct WorkerProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    received: Vec<u8>,
    slot: Option<Slot>,
    stderr: Option<PathBuf>,
    /// Why we killed it, if we did.
    killed_for: Option<&'static str>,
    memory_bytes: u64,
}

impl WorkerProcess {
    /// Starts a worker; `name` tells the files of several apart.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(setup: &WorkerSetup, name: &str) -> io::Result<WorkerProcess> {
        let mut program = Program::new(&setup.program);
        program
            .arg("worker")
            .arg("--parent")
            .arg(std::process::id().to_string());
        if let Some(plan) = &setup.plan {
            program.arg("--plan").arg(plan);
        }
        if let Some(bug) = &setup.bug {
            program.arg("--bug").arg(bug);
        }
        let mut slot = None;
        let mut stderr = None;
        if let Some(dir) = &setup.dir {
            let path = dir.join(format!("{name}.slot"));
            slot = Some(Slot::create(&path)?);
            program.arg("--slot").arg(path);
            let path = dir.join(format!("{name}.stderr"));
            program.stderr(File::create(&path)?);
            stderr = Some(path);
        } else {
            program.stderr(Stdio::null());
        }
        // A group of its own, so that Ctrl-C reaches the parent alone.
        let mut child = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env("RUST_BACKTRACE", "0")
            .process_group(0)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the worker has no pipes"));
        };
        Ok(WorkerProcess {
            child,
            stdin,
            stdout,
            received: Vec::new(),
            slot,
            stderr,
            killed_for: None,
            memory_bytes: setup.memory_bytes,
        })
    }

    /// Sends a command. A worker that is dead shows at the next [`WorkerProcess::receive`].
    pub fn send(&mut self, command: &Command) {
        let mut text = serde_json::to_string(command).expect("commands are plain data");
        text.push('\n');
        let _ = self.stdin.write_all(text.as_bytes());
    }

    /// Where replies arrive, to wait for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }

    /// Reads what has arrived; call it when [`WorkerProcess::fd`] is readable. `None` in
    /// place of a list: the worker closed its end and is dying.
    pub fn receive(&mut self) -> Option<VecDeque<Reply>> {
        let mut buffer = [0; 1 << 16];
        match self.stdout.read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
        let mut replies = VecDeque::new();
        while let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            replies.push_back(serde_json::from_slice(&line).unwrap_or_else(|error| {
                Reply::Refused(format!("a worker's reply cannot be read: {error}"))
            }));
        }
        Some(replies)
    }

    /// Waits for one reply. `None`: the worker died, or was killed because it seems to hang.
    pub fn wait_for_reply(&mut self, patience: Patience) -> Option<Reply> {
        let mut watchdog = Watchdog::default();
        watchdog.progress(gcrucible_trace::clock::monotonic_ms(), self.state());
        loop {
            if self.kill_if_hanging(&mut watchdog, patience) {
                return None;
            }
            self.check_memory();
            let timeout = timespec(patience.wall_ms.min(100));
            let mut fds = [PollFd::new(&self.stdout, PollFlags::IN)];
            if poll(&mut fds, Some(&timeout)).unwrap_or(0) == 0 {
                continue;
            }
            if let Some(reply) = self.receive()?.pop_front() {
                return Some(reply);
            }
        }
    }

    /// What the system says of it.
    pub fn state(&self) -> WorkerState {
        let Some((state, cpu_ns)) = state_and_cpu_ns(&self.child) else {
            return WorkerState::default();
        };
        WorkerState {
            cpu_ns,
            is_stopped: matches!(state, 'T' | 't'),
        }
    }

    /// What it is doing.
    pub fn slot_state(&self) -> Option<SlotState> {
        self.slot.as_ref().map(Slot::state)
    }

    /// Kills it, noting why.
    pub fn kill(&mut self, why: &'static str) {
        self.killed_for.get_or_insert(why);
        let _ = self.child.kill();
    }

    /// Kills it if it holds more memory than allowed.
    pub fn check_memory(&mut self) {
        let path = format!("/proc/{}/statm", self.child.id());
        let pages = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
        if pages.unwrap_or(0) * rustix::param::page_size() as u64 > self.memory_bytes {
            self.kill("memory");
        }
    }

    /// Waits for its end and says what it died of.
    pub fn bury(mut self) -> Death {
        let slot = self.slot_state().filter(|state| state.phase != Phase::Idle);
        let cpu_ns = wait_until_dead(&self.child);
        // It closed its pipe, so it is ending; if it is not, that is one more reason.
        let _ = self.child.kill();
        let status = self.child.wait();
        let signal = status.as_ref().ok().and_then(|status| status.signal());
        let words = self.stderr.as_deref().map(last_words).unwrap_or_default();
        let sigkill = Signal::KILL.as_raw();
        let check = match (self.killed_for, signal) {
            (Some(why), _) => why.to_owned(),
            (None, Some(_)) if words.contains("overflowed its stack") => "stack overflow".into(),
            (None, Some(_)) if words.contains("memory allocation of") => "out of memory".into(),
            (None, Some(signal)) if signal == Signal::ABORT.as_raw() => "abort".into(),
            (None, Some(signal)) => format!("signal {}", signal_name(signal)),
            (None, None) => "exit".into(),
        };
        Death {
            check,
            last_words: words,
            killed_from_outside: self.killed_for.is_none() && signal == Some(sigkill),
            slot,
            cpu_ns,
        }
    }

    /// Lets it end by itself: closes its pipe and waits a moment.
    pub fn dismiss(self) {
        let WorkerProcess {
            mut child, stdin, ..
        } = self;
        drop(stdin);
        let pid = Pid::from_child(&child);
        for _ in 0..50 {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            // Nothing to read: this only waits.
            let _ = poll(&mut [], Some(&timespec(2)));
        }
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        let _ = child.wait();
    }
}

/// So many milliseconds.
pub(super) fn timespec(ms: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ms % 1000 * 1_000_000).unwrap_or(0),
    }
}

/// Waits (at most a second) until a process is a zombie, and returns its CPU nanoseconds.
fn wait_until_dead(child: &Child) -> u64 {
    let mut cpu_ns = 0;
    for _ in 0..500 {
        let Some((state, used_ns)) = state_and_cpu_ns(child) else {
            break;
        };
        cpu_ns = used_ns;
        if matches!(state, 'Z' | 'X') {
            break;
        }
        let _ = poll(&mut [], Some(&timespec(2)));
    }
    cpu_ns
}

/// The system's letter for what a process does, and the CPU nanoseconds that it has used.
fn state_and_cpu_ns(child: &Child) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // The fields after the command's closing parenthesis: state is the first, user and
    // system time in ticks of 10 ms are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let state = fields.first()?.chars().next()?;
    Some((state, (ticks(11)? + ticks(12)?) * 10_000_000))
}

/// The last line of the file, with line breaks of the last few lines as separators.
fn last_words(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(2000)..];
    let text = String::from_utf8_lossy(tail);
    // What earlier scenarios of the process said is not this one's.
    let text = text.rsplit(NEXT_SCENARIO).next().unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

fn signal_name(signal: i32) -> String {
    [
        (Signal::SEGV, "SIGSEGV"),
        (Signal::BUS, "SIGBUS"),
        (Signal::ILL, "SIGILL"),
        (Signal::FPE, "SIGFPE"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SYS, "SIGSYS"),
    ]
    .into_iter()
    .find(|(known, _)| known.as_raw() == signal)
    .map_or_else(|| format!("number {signal}"), |(_, name)| name.to_owned())
}

/// What the system says of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerState {
    /// CPU nanoseconds that it has used, to 10 ms.
    pub cpu_ns: u64,
    /// Somebody has stopped it: SIGSTOP, a debugger.
    pub is_stopped: bool,
}

impl Death {
    /// The check that a worker fails which we killed because it got no further.
    pub const HANG: &str = "hang";

    /// The site of the failure: where the engine panicked last if it says so, else the
    /// phase of the scenario.
    pub fn site(&self) -> String {
        let phase = self.slot.map_or("run", |slot| slot.phase.name());
        if matches!(self.check.as_str(), Self::HANG | "memory") {
            // Panics on the way to where it was killed say nothing of that.
            return phase.to_owned();
        }
        let panic = self.last_words.rsplit("panicked at ").next();
        let place = panic.filter(|_| self.last_words.contains("panicked at "));
        match place.and_then(|text| text.split([' ', ';']).next()) {
            Some(place) => place.trim_end_matches(':').to_owned(),
            None => phase.to_owned(),
        }
    }
}
