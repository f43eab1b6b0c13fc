//! The k-th point: one event injected at each decision of a run in turn, then two.
//!
//! A dry run under a *base schedule* shows which events could be injected where: at each
//! decision a minor or a major collection, an allocation that fails, the cancellation of each
//! call and future that is unfinished (or has just ended), the drop of each open call; of tasks
//! that a host polls, the drop, a poll that nobody asked for, a panic. Run number k repeats the
//! base schedule up to the k-th of these points, injects, and goes on. A failure that needs one
//! event at one exact place is found in at most as many runs as there are points, and its place
//! is known. When all points have had their turn and there are not too many of them, pairs
//! follow.
//!
//! Neighbouring runs inject far from one another: the points are taken in strides, as far
//! apart as the golden ratio puts them, so that any number of first runs is spread over the
//! whole scenario and over all sorts of events.
//!
//! # Seeds
//! The seed of such a schedule is `base << 20 | k` ([`KthPoint::seed`]). Base 0 is single
//! instructions, each task until it waits, in turn: every instruction is a point. Others are
//! random walks, their slices of a random style. A k beyond all points (and pairs) starts
//! over on another random walk, whose decisions have the same numbers but come elsewhere.
//!
//! # Not handled
//! After the first event of a pair the run goes its own way; the second comes at the decision
//! with its number, and has no effect if its target is not there.

use gcrucible_trace::{CollectionKind, Site};

use super::decision::{Choice, Divergence, Point, Strategy, runs_instructions};
use super::injection::{InjectionPoint, InjectionPoints, PointEvent};
use super::random::Random;
use super::round_robin::RoundRobin;
use super::slices::UNTIL_IT_WAITS;

/// Bits of a seed that hold k.
const K_BITS: u32 = 20;

/// A base schedule with events injected.
#[derive(Debug)]
pub struct KthPoint {
    base: Base,
    injections: [Option<InjectionPoint>; 2],
    injected: u32,
    is_dry: bool,
}

#[derive(Debug)]
enum Base {
    /// Single instructions, until the task waits.
    Turns {
        turns: RoundRobin,
        /// The task whose turn it is.
        last: u32,
        /// Instructions left of its turn.
        left: u32,
    },
    Walk(Box<Random>),
}

impl KthPoint {
    /// The seed of run number `k` over a base schedule; both are cut to what fits below 2^53.
    pub fn seed(base: u64, k: u64) -> u64 {
        (base << K_BITS | k & ((1 << K_BITS) - 1)) & ((1 << 53) - 1)
    }

    /// The seed of the base schedule of a seed, with which a dry run finds its points.
    pub fn base(seed: u64) -> u64 {
        Self::seed(seed >> K_BITS, 0)
    }

    /// The run of a seed over the points of a dry run. Without them it is the base schedule
    /// and nothing else: the dry run.
    pub fn new(seed: u64, points: Option<&InjectionPoints>) -> Self {
        let k = seed & ((1 << K_BITS) - 1);
        let (round, injections) = match points {
            Some(points) if points.runs() > 0 => (k / points.runs(), points.of(k)),
            _ => (0, (None, None)),
        };
        Self::with(seed, round, injections, points.is_none())
    }

    /// The same over points that a base schedule has besides others: [one at a time, or two that are near one
    /// another](InjectionPoints::near). A `k` beyond all of them begins with the first again, and the
    /// base schedule stays.
    pub fn again(seed: u64, points: Option<&InjectionPoints>) -> Self {
        let k = seed & ((1 << K_BITS) - 1);
        let injections = points.map_or((None, None), |points| points.near(k));
        Self::with(seed, 0, injections, points.is_none())
    }

    fn with(
        seed: u64,
        round: u64,
        (first, second): (Option<InjectionPoint>, Option<InjectionPoint>),
        is_dry: bool,
    ) -> Self {
        let base = match (seed >> K_BITS, round) {
            (0, 0) => Base::Turns {
                turns: RoundRobin::default(),
                last: Site::HOST,
                left: 0,
            },
            (base, round) => {
                // The odd multiplier keeps rounds of neighbouring bases apart.
                let seed = base ^ round.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                Base::Walk(Box::new(Random::new(seed)))
            }
        };
        KthPoint {
            base,
            injections: [first, second],
            injected: 0,
            is_dry,
        }
    }
}

impl Base {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        match self {
            Base::Walk(walk) => walk.choose(point).map(|choice| Choice {
                collect: None,
                ..choice
            }),
            Base::Turns { turns, last, left } => {
                let goes_on = point
                    .ready
                    .iter()
                    .position(|ready| ready.site.actor == *last)
                    .filter(|_| *left > 0);
                let choice = match goes_on {
                    Some(index) => {
                        *left -= 1;
                        Choice {
                            index,
                            fuel: 1,
                            collect: None,
                            inject: None,
                        }
                    }
                    None => {
                        let choice = turns.next(point);
                        *last = point.ready[choice.index].site.actor;
                        // Who spins gives the turn away in the end.
                        *left = if runs_instructions(*last) {
                            UNTIL_IT_WAITS
                        } else {
                            0
                        };
                        Choice {
                            fuel: choice.fuel.min(1),
                            ..choice
                        }
                    }
                };
                Ok(choice)
            }
        }
    }
}

impl Strategy for KthPoint {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        let mut choice = self.base.choose(point)?;
        for injection in self.injections.iter().flatten() {
            if injection.ordinal == point.ordinal {
                self.injected += 1;
                match injection.event {
                    PointEvent::Minor => choice.collect = Some(CollectionKind::Minor),
                    PointEvent::Major => choice.collect = Some(CollectionKind::Major),
                    PointEvent::Inject(inject) => choice.inject = Some(inject),
                }
            }
        }
        Ok(choice)
    }

    fn injected(&self) -> u32 {
        self.injected
    }

    fn note(&self) -> Option<&'static str> {
        self.is_dry
            .then_some("without the points of a dry run this is the base schedule")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_hold_base_and_number() {
        assert_eq!(KthPoint::seed(0, 5), 5);
        assert_eq!(KthPoint::seed(3, 5) >> K_BITS, 3);
        assert_eq!(KthPoint::base(KthPoint::seed(3, 5)), KthPoint::seed(3, 0));
        assert!(KthPoint::seed(u64::MAX, u64::MAX) < 1 << 53);
    }
}
