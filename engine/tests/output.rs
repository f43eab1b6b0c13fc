//! What a program prints and logs reaches the sink that the engine was made with, and nobody
//! else; a sink that panics harms nobody.

use std::sync::Arc;

use gcrucible_engine::{
    CallKind, Engine, EngineOptions, Level, Outcome, Output, OutputLine, Source, VirtualPlatform,
    compile,
};
use gcrucible_platform::sync::Mutex;

type Lines = Arc<Mutex<Vec<(Level, String, Option<u32>, u32)>>>;

fn engine(text: &str, output: Output) -> (Engine, Arc<VirtualPlatform>) {
    let program = compile(&Source::new("main.crux", text)).expect("a program");
    let platform = Arc::new(VirtualPlatform::new(50));
    let options = EngineOptions {
        output,
        ..EngineOptions::default()
    };
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        None,
    );
    (engine.expect("an engine"), platform)
}

fn collecting() -> (Lines, Output) {
    let lines = Lines::default();
    let seen = Arc::clone(&lines);
    let output = Output::to(move |line: &OutputLine<'_>| {
        let line = (line.level, line.text.to_owned(), line.call, line.realm);
        seen.lock().push(line);
    });
    (lines, output)
}

const PROGRAM: &str = r#"
    print("top")
    fn child() { log.debug("child") }
    fn detached_child() { log.info("detached") }
    fn work() {
      print("a", 1, "\n")
      log.warn("b", nil)
      await spawn child()
      spawn detached detached_child()
      log.error("c")
    }
"#;

#[test]
fn each_line_comes_with_its_level_and_whose_it_is() {
    let (lines, output) = collecting();
    let (engine, platform) = engine(PROGRAM, output);
    let init = platform.block_on(engine.start_init());
    init.expect("nothing runs").detach();
    assert!(platform.run(1_000));
    let fork = platform
        .block_on(engine.fork_for_serving())
        .expect("a fork");
    let calls = [
        engine.start_call(7, "work", &[]).expect("a call"),
        fork.start_call(8, "work", &[]).expect("a call"),
    ];
    assert!(platform.run(1_000));
    for call in calls {
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    }
    let mut lines = lines.lock().clone();
    // By realm; within one as they were written.
    lines.sort_by_key(|line| (line.3, line.2.is_none()));
    let line = |level, text: &str, call, realm| (level, text.to_owned(), call, realm);
    let mut expected = vec![line(Level::Print, "top", Some(CallKind::Init.id()), 0)];
    for (call, realm) in [(7, 0), (8, fork.number())] {
        expected.extend([
            line(Level::Print, "a 1 \n", Some(call), realm),
            line(Level::Warn, "b nil", Some(call), realm),
            line(Level::Debug, "child", Some(call), realm),
            line(Level::Error, "c", Some(call), realm),
            line(Level::Info, "detached", None, realm),
        ]);
    }
    assert_eq!(lines, expected);
}

#[test]
fn a_sink_that_panics_harms_nobody() {
    let output = Output::to(|line: &OutputLine<'_>| {
        // Without a word on stderr.
        std::panic::resume_unwind(Box::new(line.text.to_owned()))
    });
    for output in [output, Output::none()] {
        let (engine, platform) = engine(PROGRAM, output);
        let init = platform
            .block_on(engine.start_init())
            .expect("nothing runs");
        assert!(platform.run(1_000));
        assert_eq!(init.call().outcome(), Some(Outcome::Returned));
        let call = engine.start_call(1, "work", &[]).expect("a call");
        assert!(platform.run(1_000));
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
        assert_eq!(engine.open_task_count(), 0);
    }
}

#[test]
fn an_error_that_nobody_sees_is_reported() {
    let (lines, output) = collecting();
    let text = r#"
        fn fails() { throw error("lost") }
        fn forgets() { let f = spawn fails(); sleep(1); return 1 }
        fn frees() { finalizer([1], |object| fails()); collect() }
    "#;
    let (engine, platform) = engine(text, output);
    let init = platform.block_on(engine.start_init());
    init.expect("nothing runs").detach();
    assert!(platform.run(1_000));
    for name in ["forgets", "frees"] {
        let call = engine.start_call(1, name, &[]).expect("a call");
        assert!(platform.run(1_000));
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    }
    engine.report_failures();
    let lines = lines.lock();
    for (line, how) in lines.iter().zip(["nobody awaited it", "in a finalizer"]) {
        assert_eq!((line.0, line.2), (Level::Error, None));
        let first = format!("uncaught Error: lost ({how})\n  at fails (main.crux:2:");
        assert!(line.1.starts_with(&first), "{}", line.1);
    }
    assert_eq!(lines.len(), 2, "{lines:?}");
}
