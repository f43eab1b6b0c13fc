//! How late a deadline and a cancellation are when a built-in works on something large.

use std::sync::Arc;

use gcrucible_engine::{Engine, EngineOptions, HostValue, Outcome};
use gcrucible_frontend::{Source, compile};
use gcrucible_platform::TokioPlatform;

/// Threads of the production platform.
const WORKERS: usize = 2;

/// What makes the operands: a million elements, ten million bytes.
const OPERANDS: &[(&str, &str)] = &[
    (
        "ints",
        "let ints = []\n for i in 0..1000000 { ints.push(i) }",
    ),
    (
        "texts",
        "let texts = []\n for i in 0..300000 { texts.push(\"element ${i}\") }",
    ),
    (
        "nested",
        "let nested = []\n for i in 0..300000 { nested.push([i]) }",
    ),
    (
        "twin",
        "let twin = []\n for i in 0..300000 { twin.push([i]) }",
    ),
    ("ascii", "let ascii = \"abcdefghi \".repeat(1000000)"),
    ("other", "let other = \"abcdefghi \".repeat(1000000)"),
    ("wide", "let wide = \"é\".repeat(5000000)"),
    (
        "lines",
        "let lines = \"one line of text\\n\".repeat(600000)",
    ),
    ("digits", "let digits = \"1\".repeat(10000000)"),
    ("spaces", "let spaces = \" \".repeat(10000000)"),
    (
        "entries",
        "let entries = {}\n for i in 0..300000 { entries[\"key ${i}\"] = i }",
    ),
    (
        "json_text",
        "let json_text = \"[\" + \"12345,\".repeat(1000000) + \"1]\"",
    ),
    (
        "shared",
        "let shared = [1]\n for i in 0..20 { shared = [shared, shared] }",
    ),
    (
        "mirrored",
        "let mirrored = {}\n for i in 0..300000 { mirrored[\"key ${i}\"] = i }",
    ),
    (
        "growing",
        "let growing = {}\n for i in 0..900000 { growing[i] = i }",
    ),
    ("part", "let part = \"1\".repeat(5000000) + \"2\""),
    (
        "object_text",
        "let object_text = \"[\" + \"{\\\"name\\\": 1},\".repeat(300000) + \"1]\"",
    ),
    (
        "sevens",
        "let sevens = []\n for i in 0..1000000 { sevens.push(7) }",
    ),
];

/// A built-in or operator, and a call of it.
const CASES: &[(&str, &str)] = &[
    ("print", "print(ints)"),
    ("str", "str(ints)"),
    ("len", "len(ints)"),
    ("type", "type(ints)"),
    ("assert", "assert(ints)"),
    ("error", "error(ascii, ints)"),
    ("deep_copy", "deep_copy(nested)"),
    ("deep_equals", "deep_equals(nested, twin)"),
    ("int", "try { int(digits) } catch e is ParseError { }"),
    (
        "int of spaces",
        "try { int(spaces) } catch e is ParseError { }",
    ),
    ("float", "float(digits)"),
    ("iter", "iter(ints)"),
    ("next", "next(iter(wide))"),
    ("weak", "weak(ints)"),
    ("ord", "ord(ascii)"),
    (
        "host",
        "try { host(\"none\", ints, ascii) } catch e is HostError { }",
    ),
    (
        "host of what is shared",
        "try { host(\"none\", shared) } catch e is HostError { }",
    ),
    ("sys.interrupt", "if false { sys.interrupt(ascii) }"),
    (
        "array.push",
        "let b = ints.slice(0, 1000)\n for i in 0..100000 { b.push(i) }",
    ),
    (
        "array.pop",
        "let b = ints.slice(0, 1000000)\n while b.len() > 0 { b.pop() }",
    ),
    ("array.insert", "ints.insert(500000, 1)\n ints.pop()"),
    ("array.remove", "ints.remove(500000)\n ints.push(1)"),
    ("array.clear", "ints.slice(0, 1000000).clear()"),
    ("array.len", "ints.len()"),
    ("array.has", "ints.has(-1)"),
    ("array.slice", "ints.slice(0, 1000000)"),
    ("array.join", "texts.join(\", \")"),
    ("array.join of numbers", "ints.join(\"\")"),
    ("array.extend", "let b = [1]\n b.extend(ints)"),
    (
        "array.extend of itself",
        "let b = [1]\n for i in 0..20 { b.extend(b) }",
    ),
    ("array.fill", "sevens.fill(7)"),
    ("array.reverse", "ints.reverse()"),
    ("array.index_of", "texts.index_of(\"nothing\")"),
    ("map.has", "entries.has(ascii)"),
    ("map.get", "entries.get(ascii)"),
    ("map.remove", "entries.remove(ascii)"),
    ("map.clear", "({ k: ints }).clear()"),
    ("map.len", "entries.len()"),
    ("map.keys", "entries.keys()"),
    ("map.values", "entries.values()"),
    ("string.len", "wide.len()"),
    ("string.has", "ascii.has(\"aaaaaaaaaaaaaaaaaaaaaab\")"),
    ("string.slice", "ascii.slice(1, 9999999)"),
    ("string.index_of", "ascii.index_of(\"ghi  \")"),
    ("string.upper", "ascii.upper()"),
    ("string.lower", "wide.lower()"),
    ("string.trim", "ascii.trim()"),
    ("string.trim of spaces", "spaces.trim()"),
    ("string.split", "ascii.split(\" \")"),
    ("string.split into characters", "wide.split(\"\")"),
    ("string.replace", "ascii.replace(\"f\", \"--\")"),
    (
        "string.replace with more",
        "ascii.replace(\" \", \"a longer text\")",
    ),
    ("string.starts_with", "ascii.starts_with(other)"),
    ("string.ends_with", "ascii.ends_with(other)"),
    ("string.repeat", "\"ab\".repeat(5000000)"),
    ("range.len", "(0..1000000).len()"),
    ("channel.send", "let c = channel(1)\n c.send(ints)"),
    (
        "channel.receive",
        "let c = channel(1)\n c.send(ints)\n c.receive()",
    ),
    ("channel.try_send", "channel(1).try_send(ints)"),
    ("channel.try_receive", "channel(1).try_receive()"),
    ("channel.close", "channel(1).close()"),
    ("weak.target", "weak(ints).target()"),
    ("array.map", "ints.map(|x| x)"),
    ("array.filter", "ints.filter(|x| true)"),
    ("array.each", "ints.each(|x| x)"),
    ("array.reduce", "ints.reduce(|a, x| x, 0)"),
    ("array.find", "ints.find(|x| false)"),
    ("array.any", "ints.any(|x| false)"),
    ("array.all", "ints.all(|x| true)"),
    ("array.sort", "ints.sort()"),
    ("array.sort of texts", "texts.sort()"),
    ("array.sort_by", "ints.sort_by(|x| 0 - x)"),
    ("array.group_by", "ints.group_by(|x| x)"),
    ("array.sum", "ints.sum()"),
    ("array.min", "ints.min()"),
    ("array.max", "ints.max()"),
    ("array.zip", "ints.zip(sevens)"),
    ("array.enumerate", "ints.enumerate()"),
    ("array.take", "ints.take(1000000)"),
    ("array.skip", "ints.skip(1)"),
    ("array.flat", "[ints, ints].flat()"),
    ("array.unique", "ints.unique()"),
    ("map.entries", "entries.entries()"),
    ("map.each", "entries.each(|k, v| v)"),
    ("map.map_values", "entries.map_values(|v| v)"),
    ("map.filter", "entries.filter(|k, v| true)"),
    ("map.merge", "entries.merge(entries)"),
    ("range.map", "(0..1000000).map(|x| x)"),
    ("range.each", "(0..1000000).each(|x| x)"),
    ("range.to_array", "(0..1000000).to_array()"),
    ("string.chars", "wide.chars()"),
    ("string.lines", "lines.lines()"),
    ("string.pad_start", "\"\".pad_start(1000000, \"ab\")"),
    ("string.pad_end", "wide.pad_end(5000010, \"ab\")"),
    ("stream", "stream(ints)"),
    ("stream.next", "stream(ints).next()"),
    ("stream.collect", "stream(ints).collect()"),
    ("stream.each", "stream(ints).each(|x| x)"),
    ("stream.map", "stream(ints).map(|x| x).collect()"),
    ("stream.filter", "stream(ints).filter(|x| true).collect()"),
    ("stream.take", "stream(ints).take(1000000).collect()"),
    ("json.parse", "json.parse(json_text)"),
    (
        "json.parse of a text",
        "json.parse(\"\\\"\" + wide + \"\\\"\")",
    ),
    ("json.stringify", "json.stringify(ints)"),
    ("json.stringify of a text", "json.stringify(wide)"),
    ("testing.equal", "testing.equal(nested, twin)"),
    (
        "fs.write",
        "try { fs.write(\"/nowhere/at/all\", ascii) } catch e is HostError { }",
    ),
    ("log.debug", "log.debug(ints)"),
    ("log.info", "log.info(ints)"),
    ("log.warn", "log.warn(ints)"),
    ("log.error", "log.error(ints)"),
];

/// The same for what is no call: operators, statements, literals, and operands of another make.
const OPERATORS: &[(&str, &str)] = &[
    ("operator ==", "if ascii == other { }"),
    ("operator !=", "if ascii != other { }"),
    ("operator <", "if ascii < other { }"),
    ("operator >=", "if ascii >= other { }"),
    ("operator +", "let b = ascii + other"),
    ("operator is", "if ints is array { }"),
    ("operator !", "if !ints { }"),
    ("operator &&", "if ints && ascii && entries { }"),
    ("interpolation", "let b = \"${ascii} and ${ints}\""),
    ("interpolation of a map", "let b = \"${entries}\""),
    ("interpolation of what is nested", "let b = \"${nested}\""),
    (
        "interpolation of an error",
        "let b = \"${error(ascii, ints)}\"",
    ),
    ("element of an array", "let b = ints[500000]"),
    ("store of an element", "ints[500000] = 1"),
    ("element of a text", "let b = wide[5000000]"),
    ("key of a map", "let b = entries[ascii]"),
    ("entry of a map", "let b = {}\n b[ascii] = 1"),
    ("entry by identity", "let b = {}\n b[ints] = 1"),
    (
        "array that grows",
        "let b = []\n for i in 0..1000000 { b.push(i) }",
    ),
    (
        "map that grows",
        "let b = {}\n for i in 0..1000000 { b[i] = i }",
    ),
    ("map that has grown", "growing[growing.len()] = 1"),
    (
        "map that is emptied",
        "let b = {}\n for i in 0..20000 { b[i] = i }\n for i in 0..20000 { b.remove(i) }",
    ),
    (
        "text that grows",
        "let b = \"\"\n for i in 0..20000 { b = b + \"x\" }",
    ),
    ("for over an array", "for x in ints { }"),
    ("for over a text", "for c in wide { }"),
    ("for over a map", "for k in entries { }"),
    ("for over a range", "for i in 0..1000000 { }"),
    ("for over a stream", "for x in stream(ints) { }"),
    ("match of a text", "match ascii { \"other\" => 1, _ => 2 }"),
    ("call with large arguments", "(|a, b| nil)(ints, ascii)"),
    (
        "task with large arguments",
        "await spawn (|a, b| a)(ints, ascii)",
    ),
    (
        "squad of many tasks",
        "squad { for i in 0..1000 { spawn (|| ints)() } }",
    ),
    (
        "throw of something large",
        "try { throw error(\"why\", ints) } catch e is User { }",
    ),
    (
        "throw of a long message",
        "try { throw error(ascii) } catch e is User { }",
    ),
    (
        "assert of something large",
        "try { assert(false, entries) } catch e is AssertionFailed { }",
    ),
    (
        "operands of a wrong type",
        "try { ascii - ints } catch e is TypeError { }",
    ),
    (
        "int of a text that is none",
        "try { int(ascii) } catch e is ParseError { }",
    ),
    (
        "array.insert in front",
        "ints.insert(0, 1)\n ints.remove(0)",
    ),
    ("array.join of a long separator", "[1, 2, 3].join(ascii)"),
    ("array.has of a long text", "[ascii, wide].has(other)"),
    ("array.unique of texts", "texts.unique()"),
    ("array.group_by of texts", "texts.group_by(|x| x)"),
    (
        "array.sort of long texts",
        "[ascii, other, lines, wide, ascii].sort()",
    ),
    ("deep_copy of an array", "deep_copy(ints)"),
    ("deep_copy of a map", "deep_copy(entries)"),
    ("deep_copy of what is shared", "deep_copy([shared, shared])"),
    (
        "deep_equals of arrays",
        "deep_equals(ints, ints.slice(0, 1000000))",
    ),
    ("deep_equals of maps", "deep_equals(entries, mirrored)"),
    ("deep_equals of texts", "deep_equals([ascii], [other])"),
    ("print of a map", "print(entries)"),
    ("print of a text", "print(ascii)"),
    ("string.has of a long part", "digits.has(part)"),
    ("string.split by a long part", "digits.split(part)"),
    (
        "string.replace of a long part",
        "digits.replace(part, \"\")",
    ),
    (
        "string.replace by a long text",
        "\"a\".replace(\"a\", ascii)",
    ),
    ("json.parse of objects", "json.parse(object_text)"),
    (
        "json.parse of nothing",
        "try { json.parse(spaces) } catch e is ParseError { }",
    ),
    ("json.stringify of a map", "json.stringify(entries)"),
    ("json.stringify with an indent", "json.stringify(nested, 2)"),
];

/// Those whose time depends on no operand.
#[cfg(test)]
const CONSTANT: &[&str] = &[
    "sleep",
    "yield_now",
    "cancellation_requested",
    "collect",
    "channel",
    "mutex",
    "finalizer",
    "chr",
    "math.floor",
    "math.ceil",
    "math.round",
    "math.sqrt",
    "math.pow",
    "math.sin",
    "math.cos",
    "math.exp",
    "math.ln",
    "math.bits",
    "math.abs",
    "math.min",
    "math.max",
    "math.clamp",
    "time.now",
    "random.int",
    "random.float",
    "random.seed",
    "sys.args",
    "sys.unsettled",
    "sys.sleep",
    "sys.env",
    "sys.cancellation_requested",
    "__locals",
    "__check_wait",
    "__stream",
    "__stream_source",
    "__stream_end",
    "__stream_take",
    "__hook_error",
    "__parse_error",
    "__no_match",
    "clients.named",
    "clients.retry",
    "clients.fallback",
    "clients.round_robin",
    "clients.call",
    "http.get",
    "http.post",
    "fs.read",
    "pre_finish",
    "on_unsettled",
    "on_finish",
    "post_finish",
    "on_interrupt",
    "testing.throws",
    "testing.run",
];

/// How late one was, in milliseconds: the median and the worst of five.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// What was called.
    pub name: &'static str,
    /// How long after a deadline of 50 ms.
    pub deadline: [i64; 2],
    /// How long after a cancellation.
    pub cancellation: [i64; 2],
}

fn cases() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    CASES.iter().chain(OPERATORS)
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    cases().map(|(name, _)| *name)
}

/// Measures a case.
///
/// # Errors
/// If its program is wrong or fails.
///
/// # Panics
/// If there is no such case.
pub fn measure(name: &str) -> Result<Late, String> {
    let (name, call) = cases()
        .find(|(known, _)| *known == name)
        .expect("there is such a case");
    let operands: Vec<&str> = OPERANDS
        .iter()
        .filter(|(operand, _)| is_named(call, operand))
        .map(|(_, setup)| *setup)
        .collect();
    let text = format!(
        "fn main() {{
           {}
           let work = || {{ while true {{ {call} }} }}
           let late = []
           for i in 0..5 {{
             yield_now()
             let start = time.now()
             try {{ deadline 50ms {{ work() }} }} catch e is DeadlineExceeded {{ }}
             yield_now()
             late.push(time.now() - start - 50)
           }}
           let cancelled = []
           for i in 0..5 {{
             let task = spawn work()
             sleep(50)
             let start = time.now()
             cancel(task)
             try {{ await task }} catch e {{ }}
             yield_now()
             cancelled.push(time.now() - start)
           }}
           late = late.sort()
           cancelled = cancelled.sort()
           return [late[2], late[4], cancelled[2], cancelled[4]]
         }}",
        operands.join("\n")
    );
    let program = compile(&Source::new("late.crux", &text)).map_err(|errors| errors.to_string())?;
    let platform = Arc::new(TokioPlatform::new(WORKERS).expect("threads start"));
    let options = EngineOptions::default();
    let engine = Engine::new(Arc::new(program), &options, platform.clone(), None);
    let engine = engine.expect("an engine");
    let data = platform.block_on(async {
        let init = engine.start_init().await.expect("a beginning");
        init.join().await;
        let call = engine.call(1, "main", &[]).await.expect("it has a main");
        match call.join().await {
            Outcome::Returned => Ok(call.data().await),
            _ => Err(call.text().await),
        }
    })?;
    let Some(HostValue::Array(late)) = data else {
        return Err(format!("it gave {data:?}"));
    };
    match late[..] {
        [
            HostValue::Int(deadline),
            HostValue::Int(deadline_worst),
            HostValue::Int(cancellation),
            HostValue::Int(cancellation_worst),
        ] => Ok(Late {
            name,
            deadline: [deadline, deadline_worst],
            cancellation: [cancellation, cancellation_worst],
        }),
        _ => Err(format!("it gave {late:?}")),
    }
}

/// Whether the program text has the name as a word of its own.
fn is_named(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gcrucible_bytecode::{Builtin, Method};

    use super::*;

    fn is_known(name: &str) -> bool {
        CONSTANT.contains(&name) || names().any(|case| case == name)
    }

    #[test]
    fn no_built_in_is_forgotten() {
        for builtin in Builtin::ALL {
            assert!(is_known(builtin.name()), "{}", builtin.name());
        }
        for method in Method::ALL {
            let is_method = |case: &str| {
                case.split_once('.')
                    .is_some_and(|(_, m)| m == method.name())
            };
            assert!(names().any(is_method), "{}", method.name());
        }
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/frontend/library");
        let mut functions = 0;
        for file in std::fs::read_dir(library).expect("the library's folder") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a file of the library");
            for line in text.lines() {
                let name = line
                    .strip_prefix("fn ")
                    .and_then(|rest| rest.split_once('('));
                let Some((name, _)) = name.filter(|(name, _)| !name.starts_with("__")) else {
                    continue;
                };
                functions += 1;
                assert!(is_known(name), "{name} of {}", path.display());
            }
        }
        assert!(functions > 60, "{functions}");
    }
}
