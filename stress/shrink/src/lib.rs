//! Makes a failing scenario small while the same check fails.
//!
//! Passes go over the scenario's parts: those that only its subject knows (operations,
//! statements, host events, modes), and its decisions. Each proposes smaller scenarios; one is
//! kept if it fails the same oracle and check (where it fails may change). Passes repeat until
//! none of them finds anything: shrinking the result again changes nothing. Every proposal is
//! smaller by a well-founded measure, so that ends.
//!
//! Runs happen behind a function that the caller gives, in another process: a proposal may
//! crash, hang or eat memory like any scenario.

mod items;
mod schedule;

use gcrucible_explore::Schedule;
use gcrucible_scenario::ScenarioData;
use gcrucible_trace::{Failure, Refusal, ReplayMode, Verdict, clock};

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct ShrinkBudget {
    /// Runs at most.
    pub runs: u32,
    /// Wall-clock milliseconds at most.
    pub ms: u64,
}

impl ShrinkBudget {
    /// For the findings of a campaign, of which there may be many.
    pub const CAMPAIGN: ShrinkBudget = ShrinkBudget {
        runs: 20_000,
        ms: 20_000,
    };
    /// For one scenario that a person wants to look at.
    pub const THOROUGH: ShrinkBudget = ShrinkBudget {
        runs: 500_000,
        ms: 600_000,
    };
}

/// What came of shrinking.
#[derive(Clone, Debug)]
pub struct Shrunk<S> {
    /// The smallest scenario found; a strict replay of it fails the same check.
    pub scenario: S,
    /// How the scenario ran before.
    pub before: Verdict,
    /// How that replay went, with decisions and timeline.
    pub verdict: Verdict,
    /// Runs that it took.
    pub runs: u32,
    /// Proposals that were kept.
    pub steps: u32,
    /// Whether the budget ended it early.
    pub is_cut_short: bool,
}

/// Runs a scenario: recording or not, strict or lenient.
pub type RunFn<'a, S> = dyn FnMut(&S, bool, ReplayMode) -> Result<Verdict, Refusal> + 'a;

/// What only a subject knows of how its scenarios become smaller.
pub trait Reduce<S: ScenarioData> {
    /// Proposes smaller scenarios, each pass once.
    ///
    /// # Errors
    /// Those of the runs.
    fn reduce(&self, search: &mut Search<'_, '_, S>) -> Result<(), Refusal>;

    /// Proposes other scenarios, when [`Reduce::reduce`] finds nothing any more: not smaller
    /// ones, but such as may become so.
    ///
    /// # Errors
    /// Those of the runs.
    fn detour(&self, _search: &mut Search<'_, '_, S>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Whether a scenario's schedule decides anything.
    fn has_schedule(&self, _scenario: &S) -> bool {
        true
    }
}

/// Shrinks `scenario`. `None`: it does not fail, or not the check of `wanted`.
///
/// # Errors
/// Those of `run`, which is broken then; a failing scenario is no error.
pub fn shrink<S: ScenarioData>(
    scenario: &S,
    wanted: Option<&Failure>,
    passes: &dyn Reduce<S>,
    run: &mut RunFn<'_, S>,
    budget: ShrinkBudget,
) -> Result<Option<Shrunk<S>>, Refusal> {
    let first = run(scenario, true, ReplayMode::Strict)?;
    let Some(failure) = first.failure.clone() else {
        return Ok(None);
    };
    let wanted = wanted.unwrap_or(&failure);
    if !is_same_check(wanted, &failure) {
        return Ok(None);
    }
    let before = Verdict {
        timeline: Vec::new(),
        ..first.clone()
    };
    let mut search = Search {
        passes,
        best: scenario.clone(),
        verdict: first,
        wanted: wanted.clone(),
        run,
        runs: 1,
        steps: 0,
        budget,
        started_ms: clock::monotonic_ms(),
    };
    search.record_schedule()?;
    // A rewritten schedule may give the other passes something to do, and they it.
    for _ in 0..REWRITES_MAX {
        while search.round()? {}
        let before = search.best.clone();
        passes.detour(&mut search)?;
        search.rewrite_schedule()?;
        if search.best == before || search.is_spent() {
            break;
        }
    }
    search.finish(scenario, before).map(Some)
}

/// How often the schedule is written anew at most.
const REWRITES_MAX: usize = 6;

/// Whether two failures are of the same check.
pub fn is_same_check(one: &Failure, other: &Failure) -> bool {
    (&one.oracle, &one.check) == (&other.oracle, &other.check)
}

/// A shrinking under way.
pub struct Search<'a, 'r, S: ScenarioData> {
    passes: &'a dyn Reduce<S>,
    best: S,
    /// How the best one ran.
    verdict: Verdict,
    wanted: Failure,
    run: &'a mut RunFn<'r, S>,
    runs: u32,
    steps: u32,
    budget: ShrinkBudget,
    started_ms: u64,
}

impl<S: ScenarioData> std::fmt::Debug for Search<'_, '_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search")
            .field("runs", &self.runs)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<S: ScenarioData> Search<'_, '_, S> {
    /// The smallest scenario so far.
    pub fn best(&self) -> &S {
        &self.best
    }

    /// How it ran.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether the budget is spent; passes end then.
    pub fn is_spent(&self) -> bool {
        self.runs >= self.budget.runs || clock::monotonic_ms() - self.started_ms >= self.budget.ms
    }

    /// Keeps the proposal if it fails the same check. It must be smaller than the best one.
    ///
    /// # Errors
    /// Those of the run.
    pub fn propose(&mut self, scenario: S) -> Result<bool, Refusal> {
        if self.is_spent() || scenario == self.best {
            return Ok(false);
        }
        self.accept(scenario, false, ReplayMode::Lenient)
    }

    /// Makes the scenario the best one if it fails the same check. Recording costs more than
    /// the run, so few do.
    ///
    /// # Errors
    /// Those of the run.
    pub fn accept(&mut self, scenario: S, record: bool, mode: ReplayMode) -> Result<bool, Refusal> {
        self.runs += 1;
        let verdict = (self.run)(&scenario, record, mode)?;
        let failure = verdict.failure.as_ref();
        let fails = verdict.diverged.is_none()
            && failure.is_some_and(|failure| is_same_check(failure, &self.wanted));
        if fails {
            self.steps += u32::from(scenario != self.best);
            self.best = scenario;
            self.verdict = verdict;
        }
        Ok(fails)
    }

    /// Turns a drawn schedule into the decisions it drew, which shrink: the fewest of a few
    /// lengths that still fail. The run goes on in turn after them.
    ///
    /// # Errors
    /// Those of the runs.
    pub fn record_schedule(&mut self) -> Result<(), Refusal> {
        let is_drawn = matches!(self.best.schedule(), Schedule::Drawn { .. });
        if !is_drawn || !self.passes.has_schedule(&self.best) {
            return Ok(());
        }
        self.accept(self.best.clone(), true, ReplayMode::Lenient)?;
        let drawn = std::mem::take(&mut self.verdict.decisions);
        let lengths = [0, 16, 64, 256, 1024, 4096].into_iter();
        for length in lengths
            .filter(|&length| length < drawn.len())
            .chain([drawn.len()])
        {
            let schedule = Schedule::Recorded(drawn[..length].to_vec());
            let scenario = self.with_schedule(schedule);
            if self.propose(scenario)? {
                break;
            }
        }
        Ok(())
    }

    /// Every pass once. Returns whether any of them found something.
    fn round(&mut self) -> Result<bool, Refusal> {
        let before = self.best.clone();
        self.passes.reduce(self)?;
        self.shrink_schedule()?;
        Ok(self.best != before && !self.is_spent())
    }

    /// The best scenario under another schedule.
    pub fn with_schedule(&self, schedule: Schedule) -> S {
        let mut scenario = self.best.clone();
        *scenario.schedule_mut() = schedule;
        scenario
    }

    /// The result: what a strict replay confirms.
    fn finish(mut self, original: &S, before: Verdict) -> Result<Shrunk<S>, Refusal> {
        let is_cut_short = self.is_spent();
        self.accept(self.best.clone(), true, ReplayMode::Lenient)?;
        let mut candidates = vec![self.best.clone()];
        if matches!(self.best.schedule(), Schedule::Recorded(_)) {
            // A lenient replay may have gone its own way; what it did is what to record.
            let schedule = Schedule::Recorded(self.verdict.decisions.clone());
            candidates.push(self.with_schedule(schedule));
        }
        candidates.push(original.clone());
        for mut scenario in candidates {
            self.runs += 1;
            let verdict = (self.run)(&scenario, true, ReplayMode::Strict)?;
            let Some(failure) = &verdict.failure else {
                continue;
            };
            if is_same_check(failure, &self.wanted) && verdict.diverged.is_none() {
                scenario.origin_mut().failure = Some(failure.clone());
                return Ok(Shrunk {
                    scenario,
                    before,
                    verdict,
                    runs: self.runs,
                    steps: self.steps,
                    is_cut_short,
                });
            }
        }
        Err(Refusal::broken(
            "the scenario failed once and then did not: it is not deterministic",
        ))
    }
}
