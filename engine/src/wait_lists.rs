//! Who waits for channels and mutexes.
//!
//! A change gives turns: one for each value that can be received, each free place, each mutex that is
//! free, to those who have waited longest and for whom none is on its way yet. So n messages cost n
//! wake-ups, however many wait. Who has the turn is off the list, and looks again. There are three ends
//! of it: it has taken what there was; it found nothing, since another came before, and waits again,
//! before all others; or something else came over it (a cancellation, a deadline, its end) and the next
//! in the list gets the turn instead. A channel that closes gives everybody a turn.
//!
//! # Invariants
//! 1. A task registers first, gives its turn back, and compares versions then: what changes before that
//!    it sees itself, and what changes after it gives a turn.
//! 2. As long as something is there to be taken, nobody waits for it without a turn under way. Who has
//!    the turn takes what there is before it says so, so what comes in between finds a turn under way
//!    that is of no use to it any more: that is noted, and made good when the turn ends.
//! 3. A change gives no turn to who looked after it: it comes to giving turns when others have
//!    taken what it was worth, and began to wait for what they left. Nor is a turn passed on to such a one.

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::{Change, Side};

use crate::futures::Signal;

/// A task and what it waits with.
type Waiter = (u32, Arc<Signal>);

/// A task on a list.
#[derive(Debug)]
struct Waiting {
    waiter: Waiter,
    /// The version that it has seen and found nothing in.
    seen: u64,
}

/// What somebody waits for: the id of a channel or mutex, and what it is to have.
pub(crate) type Place = (u64, Side);

/// Lists of waiting tasks.
#[derive(Debug, Default)]
pub(crate) struct WaitLists {
    lists: Mutex<BTreeMap<Place, List>>,
}

/// Those who wait for one thing.
#[derive(Debug, Default)]
struct List {
    /// By their places in the list.
    waiting: BTreeMap<i64, Waiting>,
    /// Who has the turn and has not looked yet.
    turns: u32,
    /// The last change that gave fewer turns than it is worth because of those: its version, and
    /// what it is worth.
    withheld: Option<(u64, u32)>,
    /// The version of the last change that there was something to be had after.
    latest: u64,
    /// The next places at the front and at the back.
    front: i64,
    back: i64,
}

impl List {
    /// Takes off who has waited longest of those who have not seen this version.
    fn pop_first(&mut self, version: u64) -> Option<Waiter> {
        let mut waiting = self.waiting.iter();
        let (&at, _) = waiting.find(|(_, waiting)| waiting.seen < version)?;
        self.waiting.remove(&at).map(|waiting| waiting.waiter)
    }
}

impl WaitLists {
    /// Puts a task on the list that has seen this version, before all others if it had the turn.
    /// Gives its place there.
    pub(crate) fn add(
        &self,
        place: Place,
        (task, signal): (u32, &Arc<Signal>),
        seen: u64,
        had_turn: bool,
    ) -> i64 {
        let mut lists = self.lists.lock();
        let list = lists.entry(place).or_default();
        let at = if had_turn {
            list.turns = list.turns.saturating_sub(1);
            list.front -= 1;
            list.front
        } else {
            list.back += 1;
            list.back
        };
        let waiter = (task, Arc::clone(signal));
        list.waiting.insert(at, Waiting { waiter, seen });
        at
    }

    /// Takes a task off the list; `false` if it is not there, because it has the turn. One that
    /// `keeps_turn` has it in any case: it had it before, and what it saw change since may have
    /// given nobody a turn for its sake.
    pub(crate) fn remove(&self, place: Place, at: i64, keeps_turn: bool) -> bool {
        let mut lists = self.lists.lock();
        let Some(list) = lists.get_mut(&place) else {
            return false;
        };
        let was_there = list.waiting.remove(&at).is_some();
        if was_there && keeps_turn {
            list.turns += 1;
            return false;
        }
        if !planted!(B205, was_there && list.waiting.is_empty()) {
            forget_if_empty(&mut lists, place);
        }
        was_there
    }

    /// Whether anybody waits for something that a change may have made possible.
    pub(crate) fn has_any(&self, changes: &[Change]) -> bool {
        let lists = self.lists.lock();
        let mut places = changes.iter().flat_map(places);
        places.any(|(place, ..)| {
            lists
                .get(&place)
                .is_some_and(|list| !list.waiting.is_empty())
        })
    }

    /// Gives the turns that changes are worth. Those who get them are to be woken, in order.
    pub(crate) fn take(&self, changes: &[Change]) -> Vec<Waiter> {
        let mut lists = self.lists.lock();
        let mut woken = Vec::new();
        for (place, available, version) in changes.iter().flat_map(places) {
            let Some(list) = lists.get_mut(&place) else {
                continue;
            };
            if available > 0 {
                list.latest = list.latest.max(version);
            }
            let mut turns = available.saturating_sub(list.turns);
            if turns < available && list.withheld.is_none_or(|(of, _)| of < version) {
                list.withheld = Some((version, available));
            }
            if planted!(B174, turns > 0 && list.waiting.len() > turns as usize) {
                turns = u32::MAX;
            }
            while turns > 0
                && let Some(waiter) = list.pop_first(version)
            {
                list.turns += 1;
                turns -= 1;
                woken.push(waiter);
            }
        }
        woken
    }

    /// Who had the turn has taken what there was, with a change of this `version`. What changed
    /// after that, and gave fewer turns because of this one, gives them now: who gets them is to
    /// be woken.
    pub(crate) fn end_turn(&self, place: Place, version: u64) -> Vec<Waiter> {
        let mut lists = self.lists.lock();
        let mut woken = Vec::new();
        if let Some(list) = lists.get_mut(&place) {
            list.turns = list.turns.saturating_sub(1);
            // It stays noted, for others whose turns began before it.
            if let Some((of, available)) = list.withheld
                && of > version
            {
                while list.turns < available
                    && let Some(waiter) = list.pop_first(of)
                {
                    list.turns += 1;
                    woken.push(waiter);
                }
                if planted!(B204, list.turns > woken.len() as u32) {
                    list.withheld = None;
                }
            }
        }
        forget_if_empty(&mut lists, place);
        woken
    }

    /// Who had the turn has taken nothing: the next one has it that has not seen yet what there was to
    /// be had, if there is one, and is to be woken.
    pub(crate) fn pass_turn_on(&self, place: Place) -> Option<Waiter> {
        let mut lists = self.lists.lock();
        let list = lists.get_mut(&place)?;
        let latest = match planted!(B309) {
            true => u64::MAX,
            false => list.latest,
        };
        let next = match planted!(B203, list.waiting.len() > 1) {
            true => list.waiting.pop_last().map(|(_, last)| last.waiter),
            false => list.pop_first(latest),
        };
        if next.is_none() {
            list.turns = list.turns.saturating_sub(1);
        }
        forget_if_empty(&mut lists, place);
        next
    }

    /// Number of lists; none at rest.
    pub(crate) fn len(&self) -> usize {
        self.lists.lock().len()
    }

    /// Whether a task is on a list.
    pub(crate) fn is_waiting(&self, task: u32) -> bool {
        let lists = self.lists.lock();
        let mut waiting = lists.values().flat_map(|list| list.waiting.values());
        waiting.any(|waiting| waiting.waiter.0 == task)
    }

    /// Tasks that wait, with the id of the object.
    pub(crate) fn waiting(&self) -> Vec<(u32, u64)> {
        let lists = self.lists.lock();
        let mut waiting: Vec<(u32, u64)> = lists
            .iter()
            .flat_map(|(&(object, _), list)| {
                let tasks = list.waiting.values().map(|waiting| waiting.waiter.0);
                tasks.map(move |task| (task, object))
            })
            .collect();
        waiting.sort_unstable();
        waiting
    }
}

/// What a change makes possible, how often, and its version.
fn places(change: &Change) -> [(Place, u32, u64); 2] {
    [
        ((change.object, Side::Take), change.takes, change.version),
        ((change.object, Side::Put), change.puts, change.version),
    ]
}

fn forget_if_empty(lists: &mut BTreeMap<Place, List>, place: Place) {
    let is_empty = |list: &List| list.waiting.is_empty() && list.turns == 0;
    if lists.get(&place).is_some_and(is_empty) {
        lists.remove(&place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = (7, Side::Take);

    fn values(takes: u32) -> [Change; 1] {
        values_of(takes, 1)
    }

    fn values_of(takes: u32, version: u64) -> [Change; 1] {
        [Change {
            object: 7,
            takes,
            puts: 0,
            version,
        }]
    }

    fn woken(lists: &WaitLists, takes: u32) -> Vec<u32> {
        let woken = lists.take(&values(takes));
        woken.into_iter().map(|(task, _)| task).collect()
    }

    fn lists_of(tasks: std::ops::Range<u32>) -> (WaitLists, Vec<i64>) {
        let lists = WaitLists::default();
        let places = tasks.map(|task| lists.add(PLACE, (task, &Arc::default()), 0, false));
        let places = places.collect();
        (lists, places)
    }

    #[test]
    fn each_value_gives_one_turn_to_who_has_waited_longest() {
        let (lists, _) = lists_of(0..4);
        assert_eq!(woken(&lists, 1), [0]);
        // Two values are there, and one of them is on its way to a task.
        assert_eq!(woken(&lists, 2), [1]);
        assert!(lists.end_turn(PLACE, 1).is_empty());
        assert_eq!(woken(&lists, 1), [0; 0]);
        assert_eq!(woken(&lists, u32::MAX), [2, 3]);
    }

    #[test]
    fn a_turn_that_is_of_no_use_is_passed_on() {
        let (lists, _) = lists_of(0..2);
        assert_eq!(woken(&lists, 1), [0]);
        assert_eq!(lists.pass_turn_on(PLACE).map(|(task, _)| task), Some(1));
        assert!(lists.pass_turn_on(PLACE).is_none());
        assert!(lists.lists.lock().is_empty());
    }

    #[test]
    fn a_turn_is_not_passed_on_to_who_saw_what_it_was_for() {
        let lists = WaitLists::default();
        lists.add(PLACE, (0, &Arc::default()), 0, false);
        assert_eq!(woken(&lists, 1), [0]);
        // Another has taken it before this one looked.
        lists.add(PLACE, (1, &Arc::default()), 1, false);
        assert!(lists.pass_turn_on(PLACE).is_none());
        let again = lists.take(&values_of(1, 2));
        assert_eq!(
            again.into_iter().map(|(task, _)| task).collect::<Vec<_>>(),
            [1]
        );
    }

    #[test]
    fn what_comes_between_a_look_and_the_end_of_its_turn_gives_turns_then() {
        let (lists, _) = lists_of(0..3);
        let task = |waiters: Vec<Waiter>| waiters.into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(task(lists.take(&values_of(1, 1))), [0]);
        // It takes the value with change 2; before it says so, another value comes.
        assert_eq!(task(lists.take(&values_of(1, 3))), [0; 0]);
        assert_eq!(task(lists.end_turn(PLACE, 2)), [1]);
        // What it saw itself gives nobody a turn: it took that.
        assert_eq!(task(lists.take(&values_of(1, 4))), [0; 0]);
        assert_eq!(task(lists.end_turn(PLACE, 5)), [0; 0]);
    }

    /// Two have looked and not said so when two more values come: who is woken at the end of each turn.
    /// Only on real threads is anybody between the two.
    fn woken_at_both_ends() -> Vec<Vec<u32>> {
        let (lists, _) = lists_of(0..4);
        let task = |waiters: Vec<Waiter>| waiters.into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(task(lists.take(&values_of(2, 1))), [0, 1]);
        assert_eq!(task(lists.take(&values_of(2, 4))), [0; 0]);
        let first = task(lists.end_turn(PLACE, 2));
        vec![first, task(lists.end_turn(PLACE, 3))]
    }

    #[test]
    fn what_comes_while_several_have_looked_gives_turns_at_each_end() {
        assert_eq!(woken_at_both_ends(), [[2], [3]]);
    }

    #[cfg(feature = "seeded-bugs")]
    #[test]
    fn a_note_that_is_forgotten_too_early_leaves_somebody_waiting() {
        use gcrucible_platform::seeded_bugs::{self, Bug};
        seeded_bugs::activate(Some(Bug::B204));
        let woken = woken_at_both_ends();
        seeded_bugs::activate(None);
        assert_eq!(woken, [vec![2], vec![]]);
    }

    #[test]
    fn a_change_gives_no_turn_to_who_looked_after_it() {
        let (lists, _) = lists_of(0..1);
        lists.add(PLACE, (1, &Arc::default()), 5, false);
        let task = |waiters: Vec<Waiter>| waiters.into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(task(lists.take(&values_of(2, 5))), [0]);
        assert_eq!(task(lists.take(&values_of(2, 6))), [1]);
    }

    #[test]
    fn who_had_the_turn_and_sees_a_change_has_it_still() {
        let (lists, _) = lists_of(0..2);
        assert_eq!(woken(&lists, 1), [0]);
        let again = lists.add(PLACE, (0, &Arc::default()), 0, true);
        assert!(!lists.remove(PLACE, again, true));
        assert_eq!(lists.pass_turn_on(PLACE).map(|(task, _)| task), Some(1));
    }

    #[test]
    fn who_comes_too_late_keeps_its_place() {
        let (lists, places) = lists_of(0..3);
        assert_eq!(woken(&lists, 1), [0]);
        assert!(!lists.remove(PLACE, places[0], false));
        let again = lists.add(PLACE, (0, &Arc::default()), 0, true);
        assert_eq!(woken(&lists, 2), [0, 1]);
        assert!(!lists.remove(PLACE, again, false));
        assert!(lists.remove(PLACE, places[2], false));
    }
}
