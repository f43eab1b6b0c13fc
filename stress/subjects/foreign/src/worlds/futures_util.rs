//! The crate `futures-util`.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gcrucible_futures_subject::World;

pub(super) fn shared(world: &World) {
    let of_future = world.clone();
    let inner = async move {
        of_future.yield_now().await;
        of_future.sleep(1).await;
    };
    let shared = inner.boxed_local().shared();
    for name in ["first", "second", "third"] {
        let (shared, of_task) = (shared.clone(), world.clone());
        let yields = world.below(2) == 1;
        let task = async move {
            if yields {
                of_task.yield_now().await;
            }
            shared.await;
        };
        if name == "third" {
            world.task(name, task);
        } else {
            world.droppable(name, task);
        }
    }
}

pub(super) fn unordered(world: &World) {
    let done = Rc::new(Cell::new(0));
    let futures: FuturesUnordered<_> = (0..3)
        .map(|number| {
            let (of_future, token, done) = (world.clone(), world.token(), Rc::clone(&done));
            async move {
                if number == 1 {
                    of_future.sleep(1).await;
                } else {
                    of_future.yield_now().await;
                }
                token.number();
                done.set(done.get() + 1);
            }
        })
        .collect();
    world.droppable("collects", async move {
        let mut futures = futures;
        while futures.next().await.is_some() {}
        assert_eq!(done.get(), 3);
    });
}
