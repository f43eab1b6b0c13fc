//! Any text gives a program or errors that can be shown.

use std::collections::BTreeMap;

use gcrucible_frontend::{Loader, Source, compile, compile_modules};

/// A small generator of numbers (xorshift), so that each run sees the same texts.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

/// Compiles, and shows what was wrong. Whether there was something wrong.
fn compiles(text: String) -> bool {
    let source = Source::new("main.crux", text);
    match compile(&source) {
        Ok(_) => true,
        Err(found) => {
            assert!(!found.is_empty());
            for one in &found {
                assert!(one.line > 0 && one.column > 0 && one.length > 0);
                assert!(
                    !one.message.contains("compiler made wrong code"),
                    "{one}\n{}",
                    source.text
                );
            }
            assert!(!found.render(&source, false).is_empty());
            false
        }
    }
}

const TOKENS: &[&str] = &[
    "nil",
    "true",
    "1",
    "2.5",
    "\"s\"",
    "\"a${",
    "}\"",
    "}b${",
    "let ",
    "const ",
    "fn ",
    "class ",
    "if ",
    "else ",
    "while ",
    "for ",
    "in ",
    "break",
    "continue",
    "return ",
    "try ",
    "catch ",
    "finally ",
    "throw ",
    "spawn ",
    "await ",
    "import ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    ".",
    "..",
    "|",
    "||",
    "&&",
    "!",
    "=",
    "==",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "%",
    "+=",
    "\n",
    "\n",
    "\n",
    "x",
    "y",
    "f",
    "C",
    "export ",
    "enum ",
    "match ",
    "is ",
    "=>",
    "_",
    "deadline ",
    "sync ",
    "squad ",
    "step ",
    "schedule ",
    "every ",
    "detached ",
    "50ms",
    "from ",
    "as ",
    "?",
    "...",
    "self",
    "E.V",
    "1..2",
    "int",
    "math",
    "Hook",
    "stream",
    "'",
    "#",
    "\"./a.crux\"",
    "print",
    "cancel",
    "// c\n",
    "/* c */",
    "é",
    "\"",
    "\\",
];

#[test]
fn random_tokens() {
    let mut numbers = Numbers(1);
    for _ in 0..4000 {
        let length = 1 + numbers.below(40);
        compiles((0..length).map(|_| numbers.pick(TOKENS)).collect());
    }
}

#[test]
fn random_bytes() {
    let mut numbers = Numbers(2);
    for _ in 0..2000 {
        let length = numbers.below(60);
        let bytes: Vec<u8> = (0..length).map(|_| numbers.below(256) as u8).collect();
        compiles(String::from_utf8_lossy(&bytes).into_owned());
    }
}

/// A program with errors made by cutting, repeating and replacing pieces of a good one.
#[test]
fn damaged_programs() {
    let good = include_str!("any_text/sample.crux");
    assert!(
        compiles(good.to_owned()),
        "{:?}",
        compile(&Source::new("s", good))
    );
    let starts: Vec<usize> = good.char_indices().map(|(at, _)| at).collect();
    let mut numbers = Numbers(3);
    for _ in 0..1500 {
        let mut text = good.to_owned();
        for _ in 0..1 + numbers.below(3) {
            let from = starts[numbers.below(starts.len())].min(text.len());
            let to = (from + numbers.below(12)).min(text.len());
            if text.is_char_boundary(from) && text.is_char_boundary(to) {
                text.replace_range(from..to, numbers.pick(TOKENS));
            }
        }
        compiles(text);
    }
}

/// Statements at random in a right program: most compile, and then the verifier has
/// accepted every way of leaving every kind of block.
#[test]
fn random_blocks() {
    let mut numbers = Numbers(4);
    let mut accepted = 0;
    for _ in 0..3000 {
        let mut text = String::from("class P { x }\nenum E { A, B(n) }\nfn f(a, b) {\n");
        block(&mut numbers, &mut text, 5, false);
        text.push_str("}\n");
        accepted += usize::from(compiles(text));
    }
    assert_eq!(accepted, 3000);
}

fn block(numbers: &mut Numbers, out: &mut String, depth: usize, in_loop: bool) {
    for _ in 0..numbers.below(5) {
        let simple = SIMPLE[numbers.below(SIMPLE.len())];
        let is_jump = simple.contains("break") || simple.contains("continue");
        if depth == 0 || numbers.below(2) == 0 {
            if in_loop || !is_jump {
                out.push_str(simple);
            }
            continue;
        }
        match numbers.below(NESTING.len() + 4) {
            0 => nest(numbers, out, depth, true, &["while a {\n", "}\n"]),
            1 => nest(numbers, out, depth, true, &["for x in b {\n", "}\n"]),
            // Bodies that are functions of their own.
            2 => nest(numbers, out, depth, false, &["b = |c| {\n", "}\n"]),
            3 => nest(
                numbers,
                out,
                depth,
                false,
                &[
                    "b = step \"s\" (calls: 3) {\n",
                    "} + schedule every 5ms {\n",
                    "}\n",
                ],
            ),
            n => nest(numbers, out, depth, in_loop, NESTING[n - 4]),
        }
    }
}

const SIMPLE: &[&str] = &[
    "a = b && a\n",
    "b = [a, || { a += 1 }]\n",
    "if a { break }\n",
    "if b { continue }\n",
    "return a\n",
    "if a { throw b }\n",
    "a(b)\n",
    "a = spawn b.m(E.B(a))\n",
    "b = match a { 1 | \"x\" => a, [c, _] if c => b, E.B(d) => d, P { x } => x, e is int => e }\n",
    "return match b { E.A => a }\n",
    "b += a is E.B\n",
];

/// Statements with blocks that belong to the function around them.
const NESTING: &[&[&str]] = &[
    &["try {\n", "} catch e {\n", "}\n"],
    &["try {\n", "} catch e is E {\n", "} catch e is P {\n", "}\n"],
    &[
        "try {\n",
        "} catch e is int {\n",
        "} catch {\n",
        "} finally {\n",
        "}\n",
    ],
    &["try {\n", "} finally {\n", "}\n"],
    &["if a {\n", "} else {\n", "}\n"],
    &["deadline 5ms {\n", "}\n"],
    &["sync b {\n", "}\n"],
    &["a = b + squad {\n", "}.len() * a\n"],
    &[
        "a += match b { 1 => {\n",
        "} E.B([c]) if || c => {\n",
        "} _ => a }\n",
    ],
    &["return [a, squad {\n", "}]\n"],
];

/// Blocks between the parts of a statement.
fn nest(numbers: &mut Numbers, out: &mut String, depth: usize, in_loop: bool, parts: &[&str]) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            block(numbers, out, depth - 1, in_loop);
        }
        out.push_str(part);
    }
}

/// Modules that import one another at random.
#[test]
fn random_modules() {
    struct Texts(BTreeMap<String, String>);

    impl Loader for Texts {
        fn load(&self, path: &str) -> Result<String, String> {
            self.0.get(path).cloned().ok_or("no such file".to_owned())
        }
    }

    const NAMES: &[&str] = &["main", "a", "b", "d/c", "d/e"];
    const WORDS: &[&str] = &["x", "y", "f", "C", "E"];
    let mut numbers = Numbers(5);
    let mut accepted = 0;
    for _ in 0..800 {
        let mut modules = BTreeMap::new();
        for (at, name) in NAMES.iter().enumerate() {
            let mut text = String::new();
            // Mostly later ones, so that there are not always cycles.
            for _ in 0..numbers.below(3) {
                let other = numbers.below(8).max(at);
                let path = match NAMES.get(other) {
                    Some(path) if name.starts_with("d/") => format!("../{path}.crux"),
                    Some(path) => format!("./{path}.crux"),
                    None => continue,
                };
                match numbers.below(3) {
                    0 => text.push_str(&format!("import \"{path}\"\n")),
                    1 => text.push_str(&format!(
                        "import {{ {0} }} from \"{path}\"\n",
                        numbers.pick(WORDS)
                    )),
                    _ => text.push_str(&format!(
                        "import {{ {} as i{} }} from \"{path}\"\n",
                        numbers.pick(WORDS),
                        numbers.below(9)
                    )),
                }
            }
            for definition in [
                "let x = [1]\n",
                "const y = \"s${1}\"\n",
                "fn f(a) { return a is E && json.stringify(a) }\n",
                "class C { x  fn m() { return self.x } }\n",
                "enum E { A, B(x) }\nlet e = E.B(1)\n",
            ] {
                match numbers.below(4) {
                    0 => {}
                    1 => text.push_str(definition),
                    _ => text.push_str(&format!("export {definition}")),
                }
            }
            modules.insert(format!("{name}.crux"), text);
        }
        match compile_modules("main.crux", &Texts(modules.clone())) {
            Ok(_) => accepted += 1,
            Err(found) => {
                let shown = found.render(false);
                assert!(
                    !shown.is_empty() && !shown.contains("wrong code"),
                    "{shown}\n{modules:#?}"
                );
                assert!(found.to_string().contains(".crux:"));
            }
        }
    }
    assert!(accepted > 50, "{accepted}");
}

#[test]
fn nesting_without_end() {
    for piece in [
        "match x { ",
        "match x { _ => ",
        "match x { [",
        "match x { E.V(",
        "match x { C { a: ",
        "squad {\n",
        "step \"s\" {",
        "schedule every ",
        "schedule every 5ms {",
        "deadline ",
        "deadline 1 {",
        "sync x {",
        "try {} catch e is T {",
        "class C { fn f() {",
        "export ",
        "x is ",
        "match x { 1 | ",
        "deadline (",
        "sync [",
        "import { ",
        "enum E { A(",
        "if x {} else ",
        "class C { a, ",
        "match x { _ => {} ",
        "squad { spawn f() } + ",
    ] {
        let text = piece.repeat(100_000);
        compiles(text.clone());
        compiles(format!("fn f(x) {{ {text}"));
    }
    let arms = "1 => 2\n".repeat(100_000);
    assert!(compiles(format!(
        "fn f(x) {{ return match x {{ {arms} }} }}"
    )));
    let catches = "catch e is int {} ".repeat(60);
    assert!(compiles(format!("try {{}} {catches} catch {{}}")));
    assert!(!compiles(format!(
        "try {{}} {}",
        "catch e is int {} ".repeat(100_000)
    )));
    let chain = "else if nil {} ".repeat(100_000);
    assert!(compiles(format!("fn f() {{ if 1 {{}} {chain} }}")));
}

#[test]
fn huge_texts() {
    let megabytes = |n: usize, piece: &str| piece.repeat((n << 20) / piece.len());
    assert!(!compiles(megabytes(50, "x + ")));
    for piece in [
        "9",
        "a",
        "é",
        "\"",
        "(",
        ")",
        "}",
        "#",
        " ",
        "\"\\",
        "1,",
        "a.",
        "x\n",
        "1e",
        "'",
        "#\n",
        "1m",
        "?",
        "...",
        "=>",
        "a b\n",
        "lett x\n",
        "import \"./a.crux\"\n",
        "x is y ",
        "deadline (\n",
        "x|",
        "enum E { A }\n",
        "step 5\n",
        "M { x: 1 }\n",
    ] {
        compiles(megabytes(1, piece));
    }
    assert!(compiles(format!("let s = \"{}\"", megabytes(4, "é"))));
    assert!(compiles(format!("let s = [{}]", megabytes(1, "1,"))));
}
