//! Names, scopes and the errors about them.

use crate::{Source, compile};

/// The errors of `text`, one per line.
fn errors(text: &str) -> String {
    match compile(&Source::new("main.crux", text)) {
        Ok(_) => String::new(),
        Err(found) => found.to_string(),
    }
}

#[test]
fn unknown_names_come_with_the_nearest_one() {
    assert_eq!(
        errors("let counter = 1\nprint(conuter)"),
        "2:7: unknown name `conuter` (did you mean `counter`?)"
    );
    assert_eq!(
        errors("prnt(1)"),
        "1:1: unknown name `prnt` (did you mean `print`?)"
    );
    assert_eq!(errors("zzz"), "1:1: unknown name `zzz`");
    assert_eq!(errors("zzz = 1"), "1:1: unknown name `zzz`");
    assert_eq!(
        errors("class Point { x }\nlet p = Piont { x: 1 }"),
        "2:9: unknown class `Piont` (did you mean `Point`?)"
    );
}

#[test]
fn names_are_defined_once_per_scope() {
    for text in [
        "let a = 1\nlet a = 2",
        "fn a() {}\nlet a = 2",
        "class a {}\nlet a = 2",
        "fn f(a, a) {}",
        "fn f(a) { let a = 1 }",
        "{ let a = 1; let a = 2 }",
        "class C { a, a }",
    ] {
        assert!(
            errors(text).contains("`a` is defined twice"),
            "{text}: {}",
            errors(text)
        );
    }
    assert_eq!(
        errors("let a = 1\n{ let a = 2; { let a = 3 } }\nfn f(a) { { let a = a } }"),
        ""
    );
    assert_eq!(errors("let f = |_, _| 1"), "");
}

#[test]
fn blocks_end_the_life_of_names() {
    assert_eq!(errors("{ let a = 1 }\nprint(a)"), "2:7: unknown name `a`");
    assert!(errors("for x in [1] {}\nx").contains("unknown name `x`"));
    assert!(errors("try {} catch e {}\ne").contains("unknown name `e`"));
    assert!(errors("{ g(); fn g() {} }").contains("unknown name `g`"));
}

#[test]
fn only_variables_are_assigned() {
    assert!(errors("const a = 1\na = 2").contains("`a` is a constant and cannot be assigned"));
    assert!(errors("const a = 1\nfn f() { a += 2 }").contains("`a` is a constant"));
    assert!(errors("fn f() {}\nf = 1").contains("`f` is a function"));
    assert!(errors("class C {}\nC = 1").contains("`C` is a class"));
    assert!(errors("print = 1").contains("`print` is a built-in function"));
    assert_eq!(
        errors("let a = 1\nfn f(p) { a = p; p = a\nfor x in p { x = 1 } }"),
        ""
    );
}

#[test]
fn built_ins_are_called_with_the_right_number_and_may_be_hidden() {
    assert_eq!(
        errors("len()"),
        "1:1: `len` is called with 0 arguments, expected 1 argument"
    );
    assert_eq!(
        errors("assert(1, 2, 3)"),
        "1:1: `assert` is called with 3 arguments, expected 1 to 2 arguments"
    );
    assert!(errors("cancel()").contains("expected 1 argument"));
    assert!(errors("let a = print").contains("the built-in function `print` is not a value"));
    assert!(errors("spawn sleep(1)").contains("cannot be spawned"));
    assert_eq!(
        errors("fn len(a, b) { return cancel }\nlet cancel = len\nlen(1, 2)\nspawn len()"),
        ""
    );
}

#[test]
fn module_code_runs_in_order() {
    assert_eq!(
        errors("print(a)\nlet a = 1"),
        "1:7: `a` is used before its definition"
    );
    assert_eq!(
        errors("let a = a"),
        "1:9: `a` is used before its definition"
    );
    assert_eq!(
        errors("fn f() { return a + g() }\nlet a = 1\nfn g() { return 1 }"),
        ""
    );
    assert_eq!(errors("let a = g()\nfn g() { return 1 }"), "");
}

#[test]
fn instances_have_all_fields_once() {
    let class = "class P { a, b }\n";
    let errors = |text: &str| errors(&format!("{class}{text}"));
    assert_eq!(errors("let p = P { b: 1, a: 2 }"), "");
    assert_eq!(
        errors("let a = 1\nlet p = P { a, b: 1, }\nfn f(b) { return P { a, b } }"),
        ""
    );
    assert_eq!(errors("let p = P { a, b: 1 }"), "2:13: unknown name `a`");
    assert_eq!(
        errors("let p = P { b: 1 }"),
        "2:9: an instance of `P` lacks fields, expected values for `a`"
    );
    assert!(
        errors("let p = P { a: 1, a: 1, b: 2 }").contains("2:19: the field `a` is given twice")
    );
    assert_eq!(
        errors("let p = P { a: 1, b: 2, c: 3 }"),
        "2:25: the class `P` has no field `c`, expected one of its fields: `a`, `b`"
    );
    assert!(errors("let p = P").contains("the class `P` is not a value"));
    assert!(errors("fn f() { class Q { a } }").contains("top level"));
}

#[test]
fn jumps_need_something_to_leave() {
    assert_eq!(errors("break"), "1:1: `break` outside of a loop");
    assert_eq!(
        errors("while true { let f = || { continue } }"),
        "1:27: `continue` outside of a loop"
    );
    assert_eq!(errors("return 1"), "1:1: `return` outside of a function");
    assert_eq!(errors("while true { { break } }"), "");
}

#[test]
fn limits_are_errors() {
    let lets: String = (0..300).map(|n| format!("let v{n} = {n}\n")).collect();
    assert_eq!(errors(&lets), "", "globals need no registers");
    assert!(errors(&format!("fn f() {{\n{lets}}}")).contains("252:5: function too large"));
    let parameters: Vec<String> = (0..300).map(|n| format!("p{n}")).collect();
    assert!(errors(&format!("fn f({}) {{}}", parameters.join(","))).contains("function too large"));
    assert!(errors(&format!("class C {{ {} }}", parameters.join(","))).contains("too many fields"));
    let tries = |n: usize| format!("{}{}", "try {".repeat(n), "} catch {}".repeat(n));
    assert_eq!(errors(&tries(64)), "");
    assert!(errors(&tries(65)).contains("nested too deeply"));
    // 256 variables of two functions, captured by a third one.
    let outer: String = (0..128).map(|n| format!("let a{n} = 0\n")).collect();
    let inner: String = (0..128).map(|n| format!("let b{n} = 0\n")).collect();
    let uses: String = (0..128).map(|n| format!("a{n} + b{n}\n")).collect();
    let text = format!("fn f() {{ {outer} fn g() {{ {inner} fn h() {{ {uses} }} }} }}");
    assert!(errors(&text).contains("more than 255 variables of the functions around it"));
}

#[test]
fn members_are_checked_where_classes_and_enums_are_known() {
    let defined = "class P { x  fn m() {} }\nenum E { A, B(n) }\nlet v = 1\n";
    let errors = |text: &str| errors(&format!("{defined}{text}"));
    for (text, expected) in [
        (
            "E.C",
            "the enum `E` has no variant `C`, expected one of `A`, `B`",
        ),
        (
            "E.A()",
            "`A` is given no values, expected `A` without brackets",
        ),
        ("E.B", "`B` is given no values, expected 1 value"),
        (
            "E",
            "the enum `E` is not a value, expected one of its values, `E.…`",
        ),
        (
            "P.m()",
            "`m` is asked of a class, expected an instance before the `.`",
        ),
        ("math", "the namespace `math` is not a value"),
        (
            "math.flor(1)",
            "`math` has no function `flor`, expected one of",
        ),
        ("math.flor(1)", "did you mean `floor`?"),
        (
            "math.abs()",
            "`math.abs` is called with 0 arguments, expected 1 argument",
        ),
        (
            "v is strng",
            "unknown type `strng`, expected a class, enum, error kind",
        ),
        ("v is strng", "did you mean `string`?"),
        ("v is P.x", "this class has no variants"),
        ("v is E.D", "the enum `E` has no variant `D`"),
        (
            "match v { P => 1 }",
            "`P` is the name of a class, as a pattern it would take any value",
        ),
        (
            "match v { a | 1 => 1 }",
            "a name in one of several patterns",
        ),
        ("match v { 3..3 => 1 }", "this range is empty"),
        ("match v { [a, a] => 1 }", "`a` is defined twice"),
        ("match v { P { y } => 1 }", "the class `P` has no field `y`"),
        ("match v { Q { y: 1 } => 1 }", "unknown class `Q`"),
        (
            "match v { E.B => 1 }",
            "`B` is given no values, expected 1 value",
        ),
        ("spawn E.B(1)", "this is not a call"),
        (
            "spawn math.floor(1)",
            "a built-in function cannot be spawned",
        ),
        ("E.A = 1", "this cannot be assigned"),
        ("E.A += 1", "this cannot be assigned"),
    ] {
        let found = errors(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
    assert_eq!(
        errors(
            "spawn http.get(\"x\")\nlet h = v is Hook || v is Response && v is nil\nspawn detached v()"
        ),
        ""
    );
}

#[test]
fn bodies_of_their_own_are_not_left_by_jumps() {
    for body in ["step \"s\" { break }", "schedule every 5ms { break }"] {
        let found = errors(&format!("while true {{ {body} }}"));
        assert!(found.contains("`break` outside of a loop"), "{found}");
    }
    assert_eq!(
        errors("while true { squad { deadline 5 { sync nil { match 1 { _ => { break } } } } } }"),
        ""
    );
    assert!(errors("squad { return 1 }").contains("`return` outside of a function"));
    assert_eq!(errors("step \"s\" { return 1 }"), "");
}
