//! Programs of several files, and what they need of the library.

use std::collections::BTreeMap;

use gcrucible_bytecode::{Op, Program, ValueKind};

use super::{Loader, compile_all};
use crate::{Source, compile};

struct Texts(BTreeMap<&'static str, &'static str>);

impl Loader for Texts {
    fn load(&self, path: &str) -> Result<String, String> {
        let text = self.0.get(path).ok_or("no such file")?;
        Ok((*text).to_owned())
    }
}

fn texts<const N: usize>(modules: [(&'static str, &'static str); N]) -> Texts {
    Texts(modules.into())
}

fn program<const N: usize>(modules: [(&'static str, &'static str); N]) -> Program {
    match compile_all("main.crux", &texts(modules)) {
        Ok(program) => program.into_inner(),
        Err(found) => panic!("{found}"),
    }
}

/// The errors, one per line.
fn errors<const N: usize>(modules: [(&'static str, &'static str); N]) -> String {
    match compile_all("main.crux", &texts(modules)) {
        Ok(_) => String::new(),
        Err(found) => found.to_string(),
    }
}

fn single(text: &str) -> Program {
    match compile(&Source::new("main.crux", text)) {
        Ok(program) => program.into_inner(),
        Err(found) => panic!("{found}"),
    }
}

fn paths(program: &Program) -> Vec<&str> {
    let modules = program.modules.iter();
    modules.map(|module| module.path.as_str()).collect()
}

fn has(program: &Program, function: &str) -> bool {
    program.functions.iter().any(|found| found.name == function)
}

#[test]
fn modules_come_before_those_that_import_them() {
    let program = program([
        (
            "main.crux",
            "import { a } from \"./x/a.crux\"\nimport \"./c.crux\"\nlet m = a",
        ),
        (
            "x/a.crux",
            "import { b as other } from \"../b.crux\"\nexport let a = other()\nlet own = 1",
        ),
        ("b.crux", "import \"./c.crux\"\nexport fn b() { return 1 }"),
        ("c.crux", "print(1)"),
    ]);
    assert_eq!(
        paths(&program),
        ["c.crux", "b.crux", "x/a.crux", "main.crux"]
    );
    for (index, module) in program.modules.iter().enumerate() {
        let init = &program.functions[usize::from(module.init)];
        assert_eq!(usize::from(init.module), index);
    }
    // Imported globals are those of the other module, and only exported ones can be read.
    let a = program.export(2, "a").expect("exported");
    assert_eq!(program.export(2, "own"), None);
    let main = &program.functions[usize::from(program.modules[3].init)];
    assert_eq!(main.code[0], Op::LoadGlobal { dst: 0, global: a });
    assert!(program.entry_export("m").is_some());
}

#[test]
fn constants_and_types_are_shared() {
    let program = program([
        (
            "main.crux",
            "import { P, E } from \"./t.crux\"\nlet p = P { x: \"text\" }\nlet q = p is P\n\
             fn f(v) { return match v { E.B(n) => n, P { x } => x, _ => E.A } }",
        ),
        (
            "t.crux",
            "export class P { x  fn m() { return \"text\" } }\nexport enum E { A, B(n) }\n\
             fn g(v) { return v is P || v is E.B }",
        ),
    ]);
    assert_eq!((program.classes.len(), program.enums.len()), (1, 1));
    assert_eq!(program.types.len(), 2);
    let texts = program.constants.iter();
    let same = texts.filter(|found| **found == gcrucible_bytecode::Constant::String("text".into()));
    assert_eq!(same.count(), 1);
}

#[test]
fn errors_of_all_modules_are_reported() {
    let found = errors([
        (
            "main.crux",
            "import { hidden, nmae, C } from \"./a.crux\"\nimport \"./b.crux\"\n\
             import { x } from \"./missing.crux\"\nimport \"util\"\nlet a = hidden + x + C\nnope",
        ),
        ("a.crux", "let hidden = 1\nexport let name = oops"),
        ("b.crux", "let = 1"),
    ]);
    for expected in [
        "a.crux:2:19: unknown name `oops`",
        "b.crux:1:5: unexpected `=`",
        "main.crux:1:10: `hidden` of \"./a.crux\" is not exported (put `export` before",
        "main.crux:1:18: \"./a.crux\" has no `nmae`, expected one of `name` (did you mean `name`?)",
        "main.crux:1:24: \"./a.crux\" has no `C`",
        "main.crux:3:19: the module \"./missing.crux\" cannot be read: no such file",
        "main.crux:4:8: the path of a module is relative, expected `./` or `../`",
        "main.crux:6:1: unknown name `nope`",
    ] {
        assert!(
            found.contains(expected),
            "{expected} is missing in\n{found}"
        );
    }
    assert_eq!(found.lines().count(), 8, "{found}");
}

#[test]
fn cycles_are_named() {
    assert_eq!(
        errors([
            ("main.crux", "import \"./a.crux\""),
            ("a.crux", "import { b } from \"./x/b.crux\"\nlet c = b"),
            ("x/b.crux", "import \"../a.crux\"\nexport let b = 1"),
        ]),
        "x/b.crux:1:8: modules import one another: a.crux → x/b.crux → a.crux (move what both \
         need into a third module)"
    );
    assert!(
        errors([("main.crux", "import \"./main.crux\"")]).contains("main.crux → main.crux"),
        "a module that imports itself"
    );
}

#[test]
fn an_entry_that_is_missing_is_an_error() {
    assert_eq!(
        errors([]),
        "main.crux:1:1: the entry module cannot be read: no such file"
    );
    let found = compile(&Source::new("m", "import { a } from \"./a.crux\"\na"));
    let found = found.expect_err("there is no loader").to_string();
    assert!(
        found.starts_with("1:19: modules cannot be imported here"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 1);
}

#[test]
fn imports_are_constants_at_the_beginning() {
    let module = ("a.crux", "export let a = 1\nexport class P { x }");
    let with = |text: &'static str| errors([("main.crux", text), module]);
    assert!(with("import { a } from \"./a.crux\"\na = 2").contains("`a` is imported and cannot"));
    assert!(with("import { a, a } from \"./a.crux\"").contains("`a` is defined twice"));
    assert!(with("import { a } from \"./a.crux\"\nlet a = 1").contains("`a` is defined twice"));
    assert!(with("import { P } from \"./a.crux\"\nclass P {}").contains("`P` is defined twice"));
    assert_eq!(
        with("import { a as b, P as Q } from \"./a.crux\"\nlet a = Q { x: b }"),
        ""
    );
    assert!(with("let x = 1\nimport { a } from \"./a.crux\"\na").contains("behind other"));
    assert!(with("fn f() { export let x = 1 }").contains("`export` in a block"));
}

#[test]
fn a_long_chain_of_modules_needs_no_stack() {
    struct Chain;

    impl Loader for Chain {
        fn load(&self, path: &str) -> Result<String, String> {
            let number = path.trim_end_matches(".crux").parse::<u32>();
            let number = number.map_err(|error| error.to_string())?;
            Ok(format!("import \"./{}.crux\"", number + 1))
        }
    }

    let found = compile_all("0.crux", &Chain)
        .expect_err("there is no end")
        .to_string();
    assert!(
        found.contains("too many modules, the limit is 4096"),
        "{found}"
    );
}

#[test]
fn a_program_has_what_it_can_reach_of_the_library() {
    let none = single("fn f(a) { return a.push(1) + math.floor(2) }");
    assert_eq!(paths(&none), ["main.crux"]);
    assert!(none.library.is_empty() && none.finish.is_none() && none.interrupt.is_none());

    let some = single("fn f(a) { return a.sort() }");
    assert_eq!(paths(&some), ["<library>", "main.crux"]);
    assert!(has(&some, "array.sort") && has(&some, "__merge") && has(&some, "math.min"));
    assert!(!has(&some, "array.map") && !has(&some, "json.parse"));
    assert_eq!(
        some.functions[1].name, "f",
        "own functions keep their numbers"
    );
    assert_eq!(some.functions[1].module, 1);
    let sort = &some.library[0];
    assert_eq!(
        (sort.receiver, sort.name.as_str()),
        (ValueKind::Array, "sort")
    );
    let body = &some.functions[usize::from(sort.function)];
    assert_eq!((body.name.as_str(), body.module), ("array.sort", 0));
    assert!(body.spans[0].line > 1);

    // Methods of streams only where there are streams; then what `for` needs too.
    let kinds = |text: &str| {
        let library = single(text).library;
        let methods = library
            .iter()
            .filter(|method| method.receiver == ValueKind::Stream);
        methods
            .map(|method| method.name.clone())
            .collect::<Vec<_>>()
    };
    assert!(kinds("fn f(a) { return a.map(a) }").is_empty());
    assert_eq!(
        kinds("fn f(a) { return stream(a).map(a) }"),
        ["map", "next"]
    );
}

#[test]
fn hooks_and_interrupts_bring_what_runs_them() {
    let hooks = single("pre_finish(|value, _| Hook.Modify(value))");
    let finish = usize::from(hooks.finish.expect("there are hooks"));
    assert_eq!(hooks.functions[finish].name, "__finish");
    assert!(hooks.interrupt.is_none());
    let interrupts = single("on_interrupt(\"stop\", || 1)");
    let interrupt = usize::from(interrupts.interrupt.expect("there are handlers"));
    assert_eq!(interrupts.functions[interrupt].name, "__interrupt");
    assert!(interrupts.finish.is_none());
}

#[test]
fn arguments_that_are_left_out_are_nil_and_the_rest_is_an_array() {
    let code = |text: &str| single(text).functions[0].code.clone();
    let nil = code("json.stringify(1)");
    assert_eq!(nil[2], Op::LoadNil { dst: 2 });
    assert_eq!(nil[3], Op::Call { base: 0, argc: 2 });
    let rest = code("log.warn(1, 2)");
    assert_eq!(
        rest[3],
        Op::NewArray {
            dst: 1,
            first: 2,
            count: 2
        }
    );
    assert_eq!(rest[4], Op::Call { base: 0, argc: 1 });
}

#[test]
fn any_definition_hides_what_the_library_has() {
    let own = single(
        "fn stream(a) { return a }\nenum Hook { Pass }\nlet json = 1\nlet h = [stream(1), Hook.Pass]",
    );
    assert_eq!(paths(&own), ["main.crux"]);
    let found = compile(&Source::new(
        "m",
        "let math = 1\nmath.floor(1)\nfn f() { __finish(1) }",
    ));
    let found = found.expect_err("private").to_string();
    assert!(found.contains("unknown name `__finish`"), "{found}");
    assert_eq!(
        found.lines().count(),
        1,
        "a method call on a variable is none of ours"
    );
}
