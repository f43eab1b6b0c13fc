//! Rendering and reductions, on generated programs too.

use super::*;
use crate::generator::{Mix, generate};
use crate::lane;
use crate::scenario::{Body, ModuleSource, Programs};
use gcrucible_scenario::ScenarioSeed;

fn generated(index: u64) -> Module {
    let seed = ScenarioSeed {
        lane: lane::PROGRAMS,
        seed: 11,
        index,
    };
    match generate(seed, &Mix::default()).body {
        Body::Programs(programs) => match programs.entry {
            ModuleSource::Tree(module) => module,
            ModuleSource::Text(text) => panic!("generated programs are trees, not {text}"),
        },
        Body::HeapOps(ops) => panic!("the lane runs programs, not {ops:?}"),
    }
}

fn assert_compiles(module: &Module) {
    let programs = Programs {
        entry: ModuleSource::Tree(module.clone()),
        host: vec![],
        answers: vec![],
        edits: Vec::new(),
        versions: Vec::new(),
    };
    if let Err(errors) = crate::executor::programs::compile(&programs) {
        panic!("{errors}\n{}", module.render());
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn source_text_reads_well() {
    let module = Module {
        classes: vec![Class {
            name: name("C"),
            fields: vec![name("m1"), name("m2")],
            methods: vec![],
        }],
        functions: vec![Function {
            name: name("f"),
            params: vec![name("p")],
            body: vec![
                Stmt::For {
                    name: name("x"),
                    over: Expr::Name(name("p")),
                    limit: Some((name("n"), 3)),
                    body: vec![Stmt::If(Expr::Name(name("x")), vec![Stmt::Break], vec![])],
                },
                Stmt::Return(Expr::Map(vec![(
                    Expr::Name(name("p")),
                    Expr::Interpolation(vec![Expr::text("a"), Expr::Int(-1)]),
                )])),
            ],
        }],
        globals: vec![Global {
            name: name("g"),
            value: Expr::binary(
                BinaryOp::Mul,
                Expr::binary(BinaryOp::Add, Expr::Int(1), Expr::Float(0.5)),
                Expr::awaited(Expr::spawn(name("f"), vec![Expr::Nil])),
            ),
        }],
        top_level: vec![Stmt::Cancel(Expr::Name(name("g")))],
        ..Module::default()
    };
    let text = "\
class C { m1, m2 }
fn f(p) {
  let n = 0
  for x in p {
    n += 1
    if n > 3 { break }
    if x {
      break
    }
  }
  return { (p): \"a${-1}\" }
}
let g = (1 + 0.5) * (await (spawn f(nil)))

cancel(g)
";
    assert_eq!(module.render(), text);
    assert_compiles(&module);
    assert_eq!(module.statement_count(), 6);
}

/// A program with every form that an abstract program has.
fn everything() -> Module {
    let (e, v1, v2) = (name("E1"), name("V1"), name("V2"));
    let local = |text: &str| Expr::Name(name(text));
    let dependency = Module {
        enums: vec![Enum {
            name: e,
            variants: vec![(v1, 0), (v2, 2)],
        }],
        classes: vec![Class {
            name: name("C1"),
            fields: vec![name("m1")],
            methods: vec![
                Function {
                    name: name("next"),
                    params: vec![],
                    body: vec![Stmt::Return(Expr::field(local("self"), name("m1")))],
                },
                Function {
                    name: name("do1"),
                    params: vec![name("p1")],
                    body: vec![Stmt::Return(Expr::named(local("self"), "next", vec![]))],
                },
            ],
        }],
        globals: vec![Global {
            name: name("g1"),
            value: Expr::Array(vec![Expr::Variant(e, v1, vec![])]),
        }],
        ..Module::default()
    };
    let arm = |pattern, guard, body| Arm {
        pattern,
        guard,
        body,
    };
    let matching = Expr::Match(
        Box::new(local("g1")),
        vec![
            arm(
                Pattern::Or(vec![
                    Pattern::Literal(Expr::Int(-1)),
                    Pattern::Literal(Expr::text("a")),
                    Pattern::Range(1, 5),
                ]),
                None,
                vec![Stmt::Expr(Expr::Int(1))],
            ),
            arm(
                Pattern::Variant(e, v2, vec![Pattern::Bind(name("x1")), Pattern::Any]),
                Some(Expr::binary(BinaryOp::Gt, local("x1"), Expr::Int(3))),
                vec![Stmt::Expr(local("x1"))],
            ),
            arm(
                Pattern::Class(
                    name("C1"),
                    vec![(
                        name("m1"),
                        Pattern::Is(None, TypeName::Kind(ValueKind::Int)),
                    )],
                ),
                None,
                vec![Stmt::Let(name("x3"), Expr::Map(vec![]))],
            ),
            arm(
                Pattern::Array(vec![Pattern::Is(
                    Some(name("x2")),
                    TypeName::Variant(e, v1),
                )]),
                None,
                vec![Stmt::Expr(Expr::Array(vec![local("x2")]))],
            ),
            arm(Pattern::Any, None, vec![Stmt::Expr(Expr::Map(vec![]))]),
        ],
    );
    let handler = |of| (name("e1"), of, vec![Stmt::Throw(local("e1"))]);
    let budget = Budget {
        instructions: Some(100),
        calls: Some(3),
        time_ms: Some(50),
        boundary: Boundary::Continue,
    };
    let tried = Stmt::Try {
        body: vec![Stmt::Sync(
            local("s1"),
            vec![Stmt::Deadline(
                Expr::Int(5),
                vec![Stmt::Expr(Expr::Squad(vec![Stmt::Expr(Expr::spawn(
                    name("f1"),
                    vec![],
                ))]))],
            )],
        )],
        typed: vec![
            handler(TypeName::Class(name("C1"))),
            handler(TypeName::Enum(e)),
            handler(TypeName::Error(ErrorKind::Cancelled)),
        ],
        catch: Some((name("e2"), vec![])),
        finally: Some(vec![]),
    };
    let job = Expr::Instance(name("C1"), vec![(name("m1"), Expr::Nil)]);
    let spawned = Expr::Spawn(
        Box::new(Expr::field(local("x4"), name("do1"))),
        vec![Expr::Nil],
    );
    let detached = Expr::SpawnDetached(Box::new(local("f1")), vec![]);
    let ticks = vec![Stmt::Return(Expr::Bool(false))];
    let schedule = Expr::Schedule(5, vec![name("x7"), name("x8")], ticks);
    let doubled = Expr::Lambda(vec![name("p2")], vec![Stmt::Return(local("p2"))]);
    Module {
        modules: vec![dependency],
        functions: vec![Function {
            name: name("f1"),
            params: vec![],
            body: vec![
                Stmt::Let(name("s1"), Expr::Builtin(Builtin::Mutex, vec![])),
                tried,
                Stmt::Let(name("x5"), matching),
                Stmt::Let(name("x4"), job),
                Stmt::Let(name("t1"), spawned),
                Stmt::Expr(detached),
                Stmt::Let(
                    name("x6"),
                    Expr::Step(budget, vec![Stmt::Return(Expr::Int(1))]),
                ),
                Stmt::Expr(Expr::awaited(schedule)),
                Stmt::If(
                    Expr::Is(Box::new(local("x6")), TypeName::Enum(e)),
                    vec![Stmt::Expr(Expr::library(
                        "log.info",
                        vec![Expr::library("math.abs", vec![Expr::Int(-1)])],
                    ))],
                    vec![],
                ),
                Stmt::Return(Expr::named(local("g1"), "map", vec![doubled])),
            ],
        }],
        ..Module::default()
    }
}

#[test]
fn every_form_compiles_and_reduces() {
    let mut module = everything();
    assert_compiles(&module);
    let mut repaired = module.clone();
    repaired.repair();
    assert_eq!(repaired, module);
    let text = ron::ser::to_string(&module).unwrap();
    assert_eq!(ron::from_str::<Module>(&text).unwrap(), module);
    let mut steps = 0;
    while let Some(smaller) = module.reductions().last() {
        assert_compiles(&smaller);
        module = smaller;
        steps += 1;
        assert!(steps < 1000, "{}", module.render());
    }
    assert_eq!(module, Module::default());
}

#[test]
fn trees_survive_the_text_format() {
    for index in [3, 90, 200] {
        let module = generated(index);
        let text = ron::ser::to_string_pretty(&module, ron::ser::PrettyConfig::default()).unwrap();
        assert_eq!(ron::from_str::<Module>(&text).unwrap(), module);
    }
}

#[test]
fn reductions_compile_and_are_smaller() {
    for index in [5, 70, 71, 72, 73] {
        let module = generated(index);
        let mut smallest = usize::MAX;
        for smaller in module.reductions() {
            assert_compiles(&smaller);
            assert_ne!(smaller, module);
            assert!(smaller.statement_count() <= module.statement_count());
            smallest = smallest.min(smaller.statement_count());
        }
        assert!(smallest < module.statement_count());
    }
}

#[test]
fn taking_reductions_ends_with_an_empty_module() {
    for index in [5, 70, 71] {
        let mut module = generated(index);
        let mut steps = 0;
        while let Some(smaller) = module.reductions().next() {
            module = smaller;
            steps += 1;
            assert!(steps < 10_000, "{}", module.render());
        }
        assert_eq!(module, Module::default());
    }
}

#[test]
fn reductions_go_on_from_a_place() {
    let module = generated(70);
    let mut reductions = module.reductions();
    let last = reductions.by_ref().nth(30).unwrap();
    let again = module.reductions_from(reductions.place());
    assert_eq!(again.clone().next(), Some(last));
    assert!(again.skip(1).eq(reductions));
}

#[test]
fn repair_replaces_what_is_not_there() {
    let mut module = Module {
        functions: vec![Function {
            name: name("f"),
            params: vec![],
            body: vec![
                Stmt::Break,
                Stmt::Assign(Expr::Name(name("x1")), Expr::Nil),
                Stmt::Let(
                    name("x2"),
                    Expr::call(name("f9"), vec![Expr::Name(name("x3"))]),
                ),
                Stmt::Return(Expr::Instance(name("C"), vec![])),
            ],
        }],
        top_level: vec![Stmt::Return(Expr::Nil), Stmt::Expr(Expr::Name(name("f")))],
        ..Module::default()
    };
    module.repair();
    assert_eq!(
        module.render(),
        "fn f() {\n  let x2 = nil(nil)\n  return nil\n}\n\n"
    );
    assert_compiles(&module);
}
