//! Hot reload on real threads, under a load of calls.

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_engine::{Outcome, ReloadAnswer, ReloadOptions, Source, Tick, compile};
use gcrucible_heap::CollectionKind;

use self::world::World;

/// A version whose calls say its number twice: before a task that they wait for, and after.
fn version(number: usize) -> String {
    format!(
        "let mine = [{number}]\n\
         fn child() {{ yield_now()\n return mine[0] }}\n\
         fn both() {{\n  let first = mine[0]\n  let list = []\n  \
         for i in 0..20 {{ list.push([i, first]) }}\n  \
         return [first, await spawn child(), list[19][1]]\n}}\n"
    )
}

/// Reloads again and again while calls run. Each call sees one version only, none older than
/// the one that was current when it began.
fn reload_under_load(reloads: usize, calls_each: u32) {
    let modes = "collect=alloc:200,zombie,verify=quick";
    let world = World::new(3, 50, modes, &version(0));
    assert_eq!(world.block_on(world.engine.tick()), Tick::Fulfilled);
    let baseline = world.engine.heap().stats().protected_by_kind;
    assert_eq!(baseline, BTreeMap::from([("future", 1)]));
    let mut id = 0;
    for number in 1..=reloads {
        let mut calls = Vec::new();
        let mut start = |calls: &mut Vec<_>| {
            for _ in 0..calls_each {
                calls.push(world.call(id, "both", &[]));
                id += 1;
            }
        };
        start(&mut calls);
        let program = compile(&Source::new("main.crux", version(number)));
        let program = program.map(Arc::new).map_err(|errors| errors.to_string());
        let asked = world.engine.reload(program, ReloadOptions::default());
        let answer = world.block_on(asked);
        assert_eq!(answer, ReloadAnswer::Begun(number as u32 + 1));
        start(&mut calls);
        world.block_on(world.engine.entry_ended());
        let before_swap = calls.len();
        assert_eq!(world.block_on(world.engine.tick()), Tick::Fulfilled);
        start(&mut calls);
        for (at, call) in calls.iter().enumerate() {
            let expected = if at < before_swap { number - 1 } else { number };
            assert_eq!(world.join(call), Outcome::Returned);
            let seen = world.value(call);
            assert_eq!(seen, format!("[{expected}, {expected}, {expected}]"));
        }
        assert_eq!(world.engine.heap().stats().protected_by_kind, baseline);
    }
    // Who joins a call may be faster than the thread that puts its machine away.
    let is_freed = (0..1_000_000).any(|_| {
        gcrucible_platform::sync::thread::yield_now();
        world.engine.try_collect(CollectionKind::Major);
        world.engine.heap().stats().versions == 1
    });
    assert!(is_freed, "what nothing runs on is freed (I-20)");
    world.engine.shutdown();
    let protected = world.engine.heap().stats().protected_by_kind;
    assert_eq!(protected, BTreeMap::new());
    world.finish();
}

#[test]
fn no_call_fails_and_each_sees_one_version() {
    reload_under_load(60, 4);
}
