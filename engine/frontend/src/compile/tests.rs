//! The code of small sources.

use gcrucible_bytecode::disassemble;

use crate::{Source, compile};

fn listing(text: &str) -> String {
    match compile(&Source::new("main.crux", text)) {
        Ok(program) => disassemble(&program),
        Err(found) => panic!("{found}"),
    }
}

/// The instructions of the function `name`, one per line, without lines and indexes.
fn code(text: &str, name: &str) -> String {
    let listing = listing(text);
    let header = format!(" {name} (");
    let mut lines = listing
        .lines()
        .skip_while(|line| !line.contains(&header))
        .skip(1);
    let mut out = String::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let words: Vec<&str> = line[13..].split_whitespace().collect();
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    assert!(!out.is_empty(), "no function {name} in\n{listing}");
    out
}

fn check(text: &str, name: &str, expected: &str) {
    let lines: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let found = code(text, name);
    assert_eq!(
        found.lines().collect::<Vec<_>>(),
        lines,
        "\n{}",
        listing(text)
    );
}

#[test]
fn operands_wait_above_the_locals() {
    check(
        "fn h(a) { let x = f(a) + g(a)\nreturn x }\nfn f(a) {}\nfn g(a) {}",
        "h",
        "LoadGlobal r2, g1 ; f
         Move r3, r0
         Call r2, 1
         LoadGlobal r3, g2 ; g
         Move r4, r0
         Call r3, 1
         Add r1, r2, r3
         Return r1",
    );
}
