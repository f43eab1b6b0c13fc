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
fn a_host_that_cannot_await_goes_before_a_collector_that_waits() {
    let heap = heap();
    let held = heap.try_shared().unwrap();
    let mut collector = pin!(heap.exclusive());
    assert!(poll(collector.as_mut()).is_pending());
    let moment = heap.shared_now();
    drop(held);
    assert!(poll(collector.as_mut()).is_pending(), "not while it holds");
    drop(moment);
    assert!(poll(collector.as_mut()).is_ready());
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
fn a_safepoint_lets_the_collector_go_first_and_keeps_the_permit() {
    let heap = heap();
    let mut held = heap.try_shared().unwrap();
    assert!(poll(pin!(held.safepoint())).is_ready(), "nobody waits");
    let mut collector = pin!(heap.exclusive());
    assert!(poll(collector.as_mut()).is_pending());
    {
        let mut safepoint = pin!(held.safepoint());
        assert!(poll(safepoint.as_mut()).is_pending());
        let Poll::Ready(exclusive) = poll(collector.as_mut()) else {
            panic!("the safepoint lets the collector go first")
        };
        drop(exclusive);
        assert!(poll(safepoint.as_mut()).is_ready());
    }
    assert!(heap.try_exclusive().is_none(), "the permit is held again");
    drop(held);
    assert!(heap.try_exclusive().is_some());
}
