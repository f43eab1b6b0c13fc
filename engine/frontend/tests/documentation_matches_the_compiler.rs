//! What docs/crux says is what the compiler does.

use std::collections::BTreeSet;

use gcrucible_bytecode::{Builtin, ErrorKind, Method, ValueKind};
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

/// Whether the library page has a function: by its whole name, or in the row of its
/// namespace.
fn is_documented(name: &str) -> bool {
    if LIBRARY.contains(&format!("`{name}(")) {
        return true;
    }
    name.split_once('.').is_some_and(|(namespace, function)| {
        let row = format!("| `{namespace}` |");
        let mut rows = LIBRARY.lines().filter(|line| line.starts_with(&row));
        rows.any(|row| row.contains(&format!("`{function}(")))
    })
}

#[test]
fn the_library_page_is_complete() {
    for kind in ValueKind::ALL {
        assert!(
            LIBRARY.contains(&format!("`{}`", kind.name())),
            "{}",
            kind.name()
        );
    }
    for builtin in Builtin::ALL {
        if builtin.name().starts_with("__") {
            continue;
        }
        assert!(is_documented(builtin.name()), "{}", builtin.name());
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
    assert_eq!((keywords, words.len()), (26, 26), "{words:?}");
    for word in [
        "deadline", "sync", "squad", "step", "schedule", "every", "detached", "from", "as", "self",
    ] {
        assert!(is_name(word), "{word}");
    }
}

/// The functions and methods of the library's sources, by the names that programs use.
fn library_definitions() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("library");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of the library") {
        let path = entry.expect("an entry of the folder").path();
        let text = std::fs::read_to_string(path).expect("a source of the library");
        let definitions = text.lines().filter_map(|line| line.strip_prefix("fn "));
        let names = definitions.filter_map(|rest| rest.split('(').next());
        found.extend(
            names
                .filter(|name| !name.starts_with("__"))
                .map(str::to_owned),
        );
    }
    assert!(found.len() > 60, "{found:?}");
    found
}

#[test]
fn the_library_page_has_what_is_written_in_crux() {
    for name in library_definitions() {
        let (kind, method) = name.split_once('.').unwrap_or(("", &name));
        let is_method = ValueKind::from_name(kind).is_some();
        let shown = if is_method { method } else { &name };
        assert!(is_documented(shown), "{name}");
    }
}

/// Each source of the library is compiled: programs can call what is in it.
#[test]
fn programs_reach_what_is_written_in_crux() {
    for name in library_definitions() {
        let (kind, method) = name.split_once('.').unwrap_or(("", &name));
        let text = match ValueKind::from_name(kind) {
            Some(_) => format!("let s = stream([])\nfn f(v) {{ return v.{method}() }}"),
            // A wrong number of arguments is reported, an unknown name otherwise.
            None => format!("{name}({})", ["1"; 30].join(", ")),
        };
        let shown = match compile(&Source::new("main.crux", text)) {
            Ok(program) => {
                let has = |function: &gcrucible_bytecode::Function| function.name == name;
                assert!(program.functions.iter().any(has), "{name}");
                continue;
            }
            Err(found) => found.to_string(),
        };
        let expected = format!("`{name}` is called with 30 arguments");
        assert!(shown.contains(&expected), "{shown}");
    }
}

/// The limits of the page are those of the compiler.
#[test]
fn the_limits_are_as_the_page_says() {
    use gcrucible_frontend::{MAX_DIAGNOSTICS, MAX_MODULES, MAX_SOURCE_BYTES};

    for limit in [
        format!("| source file | {} MiB |", MAX_SOURCE_BYTES >> 20),
        format!("| modules of a program | {MAX_MODULES} |"),
        format!("| errors of a file reported in full | {MAX_DIAGNOSTICS} |"),
        format!(
            "counting each `catch` and `finally` | {} |",
            gcrucible_bytecode::verify::MAX_NESTING
        ),
    ] {
        assert!(README.contains(&limit), "{limit}");
    }
    let refusal = |text: String| {
        let found = compile(&Source::new("m", text)).expect_err("beyond a limit");
        found.to_string()
    };
    let variants = |n: usize| {
        let names: Vec<String> = (0..n).map(|at| format!("V{at}")).collect();
        format!("enum E {{ {} }}", names.join(", "))
    };
    assert!(compile(&Source::new("m", variants(1000))).is_ok());
    assert!(refusal(variants(1001)).contains("the limit is 1000"));
    assert!(refusal("(".repeat(200)).contains("the limit is 128"));
    assert!(refusal(format!("1{}", " + 1".repeat(700))).contains("the limit is 600"));
}
