//! The last to know an engine may be one of its own tasks.
#![cfg(feature = "tokio")]

mod world;

use std::sync::Arc;

use self::world::World;

use gcrucible_platform::sync::atomic::{AtomicUsize, Ordering::SeqCst};

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn an_engine_may_be_dropped_while_its_tasks_run() {
    std::panic::set_hook(Box::new(|info| {
        PANICS.fetch_add(1, SeqCst);
        eprintln!("{info}");
    }));
    for _ in 0..20 {
        let world = World::new(2, 10, "natural", "fn main() { while true { yield_now() } }");
        let watch = Arc::clone(&world.watch);
        let handle = world.call(0, "main", &[]);
        drop(world);
        // This cancels the call. The task that runs it ends the engine, and with it the
        // platform whose thread it is on.
        drop(handle);
        while Arc::strong_count(&watch) > 1 {
            gcrucible_platform::sync::thread::yield_now();
        }
    }
    assert_eq!(PANICS.load(SeqCst), 0);
}
