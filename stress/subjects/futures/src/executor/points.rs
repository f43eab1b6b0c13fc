//! Where the k-th point can inject something, and what happens then.
//!
//! At each decision every droppable task can be dropped, and every unfinished one polled though it is not
//! its turn; a poll in which a task comes by a place at which it may panic can panic there.

use gcrucible_explore::{InjectionPoint, PointEvent};
use gcrucible_trace::Injected;

use super::{Event, Executor};

/// The number by which injected events name a task.
fn number(task: usize) -> u32 {
    task as u32 + 1
}

impl Executor<'_> {
    /// The number of the decision that was taken last.
    fn ordinal(&self) -> u32 {
        self.report.counters.decisions as u32 - 1
    }

    /// Notes what can be injected at the decision that was just taken, if somebody wants to know.
    pub(super) fn note_points(&mut self) {
        let ordinal = self.ordinal();
        let Some(points) = &mut self.points else {
            return;
        };
        let tasks = self.world.0.tasks.borrow();
        for (at, task) in tasks.iter().enumerate().filter(|(_, task)| !task.is_done) {
            let drop = task.is_droppable.then_some(Injected::DropTask(number(at)));
            let events = drop.into_iter().chain([Injected::PollTask(number(at))]);
            points.extend(events.map(|event| InjectionPoint {
                ordinal,
                event: PointEvent::Inject(event),
            }));
        }
    }

    /// The step of the last decision has come by a place at which its task may panic.
    pub(super) fn note_panic_point(&mut self, event: Event) {
        let ordinal = self.ordinal();
        if let (Some(points), Event::Poll(task)) = (&mut self.points, event) {
            points.push(InjectionPoint {
                ordinal,
                event: PointEvent::Inject(Injected::PanicTask(number(task))),
            });
        }
    }

    /// Does what the schedule injects; what is not there, or may not be done to it, stays alone.
    pub(super) fn inject(&mut self, inject: Injected) {
        let (Injected::DropTask(of) | Injected::PollTask(of) | Injected::PanicTask(of)) = inject
        else {
            return;
        };
        let Some(task) = (of as usize).checked_sub(1) else {
            return;
        };
        if !self.is_unfinished(task) {
            return;
        }
        match inject {
            Injected::DropTask(_) => {
                let is_droppable = self.world.0.tasks.borrow()[task].is_droppable;
                if is_droppable {
                    self.drop_task(task, false);
                }
            }
            Injected::PollTask(_) => {
                let is_woken = self.world.0.wakes.woken() >> task & 1 != 0;
                self.note(
                    task,
                    match is_woken {
                        true => "is polled out of turn",
                        false => "is polled though nobody woke it",
                    },
                );
                self.poll(task);
            }
            _ => self.panics = Some(task),
        }
    }
}
