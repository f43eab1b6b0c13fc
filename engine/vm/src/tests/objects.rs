//! Arrays, maps, strings, instances, iteration.

use super::driver::{printed, thrown_by, value_of};

const TYPE_ERROR: &str = "TypeError: operand of a wrong type";
const OUT_OF_BOUNDS: &str = "IndexOutOfBounds: index out of bounds";
const INVALID_KEY: &str = "InvalidKey: NaN cannot be a map key";

#[test]
fn arrays_grow_and_shrink() {
    let text = "
        let a = [1, 2]
        print(a.push(3), a, a.pop(), a, a.len(), len(a))
        a.insert(0, 9)
        a.insert(3, 8)
        print(a, a.remove(1), a, a.has(8), a.has(8.0), a.has(1))
        print(a.slice(1, 3), a.slice(0, 0), a.join(\"-\"), a[0])
        a[1] = \"x\"
        print(a, a.clear(), a)
    ";
    assert_eq!(
        printed(text),
        [
            "nil [1, 2] 3 [1, 2] 2 2",
            "[9, 2, 8] 1 [9, 2, 8] true true false",
            "[2, 8] [] 9-2-8 9",
            "[] nil []",
        ]
    );
}

#[test]
fn arrays_refuse_what_is_out_of_bounds() {
    for body in [
        "return [1][1]",
        "return [1][-1]",
        "return [][0]",
        "[].pop()",
        "[1].remove(1)",
        "[1].insert(2, 0)",
        "[1].insert(-1, 0)",
        "[1].slice(1, 0)",
        "[1].slice(0, 2)",
        "let a = [1]\na[1] = 0",
        "return [1][4294967296]",
        "[1].slice(-1, nil)",
    ] {
        assert_eq!(thrown_by(body), OUT_OF_BOUNDS, "{body}");
    }
    for body in [
        "return [1][nil]",
        "[1].insert(\"0\", 1)",
        "[1].remove(0.0)",
        "[1].join(1)",
    ] {
        assert_eq!(thrown_by(body), TYPE_ERROR, "{body}");
    }
}

#[test]
fn maps_keep_insertion_order() {
    let text = "
        let m = {\"b\": 1, \"a\": 2}
        m[\"c\"] = 3
        m[\"b\"] = 4
        print(m, m.keys(), m.values(), m.len(), len(m))
        print(m.remove(\"a\"), m.remove(\"a\"), m, m.has(\"a\"), m.has(\"b\"))
        m[\"a\"] = 5
        print(m, m.get(\"z\"), m.get(\"z\", 7), m.get(\"a\", 7), m[\"z\"])
        print(m.clear(), m, {1: \"x\", 1.0: \"y\"})
    ";
    assert_eq!(
        printed(text),
        [
            "{\"b\": 4, \"a\": 2, \"c\": 3} [\"b\", \"a\", \"c\"] [4, 2, 3] 3 3",
            "2 nil {\"b\": 4, \"c\": 3} false true",
            "{\"b\": 4, \"c\": 3, \"a\": 5} nil 7 5 nil",
            "nil {} {1: \"y\"}",
        ]
    );
}

#[test]
fn large_literals_of_maps_are_made_at_once() {
    let pairs: Vec<String> = (0..60).map(|n| format!("{n}: \"v{n}\"")).collect();
    let text = format!(
        "let m = {{{}}}\nprint(m.len(), m[0], m[59])",
        pairs.join(", ")
    );
    assert_eq!(printed(&text), ["60 v0 v59"]);
}

#[test]
fn objects_are_keys_by_identity() {
    let text = "
        let a = [1]
        let m = {}
        m[a] = 1
        m[[1]] = 2
        collect()
        print(m.len(), m[a], m[[1]], m[nil])
        m[nil] = 3
        m[true] = 4
        print(m[nil], m[true], m[1 == 1], m[false])
    ";
    assert_eq!(printed(text), ["2 1 nil nil", "3 4 4 nil"]);
}

#[test]
fn a_nan_is_no_key() {
    for body in [
        "return {0.0 / 0.0: 1}",
        "let m = {}\nm[0.0 / 0.0] = 1",
        "return {}[0.0 / 0.0]",
        "return {}.has(0.0 / 0.0)",
        "return {}.get(0.0 / 0.0, 1)",
        "return {}.remove(0.0 / 0.0)",
    ] {
        assert_eq!(thrown_by(body), INVALID_KEY, "{body}");
    }
}

#[test]
fn strings_are_indexed_by_bytes_on_character_starts() {
    let text = "let s = \"aéz\"
        print(s.len(), s[0], s[1], s[3], s.slice(1, 3), s.slice(0, 0), s.has(\"éz\"), s.has(\"\"))";
    assert_eq!(printed(text), ["4 a é z é  true true"]);
    for index in ["2", "4", "-1", "99"] {
        assert_eq!(
            thrown_by(&format!("return \"aéz\"[{index}]")),
            OUT_OF_BOUNDS
        );
    }
    assert_eq!(thrown_by("\"aéz\".slice(0, 2)"), OUT_OF_BOUNDS);
    assert_eq!(thrown_by("\"a\".has(1)"), TYPE_ERROR);
    assert_eq!(thrown_by("let s = \"a\"\ns[0] = \"b\""), TYPE_ERROR);
}

#[test]
fn instances_have_their_fields_and_no_others() {
    let text = "
        class P { x, f }
        let p = P { x: 1, f: |a| a + 1 }
        p.x = p.x + 1
        print(p.x, p.f(2), type(p))
    ";
    assert_eq!(printed(text), ["2 3 P"]);
    let class = "class P { x }\nfn main() {";
    let thrown = |body: &str| {
        let text = format!("{class} let p = P {{ x: 1 }}\n{body} }}");
        super::driver::run(&text, &super::driver::Setup::default()).result
    };
    assert_eq!(
        thrown("return p.y"),
        "UnknownField: no such field: `y` of P"
    );
    assert_eq!(thrown("p.y = 1"), "UnknownField: no such field: `y` of P");
    assert_eq!(thrown("p.y()"), "UnknownMethod: no such method: `y` of P");
    assert_eq!(thrown("p.x()"), "NotCallable: not a function: int");
    assert_eq!(thrown_by("return nil.x"), TYPE_ERROR);
    assert_eq!(thrown_by("let a = []\na.x = 1"), TYPE_ERROR);
}

#[test]
fn methods_are_found_by_the_kind_of_the_receiver() {
    for call in [
        "[].keys()",
        "{}.push(1)",
        "\"a\".pop()",
        "(1..2).has(1)",
        "nil.len()",
        "true.has(1)",
    ] {
        let body = format!("return {call}");
        assert_eq!(thrown_by(&body), "UnknownMethod: no such method", "{call}");
    }
    assert_eq!(
        thrown_by("[].push()"),
        "WrongArity: wrong number of arguments"
    );
    assert_eq!(value_of("(2..7).len()"), "5");
    assert_eq!(value_of("(7..2).len()"), "0");
}

#[test]
fn iterators_see_what_is_added_on_the_way() {
    let text = "
        let a = [1, 2]
        for x in a { if a.len() < 4 { a.push(x * 10) }
        print(x) }
        let m = {\"a\": 1}
        for k in m { if m.len() < 3 { m[k + k] = 1 }
        print(k) }
        for i in 3..5 { print(i) }
        for i in 5..3 { print(i) }
        for i in 140737488355327..140737488355329 { print(i) }
    ";
    assert_eq!(
        printed(text),
        [
            "1",
            "2",
            "10",
            "20",
            "a",
            "aa",
            "aaaa",
            "3",
            "4",
            "140737488355327",
            "140737488355328",
        ]
    );
    assert_eq!(thrown_by("for x in 1 { }"), "NotIterable: not iterable");
    assert_eq!(printed("for c in \"aé€\" { print(c) }"), ["a", "é", "€"]);
}

#[test]
fn a_range_may_span_all_ints() {
    let text = "
        let n = 0
        for i in -9223372036854775808..9223372036854775807 {
          n = n + 1
          if n == 3 { print(i)
          break }
        }
        for i in 9223372036854775806..9223372036854775807 { print(i) }
    ";
    assert_eq!(
        printed(text),
        ["-9223372036854775806", "9223372036854775806"]
    );
}

#[test]
fn types_have_names() {
    let text = "class P { }
        print(type(nil), type(true), type(1), type(1.0), type(\"\"), type([]), type({}), type(1..2))
        print(type(print_me), type(|x| x), type(error(\"e\")), type(P { }), type(spawn print_me()))
        fn print_me() {}";
    assert_eq!(
        printed(text),
        [
            "nil bool int float string array map range",
            "function function error P future",
        ]
    );
}

#[test]
fn copies_keep_cycles_and_sharing() {
    let text = "
        let shared = [1]
        let a = [shared, shared, {\"k\": shared}]
        a.push(a)
        let b = deep_copy(a)
        print(b == a, b[0] == b[1], b[2][\"k\"] == b[0], b[3] == b, b[0] == shared)
        print(deep_equals(a, b), deep_equals(a, [shared, [1]]), deep_equals([1], [1.0]))
        b[0].push(2)
        print(shared, deep_equals(a, b), deep_copy(\"s\"), deep_copy(1))
    ";
    assert_eq!(
        printed(text),
        [
            "false true true true false",
            "true false true",
            "[1] false s 1"
        ]
    );
}

#[test]
fn lengths_are_of_what_has_one() {
    assert_eq!(thrown_by("return len(1)"), TYPE_ERROR);
    assert_eq!(thrown_by("return len(nil)"), TYPE_ERROR);
    assert_eq!(
        value_of("len(\"é\") + len([1]) + len({1: 1}) + len(0..9)"),
        "13"
    );
}
