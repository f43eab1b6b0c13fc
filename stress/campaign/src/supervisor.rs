//! The campaign's main loop: hands out chunks, watches workers, keeps the journal.
//!
//! One thread. It sleeps in `poll` until a worker answers, dies or is due to be looked at.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};

use super::guide::Guide;
use super::journal::Journal;
use super::lane_queue::LaneQueue;
use super::plan::{Limit, Plan};
use super::process::{Death, WorkerProcess, WorkerSetup, timespec};
use super::progress::Progress;
use super::slot::SlotState;
use super::totals::{ChunkResult, Record, Totals};
use super::trial::crash;
use super::watchdog::{Patience, SECOND_TRY_FACTOR, Watchdog};
use super::worker::{CanaryEnd, Chunk, Command, Reply};
use gcrucible_scenario::Lane;
use gcrucible_subject::Subjects;
use gcrucible_trace::{Refusal, clock};

/// Chunks that a worker has at a time: one to work on, one so that it need not wait.
const CHUNKS_AHEAD: usize = 2;

/// Deaths in a row of workers that did nothing after which they are given up.
const STILLBIRTHS_MAX: u32 = 5;

/// Milliseconds between two looks at all workers.
const WATCH_MS: u64 = 250;

/// How the campaign's processes are run.
#[derive(Clone, Debug)]
pub struct Labour {
    /// Workers at a time.
    pub jobs: usize,
    /// How each is started.
    pub setup: WorkerSetup,
    /// Wall-clock milliseconds after which a scenario hangs.
    pub watchdog_ms: u64,
}

impl Labour {
    fn patience(&self) -> Patience {
        Patience::of_timeout(self.watchdog_ms)
    }
}

/// Runs what is left of a plan. `totals` and `journal` are what is done so far, and are
/// kept up to date. Returns when the limit is met, everything is done, or `stop` is set.
///
/// # Errors
/// Workers that do not start, a journal that cannot be written.
pub fn run(
    plan: &Plan,
    labour: &Labour,
    totals: &mut Totals,
    journal: &mut Journal,
    progress: &mut Progress,
    stop: &Arc<AtomicBool>,
    subjects: Subjects,
) -> Result<(), Refusal> {
    let mut supervisor = Supervisor::new(plan, labour, totals, journal, progress, stop, subjects);
    let result = supervisor.run();
    for place in supervisor.places {
        if let Some(worker) = place.worker {
            worker.dismiss();
        }
    }
    result
}

struct Supervisor<'a> {
    plan: &'a Plan,
    labour: &'a Labour,
    totals: &'a mut Totals,
    journal: &'a mut Journal,
    progress: &'a mut Progress,
    stop: &'a AtomicBool,
    guide: Guide,
    queues: BTreeMap<Lane, LaneQueue>,
    places: Vec<Place>,
    /// Scenarios to be run once more alone: their worker was killed by somebody else, or by us
    /// because it seemed to hang.
    suspects: VecDeque<Suspect>,
    next_chunk: u64,
    started_ms: u64,
    watched_ms: u64,
    earlier_elapsed_ms: u64,
    earlier_cpu_ns: u64,
    stillbirths: u32,
}

/// Where a worker sits; it may be empty.
#[derive(Default)]
struct Place {
    worker: Option<WorkerProcess>,
    name: String,
    /// Chunks that it has, the one it works on first.
    chunks: VecDeque<Handed>,
    /// CPU time that it has reported.
    reported_cpu_ns: u64,
    last_seen: Option<SlotState>,
    watchdog: Watchdog,
}

/// A scenario to be run once more, alone.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    lane: Lane,
    position: u64,
    is_ahead: bool,
    /// It seemed to hang, so it gets more time.
    seemed_to_hang: bool,
}

#[derive(Clone, Copy, Debug)]
struct Handed {
    chunk: Chunk,
    estimate_ns: u64,
    /// It is the second try of a scenario.
    suspect: Option<Suspect>,
}

impl<'a> Supervisor<'a> {
    fn new(
        plan: &'a Plan,
        labour: &'a Labour,
        totals: &'a mut Totals,
        journal: &'a mut Journal,
        progress: &'a mut Progress,
        stop: &'a AtomicBool,
        subjects: Subjects,
    ) -> Self {
        let end = match plan.limit {
            Limit::Scenarios(count) => plan.shard.positions(count),
            Limit::TimeMs(_) | Limit::CpuMs(_) => u64::MAX,
        };
        let queues = plan.lanes.iter().map(|&lane| {
            let done = totals.lanes.entry(lane).or_default();
            let scenarios = done.counters.scenarios;
            (
                lane,
                LaneQueue::new(&done.done, &done.ahead, end, done.cpu_ns, scenarios),
            )
        });
        let queues = queues.collect();
        let places = (0..labour.jobs).map(|number| Place {
            name: format!("worker-{number}"),
            ..Place::default()
        });
        Supervisor {
            plan,
            labour,
            queues,
            places: places.collect(),
            guide: Guide::new(plan, subjects),
            suspects: VecDeque::new(),
            next_chunk: 0,
            started_ms: clock::monotonic_ms(),
            watched_ms: 0,
            earlier_elapsed_ms: totals.elapsed_ms,
            earlier_cpu_ns: totals.parent_cpu_ns,
            stillbirths: 0,
            totals,
            journal,
            progress,
            stop,
        }
    }

    fn run(&mut self) -> Result<(), Refusal> {
        loop {
            if !self.is_stopped() {
                self.hand_out()?;
            }
            if self.places.iter().all(|place| place.chunks.is_empty()) {
                break;
            }
            self.wait()?;
            self.watch();
            self.progress.show(self.totals, self.elapsed_ms());
        }
        self.totals.elapsed_ms = self.elapsed_ms();
        self.totals.parent_cpu_ns = self.parent_cpu_ns();
        Ok(())
    }

    fn elapsed_ms(&self) -> u64 {
        self.earlier_elapsed_ms + clock::monotonic_ms() - self.started_ms
    }

    fn parent_cpu_ns(&self) -> u64 {
        self.earlier_cpu_ns + clock::process_cpu_ns()
    }

    /// Whether nothing more is to be handed out at all.
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.plan.first_finding && !self.totals.findings.is_empty()
    }

    /// Whether nothing new is to be handed out; what came back from dead workers still is.
    fn is_over(&self) -> bool {
        match self.plan.limit {
            Limit::TimeMs(ms) => self.elapsed_ms() >= ms,
            Limit::CpuMs(ms) => self.totals.worker_cpu_ns() >= ms * 1_000_000,
            Limit::Scenarios(_) => false,
        }
    }

    fn hand_out(&mut self) -> Result<(), Refusal> {
        // A second chunk would be run in vain when the first one finds something.
        let ahead = if self.plan.first_finding {
            1
        } else {
            CHUNKS_AHEAD
        };
        for depth in 1..=ahead {
            for at in 0..self.places.len() {
                if self.places[at].chunks.len() >= depth {
                    continue;
                }
                let Some(handed) = self.next() else {
                    return Ok(());
                };
                let place = &mut self.places[at];
                if place.worker.is_none() {
                    let started = WorkerProcess::start(&self.labour.setup, &place.name);
                    place.worker = Some(started.map_err(|error| {
                        Refusal::broken(format!("cannot start a worker: {error}"))
                    })?);
                    place.reported_cpu_ns = 0;
                    place.watchdog = Watchdog::default();
                    place.last_seen = None;
                }
                place.chunks.push_back(handed);
                if let Some(worker) = &mut place.worker {
                    worker.send(&Command::Chunk(handed.chunk));
                }
            }
        }
        Ok(())
    }

    /// The next chunk: suspects first, then the lane that is furthest behind.
    fn next(&mut self) -> Option<Handed> {
        self.next_chunk += 1;
        let number = self.next_chunk;
        if let Some(suspect) = self.suspects.pop_front() {
            let chunk = Chunk {
                chunk: number,
                lane: suspect.lane,
                from: suspect.position,
                to: suspect.position + 1,
                is_ahead: suspect.is_ahead,
            };
            return Some(Handed {
                chunk,
                estimate_ns: 0,
                suspect: Some(suspect),
            });
        }
        let number_of = |lane, range: (u64, u64)| Chunk {
            chunk: number,
            lane,
            from: range.0,
            to: range.1,
            is_ahead: false,
        };
        if self.is_over() {
            return self.queues.iter_mut().find_map(|(&lane, queue)| {
                let (range, estimate_ns) = queue.take_back()?;
                Some(Handed {
                    chunk: number_of(lane, range),
                    estimate_ns,
                    suspect: None,
                })
            });
        }
        let has_small_chunks = self.plan.first_finding;
        let by_scenarios = matches!(self.plan.limit, Limit::Scenarios(_));
        let lane = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .min_by_key(|(_, q)| {
                if by_scenarios {
                    q.share_done()
                } else {
                    q.spent_ns()
                }
            })
            .map(|(&lane, _)| lane)?;
        let queue = self.queues.get_mut(&lane)?;
        let wanted = queue.take_wanted();
        let is_ahead = wanted.is_some();
        let (range, estimate_ns) = wanted.or_else(|| queue.take(has_small_chunks))?;
        Some(Handed {
            chunk: Chunk {
                is_ahead,
                ..number_of(lane, range)
            },
            estimate_ns,
            suspect: None,
        })
    }

    /// Sleeps until a worker has something to say, and hears it.
    fn wait(&mut self) -> Result<(), Refusal> {
        let mut owners = Vec::with_capacity(self.places.len());
        let mut fds = Vec::with_capacity(self.places.len());
        for (at, place) in self.places.iter().enumerate() {
            if let Some(worker) = &place.worker {
                owners.push(at);
                fds.push(PollFd::from_borrowed_fd(worker.fd(), PollFlags::IN));
            }
        }
        match poll(&mut fds, Some(&timespec(100))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Refusal::broken(format!("cannot wait for workers: {error}"))),
        }
        let ready: Vec<usize> = owners
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(at, _)| at)
            .collect();
        drop(fds);
        for at in ready {
            let Some(worker) = &mut self.places[at].worker else {
                continue;
            };
            match worker.receive() {
                Some(replies) => {
                    for reply in replies {
                        self.hear(at, reply)?;
                    }
                }
                None => self.bury(at)?,
            }
        }
        Ok(())
    }

    fn hear(&mut self, at: usize, reply: Reply) -> Result<(), Refusal> {
        let mut result = match reply {
            Reply::Chunk(result) => *result,
            Reply::Refused(why) => {
                return Err(Refusal::broken(format!("a worker refused: {why}")));
            }
            other => return Err(Refusal::broken(format!("a worker answered {other:?}"))),
        };
        self.stillbirths = 0;
        let place = &mut self.places[at];
        place.reported_cpu_ns += result.cpu_ns;
        let Some(handed) = place.chunks.pop_front() else {
            return Err(Refusal::broken("a worker answered what nobody asked"));
        };
        if handed.chunk.chunk != result.chunk {
            return Err(Refusal::broken("a worker answered out of turn"));
        }
        if let Some(queue) = self.queues.get_mut(&result.lane) {
            queue.finish(result.to - result.from, handed.estimate_ns, result.cpu_ns);
            // It ended early, at a finding.
            queue.give_back(result.to, handed.chunk.to, 0);
        }
        // A campaign that resumes reads this back, so both must sum the same.
        result.chunk = 0;
        let lane = result.lane;
        self.note(result)?;
        if let Some(queue) = self.queues.get_mut(&lane) {
            self.guide.steer(lane, self.totals, queue);
        }
        Ok(())
    }

    /// Adds a result to journal and totals, in this order.
    fn note(&mut self, result: ChunkResult) -> Result<(), Refusal> {
        let record = Record {
            elapsed_ms: self.elapsed_ms(),
            parent_cpu_ns: self.parent_cpu_ns(),
            result,
        };
        self.totals.add(&record);
        self.journal
            .append(&record, &*self.totals)
            .map_err(|error: io::Error| {
                Refusal::broken(format!("the journal cannot be written: {error}"))
            })
    }

    /// Looks at all workers: who hangs, who eats memory.
    fn watch(&mut self) {
        let now = clock::monotonic_ms();
        if now < self.watched_ms + WATCH_MS {
            return;
        }
        self.watched_ms = now;
        for place in &mut self.places {
            let Some(worker) = &mut place.worker else {
                continue;
            };
            let state = worker.slot_state();
            if state != place.last_seen || place.chunks.is_empty() {
                place.last_seen = state;
                place.watchdog.progress(now, worker.state());
            } else {
                let suspect = place.chunks.front().and_then(|handed| handed.suspect);
                let factor = match suspect {
                    Some(suspect) if suspect.seemed_to_hang => SECOND_TRY_FACTOR,
                    _ => 1,
                };
                worker.kill_if_hanging(&mut place.watchdog, self.labour.patience().times(factor));
            }
            worker.check_memory();
        }
    }

    /// Takes a dead worker's place apart: its scenario is a finding, its other scenarios go
    /// back to the queue.
    fn bury(&mut self, at: usize) -> Result<(), Refusal> {
        let place = &mut self.places[at];
        let Some(worker) = place.worker.take() else {
            return Ok(());
        };
        let mut death = worker.bury();
        // At least what it reported: the system's count is coarse.
        death.cpu_ns = death.cpu_ns.saturating_sub(place.reported_cpu_ns);
        let chunks = std::mem::take(&mut place.chunks);
        let working_on = death
            .slot
            .zip(chunks.front().copied())
            .filter(|(slot, handed)| {
                slot.chunk == handed.chunk.chunk
                    && (handed.chunk.from..handed.chunk.to).contains(&slot.position)
            });
        for handed in chunks.iter().skip(usize::from(working_on.is_some())).rev() {
            self.give_back(
                handed,
                handed.chunk.from,
                handed.chunk.to,
                handed.estimate_ns,
            );
        }
        match working_on {
            Some((slot, handed)) => self.blame(&death, slot.position, &handed),
            None => {
                self.stillbirths += 1;
                if self.stillbirths >= STILLBIRTHS_MAX {
                    return Err(Refusal::broken(format!(
                        "{STILLBIRTHS_MAX} workers in a row died before they began a scenario \
                         ({}: {})",
                        death.check, death.last_words
                    )));
                }
                Ok(())
            }
        }
    }

    fn give_back(&mut self, handed: &Handed, from: u64, to: u64, estimate_ns: u64) {
        let lane = handed.chunk.lane;
        if let Some(suspect) = handed.suspect
            && from < to
        {
            self.suspects.push_front(suspect);
        } else if handed.chunk.is_ahead {
            // It was one try of many.
        } else if let Some(queue) = self.queues.get_mut(&lane) {
            queue.give_back(from, to, estimate_ns);
        }
    }

    /// Makes a finding of the scenario at which a worker died.
    fn blame(&mut self, death: &Death, position: u64, handed: &Handed) -> Result<(), Refusal> {
        self.give_back(handed, position + 1, handed.chunk.to, handed.estimate_ns);
        // What came before it in the chunk had no finding if those end the chunk; else its
        // results are lost with the worker, and it runs again.
        let from = if self.plan.first_finding {
            handed.chunk.from
        } else {
            position
        };
        self.give_back(handed, handed.chunk.from, from, 0);
        let lane = handed.chunk.lane;
        // What was killed from outside, or was slow, is tried again before it is a finding. Killed
        // from outside in its second try, too, it is one; slow in its second try as well.
        let seemed_to_hang = death.check == Death::HANG;
        let may_try_again = match handed.suspect {
            None => death.killed_from_outside || seemed_to_hang,
            Some(suspect) => seemed_to_hang && !suspect.seemed_to_hang,
        };
        if may_try_again {
            if death.killed_from_outside {
                self.totals.killed_from_outside += 1;
                self.progress.note(&format!(
                    "a worker was killed from outside (SIGKILL) at {}: that scenario runs again, alone",
                    self.plan.scenario_seed(lane, self.plan.shard.index(position))
                ));
            }
            self.give_back(handed, from, position, 0);
            self.suspects.push_back(Suspect {
                lane,
                position,
                is_ahead: handed.chunk.is_ahead,
                seemed_to_hang,
            });
            return Ok(());
        }
        self.stillbirths = 0;
        let mut result = ChunkResult::new(0, lane, from);
        result.to = position + 1;
        result.is_ahead = handed.chunk.is_ahead;
        result.counters.scenarios = result.to - from;
        result.cpu_ns = death.cpu_ns;
        result.fail(self.plan.shard.index(position), crash(death));
        self.note(result)
    }
}

/// A lane whose canary says that its oracles cannot be relied on.
#[derive(Clone, Debug)]
pub struct BadCanary {
    /// The lane.
    pub lane: Lane,
    /// What was wrong, for `the canary of LANE …`.
    pub why: String,
}

/// Runs each lane's canary. Returns the lanes in which nobody noticed that an observation was
/// falsified. Where a lane has findings, its canary may fail because of these.
///
/// # Errors
/// A worker that does not start or answers nonsense.
pub fn bad_canaries(
    plan: &Plan,
    labour: &Labour,
    has_findings: impl Fn(Lane) -> bool,
) -> Result<Vec<BadCanary>, Refusal> {
    let mut bad = Vec::new();
    let otherwise = |lane, how: String| {
        (!has_findings(lane)).then(|| BadCanary {
            lane,
            why: format!("failed for another reason than what was falsified: {how}"),
        })
    };
    for &lane in &plan.lanes {
        let mut worker = WorkerProcess::start(&labour.setup, "canary")
            .map_err(|error| Refusal::broken(format!("cannot start a worker: {error}")))?;
        worker.send(&Command::Canary(lane));
        match worker.wait_for_reply(labour.patience().times(SECOND_TRY_FACTOR)) {
            Some(Reply::Canary(CanaryEnd::Killed)) => {}
            Some(Reply::Canary(CanaryEnd::Survived)) => bad.push(BadCanary {
                lane,
                why: "survived: a corrupted run passed all oracles".to_owned(),
            }),
            Some(Reply::Canary(CanaryEnd::FailedOtherwise(failure))) => {
                bad.extend(otherwise(
                    lane,
                    format!("{}: {}", failure.oracle, failure.message),
                ));
            }
            None => bad.extend(otherwise(lane, "its process died".to_owned())),
            Some(other) => {
                return Err(Refusal::broken(format!(
                    "a canary's worker answered {other:?}"
                )));
            }
        }
        worker.dismiss();
    }
    Ok(bad)
}

/// Scenarios that were under way when a campaign was killed, from its workers' slots.
pub fn under_way(plan: &Plan, dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut lines: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            if path.extension()? != "slot" {
                return None;
            }
            let state = super::slot::Slot::open(&path).ok()?.state();
            if state.phase == super::slot::Phase::Idle {
                return None;
            }
            let name = path.file_stem()?.to_string_lossy().into_owned();
            let index = plan.shard.index(state.position);
            Some(format!(
                "{name} at scenario {index} ({})",
                state.phase.name()
            ))
        })
        .collect();
    lines.sort();
    lines
}
