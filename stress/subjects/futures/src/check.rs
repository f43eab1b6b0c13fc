//! Entry points: a function for `#[test]`, and an executable with workers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gcrucible_explore::StrategyName;
use gcrucible_report::failure_report;
use gcrucible_scenario::{Lane, ScenarioData as _, ScenarioSeed};
use gcrucible_shrink::ShrinkBudget;
use gcrucible_subject::{AnySubject, Build, Case, Mix, NoBugs, Subject, Subjects};
use gcrucible_trace::{ReplayMode, RunOptions, Verdict};

use super::lane::{FuturesLane, FuturesScenario};
use super::world::World;

/// How a world is checked within a test.
#[derive(Clone, Debug)]
pub struct Checker {
    schedules: u64,
    seed: u64,
    strategy: Option<StrategyName>,
    name: Option<&'static str>,
}

impl Default for Checker {
    fn default() -> Self {
        Checker {
            schedules: 5_000,
            seed: 1,
            strategy: None,
            name: None,
        }
    }
}

/// Checks a world under 5,000 schedules, in this process.
///
/// # Panics
/// If a run fails, with the smallest one that was found, and how to replay it.
pub fn check(make: impl Fn(&World) + Send + Sync + 'static) {
    Checker::default().check(make);
}

impl Checker {
    /// So many schedules; the variable `GCRUCIBLE_SCHEDULES` replaces it.
    pub fn schedules(mut self, schedules: u64) -> Self {
        self.schedules = schedules;
        self
    }

    /// Another seed than 1; the variable `GCRUCIBLE_SEED` replaces it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// One strategy instead of a mix of them; the variable `GCRUCIBLE_STRATEGY` replaces it. Under the k-th point
    /// neighbouring schedules take the points of a world in turn.
    pub fn strategy(mut self, strategy: StrategyName) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// The name in reports and files; that of the test by default.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Checks a world. With the variable `GCRUCIBLE_REPLAY` it runs the scenario of that file instead.
    ///
    /// # Panics
    /// If a run fails, with the smallest one that was found, and how to replay it.
    pub fn check(&self, make: impl Fn(&World) + Send + Sync + 'static) {
        let lane = lane_of_test(self.name, make);
        if let Some(path) = std::env::var_os("GCRUCIBLE_REPLAY") {
            let scenario = FuturesScenario::read(&PathBuf::from(path));
            let scenario = scenario.unwrap_or_else(|error| panic!("{error:?}"));
            report(lane, &scenario, false);
            return;
        }
        let number = |name: &str, default: u64| {
            let given = std::env::var(name).ok();
            given.map_or(default, |text| {
                text.parse()
                    .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
            })
        };
        let seed = number("GCRUCIBLE_SEED", self.seed);
        let named = std::env::var("GCRUCIBLE_STRATEGY").ok();
        let strategy = named.map_or(self.strategy, |name| {
            let all = StrategyName::ALL;
            let known = all.into_iter().find(|strategy| strategy.name() == name);
            assert!(known.is_some(), "there is no strategy {name}");
            known
        });
        let mix = Mix {
            strategy,
            ..Mix::default()
        };
        for index in 0..number("GCRUCIBLE_SCHEDULES", self.schedules) {
            let seed = ScenarioSeed {
                lane: Subject::lane(&lane),
                seed,
                index,
            };
            let scenario = Subject::generate(&lane, seed, &mix);
            if lane
                .run(&scenario, &RunOptions::default())
                .failure
                .is_some()
            {
                report(lane, &scenario, true);
                return;
            }
        }
    }
}

/// The lane of a world that a test runs, by default with the test's name.
pub(crate) fn lane_of_test(
    name: Option<&'static str>,
    make: impl Fn(&World) + Send + Sync + 'static,
) -> FuturesLane {
    FuturesLane::new(Lane::EXTRA, name.unwrap_or_else(test_name), make)
}

/// The name of the test that runs, which libtest gives its threads.
fn test_name() -> &'static str {
    let name = std::thread::current().name().unwrap_or("world").to_owned();
    Box::leak(name.replace("::", "-").into_boxed_str())
}

fn run(lane: &FuturesLane, scenario: &FuturesScenario, replay: ReplayMode) -> Verdict {
    let options = RunOptions {
        record: true,
        replay,
        ..RunOptions::default()
    };
    lane.run(scenario, &options).into()
}

/// Where scenarios are kept: `crucible` in the target folder that the test was built into, wherever
/// that is; else in the system's folder for temporary files, as for the tests of documentation.
/// Relative if it is below the current folder, which commands are given in.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let base = target_folder(&program).map_or_else(std::env::temp_dir, Path::to_path_buf);
    let folder = base.join("crucible");
    let here = std::env::current_dir().unwrap_or_default();
    folder
        .strip_prefix(here)
        .map_or_else(|_| folder.clone(), Path::to_path_buf)
}

/// The folder above a program that cargo has marked as its target folder.
fn target_folder(program: &Path) -> Option<&Path> {
    let mut above = program.ancestors().skip(1);
    above.find(|folder| folder.join("CACHEDIR.TAG").is_file())
}

/// Ends the test with what a scenario does, as small as it gets.
pub(crate) fn report(lane: FuturesLane, scenario: &FuturesScenario, shrinks: bool) {
    // A test fails once; what is shown needs the lane for good.
    let lane: &'static FuturesLane = Box::leak(Box::new(lane));
    let name = Subject::lane(lane).name();
    let case = AnySubject::parse(lane, &scenario.to_text()).expect("it is read as it is written");
    let verdict = run(lane, scenario, ReplayMode::Strict);
    if !shrinks {
        let text = failure_report::render(&*case, &verdict);
        assert!(
            verdict.failure.is_none() && verdict.diverged.is_none(),
            "{text}"
        );
        println!("{text}");
        return;
    }
    let shrunk = case.shrink(
        None,
        &mut |text: &str, _record, replay| {
            let scenario = FuturesScenario::from_text(text).expect("it is read as it is written");
            Ok(run(lane, &scenario, replay))
        },
        ShrinkBudget::CAMPAIGN,
    );
    let (case, verdict): (Box<dyn Case>, Verdict) = match shrunk {
        Ok(Some(shrunk)) => (shrunk.case, shrunk.verdict),
        Ok(None) | Err(_) => (case, verdict),
    };
    let text = failure_report::render(&*case, &verdict);
    let path = folder().join(format!("{name}.scenario"));
    let kept = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&path, case.to_text()));
    let how = match kept {
        Ok(()) => format!(
            "replay it: GCRUCIBLE_REPLAY={} cargo test {name}",
            path.display()
        ),
        Err(error) => format!(
            "{}\nit cannot be kept in {}: {error}",
            case.to_text(),
            path.display()
        ),
    };
    panic!("{text}\n{how}");
}

/// A world of an executable, by its name.
pub type NamedWorld = (&'static str, fn(&World));

/// The whole `main` of an executable that tests worlds: commands `run`, `replay`, `shrink`. Each world is a lane by its
/// name, and runs in worker processes: what blocks or crashes is a finding.
pub fn futures_main(worlds: &[NamedWorld]) -> ExitCode {
    let lanes = (Lane::EXTRA..).zip(worlds).map(|(order, &(name, make))| {
        let lane: &'static dyn AnySubject =
            Box::leak(Box::new(FuturesLane::new(order, name, make)));
        lane
    });
    let list: Vec<&'static dyn AnySubject> = lanes.collect();
    let build = Box::leak(Box::new(Build {
        version: env!("CARGO_PKG_VERSION"),
        ..Build::default()
    }));
    gcrucible_command::main(Subjects::new(
        Box::leak(list.into_boxed_slice()),
        &NoBugs,
        build,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_kept_in_the_target_folder_of_the_test() {
        let program = std::env::current_exe().unwrap();
        let target = target_folder(&program).expect("cargo built this test");
        assert!(target.join("CACHEDIR.TAG").is_file());
        let here = std::env::current_dir().unwrap();
        assert_eq!(here.join(folder()), target.join("crucible"));
    }

    #[test]
    fn a_program_outside_of_any_target_folder_has_none() {
        let program = std::env::temp_dir().join("no-such-folder/program");
        assert_eq!(target_folder(&program), None);
    }
}
