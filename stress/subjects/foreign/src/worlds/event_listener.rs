//! The crate `event-listener`: an event tells one waiter for each permit of a semaphore made of it, as the crate's page shows it.

use std::cell::Cell;
use std::rc::Rc;

use gcrucible_futures_subject::World;

use super::shapes;

/// The semaphore of one version of the crate.
macro_rules! semaphore {
    ($name:ident, $krate:ident) => {
        pub(super) fn $name(world: &World) {
            use $krate::Event;

            /// A permit of the semaphore.
            struct Permit(Rc<Cell<u32>>, Rc<Event>);

            impl Drop for Permit {
                fn drop(&mut self) {
                    self.0.set(self.0.get() + 1);
                    self.1.notify(1);
                }
            }

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
    };
}

#[cfg(not(feature = "older"))]
semaphore!(event, event_listener);
#[cfg(not(feature = "bad"))]
semaphore!(event_2, event_listener_2);
