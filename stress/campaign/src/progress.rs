//! What a person sees while a campaign runs.

use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plan::{Limit, Plan};
use super::totals::Totals;
use gcrucible_trace::clock;

/// Milliseconds between two updates of a live display.
const LIVE_MS: u64 = 200;

/// Milliseconds between two lines where there is no terminal.
const LINE_MS: u64 = 5000;

/// The display: a bar on a terminal, else a line now and then, both on stderr.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    limit: Limit,
    scenarios_planned: u64,
    shown_ms: u64,
    is_silent: bool,
    warned: bool,
}

impl Progress {
    /// A display for a plan.
    pub fn new(plan: &Plan, is_silent: bool) -> Progress {
        let scenarios_planned = match plan.limit {
            Limit::Scenarios(count) => plan.shard.positions(count) * plan.lanes.len() as u64,
            Limit::TimeMs(_) | Limit::CpuMs(_) => 0,
        };
        let is_live = !is_silent && std::io::stderr().is_terminal();
        let bar = is_live.then(|| {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:24.cyan} {percent:>3} %  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style);
            bar
        });
        let limit = plan.limit;
        Progress {
            bar,
            limit,
            scenarios_planned,
            shown_ms: 0,
            is_silent,
            warned: false,
        }
    }

    /// Shows where the campaign is, if it is time to.
    pub fn show(&mut self, totals: &Totals, elapsed_ms: u64) {
        let now = clock::monotonic_ms();
        let pause_ms = if self.bar.is_some() { LIVE_MS } else { LINE_MS };
        if self.is_silent || now < self.shown_ms + pause_ms {
            return;
        }
        // Not at the very start: there is nothing to say yet.
        let is_first = std::mem::replace(&mut self.shown_ms, now) == 0;
        let line = self.line(totals, elapsed_ms);
        if !self.warned
            && let Some(warning) = super::vacuity::validity_warnings(totals).first()
            && totals.scenarios() >= 1000
        {
            self.warned = true;
            self.note(warning);
        }
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.per_mille(totals, elapsed_ms));
                bar.set_message(line);
            }
            None if !is_first => say(&line),
            None => {}
        }
    }

    /// Shows a line that stays.
    pub fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(line)),
            None if !self.is_silent => say(line),
            None => {}
        }
    }

    /// Shows what is done after the scenarios.
    pub fn stage(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    /// Removes the live display.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn per_mille(&self, totals: &Totals, elapsed_ms: u64) -> u64 {
        let (done, of) = match self.limit {
            Limit::TimeMs(ms) => (elapsed_ms, ms),
            Limit::CpuMs(ms) => (totals.worker_cpu_ns() / 1_000_000, ms),
            Limit::Scenarios(_) => (totals.scenarios(), self.scenarios_planned),
        };
        (done * 1000 / of.max(1)).min(1000)
    }

    fn line(&self, totals: &Totals, elapsed_ms: u64) -> String {
        let sum = |count: fn(&gcrucible_trace::Counters) -> u64| -> u64 {
            totals
                .lanes
                .values()
                .map(|lane| count(&lane.counters))
                .sum()
        };
        let elapsed = Duration::from_millis(elapsed_ms);
        format!(
            "{}.{} s  {} scenarios  {} decisions  {} collections  {} moved  {} cancels  {} findings",
            elapsed.as_secs(),
            elapsed.subsec_millis() / 100,
            sum(|c| c.scenarios),
            sum(|c| c.decisions),
            sum(|c| c.collections_minor + c.collections_major),
            sum(|c| c.objects_moved),
            sum(|c| c.cancels),
            totals.findings.len()
        )
    }
}

/// What a person sees while something runs whose end nobody knows: a line that changes on a terminal, else a
/// line now and then, both on stderr.
#[derive(Debug, Default)]
pub struct Waiting {
    bar: Option<ProgressBar>,
    shown_ms: u64,
}

impl Waiting {
    /// Shows what is under way, if it is time to.
    pub fn show(&mut self, what: &str) {
        let now = clock::monotonic_ms();
        let is_live = std::io::stderr().is_terminal();
        let pause_ms = if is_live { LIVE_MS } else { LINE_MS };
        if now < self.shown_ms + pause_ms {
            return;
        }
        self.shown_ms = now;
        if is_live {
            let bar = self.bar.get_or_insert_with(|| {
                ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                    .with_style(ProgressStyle::default_spinner())
            });
            bar.set_message(what.to_owned());
            bar.tick();
        } else {
            say(what);
        }
    }

    /// Removes the line that changes.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Writes a line to standard error. That nobody reads it ends no campaign.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
