//! Work is charged by size: whatever one built-in does, others get a word in, counted in turns
//! of a platform with virtual time.

use std::fmt::Write as _;
use std::sync::Arc;

use gcrucible_engine::{
    Engine, EngineOptions, HostValue, Outcome, Source, Unfit, VirtualPlatform, compile,
};
use gcrucible_heap::HeapConfig;

/// Turns that a call may take to end after its cancellation: a few slices, whatever it is at.
const TURNS: u64 = 30;

/// An engine, its top level run, on a platform whose slices have 10,000 instructions.
fn engine(source: &str) -> (Engine, Arc<VirtualPlatform>) {
    let program = compile(&Source::new("main.crux", source));
    let program = program.unwrap_or_else(|errors| panic!("{errors}"));
    let platform = Arc::new(VirtualPlatform::new(10_000));
    let options = EngineOptions {
        heap: HeapConfig {
            limit_bytes: 64 << 20,
            ..HeapConfig::default()
        },
        ..EngineOptions::default()
    };
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        None,
    );
    let engine = engine.expect("an engine");
    let init = platform.block_on(engine.start_init()).expect("a beginning");
    assert!(platform.run(1_000_000), "the top level ends");
    drop(init);
    (engine, platform)
}

/// Each of them would hold others up for long if it were done in one go.
const WORK: &[&str] = &[
    "deep_copy(nested)",
    "deep_equals(nested, twin)",
    "text.split(\"\")",
    "text.upper().replace(\"A\", \"bb\")",
    "ints.join(\",\")",
    "str(ints)",
    "ints.has(nil)",
    "ints.reverse()",
    "ints.fill(0)",
    "ints.slice(0, ints.len())",
    "entries.keys()",
    "ints.sort()",
    "json.stringify(ints)",
    "try { host(\"none\", ints) } catch e is HostError { }",
];

/// What they work on: large for the steps of one instruction, small enough for a slow build.
const OPERANDS: &str = "
    let ints = []
    let nested = []
    let twin = []
    let entries = {}
    let text = \"aé\".repeat(200000)
    for i in 0..30000 {
      ints.push(i)
      nested.push([i])
      twin.push([i])
      entries[i] = i
    }
";

#[test]
fn a_cancellation_waits_for_no_built_in() {
    let mut source = OPERANDS.to_owned();
    for (number, work) in WORK.iter().enumerate() {
        writeln!(
            source,
            "export fn work{number}() {{ while true {{ {work} }} }}"
        )
        .expect("writing to a string cannot fail");
    }
    let (engine, platform) = engine(&source);
    for (number, work) in WORK.iter().enumerate() {
        for turns in [3, 40] {
            let export = format!("work{number}");
            let call = engine.start_call(1, &export, &[]).expect("a call");
            assert!(!platform.run(turns), "{work} goes on");
            engine.cancel_call(1).expect("it goes on");
            assert!(platform.run(TURNS), "{work} after {turns} turns");
            assert_eq!(platform.block_on(call.join()), Outcome::Cancelled, "{work}");
        }
    }
}

const SHARED: &str = "
    fn shared() { let a = [1]; for i in 0..40 { a = [a, a] } return a }
    export fn main() { return shared() }
    export fn hand_over() {
      try { host(\"none\", shared()) } catch e { return [e.kind, e.message] }
    }
    export fn large() { let a = []; for i in 0..20000 { a.push([i, \"text\"]) } return a }
";

#[test]
fn what_shares_parts_is_refused_to_the_host_when_it_is_too_large() {
    let (engine, platform) = engine(SHARED);
    let call = engine.start_call(1, "main", &[]).expect("a call");
    assert!(platform.run(1_000));
    let most = 16 << 20;
    let refused = platform.block_on(call.try_data());
    assert_eq!(refused, Err(Unfit::TooLarge(most)));
    assert_eq!(platform.block_on(call.data()), None);
    let call = engine.start_call(2, "hand_over", &[]).expect("a call");
    assert!(platform.run(10_000));
    let Some(HostValue::Array(error)) = platform.block_on(call.data()) else {
        panic!("it gives the error's kind and message");
    };
    assert_eq!(error[0], HostValue::String("HostError".to_owned()));
    assert_eq!(
        error[1],
        HostValue::String(Unfit::TooLarge(most).to_string())
    );
}

#[test]
fn a_large_answer_is_converted_whole_and_can_be_given_up() {
    let (engine, platform) = engine(SHARED);
    let call = engine.start_call(1, "large", &[]).expect("a call");
    assert!(platform.run(10_000));
    let Some(HostValue::Array(elements)) = platform.block_on(call.data()) else {
        panic!("it is an array");
    };
    assert_eq!(elements.len(), 20_000);
    let last = [HostValue::Int(19_999), HostValue::String("text".to_owned())];
    assert_eq!(elements[19_999], HostValue::Array(last.to_vec()));
    // Between two steps nobody holds the heap.
    let mut data = Box::pin(call.data());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::future::Future::poll(data.as_mut(), &mut cx).is_pending());
    assert!(engine.heap().try_exclusive().is_some());
    drop(data);
}

#[test]
fn a_large_fork_lets_others_go_first() {
    let source = "
        let nested = []
        for i in 0..10000 { nested.push([i]) }
        nested.push(nested)
        export fn main() { nested.push(0); return [nested.len(), nested[9999][0], nested[10000] == nested] }
    ";
    let (engine, platform) = engine(source);
    let mut forking = Box::pin(engine.fork_for_serving());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::future::Future::poll(forking.as_mut(), &mut cx).is_pending());
    assert!(engine.heap().try_exclusive().is_some());
    let fork = platform.block_on(forking).expect("a fork");
    for _ in 0..2 {
        // The template is as it was.
        let other = platform
            .block_on(engine.fork_for_serving())
            .expect("a fork");
        let call = other.start_call(1, "main", &[]).expect("a call");
        assert!(platform.run(1_000));
        let expected = [
            HostValue::Int(10_002),
            HostValue::Int(9_999),
            HostValue::Bool(true),
        ];
        assert_eq!(
            platform.block_on(call.data()),
            Some(HostValue::Array(expected.to_vec()))
        );
    }
    drop(fork);
}
