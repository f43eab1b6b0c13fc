//! Programs and command lines that cannot be served.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::process::{Finished, Folder, crux, finish};

fn refused(name: &str, text: &str) -> Finished {
    let folder = Folder::new(&format!("serve_refused_{name}"));
    let file = folder.file("app.crux", text);
    finish(
        crux()
            .arg("serve")
            .arg(file)
            .args(["--address", "127.0.0.1:0"]),
    )
}

#[test]
fn a_program_that_cannot_be_served_is_refused() {
    for (name, text, why) in [
        ("syntax", "export let routes = {", "1 error"),
        (
            "throws",
            "export let routes = {}\nthrow \"not today\"",
            "error: uncaught not today",
        ),
        ("none", "let routes = {}", "does not export `routes`"),
        ("nothing", "", "does not export `routes`"),
        (
            "array",
            "export let routes = []",
            "must be a map, and is of type `array`",
        ),
        (
            "value",
            "export let routes = { \"GET /\": 1 }",
            "`routes[\"GET /\"]` must be a function",
        ),
        (
            "key",
            "export let routes = { 1: |r| 1 }",
            "the key `1` of `routes` must be a string",
        ),
        (
            "method",
            "export let routes = { \"BREW /\": |r| 1 }",
            "must be GET, POST, PUT, PATCH, DELETE or WS",
        ),
        (
            "parameters",
            "export let routes = { \"WS /a\": |a, b, c| 1 }",
            "must take a message, or a message and a request, and has 3 parameters",
        ),
        (
            "path",
            "export let routes = { \"GET a\": |r| 1 }",
            "must begin with `/`",
        ),
        (
            "own",
            "export let routes = { \"GET /-/a\": |r| 1 }",
            "the server's own",
        ),
        (
            "conflict",
            "export let routes = { \"GET /{a}\": |r| 1, \"PUT /{b}\": |r| 1 }",
            "the route \"PUT /{b}\" is wrong",
        ),
        (
            "stream",
            "let s = stream([1])\nlet list = [s]\nexport let routes = { \"GET /\": |r| list }",
            "is a stream, which can be used once only",
        ),
        (
            "import",
            "import \"./none.crux\"\nexport let routes = {}",
            "no such file",
        ),
    ] {
        let seen = refused(name, text);
        assert_eq!(
            (seen.code, seen.out.as_str()),
            (1, ""),
            "{name}: {}",
            seen.err
        );
        assert!(seen.err.contains(why), "{name}: {}", seen.err);
        assert!(!seen.err.contains("<serve>"), "{name}: {}", seen.err);
    }
}

#[test]
fn a_signal_ends_a_program_whose_top_level_does_not() {
    let folder = Folder::new("serve_endless_start");
    let text = "print(\"begun\")\nchannel(1).receive()\nexport let routes = {}\n";
    let file = folder.file("app.crux", text);
    let mut child = crux()
        .arg("serve")
        .arg(file)
        .args(["--address", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("a pipe");
    BufReader::new(out)
        .read_line(&mut line)
        .expect("it prints text");
    assert_eq!(line, "begun\n");
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill starts").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_file_or_an_address_that_is_not_to_be_had_is_named() {
    let folder = Folder::new("serve_not_there");
    let file = folder.path("none.crux");
    let seen = finish(crux().arg("serve").arg(&file));
    assert_eq!(seen.code, 1);
    assert!(seen.err.contains("none.crux: no such file"), "{}", seen.err);

    let file = folder.file("app.txt", "export let routes = {}");
    let seen = finish(crux().arg("serve").arg(&file));
    assert_eq!(seen.code, 1);
    assert!(seen.err.contains("end in `.crux`"), "{}", seen.err);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let file = folder.file("app.crux", "export let routes = {}");
    let seen = finish(crux().arg("serve").arg(&file).args(["--address", &address]));
    assert_eq!(seen.code, 1);
    let why = format!("error: cannot listen on {address}: ");
    assert!(seen.err.contains(&why), "{}", seen.err);
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for args in [
        &["--address", "nowhere"][..],
        &["--max-in-flight", "0"],
        &["--max-body", "much"],
        &["--max-bytes-in-flight", "much"],
        &["--metrics", "on"],
        &["--handler-timeout", "long"],
        &["--max-connections", "0"],
        &["--read-timeout", "10"],
        &["--grace", "1h"],
        &["--log", "loud"],
        &["--gc", "no such mode"],
    ] {
        let seen = finish(crux().args(["serve", "app.crux"]).args(args));
        assert_eq!(seen.code, 2, "{args:?}: {}", seen.err);
    }
    let help = finish(crux().args(["serve", "--help"]));
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Examples:"), "{}", help.out);
}
