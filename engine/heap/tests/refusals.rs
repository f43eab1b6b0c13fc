//! What a safe caller of the heap is refused, hole by hole. What does not even compile is shown
//! where it is forbidden: at [`SharedPermit`], [`Value`], [`RootRight`](gcrucible_heap::RootRight),
//! [`RootProvider`](gcrucible_heap::RootProvider), `Mutator::begin_string`.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Waker};

use gcrucible_heap::{
    Checked, CollectionKind, CompileTimeObjects, Heap, HeapConfig, Holder, SharedPermit, Tlab,
    Unchecked, Value, VerifyLevel,
};
use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};

const TEXT: &str = "a text that is long enough for others to write into";

fn heap(modes: &str) -> Arc<Heap> {
    let modes = modes.parse().expect("modes that exist");
    Heap::new(HeapConfig::tiny(), modes).expect("address space for a tiny heap")
}

/// One that several threads use, with room for all that a test makes.
fn parallel_heap() -> Arc<Heap> {
    let config = HeapConfig {
        limit_bytes: 64 << 20,
        ..HeapConfig::default()
    };
    let modes = "collect=never".parse().expect("a mode that exists");
    let heap = Heap::new(config, modes).expect("address space for a heap");
    heap.set_parallel(true);
    heap
}

/// The message of the panic that refuses it.
fn refusal<R>(act: impl FnOnce() -> R) -> String {
    let panic = match catch_unwind(AssertUnwindSafe(act)) {
        Ok(_) => panic!("it was not refused"),
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .expect("a text")
}

fn collect(heap: &Heap) {
    let mut permit = heap.try_exclusive().expect("nobody has a permit");
    permit.collect(CollectionKind::Minor);
    assert_eq!(permit.verify(VerifyLevel::Full), []);
}

#[test]
fn a_permit_keeps_the_collector_out_until_it_ends_or_for_ever() {
    let heap = heap("natural");
    let mut cx = Context::from_waker(Waker::noop());
    let permit = heap.try_shared().unwrap();
    {
        // Nothing gives it back for a while: it is held while a collector waits, and after that
        // has gone away.
        let mut collector = pin!(heap.exclusive());
        assert!(collector.as_mut().poll(&mut cx).is_pending());
        assert!(heap.is_shared_now());
    }
    assert!(heap.try_exclusive().is_none());
    // One that is forgotten is never over.
    std::mem::forget(permit);
    assert!(heap.try_exclusive().is_none());
    let mut collector = pin!(heap.exclusive());
    assert!(collector.as_mut().poll(&mut cx).is_pending());
}

#[test]
fn a_buffer_that_no_provider_names_is_reset_all_the_same() {
    let heap = heap("verify=full");
    let holder = Holder::new(&heap, "holder", 8);
    let tlab = Tlab::new(&heap, 0);
    {
        let permit = heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(&tlab);
        m.string("first").unwrap();
    }
    collect(&heap);
    for _ in 0..3 {
        {
            let permit = heap.try_shared().unwrap();
            let mine = permit.mutator::<Checked>(holder.tlab());
            mine.store(&holder.registers()[0], mine.string(TEXT).unwrap());
            // It would lie in the same place.
            let other = permit.mutator::<Checked>(&tlab);
            for _ in 0..3 {
                other.string("another of as many bytes").unwrap();
            }
            let kept = mine.load(&holder.registers()[0]);
            assert_eq!(mine.text(kept), Some(TEXT));
        }
        collect(&heap);
    }
}

#[test]
fn one_permit_at_a_time_allocates_in_a_buffer() {
    let heap = parallel_heap();
    let holder = Holder::new(&heap, "holder", 1);
    let (first, second) = (heap.try_shared().unwrap(), heap.try_shared().unwrap());
    let m = first.mutator::<Checked>(holder.tlab());
    m.store(&holder.registers()[0], m.string(TEXT).unwrap());
    let in_use = "the allocation buffer is in use under another permit";
    let refused = refusal(|| second.mutator::<Checked>(holder.tlab()));
    assert_eq!(refused, in_use);
    let refused = refusal(|| second.with_mutator::<Checked, _>(holder.tlab(), |_| ()));
    assert_eq!(refused, in_use);
    // The one who has it may ask again, and another thread may not.
    first.mutator::<Checked>(holder.tlab()).string("x").unwrap();
    gcrucible_platform::sync::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let permit = heap.try_shared().unwrap();
            refusal(|| permit.mutator::<Unchecked>(holder.tlab()))
        });
        assert_eq!(other.join().unwrap(), in_use);
    });
    drop(first);
    second.mutator::<Checked>(holder.tlab());
    // Nobody gets what a forgotten permit has leased. (Forgotten until the end of the test, or it
    // would leak.)
    let second = ManuallyDrop::new(second);
    let third = heap.try_shared().unwrap();
    let refused = refusal(|| third.mutator::<Checked>(holder.tlab()));
    assert_eq!(refused, in_use);
    drop(ManuallyDrop::into_inner(second));
}

#[test]
fn a_brief_lease_ends_with_its_closure_and_does_not_nest() {
    let heap = heap("natural");
    let tlab = Tlab::new(&heap, 0);
    let (first, second) = (heap.try_shared().unwrap(), heap.try_shared().unwrap());
    let made = |permit: &SharedPermit<'_>| {
        permit.with_mutator::<Checked, _>(&tlab, |m| m.string(TEXT).is_ok())
    };
    assert!(made(&first) && made(&second) && made(&first));
    let in_use = "the allocation buffer is in use under another permit";
    // Else the mutator that is made inside could be used behind it.
    let nested = || first.with_mutator::<Checked, _>(&tlab, |_| first.mutator::<Checked>(&tlab));
    assert_eq!(refusal(nested), in_use);
    // It ended with the panic, too.
    assert!(made(&second));
}

#[test]
fn a_permit_is_for_its_own_heap() {
    let [a, b] = [heap("scribble"), heap("natural")];
    let holders = [&a, &b].map(|heap| Holder::new(heap, "holder", 1));
    let handle = {
        let permit = a.try_shared().unwrap();
        let m = permit.mutator::<Unchecked>(holders[0].tlab());
        permit.protect(m.string("before").unwrap())
    };
    let permit = b.try_shared().unwrap();
    let m = permit.mutator::<Unchecked>(holders[1].tlab());
    let foreign = "the handle is one of another heap";
    assert_eq!(refusal(|| permit.protected(&handle)), foreign);
    assert_eq!(refusal(|| b.protect_count(&handle)), foreign);
    let copied = || permit.protect_copy::<Checked>(&handle, holders[1].tlab());
    assert_eq!(refusal(copied), foreign);
    assert!(b.stats().protected_by_kind.is_empty(), "no place is lost");
    let foreign = "the allocation buffer is one of another heap";
    let refused = refusal(|| permit.mutator::<Unchecked>(holders[0].tlab()));
    assert_eq!(refused, foreign);
    let foreign = "the register is one of another heap";
    assert_eq!(refusal(|| m.load(&holders[0].registers()[0])), foreign);
    let stored = || m.store(&holders[0].registers()[0], Value::NIL);
    assert_eq!(refusal(stored), foreign);
    // The handle's own heap is not kept from collecting by it.
    collect(&a);
    a.unprotect(handle);
}

#[test]
fn a_thread_has_permits_of_one_heap_at_a_time() {
    let [a, b] = [heap("natural"), heap("natural")];
    let holder = Holder::new(&a, "a", 1);
    let refused = "a thread holds permits of one heap at a time";
    {
        let permit = a.try_shared().unwrap();
        let m = permit.mutator::<Checked>(holder.tlab());
        let value = m.string("of a").unwrap();
        // So there is no mutator of `b` that this value could be given to.
        assert_eq!(refusal(|| b.try_shared().is_some()), refused);
        assert_eq!(refusal(|| drop(b.shared_now())), refused);
        let mut cx = Context::from_waker(Waker::noop());
        let polled = || pin!(b.shared()).as_mut().poll(&mut cx).is_ready();
        assert_eq!(refusal(polled), refused);
        assert_eq!(m.text(value), Some("of a"));
    }
    assert!(b.try_shared().is_some());
    // A permit that was forgotten has no end.
    std::mem::forget(a.try_shared().unwrap());
    assert_eq!(refusal(|| b.try_shared().is_some()), refused);
}

#[test]
fn a_thread_that_has_a_permit_waits_for_no_other() {
    let heap = heap("natural");
    let mut cx = Context::from_waker(Waker::noop());
    let permit = heap.try_shared().unwrap();
    let mut collector = pin!(heap.exclusive());
    assert!(collector.as_mut().poll(&mut cx).is_pending());
    // It would wait behind the collector, which waits for it.
    assert_eq!(
        refusal(|| drop(heap.shared_now())),
        "a thread that holds a permit waits for no other"
    );
    drop(permit);
    assert!(collector.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_heap_that_is_not_parallel_has_one_thread_at_a_time() {
    let heap = heap("natural");
    let permit = heap.try_shared().unwrap();
    assert_eq!(
        refusal(|| heap.set_parallel(true)),
        "whether a heap is parallel is said before anybody has a permit"
    );
    heap.set_parallel(false);
    let other = || {
        gcrucible_platform::sync::thread::scope(|scope| {
            let asks = || catch_unwind(AssertUnwindSafe(|| heap.try_shared().is_some())).ok();
            scope.spawn(asks).join().unwrap()
        })
    };
    // Structural changes take no locks.
    assert_eq!(other(), None);
    drop(permit);
    assert_eq!(other(), Some(true));
    heap.set_parallel(true);
    let _permit = heap.try_shared().unwrap();
    assert_eq!(other(), Some(true));
}

#[test]
fn a_reader_allocates_nothing() {
    let heap = heap("natural");
    let permit = heap.try_shared().unwrap();
    let m = permit.reader::<Checked>();
    let refused = "a reader allocates nothing";
    assert_eq!(refusal(|| m.string("small").is_ok()), refused);
    assert_eq!(refusal(|| m.string(&"large".repeat(4000)).is_ok()), refused);
    assert_eq!(refusal(|| m.grant([3; 4000]).is_ok()), refused);
    assert_eq!(refusal(|| m.future(1).is_ok()), refused);
    // What it reads may be another's.
    let holder = Holder::new(&heap, "holder", 1);
    let other = permit.mutator::<Checked>(holder.tlab());
    assert_eq!(m.text(other.string(TEXT).unwrap()), Some(TEXT));
}

#[test]
fn compile_time_objects_are_made_under_their_heaps_permit() {
    let heap = heap("natural");
    let exclusive = heap.try_exclusive().unwrap();
    // There is no way to begin without one.
    assert!(heap.try_shared().is_none());
    drop(exclusive);
    let permit = heap.try_shared().unwrap();
    let mut objects = CompileTimeObjects::new(&permit);
    assert!(objects.error(1, "its message is one of its own").is_ok());
}

#[test]
fn threads_make_and_read_objects_beside_each_other() {
    const OBJECTS: i64 = 20_000;
    let heap = parallel_heap();
    gcrucible_platform::sync::thread::scope(|scope| {
        for thread in 1..=2 {
            let heap = &heap;
            scope.spawn(move || {
                let holder = Holder::new(heap, "holder", 1);
                let permit = heap.try_shared().unwrap();
                let m = permit.mutator::<Checked>(holder.tlab());
                let number = |index| thread << 50 | index;
                let made: Vec<Value<'_>> = (0..OBJECTS)
                    .map(|index| m.int(number(index)).unwrap())
                    .collect();
                for (index, value) in (0..).zip(made) {
                    assert_eq!(m.as_int(value), Some(number(index)));
                }
            });
        }
    });
}

#[test]
fn two_threads_that_intern_a_text_get_one_object() {
    const TEXTS: usize = 5_000;
    let heap = parallel_heap();
    let barrier = Barrier::new(2);
    let identities: Vec<Vec<u64>> = gcrucible_platform::sync::thread::scope(|scope| {
        let threads = [0, 1].map(|_| {
            let (heap, barrier) = (&heap, &barrier);
            scope.spawn(move || {
                let holder = Holder::new(heap, "holder", 0);
                let permit = heap.try_shared().unwrap();
                let m = permit.mutator::<Checked>(holder.tlab());
                let texts: Vec<String> = (0..TEXTS).map(|text| format!("text {text}")).collect();
                barrier.wait();
                let interned = texts.iter().map(|text| m.intern(text).unwrap().identity());
                interned.collect()
            })
        });
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(identities[0], identities[1]);
}

#[test]
fn a_slice_of_an_array_that_another_thread_changes_is_whole_or_refused() {
    const SLICES: u32 = 20_000;
    let heap = parallel_heap();
    let shared = Holder::new(&heap, "shared", 1);
    {
        let permit = heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(shared.tlab());
        m.store(&shared.registers()[0], m.array(&[Value::TRUE; 64]).unwrap());
    }
    let is_over = AtomicBool::new(false);
    let (begun, has_begun) = mpsc::channel();
    gcrucible_platform::sync::thread::scope(|scope| {
        let (heap, shared, is_over) = (&heap, &shared, &is_over);
        scope.spawn(move || {
            let holder = Holder::new(heap, "other", 0);
            let permit = heap.try_shared().unwrap();
            let m = permit.mutator::<Unchecked>(holder.tlab());
            let array = m.load(&shared.registers()[0]);
            begun.send(()).unwrap();
            while !is_over.load(SeqCst) {
                for _ in 0..32 {
                    m.array_pop(array);
                }
                for _ in 0..32 {
                    m.array_push(array, Value::TRUE).unwrap();
                }
            }
        });
        let holder = Holder::new(heap, "slices", 0);
        let permit = heap.try_shared().unwrap();
        let m = permit.mutator::<Unchecked>(holder.tlab());
        let array = m.load(&shared.registers()[0]);
        has_begun.recv().unwrap();
        for _ in 0..SLICES {
            let len = m.array_len(array).unwrap();
            if let Some(slice) = m.array_slice(array, 0, len).unwrap() {
                assert_eq!(m.array_len(slice), Some(len));
                for index in 0..len {
                    assert_eq!(m.array_get(slice, index), Some(Value::TRUE));
                }
            }
        }
        is_over.store(true, SeqCst);
    });
}

#[test]
fn holders_that_are_gone_are_forgotten_though_nothing_collects() {
    let heap = heap("natural");
    for _ in 0..10_000 {
        Holder::new(&heap, "gone", 0);
    }
    assert!(heap.stats().root_providers <= 128);
}

#[test]
fn a_heap_that_broke_is_not_collected_again_by_who_still_has_the_permit() {
    let heap = heap("scribble");
    let broken = common::Broken::add_to(&heap);
    let mut permit = heap.try_exclusive().unwrap();
    let first = refusal(|| permit.collect(CollectionKind::Minor));
    assert_eq!(first, "it cannot be traced");
    broken.mend();
    assert_eq!(
        refusal(|| permit.collect(CollectionKind::Minor)),
        "a collection broke the heap: it cannot be traced"
    );
    drop(permit);
    assert!(heap.try_shared().is_none() && heap.try_exclusive().is_none());
}

#[test]
fn a_provider_is_added_to_its_heap_and_once() {
    let [a, b] = [heap("natural"), heap("natural")];
    let provider = common::Broken::add_to(&a);
    assert_eq!(
        refusal(|| b.add_provider(&provider)),
        "the root provider is one of another heap"
    );
    assert_eq!(
        refusal(|| a.add_provider(&provider)),
        "a root provider is registered once"
    );
    common::Broken::check(&provider, &a);
    assert_eq!(
        refusal(|| common::Broken::check(&provider, &b)),
        "the root provider is one of another heap"
    );
    // Safe code may take it out of where it was registered; then nobody traces it any more.
    let taken = Arc::into_inner(provider).expect("nobody else has it");
    assert_eq!(
        refusal(|| common::Broken::check(&taken, &a)),
        "the root provider is not registered, or was taken out of what was"
    );
    let moved = Arc::new(taken);
    assert_eq!(
        refusal(|| common::Broken::check(&moved, &a)),
        "the root provider is not registered, or was taken out of what was"
    );
}

mod common {
    #![allow(unsafe_code, reason = "a root provider")]

    use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::sync::Arc;

    use gcrucible_heap::{Heap, Home, RootAudit, RootProvider, RootTracer};

    /// A provider without slots that cannot be traced until it is mended.
    pub(super) struct Broken {
        home: Home,
        is_mended: AtomicBool,
    }

    impl Broken {
        pub(super) fn add_to(heap: &Heap) -> Arc<Broken> {
            let broken = Arc::new(Broken {
                home: Home::new(heap),
                is_mended: AtomicBool::new(false),
            });
            heap.add_provider(&broken);
            broken
        }

        pub(super) fn mend(&self) {
            self.is_mended.store(true, SeqCst);
        }

        pub(super) fn check(&self, heap: &Heap) {
            self.home.check(heap);
        }
    }

    // SAFETY: it has no slots.
    unsafe impl RootProvider for Broken {
        fn name(&self) -> String {
            "broken".to_owned()
        }

        fn home(&self) -> &Home {
            &self.home
        }

        fn trace(&self, _tracer: &mut dyn RootTracer) {
            assert!(self.is_mended.load(SeqCst), "it cannot be traced");
        }

        fn audit(&self, _audit: &mut RootAudit<'_>) {}
    }
}
