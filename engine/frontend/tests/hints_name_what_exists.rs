//! What a hint tells people to write does compile.

use gcrucible_frontend::{Source, compile};

/// The report on a text that does not compile.
fn report(text: &str) -> String {
    let source = Source::new("main.crux", text);
    let found = compile(&source).expect_err("it must be refused");
    found.render(&source, false)
}

/// A text that is refused, what the hint says, and a program that follows it.
const HINTS: &[(&str, &str, &str)] = &[
    (
        "let n = 1\nlet x = n > 0 ? 1 : 2",
        "match n > 0 { true => a, _ => b }",
        "let n = 1\nlet a = 1\nlet b = 2\nlet x = match n > 0 { true => a, _ => b }",
    ),
    (
        "let n = 1\nlet x = if n > 0 { 1 } else { 2 }",
        "match n > 0 { true => a, _ => b }",
        "let n = 1\nlet a = 1\nlet b = 2\nlet x = match n > 0 { true => a, _ => b }",
    ),
    (
        "let x = nil\nlet y = x?.name",
        "if x != nil { … }",
        "let x = nil\nif x != nil { print(x.name) }",
    ),
    (
        "let x = nil\nlet y = x ?? 1",
        "if x != nil { … }",
        "let x = nil\nif x != nil { print(x) }",
    ),
    ("let n = 1\nn++", "`n += 1`", "let n = 1\nn += 1"),
    ("let n = 1\nn--", "`n -= 1`", "let n = 1\nn -= 1"),
    (
        "let n = 1\nif n = 1 { }",
        "`==` compares",
        "let n = 1\nif n == 1 { }",
    ),
    ("let f = x => x", "`|x| …`", "let f = |x| x"),
    ("let a = null", "`nil`", "let a = nil"),
    ("function f() { }", "`fn`", "fn f() { }"),
    ("var a = 1", "`let`", "let a = 1"),
    (
        "let n = 1\nif n == 1 { } elif n == 2 { }",
        "`else if`",
        "let n = 1\nif n == 1 { } else if n == 2 { }",
    ),
    ("let a = 1 and 2", "`&&`", "let a = 1 && 2"),
    ("let a = 1 or 2", "`||`", "let a = 1 || 2"),
    ("let a = not 1", "`!`", "let a = !1"),
    ("let s = 'a'", "double quotes", "let s = \"a\""),
    ("# text", "`//`", "// text"),
    (
        "let a = spawn print(1)",
        "spawn (|| …)()",
        "let a = spawn (|| print(1))()",
    ),
    (
        "let a = deadline",
        "`deadline 50ms { … }`",
        "deadline 50ms { print(1) }",
    ),
    (
        "let a = squad",
        "`squad { … }`",
        "let a = squad { print(1) }",
    ),
    (
        "let a = step",
        "`step \"name\" { … }`",
        "let a = step \"name\" { print(1) }",
    ),
    (
        "let a = schedule",
        "`schedule every 50ms { … }`",
        "let a = schedule every 50ms { print(1) }",
    ),
    (
        "let m = mutex()\nlet a = sync",
        "`sync mutex { … }`",
        "fn f(mutex) { sync mutex { print(1) } }",
    ),
    (
        "fn f(x) { }\nlet a = detached f(1)",
        "`spawn detached f(x)`",
        "fn f(x) { }\nlet x = 1\nlet a = spawn detached f(x)",
    ),
];

#[test]
fn what_a_hint_says_compiles() {
    for (refused, hint, follows) in HINTS {
        let report = report(refused);
        assert!(report.contains(hint), "{refused}: no `{hint}` in\n{report}");
        let source = Source::new("main.crux", *follows);
        if let Err(found) = compile(&source) {
            panic!("{follows}:\n{}", found.render(&source, false));
        }
    }
}
