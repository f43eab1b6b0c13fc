//! Lays RON text out: what fits on a line stays on it, the rest is broken item by item.

/// Fields whose lists always have one item per line, so that diffs are by item.
const ONE_PER_LINE: [&str; 2] = ["ops", "host"];

/// `plain` (any valid RON without comments) laid out in lines of `width` columns where
/// that is possible, with a newline at the end.
pub(super) fn lay_out(plain: &str, width: usize) -> String {
    let mut tokens = Tokens { rest: plain };
    let node = parse(&mut tokens);
    let mut out = String::with_capacity(plain.len());
    write(&node, 0, 0, width, &mut out);
    out.push('\n');
    out
}

/// A value: a word alone, or brackets with items, each with what stands before it
/// (`name: `, `Variant`).
#[derive(Debug, Default)]
struct Node {
    /// Text before the brackets: `ops: `, `StoreField`, `debug: `; or the whole value.
    head: String,
    /// The brackets and what is inside.
    group: Option<(char, Vec<Node>)>,
    /// Value of a map entry whose key is the rest of this node.
    value: Option<Box<Node>>,
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// A bracket, comma, colon, or a word or string; `None` at the end.
    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        let end = match first {
            '(' | ')' | '[' | ']' | '{' | '}' | ',' | ':' => 1,
            '"' => string_end(self.rest),
            // Not `r#name`, an identifier that needs quoting.
            'r' if self.rest[1..].trim_start_matches('#').starts_with('"') => {
                raw_string_end(self.rest)
            }
            '\'' => char_end(self.rest),
            _ => self
                .rest
                .find(|c: char| c.is_whitespace() || "()[]{},:".contains(c))
                .unwrap_or(self.rest.len()),
        };
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(token)
    }

    fn peek(&self) -> Option<&'a str> {
        Tokens { rest: self.rest }.next()
    }
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_end(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    let close = format!("\"{}", "#".repeat(hashes));
    let body = 1 + hashes + 1;
    text[body..]
        .find(&close)
        .map_or(text.len(), |at| body + at + close.len())
}

fn char_end(text: &str) -> usize {
    let skip = if text[1..].starts_with('\\') { 3 } else { 2 };
    text[skip..]
        .find('\'')
        .map_or(text.len(), |at| skip + at + 1)
}

fn parse(tokens: &mut Tokens<'_>) -> Node {
    let mut node = Node::default();
    while let Some(token) = tokens.peek() {
        match token {
            "(" | "[" | "{" if node.group.is_none() => {
                tokens.next();
                let mut items = Vec::new();
                while !matches!(tokens.peek(), None | Some(")" | "]" | "}")) {
                    items.push(parse(tokens));
                    if tokens.peek() == Some(",") {
                        tokens.next();
                    }
                }
                tokens.next();
                let open = token.chars().next().expect("tokens are not empty");
                node.group = Some((open, items));
            }
            ":" if node.group.is_none() => {
                tokens.next();
                node.head.push_str(": ");
            }
            ":" => {
                tokens.next();
                node.value = Some(Box::new(parse(tokens)));
            }
            "," | ")" | "]" | "}" => break,
            word => {
                node.head.push_str(word);
                tokens.next();
            }
        }
    }
    node
}

/// Writes `node` from column `column` on; `indent` is that of its first line, and `after`
/// columns must stay free behind it.
fn write(node: &Node, indent: usize, after: usize, width: usize, out: &mut String) {
    let column = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
    if flat_length(node).is_some_and(|length| column + length + after <= width) {
        write_flat(node, out);
        return;
    }
    out.push_str(&node.head);
    if let Some((open, items)) = &node.group {
        out.push(*open);
        for item in items {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 4));
            write(item, indent + 4, 1, width, out);
            out.push(',');
        }
        if !items.is_empty() {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push(closing(*open));
    }
    if let Some(value) = &node.value {
        out.push_str(": ");
        write(value, indent, after, width, out);
    }
}

/// Columns of the node on one line; `None` if it must be broken.
fn flat_length(node: &Node) -> Option<usize> {
    if node.head.contains('\n') {
        return None;
    }
    let mut length = node.head.chars().count();
    if let Some((_, items)) = &node.group {
        let one_per_line = node
            .head
            .strip_suffix(": ")
            .is_some_and(|n| ONE_PER_LINE.contains(&n))
            || node.head == "Recorded";
        if one_per_line && !items.is_empty() {
            return None;
        }
        length += 2 + 2 * items.len().saturating_sub(1);
        for item in items {
            length += flat_length(item)?;
        }
    }
    match &node.value {
        Some(value) => Some(length + 2 + flat_length(value)?),
        None => Some(length),
    }
}

fn write_flat(node: &Node, out: &mut String) {
    out.push_str(&node.head);
    if let Some((open, items)) = &node.group {
        out.push(*open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            write_flat(item, out);
        }
        out.push(closing(*open));
    }
    if let Some(value) = &node.value {
        out.push_str(": ");
        write_flat(value, out);
    }
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::lay_out;

    #[test]
    fn what_fits_stays_on_a_line() {
        assert_eq!(lay_out("(\n  a: [\n 1,\n 2,\n],\n)", 40), "(a: [1, 2])\n");
        assert_eq!(
            lay_out("(a: [1,2])", 8),
            "(\n    a: [\n        1,\n        2,\n    ],\n)\n"
        );
    }

    #[test]
    fn listed_fields_are_always_broken() {
        assert_eq!(
            lay_out("(ops:[A(1)])", 80),
            "(\n    ops: [\n        A(1),\n    ],\n)\n"
        );
        assert_eq!(lay_out("(ops:[])", 80), "(ops: [])\n");
    }

    #[test]
    fn raw_identifiers_are_words() {
        assert_eq!(lay_out("(a: r#b-c,\n d: 1)", 80), "(a: r#b-c, d: 1)\n");
    }

    #[test]
    fn strings_are_left_alone() {
        let text = "(a: \"x, (\\\"y\", b: r#\"one\n two\"#)";
        assert_eq!(
            lay_out(text, 80),
            "(\n    a: \"x, (\\\"y\",\n    b: r#\"one\n two\"#,\n)\n"
        );
    }
}
