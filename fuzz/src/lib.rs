//! What every fuzz target does: decode the input, run the scenario, say how to repeat a
//! failure.
//!
//! A failing check and a panic of the engine end the same way, in the panic hook, which
//! prints the scenario and its replay line and then aborts, as the fuzzer expects. What
//! kills the process without a panic (a sanitizer's report, a time-out) leaves the
//! fuzzer's own crash file, which `cargo crucible import-fuzz` turns into a scenario.

pub mod bytecode;
mod scenario;
mod source;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Once;

use gcrucible_crux_subjects::executor;
pub use gcrucible_crux_subjects::generator::fuzzed::FuzzTarget;
use gcrucible_crux_subjects::oracles::program_holds;
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_heap::HeapFault;
use gcrucible_platform::seeded_bugs::{self, Bug, BugKind};
use gcrucible_scenario::ScenarioData as _;
use gcrucible_trace::{Failure, RunOptions};

thread_local! {
    /// The target and the scenario that runs, for the panic hook.
    static RUNNING: RefCell<Option<(&'static str, Scenario)>> = const { RefCell::new(None) };
}

/// Decisions after which a program that may be endless is cut off.
const DECISIONS_MAX: u32 = 3_000;

/// The name of the target whose input is the text of a scenario.
const SCENARIO_TEXT: &str = "scenario_text";

/// Runs the scenario that a fuzzer's input stands for.
///
/// # Panics
/// When a check fails or the engine panics.
pub fn run(target: FuzzTarget, input: &[u8]) {
    prepare();
    let scenario = target.scenario(input);
    RUNNING.set(Some((target.name(), scenario.clone())));
    if target == FuzzTarget::SourceText {
        source::check(&String::from_utf8_lossy(input));
    }
    let mut options = RunOptions::default();
    if matches!(target, FuzzTarget::SourceText | FuzzTarget::Bytecode) {
        options.decisions_max = DECISIONS_MAX;
    }
    let report = executor::run(&scenario, &options);
    judge(report.report.failure.clone());
    if target != FuzzTarget::SourceText {
        assert_eq!(
            report.counters.invalid, 0,
            "the front end refused a generated program"
        );
    }
    RUNNING.set(None);
}

/// Runs the scenario whose text a fuzzer's input is, if it is one.
///
/// # Panics
/// When a check fails, the engine panics, or the text of the scenario is that of another.
pub fn run_text(input: &[u8]) {
    prepare();
    let Some(scenario) = scenario::read(&String::from_utf8_lossy(input)) else {
        return;
    };
    RUNNING.set(Some((SCENARIO_TEXT, scenario.clone())));
    let options = RunOptions {
        decisions_max: DECISIONS_MAX,
        ..RunOptions::default()
    };
    judge(executor::run(&scenario, &options).report.failure);
    RUNNING.set(None);
}

/// Installs the panic hook, and turns on the seeded bug that `CRUCIBLE_BUG` names.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hook_panics();
        let Ok(id) = std::env::var("CRUCIBLE_BUG") else {
            return;
        };
        assert!(
            seeded_bugs::COMPILED_IN,
            "CRUCIBLE_BUG is set, but the switches are not compiled in: `cargo fuzz run --features seeded-bugs`"
        );
        let [bug] = Bug::named(&id)[..] else {
            panic!("CRUCIBLE_BUG: expected one bug of `crucible list bugs`, found {id}");
        };
        assert!(
            bug.kind() != BugKind::Patch,
            "CRUCIBLE_BUG: {id} is a patch; expected a bug that `crucible list bugs` has as one of the simulation"
        );
        seeded_bugs::activate(Some(bug));
    });
}

/// That a program throws is its own business, everything else is not.
fn judge(failure: Option<Failure>) {
    if let Some(failure) = failure.filter(|failure| failure.oracle != program_holds::NAME) {
        panic!(
            "{} / {} at {}: {}",
            failure.oracle, failure.check, failure.site, failure.message
        );
    }
}

/// Puts a hook before the fuzzer's, which aborts.
fn hook_panics() {
    let aborting = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // The executor catches these, and makes failures of them.
        if info.payload().is::<HeapFault>() {
            return;
        }
        if let Some((target, scenario)) = RUNNING.take() {
            explain(target, &scenario);
        }
        aborting(info);
    }));
}

/// Prints a scenario and the command that replays it.
fn explain(target: &str, scenario: &Scenario) {
    let text = scenario.to_text();
    eprintln!("\n{text}");
    match save(target, &text) {
        Ok(path) => eprintln!("replay: cargo crucible replay {}", path.display()),
        Err(error) => eprintln!(
            "the scenario could not be saved ({error}); \
             put the text above into a file and run `cargo crucible replay FILE`"
        ),
    }
}

/// Saves a scenario beside the fuzzer's crash files, under a name made of its content.
fn save(target: &str, text: &str) -> std::io::Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("artifacts")
        .join(target);
    std::fs::create_dir_all(&folder)?;
    // FNV-1a: the name only has to be the same for the same scenario.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let path = folder.join(format!("{hash:016x}.scenario"));
    std::fs::write(&path, text)?;
    Ok(path)
}
