//! Draws programs and the host scripts that race with them.
//!
//! ```text
//! features (swarm.rs) ─► declarations (functions.rs) ─► bodies (body.rs, topics/)
//!                     ─► host script (topics/host_script.rs), heap, schedule
//! two of them on purpose (aims.rs, topics/on_purpose.rs)
//! ```
//!
//! Programs are valid by construction, and end: loops are bounded, calls and tasks go from
//! later functions to earlier ones, what a body may execute is budgeted. They are biased
//! to races: globals are old objects that all tasks change, and what tasks work on is
//! often reachable through one thing alone (an argument, a captured variable, a value in
//! flight, a temporary).

pub(super) mod body;
mod expressions;
mod functions;
pub(super) mod world;

use super::aims::Aims;
use super::heap_modes::{draw_faults, draw_heap};
use super::swarm::{Feature, Swarm};
use super::topics::host_operations::answers;
use super::topics::host_script::{Wanted, host_script};
use super::topics::versions::{Versions, mark, versions};
use super::{Focus, Mix, origin};
use crate::scenario::{Body, ModuleSource, Programs, Scenario};
use gcrucible_scenario::ScenarioSeed;
use gcrucible_scenario::text::FORMAT;
use gcrucible_trace::choices::Choices;

/// How large a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// A handful of statements, one task or two.
    Tiny,
    /// Executes 60 to 200 statements in three tasks or more.
    Typical,
    /// Executes hundreds of statements.
    Large,
}

impl Size {
    /// The largest size of scenario number `index` of a lane: small ones come first.
    pub fn at_index(index: u64) -> Size {
        match index {
            0..8 => Size::Tiny,
            8..64 => Size::Typical,
            _ => Size::Large,
        }
    }

    fn draw<C: Choices>(c: &mut C, largest: Size) -> Size {
        let drawn = [Size::Tiny, Size::Typical, Size::Large][c.weighted(&[4, 14, 1])];
        drawn.min(largest)
    }

    fn of<T>(self, tiny: T, typical: T, large: T) -> T {
        match self {
            Size::Tiny => tiny,
            Size::Typical => typical,
            Size::Large => large,
        }
    }

    fn helpers(self) -> u32 {
        self.of(0, 1, 3)
    }

    fn helper_fuel(self) -> i32 {
        self.of(4, 5, 8)
    }

    fn workers(self) -> (u32, u32) {
        self.of((1, 1), (1, 3), (3, 5))
    }

    fn worker_fuel(self) -> (u32, u32) {
        self.of((3, 6), (6, 14), (10, 30))
    }

    fn entries(self) -> (u32, u32) {
        self.of((1, 1), (1, 2), (2, 3))
    }

    fn entry_fuel(self) -> (u32, u32) {
        self.of((6, 12), (20, 44), (60, 160))
    }

    fn tasks(self) -> i32 {
        self.of(2, 4, 8)
    }

    fn calls(self) -> (u32, u32) {
        self.of((1, 2), (1, 3), (2, 5))
    }

    fn top_level(self) -> u32 {
        self.of(1, 3, 5)
    }
}

/// Draws a scenario of a lane with this focus.
pub fn generate<C: Choices>(
    c: &mut C,
    seed: Option<ScenarioSeed>,
    mix: &Mix,
    focus: Focus,
) -> Scenario {
    let largest = seed.map_or(Size::Large, |seed| Size::at_index(seed.index));
    let aims = seed.map_or_else(Aims::default, |seed| Aims::of(seed, mix, focus));
    Scenario {
        origin: origin(seed),
        ..generate_up_to(c, largest, mix, focus, aims)
    }
}

/// Draws a scenario not larger than `largest`, with what it is made to have.
fn generate_up_to<C: Choices>(
    c: &mut C,
    largest: Size,
    mix: &Mix,
    focus: Focus,
    aims: Aims,
) -> Scenario {
    let size = Size::draw(c, largest);
    let swarm = Swarm::draw(c);
    let swarm = aims.on(focus.swarm(c, swarm));
    let (heap, debug) = draw_heap(c, mix.modes.as_deref());
    let schedule = focus.schedule(c, mix.strategy);
    let faults = draw_faults(c);
    let mut made = functions::make(c, swarm, size, focus, aims);
    let has_versions = aims.has(Feature::Reloads) || aims.has(Feature::Preloads);
    let versions = match focus {
        Focus::Everything | Focus::Cancellation => Versions::default(),
        Focus::Serve if !has_versions && c.chance(1, 2) => Versions::default(),
        Focus::Reload | Focus::Serve => versions(c, &made.module, |c| {
            let (size, aims) = (size.min(Size::Typical), Aims::default());
            functions::make(c, swarm, size, focus, aims).module
        }),
    };
    if !versions.sources.is_empty() {
        mark(&mut made.module, 0);
    }
    let (from, to) = size.calls();
    let calls = c.within(from, to);
    let read_back = Some(made.read_back);
    let wanted = Wanted { swarm, focus, aims };
    let host = host_script(c, wanted, &versions, &made.entries, read_back, calls);
    let answers = answers(c, swarm, focus);
    let entry = ModuleSource::Tree(made.module);
    Scenario {
        format: FORMAT,
        origin: origin(None),
        heap,
        debug,
        schedule,
        faults,
        body: Body::Programs(Programs {
            entry,
            host,
            answers,
            edits: Vec::new(),
            versions: versions.sources,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::programs::compile;
    use crate::executor::trace::Event;
    use crate::lane;
    use crate::oracles::matches_reference;
    use crate::reference::Limits;
    use crate::reference::self_driver::{Drive, DriveLimits, World, drive};
    use crate::scenario::program::Module;
    use gcrucible_bytecode::Program;
    use gcrucible_trace::choices::{ByteChoices, SeededChoices};

    const LIMITS: DriveLimits = DriveLimits {
        model: Limits {
            max_frames: 100,
            grace_ms: 5,
            has_library: true,
        },
        fuel: 24,
        decisions: 5000,
    };

    fn scenario(index: u64) -> Scenario {
        of_lane(lane::PROGRAMS, index)
    }

    fn of_lane(lane: gcrucible_scenario::Lane, index: u64) -> Scenario {
        let seed = ScenarioSeed {
            lane,
            seed: 7,
            index,
        };
        crate::generator::generate(seed, &Mix::default())
    }

    fn programs(scenario: &Scenario) -> (&Module, World<'_>) {
        match &scenario.body {
            Body::Programs(Programs {
                entry: ModuleSource::Tree(module),
                host,
                answers,
                ..
            }) => (module, World { host, answers }),
            other => panic!("no generated program: {other:?}"),
        }
    }

    fn compiled(module: &Module) -> Program {
        let programs = Programs {
            entry: ModuleSource::Tree(module.clone()),
            host: Vec::new(),
            answers: Vec::new(),
            edits: Vec::new(),
            versions: Vec::new(),
        };
        let compiled = compile(&programs);
        let compiled = compiled.unwrap_or_else(|errors| panic!("{errors}\n{}", module.render()));
        (*compiled.entry).clone().into_inner()
    }

    fn driven(scenario: &Scenario, seed: u64) -> (Program, Drive) {
        let (module, world) = programs(scenario);
        let program = compiled(module);
        let drive = drive(&program, world, &mut SeededChoices::new(seed), LIMITS);
        (program, drive)
    }

    #[test]
    fn programs_compile_end_and_agree_with_themselves() {
        for index in 0..500 {
            let scenario = scenario(index);
            let (program, drive) = driven(&scenario, index);
            assert!(drive.quiescent, "scenario {index} does not end");
            let checked = matches_reference::check(&program, &drive.events, LIMITS.model);
            let stats = checked.unwrap_or_else(|failure| panic!("scenario {index}: {failure:?}"));
            assert_eq!(stats.instructions, drive.work.instructions);
        }
    }

    #[test]
    fn forks_are_made_called_refused_and_dropped() {
        let (mut made, mut refused, mut dropped, mut called) = (0, 0, 0, 0);
        for index in 0..300 {
            let scenario = of_lane(lane::SERVE, index);
            let (program, drive) = driven(&scenario, index);
            assert!(drive.quiescent, "scenario {index} does not end");
            let checked = matches_reference::check(&program, &drive.events, LIMITS.model);
            assert!(checked.is_ok(), "scenario {index}: {checked:?}");
            for event in &drive.events {
                match event {
                    Event::Forked { refused: None, .. } => made += 1,
                    Event::Forked { .. } => refused += 1,
                    Event::ForkDropped { .. } => dropped += 1,
                    Event::CallStarted { realm, .. } if *realm > 0 => called += 1,
                    _ => {}
                }
            }
        }
        let counts = (made, refused, dropped, called);
        assert!(
            made > 200 && refused > 20 && dropped > 50 && called > 200,
            "{counts:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_scenario() {
        for index in [0, 40, 300] {
            assert_eq!(scenario(index), scenario(index));
        }
        assert_ne!(scenario(300), scenario(301));
    }

    #[test]
    fn bytes_give_programs_too_and_none_of_them_the_smallest() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| (n * 167 % 251) as u8).collect();
        for length in [0, 10, 100, 2000] {
            let mut choices = ByteChoices::new(&bytes[..length]);
            let scenario = generate(&mut choices, None, &Mix::default(), Focus::Everything);
            let (module, _) = programs(&scenario);
            compiled(module);
            assert!(
                length > 0 || module.statement_count() < 16,
                "{}",
                module.render()
            );
        }
    }

    #[test]
    fn programs_stay_small() {
        // Literals that hold literals of the same kind must end however the choices fall.
        for index in 100..3000 {
            let length = programs(&scenario(index)).0.render().len();
            assert!(length < 32_000, "scenario {index} has {length} bytes");
        }
    }

    #[test]
    fn a_fuzzers_bytes_give_programs() {
        let bytes: Vec<u8> = (0..3000u32).map(|n| (n * 73 % 241) as u8).collect();
        let mut input = arbitrary::Unstructured::new(&bytes);
        let scenario = generate(&mut input, None, &Mix::default(), Focus::Everything);
        compiled(programs(&scenario).0);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            cases: 64,
            failure_persistence: None,
            ..Default::default()
        })]

        #[test]
        fn any_bytes_give_programs_that_end(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)
        ) {
            let scenario = generate(&mut ByteChoices::new(&bytes), None, &Mix::default(), Focus::Everything);
            let (program, drive) = driven(&scenario, bytes.len() as u64);
            assert!(drive.quiescent);
            let checked = matches_reference::check(&program, &drive.events, LIMITS.model);
            assert!(checked.is_ok(), "{checked:?}");
        }
    }

    #[test]
    fn typical_programs_race_and_mostly_succeed() {
        let (mut tasks, mut returned, mut ended, mut statements) = (0, 0, 0, 0);
        for index in 100..300 {
            let (_, drive) = driven(&scenario(index), index);
            tasks += drive.tasks - 1;
            statements += drive.work.statements;
            for event in &drive.events {
                if let Event::CallEnded { outcome, .. } = event {
                    ended += 1;
                    let is_value = matches!(outcome, crate::executor::trace::Outcome::Returned(_));
                    returned += usize::from(is_value);
                }
            }
        }
        assert!(tasks >= 3 * 200, "{tasks} tasks");
        assert!(
            (60 * 200..300 * 200).contains(&statements),
            "{statements} statements"
        );
        assert!(
            returned * 3 > ended * 2,
            "{returned} of {ended} calls returned"
        );
    }
}
