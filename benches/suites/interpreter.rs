//! Programs on one machine; the throughput is in instructions of bytecode.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gcrucible_benches::workloads::interpreter::{FIB, Interpreter, LOOP, OBJECTS};

fn interpreter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interpreter");
    for (name, source) in [("fib", FIB), ("loop", LOOP), ("objects", OBJECTS)] {
        let machine = Interpreter::new(source);
        group.throughput(Throughput::Elements(machine.main()));
        group.bench_function(name, |bench| bench.iter(|| machine.main()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = gcrucible_benches::quick!();
    targets = interpreter
}
criterion_main!(benches);
