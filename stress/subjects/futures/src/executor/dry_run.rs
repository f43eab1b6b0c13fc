//! What a strategy needs to know of a world before it decides: how many steps each actor takes, or
//! where something can be injected.

use std::cell::RefCell;
use std::rc::Rc;

use gcrucible_explore::{Driver, DryRun, EventCounts, InjectionPoints, KthPoint};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::Lane;
use gcrucible_trace::RunOptions;

use super::Executor;
use crate::settings::Settings;
use crate::world::World;

/// All that a dry run depends on.
#[derive(PartialEq)]
struct Key {
    lane: Lane,
    settings: Settings,
    base: Schedule,
}

thread_local! {
    /// The last dry run: schedules of one world under the same settings follow one another.
    static LAST: RefCell<Option<(Key, Rc<EventCounts>)>> = const { RefCell::new(None) };
}

/// What a dry run counts, for the strategies that need one.
pub(super) fn counts(
    lane: Lane,
    make: &dyn Fn(&World),
    settings: &Settings,
    schedule: &Schedule,
) -> Option<Rc<EventCounts>> {
    let base = base(schedule)?;
    let key = Key {
        lane,
        settings: settings.clone(),
        base,
    };
    let known = LAST.with_borrow(|last| match last {
        Some((of, counts)) if *of == key => Some(Rc::clone(counts)),
        _ => None,
    });
    if known.is_some() {
        return known;
    }
    let needs_points = key.base.dry_run() == DryRun::Points;
    let options = RunOptions::default();
    let driver = Driver::new(&key.base, &options, None);
    let mut executor = Executor::new(settings, driver, false);
    executor.counts = Some(EventCounts::default());
    executor.points = needs_points.then(Vec::new);
    executor.run(make, &options);
    let mut counts = executor.counts.take().unwrap_or_default();
    if let Some(points) = executor.points.take() {
        counts.set_points(InjectionPoints::from_points(points));
    }
    let counts = Rc::new(counts);
    LAST.set(Some((key, Rc::clone(&counts))));
    Some(counts)
}

/// The schedule of the dry run that a schedule needs.
fn base(schedule: &Schedule) -> Option<Schedule> {
    let &Schedule::Drawn { strategy, seed } = schedule else {
        return None;
    };
    let (strategy, seed) = match strategy.dry_run() {
        DryRun::Nothing => return None,
        DryRun::Length | DryRun::Events => (StrategyName::RoundRobin, 0),
        DryRun::Points => (StrategyName::KthPoint, KthPoint::base(seed)),
    };
    Some(Schedule::Drawn { strategy, seed })
}
