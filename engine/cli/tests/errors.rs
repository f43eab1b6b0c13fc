//! What is said when a program fails or stands still, and how the process ends.

mod process;

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use self::process::{Finished, Folder, crux, finish, lines};

/// Runs one file. Its path is `F` in what it says.
fn run(name: &str, text: &str) -> Finished {
    let folder = Folder::new(name);
    let file = folder.file("main.crux", text);
    let mut seen = finish(crux().arg("run").arg(&file));
    seen.err = seen.err.replace(&file.display().to_string(), "F");
    seen
}

#[test]
fn an_uncaught_error_shows_its_payload_and_its_cause() {
    let text = "fn main() { throw error(\"no luck\", { code: 7 }) }";
    let seen = run("payload", text);
    assert_eq!(seen.code, 1);
    let expected = "error: uncaught Error: no luck\n  payload: {\"code\": 7}\n  at main (F:1:13)\n";
    assert_eq!(seen.err, expected);
    let text = "fn main() { try { nil + 1 } catch e { throw error(\"outer\", e) } }";
    let seen = run("cause", text);
    let expected = "error: uncaught Error: outer\n  \
                    caused by: TypeError: operand of a wrong type: `+` of nil and int\n";
    assert!(seen.err.starts_with(expected), "{}", seen.err);
    let seen = run("assertion", "assert(1 > 2, \"why\")");
    let expected = "error: uncaught AssertionFailed: assertion failed: why\n  at";
    assert!(seen.err.starts_with(expected), "{}", seen.err);
}

#[test]
fn the_trace_of_a_failed_task_goes_along() {
    let text = "fn deep() {\n  nil.x\n}\nfn work() {\n  deep()\n}\n\
                fn middle() {\n  let f = spawn work()\n  try { await f } finally { sleep(1) }\n}\n\
                fn main() {\n  squad {\n    spawn middle()\n  }\n}";
    let seen = run("awaited", text);
    assert_eq!(seen.code, 1);
    let lines: Vec<&str> = seen.err.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "error: uncaught TypeError: operand of a wrong type: field `x` of nil",
            "  at deep (F:2:7)",
            "  at work (F:5:3)",
            "  awaited at middle (F:9:9)",
        ],
        "{}",
        seen.err
    );
    assert!(
        lines[4].starts_with("  awaited at main (F:1"),
        "{}",
        seen.err
    );
    assert_eq!(lines.len(), 5, "{}", seen.err);
}

#[test]
fn a_catch_forgets_the_trace_of_the_failed_task() {
    let text = "fn work() { throw error(\"e\") }\n\
                fn main() {\n  try { await (spawn work()) } catch e {\n    throw e\n  }\n}";
    let seen = run("forgotten", text);
    assert_eq!(seen.err, "error: uncaught Error: e\n  at main (F:4:5)\n");
}

#[test]
fn an_error_that_nobody_awaits_is_reported_once() {
    let text = "fn work(n) { throw error(\"e${n}\") }\n\
                fn main() {\n  let f = spawn work(1)\n  spawn work(2)\n  spawn detached work(3)\n  \
                let g = spawn work(4)\n  sleep(5)\n  try { await g } catch {}\n  \
                collect()\n  collect()\n  print(\"end\")\n}";
    let seen = run("unobserved", text);
    assert_eq!((seen.code, seen.out.as_str()), (0, "end\n"));
    for n in 1..=3 {
        let report = format!(
            "error: uncaught Error: e{n}\n  in a task that nobody awaited\n  at work (F:1:14)\n"
        );
        assert_eq!(seen.err.matches(&report).count(), 1, "{n}: {}", seen.err);
    }
    assert!(!seen.err.contains("e4"), "{}", seen.err);
}

#[test]
fn errors_of_a_squad_are_its_own() {
    let text = "fn work(n) { sleep(n); throw error(\"e${n}\") }\n\
                fn main() {\n  try { squad { spawn work(1); spawn work(1) } } catch e { print(e) }\n}";
    let seen = run("squad", text);
    assert_eq!((seen.code, seen.out.as_str()), (0, "Error: e1\n"));
    assert_eq!(seen.err, "");
}

#[test]
fn a_deadlock_says_who_waits_for_whom() {
    let text = "fn main() {\n  let c = channel(1)\n  c.receive()\n}";
    let seen = run("receive", text);
    let head = "error: deadlock, every task waits for what never comes\n";
    assert_eq!(seen.code, 3, "{}", seen.err);
    assert!(seen.err.starts_with(head), "{}", seen.err);
    let waits = "waits for a value from channel 1 at main (F:3:5)\n";
    assert!(seen.err.ends_with(waits), "{}", seen.err);

    let text = "fn main() {\n  let c = channel(1)\n  c.send(1)\n  c.send(2)\n}";
    let seen = run("send", text);
    assert_eq!(seen.code, 3, "{}", seen.err);
    assert!(
        seen.err
            .contains("waits for room in channel 1 at main (F:4:5)")
    );

    let text = "fn w(a, b) { sync a { sleep(20)\n sync b { } } }\n\
                fn main() {\n  let a = mutex()\n  let b = mutex()\n  let f = spawn w(a, b)\n  \
                let g = spawn w(b, a)\n  await f\n}";
    let seen = run("mutexes", text);
    assert_eq!(seen.code, 3, "{}", seen.err);
    for line in [
        "task 2 waits for the end of task 3 at main (F:8:3)",
        "task 3 waits for mutex 2, which task 4 holds, at w (F:2:7)",
        "task 4 waits for mutex 1, which task 3 holds, at w (F:2:7)",
    ] {
        assert!(seen.err.contains(line), "{line}: {}", seen.err);
    }

    let text = "fn w(c) { let me = c.receive(); await me }\n\
                fn main() { let c = channel(1); let g = spawn w(c); c.send(g); await g }";
    let seen = run("itself", text);
    assert_eq!(seen.code, 3, "{}", seen.err);
    assert!(seen.err.contains("task 3 waits for its own end at w"));
}

#[test]
fn what_a_program_leaves_behind_can_be_a_deadlock() {
    // `main` has returned, and waits for its task.
    let text = "fn main() { let c = channel(1); spawn (|| c.receive())() }";
    let seen = run("left", text);
    assert_eq!(seen.code, 3, "{}", seen.err);
    assert!(
        seen.err
            .contains("the end of the tasks that it has started")
    );
    // A script waits for what its top level has started.
    let seen = run("script", "let c = channel(1)\nspawn (|| c.receive())()");
    assert_eq!(seen.code, 3, "{}", seen.err);
    // Nobody waits for a detached task.
    let text = "fn w(c) { c.receive() }\nfn main() { spawn detached w(channel(1)) }";
    assert_eq!(run("detached", text).code, 0);
    // The top level waits for ever.
    assert_eq!(run("top", "channel(1).receive()\nfn main() {}").code, 3);
}

#[test]
fn who_can_go_on_is_in_no_deadlock() {
    let text = "fn main() {\n  let c = channel(1)\n  spawn (|| { sleep(60); c.send(1) })()\n  \
                print(c.receive())\n  let d = channel(1)\n  \
                try { deadline 20ms { d.receive() } } catch e { print(e.kind) }\n  \
                for i in 0..200 { let f = spawn (|| { c.send(i) })(); c.receive(); await f }\n}";
    let seen = run("goes_on", text);
    assert_eq!((seen.code, seen.out.as_str()), (0, "1\nDeadlineExceeded\n"));
    assert_eq!(seen.err, "");
}

#[test]
fn who_waits_for_a_signal_is_said_to_do_so() {
    let folder = Folder::new("signalled");
    let file = folder.file(
        "main.crux",
        "fn main() {\n  let done = channel(1)\n  \
         on_interrupt(\"SIGINT\", || done.send(\"handled\"))\n  \
         on_interrupt(\"reload\", || nil)\n  print(done.receive())\n  done.receive()\n}",
    );
    let mut child = crux()
        .arg("run")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let said = lines(child.stderr.take().expect("a pipe"));
    let note = said.recv().expect("it says what it waits for");
    let expected = "note: every task waits, and only SIGINT can change that";
    assert_eq!(note, expected);
    let task = said.recv().expect("it says who waits");
    assert!(task.contains("waits for a value from channel 1"), "{task}");
    assert!(task.ends_with("main.crux:5:14)"), "{task}");
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.expect("kill starts").success());
    // The handler runs once. Afterwards nothing is left that could wake it.
    let rest: Vec<String> = said.iter().collect();
    assert!(
        rest.contains(&"error: deadlock, every task waits for what never comes".to_owned()),
        "{rest:?}"
    );
    let finished = child.wait_with_output().expect("it ends");
    assert_eq!(finished.status.code(), Some(3));
    assert_eq!(finished.stdout, b"handled\n");

    // No signal of the operating system is called that.
    let text = "fn main() {\n  on_interrupt(\"reload\", || nil)\n  channel(1).receive()\n}";
    let seen = run("unheard", text);
    assert_eq!(seen.code, 3, "{}", seen.err);
}

#[test]
fn check_takes_several_files_and_names_all_errors() {
    let folder = Folder::new("check");
    let good = folder.file("good.crux", "fn main() {}");
    let first = folder.file("first.crux", "let a = unknown_a");
    let second = folder.file("second.crux", "let b = unknown_b");
    let seen = finish(crux().arg("check").args([&first, &good, &second]));
    assert_eq!(seen.code, 1);
    assert!(seen.err.contains("unknown_a"), "{}", seen.err);
    assert!(seen.err.contains("unknown_b"), "{}", seen.err);
    assert_eq!(finish(crux().arg("check").args([&good, &good])).code, 0);
    assert_eq!(finish(crux().arg("check")).code, 2);
}

/// A session with this input.
fn repl(folder: &Folder, input: &str) -> Command {
    let file = folder.file("input", input);
    let mut command = crux();
    command
        .arg("repl")
        .env("CRUX_HISTORY", folder.path("history"))
        .stdin(File::open(file).expect("a file"));
    command
}

#[test]
fn an_input_that_is_not_complete_at_the_end_is_reported() {
    let folder = Folder::new("unterminated");
    let seen = finish(&mut repl(&folder, "print(1)\nfn f() {\n  return 1\n"));
    assert_eq!((seen.code, seen.out.as_str()), (1, "1\n"));
    assert!(seen.err.contains("unexpected end"), "{}", seen.err);
    // The last line needs no end.
    let seen = finish(&mut repl(&folder, "print(1)\nprint(2)"));
    assert_eq!((seen.code, seen.out.as_str()), (0, "1\n2\n"));
}

#[test]
fn standard_output_that_takes_no_more_ends_the_process() {
    let folder = Folder::new("output");
    let file = folder.file("main.crux", "while true { print(\"line\") }");
    let listed = folder.file("listed.crux", "fn f() { print(1) }");
    let commands = || {
        let mut run = crux();
        run.arg("run").arg(&file);
        let mut disasm = crux();
        disasm.arg("disasm").arg(&listed);
        [run, disasm, repl(&folder, "print(1)\nprint(2)\n")]
    };
    for mut command in commands() {
        let full = File::options().write(true).open("/dev/full");
        let output = command.stdout(full.expect("the device")).output();
        let seen = Finished::of(output.expect("it starts"));
        assert_eq!(seen.code, 4, "{command:?}");
        assert!(
            seen.err.starts_with("error: standard output: "),
            "{}",
            seen.err
        );
    }
    for mut command in commands() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command.stdout(writer).output();
        let seen = Finished::of(output.expect("it starts"));
        assert_eq!((seen.code, seen.err.as_str()), (4, ""), "{command:?}");
    }
}

#[test]
fn nobody_needs_to_hear_what_is_wrong() {
    let folder = Folder::new("silent");
    let file = folder.file("main.crux", "unknown");
    for command in ["run", "check", "disasm"] {
        let full = File::options().write(true).open("/dev/full");
        let output = crux()
            .arg(command)
            .arg(&file)
            .stderr(full.expect("the device"))
            .output();
        assert_eq!(Finished::of(output.expect("it starts")).code, 1);
    }
    let mut child = repl(&folder, "unknown\n")
        .stderr(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"unknown\n").expect("it reads");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_help_lists_the_exit_codes() {
    let seen = finish(crux().arg("--help"));
    for code in [
        "0 ok",
        "1 an uncaught",
        "2 a command",
        "3 a deadlock",
        "4 standard",
        "130",
    ] {
        assert!(seen.out.contains(code), "{code}: {}", seen.out);
    }
}
