//! Scenarios of this crate as text.

use gcrucible_scenario::text::{FORMAT, LINE_WIDTH};
use gcrucible_scenario::{Origin, ScenarioData as _};

use crate::scenario::{Body, HeapOp, HeapOps, HostEvent, ModuleSource, Programs, Scenario};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_heap::{CollectionKind, HeapConfig};
use gcrucible_trace::{Decision, Site};

fn heap_ops() -> Scenario {
    Scenario {
        format: FORMAT,
        origin: Origin {
            seed: Some("heap-ops:1:2".into()),
            ..Origin::default()
        },
        heap: HeapConfig::tiny(),
        debug: "zombie,collect=at:1:5,verify=full".parse().unwrap(),
        schedule: Schedule::Drawn {
            strategy: StrategyName::Pct2,
            seed: 9,
        },
        faults: vec![crate::scenario::Fault::OutOfMemory { at: 3 }],
        body: Body::HeapOps(HeapOps {
            holders: 2,
            registers: 4,
            ops: vec![HeapOp::Array(0, 3), HeapOp::Collect(CollectionKind::Minor)],
        }),
    }
}

fn programs() -> Scenario {
    let source = "fn main() {\n  print(\"a#\\\"b\")\n}\n".to_owned();
    let site = Site {
        actor: 1,
        function: 0,
        at: 4,
        visit: 2,
    };
    Scenario {
        schedule: Schedule::Recorded(vec![
            Decision {
                site: Site::default(),
                fuel: 0,
                collect: None,
                inject: None,
            },
            Decision {
                site,
                fuel: 7,
                collect: Some(gcrucible_trace::CollectionKind::Major),
                inject: Some(gcrucible_trace::Injected::CancelFuture(3)),
            },
        ]),
        faults: Vec::new(),
        body: Body::Programs(Programs {
            entry: ModuleSource::Text(source),
            answers: Vec::new(),
            edits: Vec::new(),
            versions: Vec::new(),
            host: vec![
                HostEvent::Call {
                    call: 0,
                    function: "main".into(),
                    args: vec![1, -2],
                },
                HostEvent::JoinCall { call: 0 },
            ],
        }),
        ..heap_ops()
    }
}

#[test]
fn scenarios_read_what_they_write() {
    for scenario in [heap_ops(), programs()] {
        let text = scenario.to_text();
        assert_eq!(Scenario::from_text(&text).unwrap(), scenario, "{text}");
        assert_eq!(Scenario::from_text(&text).unwrap().to_text(), text);
    }
}

#[test]
fn generated_scenarios_read_what_they_write() {
    for lane in crate::lane::ALL {
        for index in 0..300 {
            let seed = gcrucible_scenario::ScenarioSeed {
                lane,
                seed: 1,
                index,
            };
            let mut scenario = crate::generator::generate(seed, &Default::default());
            scenario.origin.failure = Some(gcrucible_trace::Failure {
                oracle: "a".into(),
                check: "b \"c\"".into(),
                site: "r#\"d\"# \\ ')".into(),
                message: "one (\n two: [\n  \"three\"".into(),
            });
            let text = scenario.to_text();
            let read = Scenario::from_text(&text).unwrap_or_else(|e| panic!("{seed}: {e}"));
            assert_eq!(read, scenario, "{seed}");
            assert_eq!(read.to_text(), text, "{seed}");
        }
    }
}

#[test]
fn operations_stand_on_lines_of_their_own() {
    let text = heap_ops().to_text();
    assert!(
        text.lines().any(|line| line.trim() == "Array(0, 3),"),
        "{text}"
    );
    assert!(
        text.lines().any(|line| line.trim() == "Collect(Minor),"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() <= LINE_WIDTH), "{text}");
    let text = programs().to_text();
    assert!(
        text.contains("\n  print("),
        "source text stays readable: {text}"
    );
}

#[test]
fn every_prefix_is_a_clear_error() {
    let text = heap_ops().to_text();
    for end in 0..text.trim_end().len() - 1 {
        let error = Scenario::from_text(&text[..end]).unwrap_err();
        assert!(error.line >= 1 && error.column >= 1);
        assert!(!error.message.is_empty());
    }
    let half = Scenario::from_text(&text[..text.len() / 2]).unwrap_err();
    assert!(half.message.contains("too early"), "{half}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let text = heap_ops().to_text();
    let cases = [
        ("holders: 2", "holdres: 2", "holdres"),
        ("holders: 2", "holders: 0", "at least 1"),
        ("holders: 2", "holders: 300", ""),
        ("Array(0, 3)", "Arroy(0, 3)", "Arroy"),
        ("card_bytes: 128", "card_bytes: 100", "power of two"),
        ("format: 1", "format: 2", "newer"),
        ("format: 1", "format: one", ""),
    ];
    for (from, to, expected) in cases {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from} is in the text");
        let line = 1 + broken[..broken.find(to).unwrap()].matches('\n').count();
        let error = Scenario::from_text(&broken).unwrap_err();
        assert!(error.message.contains(expected), "{to}: {error}");
        assert_eq!(error.line, line, "{to}: {error}");
    }
    let error = Scenario::from_text(&format!("{text} 1")).unwrap_err();
    assert!(error.message.contains("after the end"), "{error}");
}

#[test]
fn a_newer_format_is_recognised_whatever_else_it_holds() {
    let error = Scenario::from_text("(\n  format: 9,\n  galaxy: [1, (a: 2)],\n)").unwrap_err();
    assert!(error.newer_format);
    assert_eq!((error.line, error.column), (2, 3));
}
