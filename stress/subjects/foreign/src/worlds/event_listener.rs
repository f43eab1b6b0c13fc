//! The crate `event-listener`: an event is set for good, and all who wait for it are told; or one is told for each permit.

use std::cell::Cell;
use std::rc::Rc;

use event_listener::Event;
use gcrucible_futures_subject::World;

use super::shapes;

pub(super) fn event(world: &World) {
    let permits = Rc::new(Cell::new(1_u32));
    let event = Rc::new(Event::new());
    shapes::lock(world, 1, move || {
        let (permits, event) = (Rc::clone(&permits), Rc::clone(&event));
        async move {
            loop {
                if permits.get() > 0 {
                    permits.set(permits.get() - 1);
                    return Permit(permits, event);
                }
                let listener = event.listen();
                if permits.get() > 0 {
                    continue;
                }
                listener.await;
            }
        }
    });
}

/// A permit of a semaphore made of an event, as the crate's page shows it.
struct Permit(Rc<Cell<u32>>, Rc<Event>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        self.1.notify(1);
    }
}
