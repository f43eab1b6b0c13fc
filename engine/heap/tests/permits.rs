//! Who may touch the heap when.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gcrucible_heap::{Heap, HeapConfig, HeapDebug};

fn heap() -> Arc<Heap> {
    Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space for a tiny heap")
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn shared_permits_exclude_the_collector() {
    let heap = heap();
    let (first, second) = (heap.try_shared().unwrap(), heap.try_shared().unwrap());
    assert!(heap.try_exclusive().is_none());
    drop(first);
    assert!(heap.try_exclusive().is_none());
    drop(second);
    let exclusive = heap.try_exclusive().unwrap();
    assert!(heap.try_shared().is_none());
    drop(exclusive);
    assert!(heap.try_shared().is_some());
}

#[test]
fn new_shared_permits_wait_behind_a_collector() {
    let heap = heap();
    let held = heap.try_shared().unwrap();
    let mut collector = pin!(heap.exclusive());
    assert!(poll(collector.as_mut()).is_pending());
    assert!(heap.is_collector_waiting());
    assert!(
        heap.try_shared().is_none(),
        "a stream of shared permits would starve it"
    );
    drop(held);
    assert!(poll(collector.as_mut()).is_ready());
}

#[test]
fn a_collector_that_waits_is_handed_the_permit() {
    let heap = heap();
    let held = heap.try_shared().unwrap();
    let mut first = pin!(heap.exclusive());
    assert!(poll(first.as_mut()).is_pending());
    {
        let mut second = pin!(heap.exclusive());
        assert!(poll(second.as_mut()).is_pending());
        drop(held);
        // It is the first one's, though that was not polled since: nobody comes before it.
        assert!(heap.try_shared().is_none());
        assert!(heap.try_exclusive().is_none());
        assert!(poll(second.as_mut()).is_pending());
        let Poll::Ready(exclusive) = poll(first.as_mut()) else {
            panic!("it was handed the permit");
        };
        drop(exclusive);
        // Now it is the second one's, which goes away without it.
        assert!(heap.try_shared().is_none());
    }
    assert!(heap.try_shared().is_some());
    assert!(!heap.is_collector_waiting());
}

#[test]
fn threads_that_take_permits_without_a_pause_do_not_keep_a_collector_out() {
    for has_rounds in [false, true] {
        let heap = heap();
        heap.set_parallel(has_rounds);
        // A heap that is not parallel has one thread at a time.
        keep_out(&heap, 1 + usize::from(has_rounds));
    }
}

fn keep_out(heap: &Heap, threads: usize) {
    const COLLECTIONS: u32 = 200;
    let is_over = gcrucible_platform::sync::atomic::AtomicBool::new(false);
    let is_over = &is_over;
    gcrucible_platform::sync::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_over.load(gcrucible_platform::sync::atomic::Ordering::Relaxed) {
                    let permit = heap.shared_now();
                    std::hint::black_box(&permit);
                }
            });
        }
        for _ in 0..COLLECTIONS {
            // Parks the thread until it is woken: a lost hand-over would hang here.
            drop(block_on(heap.exclusive()));
        }
        is_over.store(true, gcrucible_platform::sync::atomic::Ordering::Relaxed);
    });
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        std::thread::park();
    }
}

#[test]
fn a_collector_that_gives_up_lets_the_others_on() {
    let heap = heap();
    let held = heap.try_shared().unwrap();
    {
        let mut collector = pin!(heap.exclusive());
        assert!(poll(collector.as_mut()).is_pending());
    }
    assert!(!heap.is_collector_waiting());
    assert!(heap.try_shared().is_some());
    drop(held);
}

#[test]
fn who_waits_at_the_end_of_a_collection_goes_before_the_next_one() {
    let heap = heap();
    heap.set_parallel(true);
    let exclusive = heap.try_exclusive().unwrap();
    let mut waiting = [pin!(heap.shared()), pin!(heap.shared())];
    for task in &mut waiting {
        assert!(poll(task.as_mut()).is_pending());
    }
    let mut next = pin!(heap.exclusive());
    assert!(poll(next.as_mut()).is_pending());
    drop(exclusive);
    assert!(poll(next.as_mut()).is_pending());
    // Else their slices would end before they got anywhere.
    assert!(!heap.is_collector_waiting());
    let permits = waiting.map(|task| match poll(task) {
        Poll::Ready(permit) => permit,
        Poll::Pending => panic!("each was handed one"),
    });
    // Who comes now comes after the collector.
    assert!(heap.try_shared().is_none());
    let [first, second] = permits;
    drop(first);
    assert!(poll(next.as_mut()).is_pending());
    drop(second);
    assert!(poll(next.as_mut()).is_ready());
}

#[test]
fn who_was_handed_a_shared_permit_and_leaves_gives_it_back() {
    let heap = heap();
    heap.set_parallel(true);
    let exclusive = heap.try_exclusive().unwrap();
    {
        let mut waiting = pin!(heap.shared());
        assert!(poll(waiting.as_mut()).is_pending());
        let mut given_up = Box::pin(heap.shared());
        assert!(poll(given_up.as_mut()).is_pending());
        drop(given_up);
        drop(exclusive);
        assert!(heap.try_exclusive().is_none());
    }
    assert!(heap.try_exclusive().is_some());
}
