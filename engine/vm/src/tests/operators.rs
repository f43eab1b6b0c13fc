//! Arithmetic, comparison, equality, display.

use super::driver::{printed, thrown_by, value_of};

#[test]
fn ints_are_checked_and_truncate() {
    assert_eq!(value_of("7 / 2"), "3");
    assert_eq!(value_of("-7 / 2"), "-3");
    assert_eq!(value_of("-7 % 3"), "-1");
    assert_eq!(value_of("2 * 3 - 10"), "-4");
    assert_eq!(
        thrown_by("return 9223372036854775807 + 1"),
        "Overflow: integer overflow"
    );
    assert_eq!(
        thrown_by("let a = -9223372036854775808\nreturn -a"),
        "Overflow: integer overflow"
    );
    assert_eq!(thrown_by("return 1 / 0"), "DivideByZero: division by zero");
    assert_eq!(thrown_by("return 1 % 0"), "DivideByZero: division by zero");
    assert_eq!(value_of("-9223372036854775808 % -1"), "0");
}

#[test]
fn ints_beyond_48_bits_are_like_others() {
    assert_eq!(value_of("140737488355327 + 1"), "140737488355328");
    assert_eq!(value_of("140737488355328 - 1"), "140737488355327");
    assert_eq!(value_of("140737488355328 == 70368744177664 * 2"), "true");
    assert_eq!(value_of("-140737488355329"), "-140737488355329");
    assert_eq!(value_of("9223372036854775807"), "9223372036854775807");
    assert_eq!(value_of("140737488355329 < 140737488355330"), "true");
    assert_eq!(value_of("{140737488355329: 5}[140737488355328 + 1]"), "5");
    assert_eq!(value_of("type(140737488355329)"), "int");
    assert_eq!(value_of("140737488355328 / 2"), "70368744177664");
}

#[test]
fn ints_and_floats_mix_to_floats() {
    assert_eq!(value_of("1 + 0.5"), "1.5");
    assert_eq!(value_of("3 / 2.0"), "1.5");
    assert_eq!(value_of("1.0 * 2"), "2.0");
    assert_eq!(value_of("-5.5 % 2"), "-1.5");
    assert_eq!(value_of("1 / 0.0"), "inf");
    assert_eq!(value_of("-1 / 0.0"), "-inf");
    assert_eq!(value_of("0.0 / 0.0"), "NaN");
    assert_eq!(value_of("1 == 1.0"), "true");
    assert_eq!(value_of("1 < 1.5"), "true");
    assert_eq!(value_of("2.5 <= 2"), "false");
    assert_eq!(value_of("9007199254740993 == 9007199254740992.0"), "false");
}

#[test]
fn a_nan_is_neither_equal_nor_ordered() {
    let text = "let n = 0.0 / 0.0\nprint(n == n, n != n, n < n, n <= n, n < 1, 1 <= n)";
    assert_eq!(printed(text), ["false true false false false false"]);
}

#[test]
fn strings_compare_by_content() {
    assert_eq!(value_of("\"ab\" + \"c\" == \"abc\""), "true");
    assert_eq!(value_of("\"b\" < \"ab\""), "false");
    assert_eq!(value_of("\"a\" <= \"a\""), "true");
    assert_eq!(value_of("\"Z\" < \"a\""), "true");
}

#[test]
fn objects_are_equal_only_to_themselves() {
    assert_eq!(value_of("[1] == [1]"), "false");
    assert_eq!(
        printed("let a = [1]\nlet b = a\nprint(a == b, a != b)"),
        ["true false"]
    );
    assert_eq!(printed("fn f() {}\nprint(f == f)"), ["true"]);
    assert_eq!(value_of("nil == false"), "false");
}

#[test]
fn wrong_operands_are_type_errors() {
    const MESSAGE: &str = "TypeError: operand of a wrong type";
    for wrong in [
        "1 + \"a\"",
        "\"a\" + 1",
        "nil + 1",
        "\"a\" - \"b\"",
        "[1] * 2",
        "-\"a\"",
        "1 < \"a\"",
        "nil <= nil",
        "true % 2",
        "{} / 1",
        "\"a\"..2",
    ] {
        assert_eq!(thrown_by(&format!("return {wrong}")), MESSAGE, "{wrong}");
    }
}

#[test]
fn only_nil_and_false_are_falsy() {
    let text = "fn t(v) { if v { return 1 }\nreturn 0 }
        print(t(nil), t(false), t(true), t(0), t(\"\"), t([]), !nil, !0)";
    assert_eq!(printed(text), ["0 0 1 1 1 1 true false"]);
}

#[test]
fn values_show_as_in_source_text() {
    let text = r#"
        class P { x, y }
        fn f() {}
        print(nil, true, 1, -1, 1.0, 1e300, "a\"b", 1..4)
        print([nil, "a\"b\n", 2.5], {"k": [1], 2: "v"}, P { x: 1, y: "s" })
        print(f, |x| x, error("no", 1), [error("no")])
        print([], {}, [1..2])
    "#;
    assert_eq!(
        printed(text),
        [
            "nil true 1 -1 1.0 1e300 a\"b 1..4",
            "[nil, \"a\\\"b\\n\", 2.5] {\"k\": [1], 2: \"v\"} P { x: 1, y: \"s\" }",
            "<fn f> <fn <lambda>> Error: no [Error: no]",
            "[] {} [1..2]",
        ]
    );
}

#[test]
fn the_fourth_level_of_containers_is_not_shown() {
    let text = r#"
        class P { x }
        print([[[1]]], [[[[1]]]], [[{1: {}}]], [[P { x: P { x: 1 } }]])
        let a = [1]
        a.push(a)
        print(a)
    "#;
    assert_eq!(
        printed(text),
        [
            "[[[1]]] [[[[...]]]] [[{1: {...}}]] [[P { x: P {...} }]]",
            "[1, [1, [1, [...]]]]",
        ]
    );
}

#[test]
fn interpolation_joins_display_texts() {
    let text = r#"let a = [1, "x"]
        print("a=${a} n=${nil} s=${"q"} ${1}${2}")"#;
    assert_eq!(printed(text), ["a=[1, \"x\"] n=nil s=q 12"]);
}
