//! The k-th point: one event injected at each decision of a run in turn, then two.
//!
//! A dry run under a *base schedule* shows which events could be injected where: at each
//! decision a minor or a major collection, an allocation that fails, the cancellation of each
//! call and future that is unfinished (or has just ended), the drop of each open call. Run
//! number k repeats the base schedule up to the k-th of these points, injects, and goes on.
//! A failure that needs one event at one exact place is found in at most as many runs as
//! there are points, and its place is known. When all points have had their turn and there are
//! not too many of them, pairs follow.
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

use gcrucible_heap::CollectionKind;

use super::decision::{Choice, Divergence, Point, Strategy, runs_instructions};
use super::random::Random;
use super::round_robin::RoundRobin;
use super::slices::UNTIL_IT_WAITS;
use crate::executor::trace::Event;
use crate::scenario::{HeapOp, HeapOps, Injected, Site};

/// Points up to which pairs are tried.
const PAIRS_MAX: u64 = 256;

/// Decisions after its end at which something is still a target: what comes too late is
/// refused, and must be.
const TOO_LATE: usize = 2;

/// Bits of a seed that hold k.
const K_BITS: u32 = 20;

/// An event that can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PointEvent {
    /// A minor collection.
    Minor,
    /// A major collection.
    Major,
    /// Anything else.
    Inject(Injected),
}

impl PointEvent {
    /// The sort of event, as lists name it.
    pub fn sort(self) -> &'static str {
        match self {
            PointEvent::Minor => "minor",
            PointEvent::Major => "major",
            PointEvent::Inject(Injected::AllocationFailure) => "allocation failure",
            PointEvent::Inject(Injected::CancelCall(_)) => "cancel call",
            PointEvent::Inject(Injected::CancelFuture(_)) => "cancel future",
            PointEvent::Inject(Injected::DropCall(_)) => "drop call",
            PointEvent::Inject(Injected::Interrupt(_)) => "interrupt",
            PointEvent::Inject(Injected::Fork) => "fork",
            PointEvent::Inject(Injected::DropFork) => "drop fork",
            PointEvent::Inject(Injected::Reload(_)) => "reload",
            PointEvent::Inject(Injected::Tick) => "tick",
        }
    }
}

/// An event at a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InjectionPoint {
    /// Number of the decision.
    pub ordinal: u32,
    /// What is injected there.
    pub event: PointEvent,
}

/// All points of a scenario under its base schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InjectionPoints {
    points: Vec<InjectionPoint>,
}

impl InjectionPoints {
    /// The points of a dry run: for each decision the number of trace events before it, and
    /// all trace events. Calls from `ids` on are none of the scenario's own.
    pub fn of_run(decisions: &[usize], events: &[Event], ids: u32) -> Self {
        let mut points = Vec::new();
        // Unfinished ones, and those that have ended with the decision after which they are
        // no targets any more.
        let mut targets: Vec<(PointEvent, Option<usize>)> = Vec::new();
        let mut seen = 0;
        for (at, &before) in decisions.iter().enumerate() {
            for event in events.get(seen..before).unwrap_or_default() {
                follow(event, at + TOO_LATE, ids, &mut targets);
            }
            seen = before;
            targets.retain(|(_, until)| until.is_none_or(|until| at < until));
            let everywhere = [
                PointEvent::Minor,
                PointEvent::Major,
                PointEvent::Inject(Injected::AllocationFailure),
            ];
            let targets = targets.iter().map(|&(event, _)| event);
            let ordinal = at as u32;
            points.extend(
                everywhere
                    .into_iter()
                    .chain(targets)
                    .map(|event| InjectionPoint { ordinal, event }),
            );
        }
        InjectionPoints { points }
    }

    /// These points, in the order of the run.
    pub(super) fn from_points(points: Vec<InjectionPoint>) -> Self {
        InjectionPoints { points }
    }

    /// The points in the order of the run.
    pub fn iter(&self) -> impl Iterator<Item = InjectionPoint> + '_ {
        self.points.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Points by sort of event, in the order in which the sorts first occur.
    pub fn by_sort(&self) -> Vec<(&'static str, usize)> {
        let mut sorts: Vec<(&'static str, usize)> = Vec::new();
        for point in &self.points {
            match sorts
                .iter_mut()
                .find(|(sort, _)| *sort == point.event.sort())
            {
                Some((_, count)) => *count += 1,
                None => sorts.push((point.event.sort(), 1)),
            }
        }
        sorts
    }

    /// Runs that it takes to go through all points and pairs.
    pub fn runs(&self) -> u64 {
        runs(self.points.len() as u64)
    }

    /// What run number k injects: one event or two, in order of their decisions. `k` is taken
    /// modulo [`InjectionPoints::runs`].
    pub fn of(&self, k: u64) -> (Option<InjectionPoint>, Option<InjectionPoint>) {
        let (first, second) = places(k, self.points.len() as u64);
        let point = |at: Option<u64>| at.map(|at| self.points[at as usize]);
        let (first, mut second) = (point(first), point(second));
        if let (Some(first), Some(second)) = (first, &mut second)
            && first.ordinal == second.ordinal
        {
            second.ordinal += 1;
        }
        (first, second)
    }
}

/// Runs for `n` points and their pairs.
fn runs(n: u64) -> u64 {
    let pairs = if n <= PAIRS_MAX {
        n * n.saturating_sub(1) / 2
    } else {
        0
    };
    n + pairs
}

/// Which of `n` points run number `k` is about: one, or two of which the first comes first.
fn places(k: u64, n: u64) -> (Option<u64>, Option<u64>) {
    let all = runs(n);
    if all == 0 {
        return (None, None);
    }
    let k = k % all;
    if k < n {
        return (Some(strided(k, n)), None);
    }
    let (mut first, mut left) = (0, strided(k - n, all - n));
    while left >= n - 1 - first {
        left -= n - 1 - first;
        first += 1;
    }
    (Some(first), Some(first + 1 + left))
}

/// The k-th of `n` places, each once for k below `n`, neighbours far apart.
fn strided(k: u64, n: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = (n as f64 * 0.618_033_988_75) as u64;
    let stride = (golden.max(1)..)
        .find(|&stride| gcd(stride, n) == 1)
        .unwrap_or(1);
    k % n * (stride % n.max(2)) % n
}

/// What an event means for the targets.
fn follow(event: &Event, until: usize, ids: u32, targets: &mut Vec<(PointEvent, Option<usize>)>) {
    let mut ended = |target: Injected| {
        let target = PointEvent::Inject(target);
        for (other, end) in targets.iter_mut() {
            if *other == target && end.is_none() {
                *end = Some(until);
            }
        }
    };
    match *event {
        Event::CallEnded { call, .. } => {
            ended(Injected::CancelCall(call));
            ended(Injected::DropCall(call));
        }
        Event::Settled { future, .. } => ended(Injected::CancelFuture(future)),
        Event::CallStarted { call, .. } if call < ids => {
            for target in [Injected::CancelCall(call), Injected::DropCall(call)] {
                let target = PointEvent::Inject(target);
                targets.retain(|(other, _)| *other != target);
                targets.push((target, None));
            }
        }
        Event::Registered { future, .. } => {
            targets.push((PointEvent::Inject(Injected::CancelFuture(future)), None));
        }
        _ => {}
    }
}

/// Heap operations with a collection, or two, put in at place number k.
pub fn with_collections(body: &HeapOps, k: u64) -> HeapOps {
    // A minor and a major collection before each operation, and after the last.
    let (first, second) = places(k, (body.ops.len() as u64 + 1) * 2);
    let mut body = body.clone();
    for place in [second, first].into_iter().flatten() {
        let kind = if place.is_multiple_of(2) {
            CollectionKind::Minor
        } else {
            CollectionKind::Major
        };
        let at = (place / 2) as usize;
        body.ops.insert(at, HeapOp::Collect(kind));
    }
    body
}

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

    /// The run of a seed over the points of a dry run. Without them it is the base schedule
    /// and nothing else: the dry run.
    pub fn new(seed: u64, points: Option<&InjectionPoints>) -> Self {
        let (base, k) = (seed >> K_BITS, seed & ((1 << K_BITS) - 1));
        let (round, injections) = match points {
            Some(points) if points.runs() > 0 => {
                let (first, second) = points.of(k);
                (k / points.runs(), [first, second])
            }
            _ => (0, [None; 2]),
        };
        let base = match (base, round) {
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
            injections,
            injected: 0,
            is_dry: points.is_none(),
        }
    }
}

impl KthPoint {
    /// The same over points that a base schedule has besides others: a `k` beyond all of them
    /// begins with the first again, and the base schedule stays.
    pub fn again(seed: u64, points: Option<&InjectionPoints>) -> Self {
        let (base, k) = (seed >> K_BITS, seed & ((1 << K_BITS) - 1));
        let runs = points.map_or(0, InjectionPoints::runs);
        Self::new((base << K_BITS) | (k % runs.max(1)), points)
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
    use crate::executor::graph::FutureState;
    use crate::executor::trace::{Callee, Outcome};

    #[test]
    fn strides_meet_each_place_once() {
        for n in 1..200 {
            let mut seen = vec![false; n as usize];
            for k in 0..n {
                let place = &mut seen[strided(k, n) as usize];
                assert!(!*place, "{k} of {n}");
                *place = true;
            }
        }
    }

    #[test]
    fn the_first_runs_are_spread_over_all_places() {
        let mut tenths = [0; 10];
        for k in 0..20 {
            tenths[(strided(k, 1000) / 100) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|count| (1..=3).contains(count)),
            "{tenths:?}"
        );
    }

    #[test]
    fn after_the_places_come_the_pairs_each_once() {
        for n in [1, 2, 3, 17] {
            let mut seen = std::collections::BTreeSet::new();
            for k in 0..runs(n) {
                let (first, second) = places(k, n);
                assert!(second.is_none_or(|second| first < Some(second) && second < n));
                assert_eq!(second.is_some(), k >= n);
                assert!(seen.insert((first, second)), "{k} of {n}");
            }
            assert_eq!(places(runs(n), n), places(0, n), "and then again");
        }
        assert_eq!(runs(PAIRS_MAX + 1), PAIRS_MAX + 1);
        assert_eq!(places(7, 0), (None, None));
    }

    #[test]
    fn targets_are_points_while_they_live_and_a_little_longer() {
        let events = [
            Event::CallStarted {
                call: 7,
                task: 1,
                callee: Callee::ModuleInit,
                realm: 0,
                seed: 0,
            },
            Event::Registered {
                task: 1,
                future: 3,
                runner: 2,
                detached: false,
                deadline: None,
                seed: 0,
            },
            Event::Settled {
                future: 3,
                state: FutureState::Ready,
            },
            Event::CallEnded {
                call: 7,
                task: 1,
                outcome: Outcome::Cancelled,
                is_cancelled: true,
            },
        ];
        let decisions = [0, 1, 2, 3, 4, 4, 4];
        let points = InjectionPoints::of_run(&decisions, &events, 100);
        let at = |event: PointEvent| -> Vec<u32> {
            let points = points.iter().filter(|point| point.event == event);
            points.map(|point| point.ordinal).collect()
        };
        assert_eq!(at(PointEvent::Minor), [0, 1, 2, 3, 4, 5, 6]);
        let inject = PointEvent::Inject;
        assert_eq!(at(inject(Injected::CancelFuture(3))), [2, 3, 4]);
        assert_eq!(at(inject(Injected::CancelCall(7))), [1, 2, 3, 4, 5]);
        assert_eq!(at(inject(Injected::DropCall(7))), [1, 2, 3, 4, 5]);
        assert_eq!(points.len(), 3 * 7 + 3 + 5 + 5);
        assert_eq!(points.by_sort().len(), 6);
        let others = InjectionPoints::of_run(&decisions, &events, 7);
        assert_eq!(others.len(), 3 * 7 + 3, "call 7 is none of the scenario's");
    }

    #[test]
    fn seeds_hold_base_and_number() {
        assert_eq!(KthPoint::seed(0, 5), 5);
        assert_eq!(KthPoint::seed(3, 5) >> K_BITS, 3);
        assert!(KthPoint::seed(u64::MAX, u64::MAX) < 1 << 53);
    }

    #[test]
    fn collections_are_put_between_operations() {
        let body = HeapOps {
            holders: 1,
            registers: 2,
            ops: vec![HeapOp::Map(0), HeapOp::Map(1)],
        };
        let mut programs: Vec<Vec<HeapOp>> = Vec::new();
        for k in 0..runs(6) {
            let ops = with_collections(&body, k).ops;
            let kept = ops
                .iter()
                .filter(|op| !matches!(op, HeapOp::Collect(_)))
                .copied();
            assert_eq!(kept.collect::<Vec<_>>(), body.ops);
            assert_eq!(ops.len(), 2 + if k < 6 { 1 } else { 2 });
            assert!(!programs.contains(&ops), "{k}");
            programs.push(ops);
        }
    }
}
