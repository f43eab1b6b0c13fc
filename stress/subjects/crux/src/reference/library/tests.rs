//! The library keeps its word, and what stands in its place and does not is found out.

use gcrucible_bytecode::{Op, Program};
use gcrucible_frontend::{Source, compile};
use gcrucible_trace::choices::SeededChoices;

use super::lifecycle::Dispatch;
use super::*;
use crate::oracles::{library_keeps_its_word, matches_reference};
use crate::reference::self_driver::{DriveLimits, World, drive};
use crate::reference::{Limits, MapObject};
use crate::scenario::HostEvent;

const LIMITS: DriveLimits = DriveLimits {
    model: Limits {
        max_frames: 60,
        grace_ms: 5,
        has_library: true,
    },
    fuel: 7,
    decisions: 50_000,
};

fn compiled(text: &str) -> Program {
    let text = text.to_owned();
    let path = "main.crux".to_owned();
    let program = compile(&Source { path, text }).unwrap_or_else(|errors| panic!("{errors}"));
    program.into_inner()
}

/// The function that did not keep its word in a run of `main`, if one did not.
fn broken_in(program: &Program) -> Option<String> {
    let host = [HostEvent::Call {
        call: 1,
        function: "main".into(),
        args: vec![],
    }];
    let world = World {
        host: &host,
        answers: &[],
    };
    let drive = drive(program, world, &mut SeededChoices::new(5), LIMITS);
    assert!(drive.quiescent);
    let failure = matches_reference::check(program, &drive.events, LIMITS.model).err()?;
    assert_eq!(failure.oracle, library_keeps_its_word::NAME, "{failure:?}");
    Some(failure.check)
}

/// Lets the function `fake` of a program, and the closures in it, stand for one of the library.
fn with_fake(name: &str, fake: &str, main: &str) -> Program {
    // It uses something of the library, which is there then.
    let text = format!("{fake}\nfn main() {{\n math.abs(1)\n {main}\n}}");
    let mut program = compiled(&text);
    let library = program
        .modules
        .iter()
        .position(|module| module.path == "<library>");
    let library = library.expect("it uses the library") as u16;
    let found = program
        .functions
        .iter()
        .position(|function| function.name == "fake");
    let found = found.expect("it has one");
    let mut own = vec![found];
    for op in &program.functions[found].code {
        if let Op::NewClosure { function, .. } = op {
            own.push(usize::from(*function));
        }
    }
    for function in own {
        program.functions[function].module = library;
    }
    program.functions[found].name = name.to_owned();
    program
}

#[test]
fn all_that_the_library_has_keeps_its_word() {
    let program = compiled(
        r#"
        enum Color { Red(shade) }
        fn tried(f) { try { return f() } catch e { return e.kind } }
        fn main() {
          let xs = [3, 1, 2, 1]
          let nan = 0.0 / 0.0
          xs.map(|x| x + 1)
          xs.filter(|x| x > 1)
          xs.each(|x| xs.len())
          xs.reduce(|a, b| a + b, 0)
          xs.find(|x| x == 2)
          xs.any(|x| x == 9)
          xs.all(|x| x > 0)
          xs.sort()
          [1, nan, 0.5, 1.0].sort()
          [[1, "a"], [0, "b"], [1, "c"]].sort_by(|pair| pair[0])
          xs.group_by(|x| x % 2)
          xs.sum()
          [xs.min(), xs.max(), [nan, 1].min(), [nan, 1].max(), [].min()]
          xs.zip(["a"])
          xs.enumerate()
          [xs.take(9), xs.take(-1), xs.skip(3)]
          [[1], 2, [[3]]].flat()
          [1, 1.0, "a", "a"].unique()
          tried(|| [1, "a"].sort())
          tried(|| [nil].sum())
          "süß".chars()
          ["a\r\nb\n".lines(), "".lines()]
          ["a".pad_start(6, "xyz"), "a".pad_end(4, ""), "abc".pad_end(2, "x")]
          let map = { a: 1, b: 2 }
          map.entries()
          map.each(|k, v| k)
          map.map_values(|v| v * 2)
          map.filter(|k, v| v == 2)
          map.merge({ b: 3, c: 4 })
          (0..3).map(|x| x * x)
          (0..3).each(|x| x)
          (0..3).to_array()
          [math.abs(-2), math.min(1, nan), math.max(1, nan), math.clamp(9, 0, 5)]
          json.parse("[1, {\"a\": [null, 1.5]}, \"\\u00e9\"]")
          tried(|| json.parse("[1,]"))
          json.stringify([1, { a: "\u{1}\n" }, 2.5, []], 2)
          tried(|| json.stringify(nan))
          tried(|| json.stringify([|| 1]))
          let source = stream(0..5)
          stream(source).take(2).collect()
          let client = clients.fallback([
            clients.named("a", |r| { throw r }),
            clients.retry(clients.named("b", |r| { throw r }), 2, 1),
            clients.round_robin([clients.named("c", |r| [r])])
          ])
          clients.call(client, 1)
          tried(|| clients.call(clients.retry(clients.named("d", |r| { throw error("no") }), 2, 1), 1))
          let count = 0
          let ticks = schedule every 2 |tick, skipped| {
            count += 1
            sleep(2 * count)
            return count < 3
          }
          await ticks
          on_interrupt("INT", || { throw 1 })
          on_interrupt("INT", || 2, true)
          sys.interrupt("INT")
          sleep(1)
          sys.interrupt("INT")
          sleep(1)
          spawn (|| { sleep(2) })()
          pre_finish(|value, open| Hook.Modify([value, open]))
          on_unsettled(|value, open| { sleep(5)
            return nil })
          on_finish(|value| [value])
          post_finish(|value, open| nil)
          return 1
        }
        "#,
    );
    assert_eq!(broken_in(&program), None);
    let library = Library::of(&program);
    let kept: Vec<Pledged> = library.functions.iter().flatten().copied().collect();
    for pledged in Pledged::ALL {
        assert!(kept.contains(pledged), "{} is used", pledged.name());
    }
}

#[test]
fn what_does_not_keep_its_word_is_found_out() {
    let broken = [
        (
            "array.take",
            "fn fake(xs, n) { return xs.slice(0, 0) }",
            "fake([1, 2], 1)",
        ),
        // It throws where it should not.
        (
            "array.take",
            "fn fake(xs, n) { return xs.slice(0, n) }",
            "try { fake([1], -1) } catch { }",
        ),
        (
            "array.map",
            "fn fake(xs, f) { let out = []
               for x in xs { out.push(f(x)) }
               out.pop()
               return out }",
            "fake([1, 2], |x| x)",
        ),
        // It leaves one out.
        (
            "array.each",
            "fn fake(xs, f) { for i in 1..xs.len() { f(xs[i]) } }",
            "fake([1, 2], |x| x)",
        ),
        // It leaves out the tick that is due just now, in a task of its own.
        (
            "__schedule",
            "fn fake(every, body) { let start = time.now()
               time.now()
               sleep(every)
               body(1, 0)
               time.now()
               sleep(every)
               body(3, 1) }",
            "await (spawn fake(2, |tick, skipped| nil))",
        ),
        // It asks on.
        (
            "array.find",
            "fn fake(xs, f) { let found = nil
               for x in xs { if f(x) && found == nil { found = x } }
               return found }",
            "fake([1, 2], |x| true)",
        ),
        (
            "array.reduce",
            "fn fake(xs, f, a) { for x in xs { f(a, x) }
               return a }",
            "fake([1, 2], |a, b| a + b, 0)",
        ),
        (
            "array.sort",
            "fn fake(xs) { return xs.slice(0, xs.len()) }",
            "fake([2, 1])",
        ),
        (
            "array.unique",
            "fn fake(xs) { return xs.slice(0, xs.len()) }",
            "fake([1, 1])",
        ),
        ("array.max", "fn fake(xs) { return xs[0] }", "fake([1, 2])"),
        (
            "map.filter",
            "fn fake(m, f) { let out = {}
               for k in m { if f(m[k], k) { out[k] = m[k] } }
               return out }",
            "fake({ a: 1 }, |k, v| v == 1)",
        ),
        (
            "map.merge",
            "fn fake(a, b) { return a }",
            "fake({ a: 1 }, { b: 1 })",
        ),
        (
            "string.lines",
            "fn fake(s) { return s.split(\"\\n\") }",
            "fake(\"\")",
        ),
        (
            "string.pad_start",
            "fn fake(s, w, f) { return s }",
            "fake(\"a\", 3, \"-\")",
        ),
        ("math.min", "fn fake(a, b) { return b }", "fake(1, 2)"),
        ("json.parse", "fn fake(t) { return nil }", "fake(\"1\")"),
        ("json.parse", "fn fake(t) { return 1 }", "fake(\"01\")"),
        (
            "json.stringify",
            "fn fake(v, i) { return \"1\" }",
            "fake([1], nil)",
        ),
        (
            "__schedule",
            "fn fake(every, body) { let start = time.now()
               sleep(1)
               let now = time.now()
               sleep(3)
               body(2, 1) }",
            "fake(2, |tick, skipped| tick)",
        ),
        (
            "clients.call",
            "enum Client { Named(f), Fallback(list) }
             fn fake(client, request) {
               match client {
                 Client.Named(f) => { return f(request) }
                 Client.Fallback(list) => {
                   for one in list { try { return fake(one, request) } catch { } }
                   return fake(list[0], request)
                 }
               }
             }",
            "try { fake(Client.Fallback([Client.Named(|r| { throw r })]), 1) } catch { }",
        ),
        (
            "stream.take",
            "fn fake(source, count) {
               return stream(|| { source.next()
                 return source.next() })
             }",
            "fake(stream(0..9), 1).next()",
        ),
    ];
    for (name, fake, main) in broken {
        let found = broken_in(&with_fake(name, fake, main));
        assert_eq!(found.as_deref(), Some(name), "{fake}");
    }
}

#[test]
fn what_others_change_meanwhile_is_not_held_against_it() {
    let program = compiled(
        r#"
        let xs = [1, 2, 3, 4]
        fn change() {
          for i in 0..20 { xs.push(i)
            xs.remove(0)
            yield_now() }
        }
        fn main() {
          let other = spawn change()
          for i in 0..3 {
            xs.sort()
            xs.sort_by(|x| 0 - x)
            xs.map(|x| { yield_now()
              return x })
            xs.enumerate()
            json.stringify(xs)
          }
          await other
        }
        "#,
    );
    assert_eq!(broken_in(&program), None);
}

/// A run's own map, with a handler of a signal that runs once and a hook.
fn run_with_handlers(model: &mut Model<'_>) -> (Task, Value, ObjectId) {
    let text = |model: &mut Model<'_>, text: &str| model.store.string(text);
    let closure = model.store.make(Object::Closure(0, vec![]));
    let pair = Object::Array(vec![Value::Object(closure), Value::Nil]);
    let pair = model.store.value(pair);
    let entry = |model: &mut Model<'_>, name: &str, value: Value| {
        let name = text(model, name);
        let map = model.new_map(&[name, value]).unwrap_or_default();
        assert!(matches!(model.store.object(map), Some(Object::Map(_))));
        map
    };
    let handlers = model.store.value(Object::Array(vec![pair]));
    let signals = entry(model, "INT", handlers);
    let locals = entry(model, "interrupts", signals);
    let task = Task {
        locals: Some(locals),
        ..Task::default()
    };
    (task, pair, closure)
}

fn pledge_of(function: Pledged, args: Vec<Value>, dispatch: Dispatch) -> Pledge {
    Pledge {
        function,
        given: vec![Vec::new(); args.len()],
        args,
        watched: Vec::new(),
        asked: Vec::new(),
        schedule: Schedule::default(),
        dispatch,
    }
}

#[test]
fn a_handler_that_runs_once_is_gone_before_it_runs() {
    let program = compiled("fn main() { }");
    let mut model = Model::new(&program, LIMITS.model);
    let (mut task, _, closure) = run_with_handlers(&mut model);
    let signal = model.store.string("INT");
    let dispatch = model.registered(task.locals, Some(signal));
    let pledge = pledge_of(Pledged::Interrupt, vec![signal], dispatch);
    let asked = |closure| Asked {
        closure: Some(closure),
        args: vec![],
        result: None,
    };
    assert!(
        model
            .dispatch_asks(&task, &pledge, &asked(closure))
            .is_err()
    );
    let map = model.store.value(Object::Map(MapObject::default()));
    task.locals = Some(map);
    assert_eq!(model.dispatch_asks(&task, &pledge, &asked(closure)), Ok(()));
    let other = model.store.make(Object::Closure(0, vec![]));
    assert!(model.dispatch_asks(&task, &pledge, &asked(other)).is_err());
}

#[test]
fn hooks_are_called_in_order_with_what_the_run_comes_to() {
    let program = compiled("fn main() { }");
    let mut model = Model::new(&program, LIMITS.model);
    let hook = model.store.make(Object::Closure(0, vec![]));
    let hooks = model.store.value(Object::Array(vec![Value::Object(hook)]));
    let name = model.store.string("on_unsettled");
    let locals = model.new_map(&[name, hooks]).unwrap_or_default();
    let task = Task {
        locals: Some(locals),
        ..Task::default()
    };
    let mut dispatch = model.registered(task.locals, None);
    dispatch.looked(1);
    let mut pledge = pledge_of(Pledged::Finish, vec![Value::Int(7)], dispatch);
    // A task is open, so the hook is called.
    assert!(model.finished(&task, &pledge, Value::Int(7)).is_err());
    let mut called = |args: Vec<Value>, value: Value| {
        pledge.asked = vec![Asked {
            closure: Some(hook),
            args,
            result: Some(Value::Nil),
        }];
        model.finished(&task, &pledge, value)
    };
    assert_eq!(
        called(vec![Value::Int(7), Value::Int(1)], Value::Int(7)),
        Ok(())
    );
    assert!(called(vec![Value::Int(7), Value::Int(0)], Value::Int(7)).is_err());
    assert!(called(vec![Value::Int(6), Value::Int(1)], Value::Int(7)).is_err());
    assert!(called(vec![Value::Int(7), Value::Int(1)], Value::Int(8)).is_err());
}
