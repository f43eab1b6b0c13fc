//! Which scenarios of a lane are still to be run.

use std::collections::VecDeque;

use super::ranges::Ranges;

/// The positions of one lane that nobody works on and nobody has done.
#[derive(Clone, Debug)]
pub struct LaneQueue {
    /// Ranges to be done before the frontier: gaps of an earlier life, remains of dead
    /// workers' chunks.
    holes: VecDeque<(u64, u64)>,
    /// Positions beyond the frontier that are to be run out of turn.
    wanted: VecDeque<u64>,
    /// Positions that were, or will be: the frontier passes them over.
    ahead: Ranges,
    /// First position that was never handed out.
    frontier: u64,
    /// The position after the last one of the plan.
    end: u64,
    /// CPU nanoseconds per scenario, as measured so far.
    cost_ns: u64,
    /// CPU nanoseconds that went to the lane, those of chunks under way estimated.
    spent_ns: u64,
}

/// A chunk should take this long: long enough that handing it out costs nothing, short
/// enough that time budgets are kept.
const CHUNK_NS: u64 = 40_000_000;

/// Scenarios of a chunk at most; what a dead worker did in vain.
const CHUNK_MAX: u64 = 2048;

/// Size of the chunks where a campaign ends at its first finding: lanes take turns often, in
/// an order that is the same in each run.
const CHUNK_SMALL: u64 = 8;

impl LaneQueue {
    /// What is left of positions below `end` when `done` is done, and `ahead` out of turn.
    pub fn new(done: &Ranges, ahead: &Ranges, end: u64, spent_ns: u64, scenarios: u64) -> Self {
        let frontier = done.end();
        let mut all = done.clone();
        for (from, to) in ahead.iter() {
            all.insert(from, to.min(frontier));
        }
        LaneQueue {
            holes: all.gaps().into(),
            wanted: VecDeque::new(),
            ahead: ahead.clone(),
            frontier,
            end,
            cost_ns: spent_ns
                .checked_div(scenarios)
                .map_or(500_000, |cost_ns| cost_ns.max(1)),
            spent_ns,
        }
    }

    /// The next range to be done, and its CPU nanoseconds as estimated; `None` when
    /// everything is handed out.
    pub fn take(&mut self, has_small_chunks: bool) -> Option<((u64, u64), u64)> {
        self.take_from(has_small_chunks, self.end)
    }

    /// As [`LaneQueue::take`], but only of what was handed out before and came back.
    pub fn take_back(&mut self) -> Option<((u64, u64), u64)> {
        self.take_from(false, 0)
    }

    /// Makes a position that was never handed out wanted out of turn; false if it was.
    pub fn want(&mut self, position: u64) -> bool {
        let is_free = (self.frontier..self.end).contains(&position)
            && !self.ahead.overlaps(position, position + 1);
        if is_free {
            self.ahead.insert(position, position + 1);
            self.wanted.push_back(position);
        }
        is_free
    }

    /// The next position that is wanted out of turn, as a range, and its CPU nanoseconds as
    /// estimated.
    pub fn take_wanted(&mut self) -> Option<((u64, u64), u64)> {
        let position = self.wanted.pop_front()?;
        self.spent_ns += self.cost_ns;
        Some(((position, position + 1), self.cost_ns))
    }

    /// First position that was never handed out, but out of turn.
    pub fn frontier(&self) -> u64 {
        self.frontier
    }

    fn take_from(&mut self, has_small_chunks: bool, end: u64) -> Option<((u64, u64), u64)> {
        let count = if has_small_chunks {
            CHUNK_SMALL
        } else {
            (CHUNK_NS / self.cost_ns.max(1)).clamp(1, CHUNK_MAX)
        };
        let range = match self.holes.pop_front() {
            Some((from, to)) if to - from > count => {
                self.holes.push_front((from + count, to));
                (from, from + count)
            }
            Some(hole) => hole,
            None if self.frontier < end => {
                let (from, free_to) = self.ahead.free_from(self.frontier);
                self.frontier = from.saturating_add(count).min(end).min(free_to);
                if from >= end {
                    return None;
                }
                (from, self.frontier)
            }
            None => return None,
        };
        let estimate_ns = (range.1 - range.0) * self.cost_ns;
        self.spent_ns += estimate_ns;
        Some((range, estimate_ns))
    }

    /// Notes that a range took so long, which was estimated at `estimate_ns`.
    pub fn finish(&mut self, scenarios: u64, estimate_ns: u64, cpu_ns: u64) {
        self.spent_ns = self.spent_ns.saturating_sub(estimate_ns) + cpu_ns;
        if let Some(cost_ns) = cpu_ns.checked_div(scenarios) {
            // A moving average: scenarios grow as the index rises.
            self.cost_ns = ((self.cost_ns * 3 + cost_ns) / 4).max(1);
        }
    }

    /// Takes back a range that was handed out and not done.
    pub fn give_back(&mut self, from: u64, to: u64, estimate_ns: u64) {
        self.spent_ns = self.spent_ns.saturating_sub(estimate_ns);
        if from < to {
            self.holes.push_front((from, to));
        }
    }

    /// Whether everything is handed out.
    pub fn is_empty(&self) -> bool {
        self.holes.is_empty() && self.frontier >= self.end
    }

    /// Thousandths of the plan that are handed out.
    pub fn share_done(&self) -> u64 {
        let holes: u64 = self.holes.iter().map(|(from, to)| to - from).sum();
        let done = u128::from(self.frontier.saturating_sub(holes));
        u64::try_from(done * 1000 / u128::from(self.end.max(1))).unwrap_or(1000)
    }

    /// CPU nanoseconds that went to the lane.
    pub fn spent_ns(&self) -> u64 {
        self.spent_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_handed_out_once() {
        let mut done = Ranges::default();
        done.insert(5, 10);
        done.insert(12, 40);
        let mut queue = LaneQueue::new(&done, &Ranges::default(), 200, 0, 0);
        let mut seen = done.clone();
        let mut taken = 0;
        while let Some(((from, to), estimate)) = queue.take(true) {
            if taken == 2 {
                queue.give_back(from, to, estimate);
                taken += 1;
                continue;
            }
            assert!(!seen.overlaps(from, to), "{from}..{to}");
            seen.insert(from, to);
            queue.finish(to - from, estimate, 1000);
            taken += 1;
        }
        assert!(seen.gaps().is_empty());
        assert_eq!(seen.end(), 200);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_was_run_out_of_turn_is_not_run_again() {
        let (mut done, mut ahead) = (Ranges::default(), Ranges::default());
        done.insert(0, 10);
        done.insert(12, 20);
        ahead.insert(11, 12);
        let mut queue = LaneQueue::new(&done, &ahead, 60, 0, 0);
        assert!(!queue.want(19), "it was handed out");
        assert!(queue.want(30) && queue.want(31) && !queue.want(30));
        assert_eq!(queue.take_wanted().unwrap().0, (30, 31));
        let mut seen = Vec::new();
        while let Some(((from, to), _)) = queue.take(true) {
            seen.extend(from..to);
        }
        let mut expected: Vec<u64> = vec![10];
        expected.extend((20..30).chain(32..60));
        assert_eq!(seen, expected);
        assert_eq!(queue.take_wanted().unwrap().0, (31, 32));
        assert_eq!(queue.take_wanted(), None);
    }

    #[test]
    fn chunks_grow_until_they_take_their_time() {
        let mut queue = LaneQueue::new(&Ranges::default(), &Ranges::default(), u64::MAX, 0, 0);
        let mut last = 0;
        for _ in 0..30 {
            let ((from, to), estimate) = queue.take(false).unwrap();
            last = to - from;
            queue.finish(last, estimate, last * 50_000);
        }
        assert!((700..=801).contains(&last), "{last}");
    }
}
