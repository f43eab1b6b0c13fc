//! What docs/crux says is what the compiler does.

use std::collections::BTreeSet;

use gcrucible_bytecode::{Builtin, ErrorKind, Method};
use gcrucible_frontend::{Source, compile};

const README: &str = include_str!("../../../docs/crux/README.md");
const GRAMMAR: &str = include_str!("../../../docs/crux/grammar.md");
const LIBRARY: &str = include_str!("../../../docs/crux/library.md");

/// The code blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```").skip(1).step_by(2).collect()
}

#[test]
fn the_example_compiles() {
    let source = Source::new("main.crux", blocks(README)[0]);
    if let Err(found) = compile(&source) {
        panic!("{}", found.render(&source, false));
    }
}

#[test]
fn the_diagnostic_is_shown_as_it_is() {
    let source = Source::new("main.crux", "fn f(a b) {}");
    let found = compile(&source).expect_err("must be refused");
    let lines = |text: &str| -> Vec<String> {
        text.trim()
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    assert_eq!(
        lines(blocks(README)[1]),
        lines(&found.render(&source, false))
    );
}

#[test]
fn the_library_page_is_complete() {
    for builtin in Builtin::ALL {
        assert!(
            LIBRARY.contains(&format!("`{}(", builtin.name())),
            "{}",
            builtin.name()
        );
    }
    for method in Method::ALL {
        assert!(
            LIBRARY.contains(&format!("`{}(", method.name())),
            "{}",
            method.name()
        );
    }
    for kind in ErrorKind::ALL {
        assert!(
            LIBRARY.contains(&format!("`{}`", kind.name())),
            "{}",
            kind.name()
        );
    }
}

/// Words that cannot be names are listed, and those listed cannot be names.
#[test]
fn the_grammar_page_lists_the_keywords() {
    let list = GRAMMAR
        .split("- Keywords: `")
        .nth(1)
        .and_then(|rest| rest.split("\n- ").next())
        .expect("a list of keywords");
    let words: BTreeSet<&str> = list
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    let is_name = |word: &str| compile(&Source::new("m", format!("let {word} = 1"))).is_ok();
    let keywords = words.iter().filter(|word| !is_name(word)).count();
    assert_eq!(keywords, 26, "{words:?}");
}
