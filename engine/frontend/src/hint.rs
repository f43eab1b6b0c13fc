//! What may have been meant: the nearest of several names, words of other languages.

/// Hints of each kind per source: each one compares many names.
pub(crate) const MAX_HINTS: u32 = 40;

/// Names that are compared for one hint.
const MAX_CANDIDATES: usize = 1000;

/// Names longer than this are not compared.
const MAX_LENGTH: usize = 40;

/// Words that begin a statement.
const BEGINNINGS: &[&str] = &[
    "let", "const", "fn", "class", "enum", "if", "while", "for", "return", "try", "throw", "match",
    "spawn", "await", "import", "export", "deadline", "sync",
];

/// A hint for a name at the beginning of a statement that goes on like another one.
pub(crate) fn beginning(name: &str) -> Option<String> {
    match elsewhere(name) {
        Some(hint) => Some(hint.to_owned()),
        None => nearest(name, BEGINNINGS.iter().copied()),
    }
}

/// Some of these names, for a message.
pub(crate) fn list(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A hint for a word that other languages have, or that stands where it means nothing.
pub(crate) fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "null" | "None" | "undefined" => "nothing is `nil`",
        "True" => "did you mean `true`?",
        "False" => "did you mean `false`?",
        "self" | "this" => "the receiver is `self`, which only methods have",
        "function" | "func" | "def" => "a function is defined by `fn`",
        "var" | "val" | "mut" => "a variable is defined by `let`",
        "elif" | "elseif" | "elsif" => "write `else if`",
        "switch" | "case" => "write `match`",
        "except" | "rescue" => "write `catch`",
        "not" => "write `!`",
        "async" => "a task is started by `spawn`",
        "and" => "write `&&`",
        "or" => "write `||`",
        "squad" => "a squad is written `squad { … }`",
        "step" => "a step is written `step \"name\" { … }`",
        "schedule" => "a schedule is written `schedule every 50ms { … }`",
        "deadline" => "a deadline is a statement, `deadline 50ms { … }`",
        "sync" => "a lock is a statement, `sync mutex { … }`",
        "detached" => "a detached task is written `spawn detached f(x)`",
        _ => return None,
    })
}

/// A hint at the candidate that differs from `name` in the fewest characters, if they
/// are few.
pub(crate) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<String> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let allowed = (name.len() / 3).clamp(1, 3);
    candidates
        .take(MAX_CANDIDATES)
        .filter(|other| other.len() <= MAX_LENGTH && other.len().abs_diff(name.len()) <= allowed)
        .map(|other| (distance(name.as_bytes(), other.as_bytes()), other))
        .filter(|&(distance, other)| distance <= allowed && distance < other.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, other)| format!("did you mean `{other}`?"))
}

/// The edit distance: insertions, removals, replacements and swaps of neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"form", b"from"), 1);
        assert_eq!(distance(b"", b"ab"), 2);
    }

    #[test]
    fn only_near_names_are_hinted() {
        let hint = |name| nearest(name, ["count", "x", "total"].into_iter());
        assert_eq!(hint("cuont").as_deref(), Some("did you mean `count`?"));
        assert_eq!(hint("y"), None);
        assert_eq!(hint("something"), None);
    }
}
