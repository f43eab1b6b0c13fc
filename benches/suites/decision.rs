//! What one decision of the schedule costs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gcrucible_benches::workloads::decision::{Decisions, STRATEGIES};

fn decision(criterion: &mut Criterion) {
    const COUNT: u32 = 1000;
    let mut group = criterion.benchmark_group("decision");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    for (name, strategy) in STRATEGIES {
        let mut decisions = Decisions::new(strategy);
        group.bench_function(name, |bench| bench.iter(|| decisions.take(COUNT)));
    }
    let mut decisions = Decisions::exhaustive();
    group.bench_function("exhaustive", |bench| bench.iter(|| decisions.take(COUNT)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = decision
}
criterion_main!(benches);
