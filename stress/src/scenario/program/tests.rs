//! Rendering and reductions, on generated programs too.

use gcrucible_frontend::{Source, compile};

use super::*;
use crate::generator::{Mix, generate};
use crate::scenario::{Body, Lane, ModuleSource, ScenarioSeed};

fn generated(index: u64) -> Module {
    let seed = ScenarioSeed {
        lane: Lane::Programs,
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
    let text = module.render();
    if let Err(errors) = compile(&Source {
        path: "main.crux".into(),
        text: text.clone(),
    }) {
        panic!("{errors}\n{text}");
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
