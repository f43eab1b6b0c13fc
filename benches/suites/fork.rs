//! Forks for serving, by the size of the template.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gcrucible_benches::workloads::fork::Template;

fn forks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fork for serving");
    for globals in [10, 100, 1000] {
        let template = Template::new(globals);
        group.bench_with_input(
            BenchmarkId::new("globals", globals),
            &template,
            |bench, template| bench.iter(|| template.fork()),
        );
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = forks
}
criterion_main!(benches);
