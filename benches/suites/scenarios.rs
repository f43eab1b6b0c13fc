//! Scenarios per second of each lane that is built: generated alone, and generated, run
//! and judged.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gcrucible_benches::workloads::scenarios;
use gcrucible_crux_subjects::lane;

fn lanes(criterion: &mut Criterion) {
    const COUNT: u64 = 50;
    let mut group = criterion.benchmark_group("scenarios");
    group.throughput(Throughput::Elements(COUNT));
    for lane in lane::ALL {
        let name = lane.name();
        group.bench_function(format!("{name} made"), |bench| {
            bench.iter(|| scenarios::make(lane, COUNT));
        });
        group.bench_function(format!("{name} run"), |bench| {
            bench.iter(|| scenarios::run(lane, COUNT));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = lanes
}
criterion_main!(benches);
