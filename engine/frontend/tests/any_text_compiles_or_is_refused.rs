//! Any text gives a program or errors that can be shown.

use gcrucible_frontend::{Source, compile};

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
    "nil", "true", "1", "2.5", "\"s\"", "\"a${", "}\"", "}b${", "let ", "const ", "fn ", "class ",
    "if ", "else ", "while ", "for ", "in ", "break", "continue", "return ", "try ", "catch ",
    "finally ", "throw ", "spawn ", "await ", "import ", "(", ")", "[", "]", "{", "}", ",", ";",
    ":", ".", "..", "|", "||", "&&", "!", "=", "==", "<", ">=", "+", "-", "*", "%", "+=", "\n",
    "\n", "\n", "x", "y", "f", "C", "print", "cancel", "// c\n", "/* c */", "é", "\"", "\\",
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
    for _ in 0..1500 {
        let mut text = String::from("fn f(a, b) {\n");
        block(&mut numbers, &mut text, 5, false);
        text.push_str("}\n");
        accepted += usize::from(compiles(text));
    }
    assert_eq!(accepted, 1500);
}

fn block(numbers: &mut Numbers, out: &mut String, depth: usize, in_loop: bool) {
    for _ in 0..numbers.below(4) {
        match numbers.below(if depth == 0 { 6 } else { 13 }) {
            0 => out.push_str("a = b && a\n"),
            1 => out.push_str("b = [a, || { a += 1 }]\n"),
            2 if in_loop => out.push_str("if a { break }\n"),
            3 if in_loop => out.push_str("if b { continue }\n"),
            4 => out.push_str("return a\n"),
            5 => out.push_str("if a { throw b }\n"),
            2 | 3 => out.push_str("a(b)\n"),
            6 => nest(
                numbers,
                out,
                depth,
                in_loop,
                &["try {\n", "} catch e {\n", "}\n"],
            ),
            7 => nest(
                numbers,
                out,
                depth,
                in_loop,
                &["try {\n", "} finally {\n", "}\n"],
            ),
            8 => nest(
                numbers,
                out,
                depth,
                in_loop,
                &["try {\n", "} catch {\n", "} finally {\n", "}\n"],
            ),
            9 => nest(numbers, out, depth, true, &["while a {\n", "}\n"]),
            10 => nest(numbers, out, depth, true, &["for x in b {\n", "}\n"]),
            11 => nest(numbers, out, depth, false, &["b = |c| {\n", "}\n"]),
            _ => nest(
                numbers,
                out,
                depth,
                in_loop,
                &["if a {\n", "} else {\n", "}\n"],
            ),
        }
    }
}

/// Blocks between the parts of a statement.
fn nest(numbers: &mut Numbers, out: &mut String, depth: usize, in_loop: bool, parts: &[&str]) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            block(numbers, out, depth - 1, in_loop);
        }
        out.push_str(part);
    }
}

#[test]
fn huge_texts() {
    let megabytes = |n: usize, piece: &str| piece.repeat((n << 20) / piece.len());
    assert!(!compiles(megabytes(50, "x + ")));
    for piece in [
        "9", "a", "é", "\"", "(", ")", "}", "#", " ", "\"\\", "1,", "a.", "x\n", "1e",
    ] {
        compiles(megabytes(1, piece));
    }
    assert!(compiles(format!("let s = \"{}\"", megabytes(4, "é"))));
    assert!(compiles(format!("let s = [{}]", megabytes(1, "1,"))));
}
