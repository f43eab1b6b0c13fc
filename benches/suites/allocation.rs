//! Allocation of small objects, beside a plain bump allocator and `Box`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gcrucible_benches::ratio;
use gcrucible_benches::workloads::allocation::{Allocation, Bump, boxes};

const COUNT: usize = 10_000;

fn allocation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allocation");
    group.throughput(Throughput::Elements(COUNT as u64));
    let heap = Allocation::default();
    group.bench_function("engine", |bench| bench.iter(|| heap.instances(COUNT)));
    let mut bump = Bump::default();
    group.bench_function("bump", |bench| bench.iter(|| bump.objects(COUNT)));
    group.bench_function("box", |bench| bench.iter(|| boxes(COUNT)));
    group.finish();
    let turn = COUNT * 50;
    ratio::print(
        ("allocation: engine", || heap.instances(turn)),
        ("bump", || bump.objects(turn)),
    );
    ratio::print(
        ("allocation: engine", || heap.instances(turn)),
        ("box", || boxes(turn)),
    );
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = allocation
}
criterion_main!(benches);
