//! Pauses against what survives, and the write barrier.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gcrucible_benches::workloads::collection::{Barrier, Collection, Store};
use gcrucible_heap::CollectionKind;

const LIVE: [usize; 4] = [100, 1_000, 10_000, 100_000];

fn pause(criterion: &mut Criterion) {
    for (name, kind) in [
        ("minor", CollectionKind::Minor),
        ("major", CollectionKind::Major),
    ] {
        let mut group = criterion.benchmark_group(format!("{name} collection"));
        for live in LIVE {
            let heap = Collection::with_live(live);
            group.throughput(Throughput::Elements(live as u64));
            group.bench_function(BenchmarkId::new("live", live), |bench| {
                bench.iter(|| heap.collect(kind));
            });
        }
        group.finish();
    }
}

fn barrier(criterion: &mut Criterion) {
    const COUNT: usize = 10_000;
    let mut group = criterion.benchmark_group("barrier");
    group.throughput(Throughput::Elements(COUNT as u64));
    let heap = Barrier::default();
    for (name, store) in [
        ("int in old", Store::ImmediateInOld),
        ("young in young", Store::YoungInYoung),
        ("young in old", Store::YoungInOld),
    ] {
        group.bench_function(name, |bench| {
            let reset = || heap.reset();
            bench.iter_batched(
                reset,
                |()| heap.stores(store, COUNT),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = pause, barrier
}
criterion_main!(benches);
