//! Places at which a run can be disturbed, and which of them run number k is about.

use gcrucible_trace::Injected;

/// Points up to which pairs are tried.
const PAIRS_MAX: u64 = 256;

/// Decisions within which two events are near one another.
const NEAR: u32 = 12;

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
            PointEvent::Inject(
                Injected::AllocationFailure | Injected::LaterAllocationFailure(_),
            ) => "allocation failure",
            PointEvent::Inject(Injected::CancelCall(_)) => "cancel call",
            PointEvent::Inject(Injected::CancelFuture(_)) => "cancel future",
            PointEvent::Inject(Injected::DropCall(_)) => "drop call",
            PointEvent::Inject(Injected::Interrupt(_)) => "interrupt",
            PointEvent::Inject(Injected::Fork) => "fork",
            PointEvent::Inject(Injected::DropFork) => "drop fork",
            PointEvent::Inject(Injected::Reload(_)) => "reload",
            PointEvent::Inject(Injected::Tick) => "tick",
            PointEvent::Inject(Injected::DropTask(_)) => "drop task",
            PointEvent::Inject(Injected::PollTask(_)) => "poll task",
            PointEvent::Inject(Injected::PanicTask(_)) => "panic of task",
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
    /// These points, in the order of the run.
    pub fn from_points(points: Vec<InjectionPoint>) -> Self {
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

impl InjectionPoints {
    /// Runs after which [`InjectionPoints::near`] begins again.
    pub fn near_runs(&self) -> u64 {
        2 * self.points.len() as u64
    }

    /// What run number k injects if all pairs would be too many: by turns each event alone, and each with one
    /// that follows within a few decisions. What is under way when the first one comes is what the
    /// second one can meet. A point that occurs more than once has more turns.
    pub fn near(&self, k: u64) -> (Option<InjectionPoint>, Option<InjectionPoint>) {
        let n = self.points.len() as u64;
        if n == 0 {
            return (None, None);
        }
        let k = k % self.near_runs();
        let first = self.points[strided(k / 2, n) as usize];
        if k.is_multiple_of(2) {
            return (Some(first), None);
        }
        let reach = first.ordinal..first.ordinal.saturating_add(NEAR);
        let is_near = |point: &&InjectionPoint| reach.contains(&point.ordinal) && **point != first;
        let count = self.points.iter().filter(is_near).count() as u64;
        // The odd multiplier takes neighbours to places far from one another.
        let at = (k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % count.max(1);
        let mut second = self.points.iter().filter(is_near).nth(at as usize).copied();
        if let Some(second) = &mut second
            && second.ordinal == first.ordinal
        {
            second.ordinal += 1;
        }
        (Some(first), second)
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

/// Which of `n` places run number `k` is about: one, or two of which the first comes first. Each
/// place has its turn alone, then, if there are not too many, each pair; neighbouring numbers are
/// about places far from one another.
pub fn places(k: u64, n: u64) -> (Option<u64>, Option<u64>) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn each_point_has_a_turn_alone_and_one_with_another_that_follows_soon() {
        let point = |ordinal: u32| InjectionPoint {
            ordinal,
            event: PointEvent::Minor,
        };
        let points = InjectionPoints::from_points((0..50).map(|n| point(2 * n)).collect());
        let mut alone = Vec::new();
        for k in 0..points.near_runs() {
            let (first, second) = points.near(k);
            let first = first.expect("there are points");
            match second {
                None => alone.push(first.ordinal),
                Some(second) => {
                    let distance = second.ordinal - first.ordinal;
                    assert!((1..=NEAR).contains(&distance), "{first:?} {second:?}");
                }
            }
            assert_eq!(points.near(k + points.near_runs()), points.near(k));
        }
        alone.sort_unstable();
        alone.dedup();
        assert_eq!(alone.len(), 50);
        assert_eq!(InjectionPoints::default().near(3), (None, None));
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
}
