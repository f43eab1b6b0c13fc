//! The binary, from the outside.

mod process;

use std::io::Write as _;
use std::process::Stdio;

use self::process::{Finished, Folder, crux, finish};

/// Runs one file.
fn run(folder: &Folder, text: &str, args: &[&str]) -> Finished {
    let file = folder.file("main.crux", text);
    let mut command = crux();
    command.arg("run").args(args).arg(&file);
    finish(&mut command)
}

#[test]
fn a_program_prints_and_ends_with_0() {
    let folder = Folder::new("prints");
    let seen = run(
        &folder,
        "fn main() { print(\"hello\", 1) }\nprint(\"first\")",
        &[],
    );
    assert_eq!((seen.code, seen.out.as_str()), (0, "first\nhello 1\n"));
    assert_eq!(seen.err, "");
}

#[test]
fn a_script_ends_when_what_it_started_has() {
    let folder = Folder::new("script");
    let text = "fn later() { sleep(1); print(\"later\") }\nspawn later()\nprint(\"now\")";
    assert_eq!(run(&folder, text, &[]).out, "now\nlater\n");
}

#[test]
fn an_uncaught_error_says_where_and_ends_with_1() {
    let folder = Folder::new("uncaught");
    let seen = run(
        &folder,
        "fn f(x) {\n  return 1 + x\n}\nfn main() { f(nil) }",
        &[],
    );
    assert_eq!(seen.code, 1);
    let path = folder.path("main.crux").display().to_string();
    let expected = format!(
        "error: uncaught TypeError: operand of a wrong type: `+` of int and nil\n  at f ({path}:2:12)\n  at main ({path}:4:13)\n"
    );
    assert_eq!(seen.err, expected);
}

#[test]
fn an_error_of_the_top_level_ends_with_1_and_main_is_not_called() {
    let folder = Folder::new("top_level");
    let seen = run(&folder, "fn main() { print(\"main\") }\nthrow \"no\"", &[]);
    assert_eq!((seen.code, seen.out.as_str()), (1, ""));
    assert!(seen.err.starts_with("error: uncaught no\n"), "{}", seen.err);
}

#[test]
fn endless_recursion_is_an_error() {
    let folder = Folder::new("recursion");
    let seen = run(
        &folder,
        "fn f(n) { return f(n + 1) }\nfn main() { f(0) }",
        &[],
    );
    assert_eq!(seen.code, 1);
    let first = "error: uncaught StackOverflow: stack overflow\n  at f (";
    assert!(seen.err.starts_with(first), "{}", seen.err);
    assert!(seen.err.lines().count() < 30, "the trace is cut");
}

#[test]
fn an_allocation_bomb_meets_the_heap_limit() {
    let folder = Folder::new("bomb");
    let text = "fn main() { let all = []; while true { all.push([all]) } }";
    let seen = run(&folder, text, &["--heap-limit", "8m"]);
    assert_eq!(seen.code, 1);
    let first = "error: uncaught OutOfMemory: out of memory\n";
    assert!(seen.err.starts_with(first), "{}", seen.err);
}

#[test]
fn every_error_of_a_file_is_reported() {
    let folder = Folder::new("errors");
    let file = folder.file("main.crux", "fn main() {\n  foo\n  bar\n}");
    for command in ["run", "check", "disasm"] {
        let seen = finish(crux().arg(command).arg(&file));
        assert_eq!((seen.code, seen.out.as_str()), (1, ""), "{command}");
        assert!(seen.err.contains("`foo`"), "{}", seen.err);
        assert!(seen.err.contains("`bar`"), "{}", seen.err);
        assert!(
            seen.err.contains(&format!("{}:2:3", file.display())),
            "{}",
            seen.err
        );
    }
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_an_error() {
    let folder = Folder::new("absent");
    let seen = finish(crux().arg("run").arg(folder.path("absent.crux")));
    assert_eq!(seen.code, 1);
    assert!(
        seen.err.ends_with("absent.crux: no such file\n"),
        "{}",
        seen.err
    );
    std::fs::write(folder.path("bytes.crux"), [b'a', 0xFF]).expect("a file");
    let seen = finish(crux().arg("check").arg(folder.path("bytes.crux")));
    assert_eq!(seen.code, 1);
    assert!(
        seen.err.contains("it is not UTF-8 text (byte 1)"),
        "{}",
        seen.err
    );
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let folder = Folder::new("usage");
    let file = folder.file("main.crux", "");
    assert_eq!(finish(&mut crux()).code, 2);
    assert_eq!(finish(crux().arg("walk")).code, 2);
    assert_eq!(finish(crux().arg("run")).code, 2);
    let seen = finish(crux().args(["run", "--gc", "sometimes"]).arg(&file));
    assert_eq!(seen.code, 2);
    assert!(
        seen.err
            .starts_with("error: --gc: `sometimes` is no heap mode")
    );
    let seen = finish(
        crux()
            .arg("run")
            .arg(&file)
            .env("GCRUCIBLE_GC", "never-mind"),
    );
    assert_eq!(seen.code, 2);
    assert!(
        seen.err
            .starts_with("error: GCRUCIBLE_GC: `never-mind` is no heap mode")
    );
    let seen = finish(crux().args(["run", "--heap-limit", "5x"]).arg(&file));
    assert_eq!(seen.code, 2);
}

#[test]
fn the_heaps_modes_change_nothing_that_a_program_sees() {
    let folder = Folder::new("modes");
    let text = r#"
    fn build(n) { let all = []; for i in 0..n { all.push([i, "x${i}"]) }; return all }
    fn main() {
      let f = spawn build(50)
      let mine = build(50)
      print(deep_equals(mine, await f), mine.len())
    }
    "#;
    let file = folder.file("main.crux", text);
    let modes = "collect=safepoint,zombie,scribble,verify=full";
    let plain = finish(crux().arg("run").arg(&file));
    let flagged = finish(crux().args(["run", "--gc", modes]).arg(&file));
    let from_environment = finish(crux().arg("run").arg(&file).env("GCRUCIBLE_GC", modes));
    assert_eq!((plain.code, plain.out.as_str()), (0, "true 50\n"));
    assert_eq!(flagged, plain);
    assert_eq!(from_environment, plain);
}

#[test]
fn arguments_come_to_the_program() {
    let folder = Folder::new("arguments");
    let file = folder.file("main.crux", "fn main() { print(sys.args()) }");
    let seen = finish(crux().arg("run").arg(&file).args(["one", "--", "-two"]));
    assert_eq!((seen.code, seen.out.as_str()), (0, "[\"one\", \"-two\"]\n"));
}

#[test]
fn modules_are_read_from_files() {
    let folder = Folder::new("modules");
    folder.file("lib/twice.crux", "export fn twice(x) { return x + x }");
    let text = "import { twice } from \"./lib/twice.crux\"\nfn main() { print(twice(21)) }";
    assert_eq!(run(&folder, text, &[]).out, "42\n");
    let seen = run(&folder, "import { f } from \"./absent.crux\"", &[]);
    assert_eq!(seen.code, 1);
    assert!(seen.err.contains("absent.crux"), "{}", seen.err);
    assert!(seen.err.contains("no such file"), "{}", seen.err);
}

#[test]
fn a_trace_lists_the_steps() {
    let folder = Folder::new("trace");
    let text = "fn f() { return 1 }\nfn main() { print(await (spawn f())) }";
    let seen = run(&folder, text, &["--trace"]);
    assert_eq!((seen.code, seen.out.as_str()), (0, "1\n"));
    for step in [
        "spawns",
        "future 1 runs as task 3",
        "future 1: Ready",
        "the call ended: Returned",
    ] {
        assert!(seen.err.contains(step), "{step}: {}", seen.err);
    }
}

#[test]
fn a_listing_names_functions_and_instructions() {
    let folder = Folder::new("disasm");
    let file = folder.file("main.crux", "fn double(x) { return x * 2 }");
    let seen = finish(crux().arg("disasm").arg(&file));
    assert_eq!(seen.code, 0);
    assert!(seen.out.contains("function f1 double"), "{}", seen.out);
    assert!(seen.out.contains("Mul"), "{}", seen.out);
}

/// What a session of these inputs prints and complains about.
fn session(folder: &Folder, input: &str) -> Finished {
    let mut child = crux()
        .arg("repl")
        .env("CRUX_HISTORY", folder.path("history"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    Finished::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn definitions_and_variables_persist_in_a_session() {
    let folder = Folder::new("persist");
    let input = "let x = 1\nx + 1\nx = 5\nfn f() {\n  return x * 2\n}\nf()\nlet x = 7\nf()\n\
                 fn f() { return \"new\" }\nf()\nprint(\"a\")\nnil\n";
    let seen = session(&folder, input);
    assert_eq!((seen.code, seen.out.as_str()), (0, "2\n10\n14\nnew\na\n"));
    assert_eq!(seen.err, "");
}

#[test]
fn errors_do_not_end_a_session() {
    let folder = Folder::new("goes_on");
    let input =
        "let x = 1\nunknown\nx + nil\nif x {\n  throw \"t\"\n}\nawait channel\nx\n:quit\nx\n";
    let seen = session(&folder, input);
    assert_eq!((seen.code, seen.out.as_str()), (0, "1\n"));
    for text in [
        "error: 1:1: ",
        "  unknown\n  ^^^^^^^\n",
        "uncaught TypeError",
        "uncaught t\n",
        "(2:3)",
    ] {
        assert!(seen.err.contains(text), "{text}: {}", seen.err);
    }
}

#[test]
fn tasks_go_on_from_input_to_input() {
    let folder = Folder::new("tasks");
    let input = "let seen = []\nfn tick() { for i in 0..3 { sleep(10); seen.push(i) } }\n\
                 let f = spawn tick()\nseen\nsleep(15)\nseen\nawait f\nseen\nawait (spawn tick())\n";
    let seen = session(&folder, input);
    assert_eq!((seen.code, seen.out.as_str()), (0, "[]\n[0]\n[0, 1, 2]\n"));
}

#[test]
fn what_waits_for_ever_is_an_error_of_a_session() {
    let folder = Folder::new("stuck");
    let input = "let m = channel(1)\nm.receive()\n1\n";
    let seen = session(&folder, input);
    assert_eq!(seen.err, "error: it waits for what never comes\n");
    assert_eq!((seen.code, seen.out.as_str()), (0, "1\n"));
}

#[test]
fn host_operations_of_the_past_are_not_done_again() {
    let folder = Folder::new("past");
    let path = folder.path("note.txt");
    let path = path.display();
    let input = format!(
        "fs.write(\"{path}\", \"one\")\nlet text = fs.read(\"{path}\")\nfs.write(\"{path}\", \"two\")\ntext\nfs.read(\"{path}\")\n"
    );
    let seen = session(&folder, &input);
    assert_eq!(
        (seen.code, seen.out.as_str()),
        (0, "one\ntwo\n"),
        "{}",
        seen.err
    );
}

#[test]
fn ctrl_c_comes_to_the_program_and_twice_ends_it() {
    let folder = Folder::new("ctrl_c");
    let handled = folder.file(
        "handled.crux",
        "fn main() {\n  let done = channel(1)\n  on_interrupt(\"SIGINT\", || done.send(\"handled\"))\n  print(\"ready\")\n  print(done.receive())\n}",
    );
    let seen = process::interrupted(&handled, "ready", 1);
    assert_eq!((seen.code, seen.out.as_str()), (0, "ready\nhandled\n"));

    let stubborn = folder.file(
        "stubborn.crux",
        "fn main() {\n  on_interrupt(\"SIGINT\", || print(\"no\"), true)\n  print(\"ready\")\n  channel(1).receive()\n}",
    );
    let seen = process::interrupted(&stubborn, "ready", 2);
    assert_eq!((seen.code, seen.out.as_str()), (130, "ready\nno\n"));

    let plain = folder.file(
        "plain.crux",
        "fn main() {\n  try { print(\"ready\"); sleep(1000000) } finally { print(\"finally\") }\n}",
    );
    let seen = process::interrupted(&plain, "ready", 1);
    assert_eq!((seen.code, seen.out.as_str()), (130, "ready\nfinally\n"));

    let other = folder.file(
        "other.crux",
        "fn main() {\n  on_interrupt(\"reload\", || print(\"no\"))\n  try { print(\"ready\"); sleep(1000000) } finally { print(\"finally\") }\n}",
    );
    let seen = process::interrupted(&other, "ready", 1);
    assert_eq!((seen.code, seen.out.as_str()), (130, "ready\nfinally\n"));
}
