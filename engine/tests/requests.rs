//! A request is served by a call in a fork of its own; it is under way until that call has
//! ended, and a client that goes away ends it (I-18).
#![cfg(feature = "tokio")]

mod world;

use std::sync::Arc;

use gcrucible_engine::{
    CallError, CallKind, Engine, EngineEvent, EngineOptions, ForkError, HostValue, Observer,
    Outcome, Request, RequestError, RequestId, Source, VirtualPlatform, compile,
};
use gcrucible_platform::sync::Mutex;

use self::world::clockwork::{Clockwork, ready};

const SOURCE: &str = r#"
    let log = []
    fn quick(n) { log.push(n); return log.len() }
    fn slow(ms) {
      let child = spawn work(ms)
      try { sleep(ms) } finally { log.push("cleaned") }
      return await child
    }
    fn work(ms) { sleep(ms); return "worked" }
    fn fails() { throw error("no", [1]) }
"#;

fn id(text: &str) -> RequestId {
    RequestId::from_header(Some(text.as_bytes()), || "generated".to_owned())
}

fn request(
    engine: &Engine,
    call: u32,
    export: &str,
    args: &[i64],
) -> Result<Request, RequestError> {
    let args: Vec<_> = args.iter().copied().map(HostValue::Int).collect();
    ready(engine.request(id(&format!("r{call}")), call, export, &args))
}

fn world() -> Clockwork {
    Clockwork::new(VirtualPlatform::new(20), SOURCE)
}

#[test]
fn requests_share_nothing_and_are_counted_until_they_have_ended() {
    let world = world();
    let requests: Vec<Request> = (0..3)
        .map(|call| request(&world.engine, call, "quick", &[4]).expect("room for three"))
        .collect();
    assert_eq!(world.engine.open_request_count(), 3);
    let open = world.engine.open_requests();
    assert_eq!((open[1].number, open[1].call), (2, Some(1)));
    assert_eq!(open[1].id.as_str(), "r1");
    world.run();
    for request in &requests {
        assert_eq!(ready(request.answer()), Outcome::Returned);
        assert_eq!(world.data(request.call()), Some(HostValue::Int(1)));
    }
    assert_eq!(world.engine.open_request_count(), 0);
    let failed = request(&world.engine, 0, "fails", &[]).expect("the id is free");
    world.run();
    assert_eq!(ready(failed.answer()), Outcome::Threw);
    drop((failed, requests));
    world.finish();
}

#[test]
fn a_client_that_goes_away_cancels_its_call_and_all_below_it() {
    for is_dropped in [false, true] {
        let world = world();
        let request_of = |call| request(&world.engine, call, "slow", &[100]).expect("room");
        let (gone, stays) = (request_of(1), request_of(2));
        world.settle();
        let call = Arc::clone(gone.call().call());
        if is_dropped {
            drop(gone);
        } else {
            gone.disconnect();
        }
        // Its call still ends: so long it counts.
        assert_eq!(world.engine.open_request_count(), 2);
        world.settle();
        assert_eq!(call.outcome(), Some(Outcome::Cancelled));
        assert_eq!(world.engine.open_request_count(), 1);
        assert!(world.now() < 100, "it has waited for the end");
        world.run();
        assert_eq!(ready(stays.answer()), Outcome::Returned);
        let later = request(&world.engine, 1, "quick", &[1]).expect("later requests work");
        world.run();
        assert_eq!(ready(later.answer()), Outcome::Returned);
        drop((stays, later));
        assert_eq!(world.engine.open_request_count(), 0);
        world.finish();
    }
}

#[test]
fn what_is_refused_takes_no_place() {
    let world = Clockwork::new(VirtualPlatform::new(20), "let s = stream([1])\nfn f() {}");
    let refused = request(&world.engine, 1, "f", &[]).unwrap_err();
    assert!(matches!(
        refused,
        RequestError::Fork(ForkError::Stream { .. })
    ));
    assert_eq!(world.engine.open_request_count(), 0);
    world.finish();

    let world = self::world();
    let refused = request(&world.engine, 1, "absent", &[]).unwrap_err();
    let absent = CallError::UnknownExport("absent".to_owned());
    assert_eq!(refused, RequestError::Call(absent));
    assert_eq!(refused.to_string(), "the program exports no `absent`");
    let first = request(&world.engine, 1, "slow", &[10]).expect("room");
    let duplicate = request(&world.engine, 1, "quick", &[1]).unwrap_err();
    assert_eq!(duplicate, RequestError::Call(CallError::DuplicateCallId(1)));
    assert_eq!(world.engine.open_request_count(), 1);
    world.run();
    assert_eq!(ready(first.answer()), Outcome::Returned);
    drop(first);
    world.finish();
}

/// Notes the events of requests, and panics at each when it is told to.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    panics: bool,
}

impl Observer for Log {
    fn event(&self, event: &EngineEvent<'_>) {
        let line = match event {
            EngineEvent::RequestRefused { id } => format!("refused {id}"),
            EngineEvent::RequestBegan {
                request,
                id,
                fork,
                call,
            } => {
                format!("began {request} {id} in {fork} by {}", call.id())
            }
            EngineEvent::Disconnected { request, id } => format!("gone {request} {id}"),
            EngineEvent::RequestEnded {
                request,
                id,
                outcome,
            } => {
                format!("ended {request} {id} {outcome:?}")
            }
            EngineEvent::CallEnded { call, .. } if call.id() != CallKind::Init.id() => {
                format!("call {} ended", call.id())
            }
            EngineEvent::ForkDropped { fork } => format!("dropped {fork}"),
            _ => return,
        };
        self.lines.lock().push(line);
        assert!(!self.panics, "the observer panics");
    }
}

#[test]
fn as_many_are_under_way_as_allowed_and_the_observer_sees_each_step() {
    for panics in [false, true] {
        let log = Arc::new(Log {
            panics,
            ..Log::default()
        });
        let platform = Arc::new(VirtualPlatform::new(20));
        let options = EngineOptions {
            requests_max: 2,
            ..EngineOptions::default()
        };
        let program = compile(&Source::new("main.crux", SOURCE)).expect("it compiles");
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&log) as _),
        )
        .expect("an engine");
        let _init = ready(engine.start_init()).expect("nothing runs yet");
        assert!(platform.run(10_000));
        let first = request(&engine, 1, "slow", &[100]).expect("room");
        let second = request(&engine, 2, "quick", &[1]).expect("room");
        let third = request(&engine, 3, "quick", &[1]).unwrap_err();
        assert_eq!(third, RequestError::TooMany(2));
        while platform.step() {}
        drop(first);
        while platform.step() {}
        drop(second);
        assert_eq!(engine.open_request_count(), 0);
        assert_eq!(engine.open_call_count(), 0);
        assert_eq!(
            *log.lines.lock(),
            [
                "began 1 r1 in 1 by 1",
                "began 2 r2 in 2 by 2",
                "refused r3",
                "ended 2 r2 Returned",
                "call 2 ended",
                "gone 1 r1",
                "dropped 1",
                "ended 1 r1 Cancelled",
                "call 1 ended",
                "dropped 2",
            ],
            "the observer panics: {panics}"
        );
    }
}
