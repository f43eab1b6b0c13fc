//! Spawn and await: on threads beside tokio's own tasks, and on the simulated platform.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gcrucible_benches::ratio;
use gcrucible_benches::workloads::tasks::{OnThreads, Order, Simulated, Tokio};

fn tasks(criterion: &mut Criterion) {
    const COUNT: i64 = 500;
    let threads = OnThreads::default();
    let simulated = Simulated::default();
    let tokio = Tokio::default();
    for (name, order) in [
        ("one by one", Order::OneByOne),
        ("together", Order::Together),
    ] {
        let mut group = criterion.benchmark_group(format!("spawn and await {name}"));
        group.throughput(Throughput::Elements(COUNT as u64));
        group.bench_function("engine on threads", |bench| {
            bench.iter(|| threads.run(order, COUNT));
        });
        group.bench_function("engine simulated", |bench| {
            bench.iter(|| simulated.run(order, COUNT));
        });
        group.bench_function("tokio alone", |bench| {
            bench.iter(|| tokio.run(order, COUNT))
        });
        group.finish();
        ratio::print(
            (&format!("spawn and await {name}: engine"), || {
                threads.run(order, COUNT * 4)
            }),
            ("tokio", || tokio.run(order, COUNT * 4)),
        );
    }
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = tasks
}
criterion_main!(benches);
