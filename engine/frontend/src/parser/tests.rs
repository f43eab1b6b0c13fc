//! What a source with errors gives: every error, its place, what was expected.

use crate::{Source, compile};

/// The errors of `text`, one per line.
fn errors(text: &str) -> String {
    match compile(&Source::new("main.crux", text)) {
        Ok(_) => String::new(),
        Err(found) => found.to_string(),
    }
}

#[test]
fn unexpected_tokens_say_what_was_expected() {
    assert_eq!(
        errors("let = 1"),
        "1:5: unexpected `=`, expected the name of a variable"
    );
    assert_eq!(
        errors("let x = \n"),
        "2:1: unexpected end of the file, expected an expression"
    );
    assert_eq!(
        errors("let x = )"),
        "1:9: unexpected `)`, expected an expression"
    );
    assert_eq!(
        errors("fn f(a b) {}"),
        "1:8: unexpected `b`, expected `,` or `)`"
    );
    assert_eq!(
        errors("let x = [1 2]"),
        "1:12: unexpected `2`, expected `,` or `]`"
    );
    assert_eq!(
        errors("let x = 1 let y = 2"),
        "1:11: unexpected `let`, expected a line end or `;`"
    );
    assert_eq!(
        errors("try { }"),
        "1:8: unexpected end of the file, expected `catch` or `finally`"
    );
    assert_eq!(
        errors("for 1 in [] {}"),
        "1:5: unexpected `1`, expected the name of a variable"
    );
    assert_eq!(errors("}"), "1:1: unexpected `}`, expected a statement");
    assert_eq!(
        errors("let match = 1"),
        "1:5: `match` is a keyword, expected the name of a variable"
    );
    assert_eq!(
        errors("const a\n"),
        "2:1: unexpected end of the file, expected `=` and the value of the constant"
    );
    assert_eq!(
        errors("1..2..3"),
        "1:5: unexpected `..`, expected the end of the range; ranges do not chain"
    );
    assert_eq!(
        errors("spawn 1"),
        "1:7: this is not a call, expected a call after `spawn`, as in `spawn f(x)`"
    );
    assert_eq!(
        errors("1 = 2"),
        "1:1: this cannot be assigned, expected a variable, a field or an element on the left"
    );
}

#[test]
fn all_errors_of_a_file_are_reported() {
    let text = "\
fn f( {
  let a = +
  return a
}
let b = nothing
fn g() { let = 3 }
class C { a, a }
let c = C { a: 1, b: 2 }
";
    let found = errors(text);
    for expected in [
        "1:7: unexpected `{`",
        "2:11: unexpected `+`",
        "5:9: unknown name `nothing`",
        "6:14: unexpected `=`",
        "7:14: `a` is defined twice",
        "8:19: the class `C` has no field `b`",
    ] {
        assert!(
            found.contains(expected),
            "{expected} is missing in\n{found}"
        );
    }
    assert_eq!(found.lines().count(), 6, "{found}");
}

#[test]
fn literals_out_of_range_are_reported() {
    assert!(errors("9_223_372_036_854_775_808").starts_with("1:1: integer literal out of range"));
    assert_eq!(errors("9_223_372_036_854_775_807"), "");
    assert_eq!(errors("-9223372036854775808"), "");
    assert!(errors("-9223372036854775809").starts_with("1:1: integer literal out of range"));
    assert!(errors("1e999").starts_with("1:1: float literal out of range"));
    assert!(errors(r#"let s = "a\qb""#).starts_with("1:11: unknown escape"));
    assert!(errors(r#""\u{110000}""#).starts_with("1:2: no such character"));
    assert_eq!(errors(r#""\u{1F600}\n\t\r\0\\\"\$""#), "");
}

#[test]
fn interpolations_are_checked_like_other_expressions() {
    assert!(errors(r#""a${}b""#).starts_with("1:5: unexpected `}b\"`, expected an expression"));
    assert!(errors(r#""a${1 2}b""#).starts_with("1:7: unexpected `2`"));
    assert!(errors(r#""a${x}b""#).starts_with("1:5: unknown name `x`"));
}

#[test]
fn line_ends_end_statements_but_not_in_brackets() {
    assert_eq!(
        errors("let a = 1\n-1\nlet b = [1,\n2\n+ 3]\nlet c = a +\nb\na\n.push(1)"),
        ""
    );
    assert_eq!(errors("let a = 1\n(1)\n[2]"), "");
    assert!(errors("let a = 1\n+ 2").starts_with("2:1: unexpected `+`"));
    assert_eq!(errors("fn f() { return\n1 }"), "");
    // Brackets around a closure do not change its body.
    assert_eq!(errors("let a = [|x| {\nlet y = x\n(y)\nreturn y\n}]"), "");
}

#[test]
fn braces_are_blocks_maps_or_instances_by_their_place() {
    assert_eq!(
        errors("class P { a }\nlet m = { a: 1, \"b\": 2, 1 + 2: 3, }\nlet p = P { a: {} }"),
        ""
    );
    assert_eq!(
        errors("class P { a }\nfn f(p) { if (p == P { a: 1 }) { return {} } }"),
        ""
    );
    assert_eq!(
        errors("class P { a }\nif P { a: 1 } {}"),
        "2:4: the brace behind `P` would begin the block (put the instance in brackets, \
         `(P { … })`)"
    );
    assert!(errors("class P {}\nif P {} {}").contains("class `P` is not a value"));
    assert_eq!(
        errors("let x = [1]\nfor y in x { print(y) }\n{ let z = 1 }"),
        ""
    );
}

#[test]
fn deep_nesting_is_an_error_once() {
    for open in [
        "(", "[", "{", "-", "!", "|x| ", "({ a: ", "f(", "a[", "if 1 {", "\"${", "fn f() {",
        "try {", "await ",
    ] {
        let found = errors(&open.repeat(100_000));
        assert!(found.contains("nested too deeply"), "{open}: {found:.200}");
    }
}

#[test]
fn long_chains_are_an_error_or_compile() {
    assert_eq!(errors(&format!("let x = 1{}", " + 1".repeat(500))), "");
    for more in [" + 1", ".a", "()", "[0]", " && 1", " == 1", " .. (1)"] {
        let found = errors(&format!("let x = 1{}", more.repeat(100_000)));
        assert!(!found.is_empty(), "{more}");
    }
    let chain = "else if nil {}".repeat(10_000);
    assert_eq!(errors(&format!("if 1 {{}} {chain}")), "");
}
