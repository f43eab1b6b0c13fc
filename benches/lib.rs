//! What the benches measure, and the gate that notices when it gets slower.
//!
//! ```text
//! workloads/  what is measured: plain functions, the same for criterion and the gate
//! ratio       two of them against each other in one run
//! gate/       instruction counts under callgrind against a committed baseline
//! suites/     the criterion suites and the gate's entry, as `cargo bench` runs them
//! baselines/  the instruction counts that were accepted
//! ```

pub mod gate;
pub mod ratio;
pub mod workloads;

/// The configuration of all suites: short, so that a whole `cargo bench` takes minutes.
#[macro_export]
macro_rules! quick {
    () => {
        criterion::Criterion::default()
            .warm_up_time(std::time::Duration::from_millis(300))
            .measurement_time(std::time::Duration::from_millis(1000))
            .sample_size(20)
            .without_plots()
    };
}
