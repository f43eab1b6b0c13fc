//! What is printed and logged, whoever reads it, or does not.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use crate::process::Folder;
use crate::server::{Server, command};

const APP: &str = r#"
print("begun")

fn later(text) { sleep(1); log.warn("later", text) }
fn fails() { throw error("alone") }

export let routes = {
  "GET /": |r| "here",
  "GET /log": |r| {
    print("plain")
    print("two\nlines")
    log.info("told", r["id"])
    log.debug("quiet")
    log.error("bad")
    spawn detached later("x")
    return "logged"
  },
  "GET /fails": |r| {
    finalizer([1], |v| { throw error("final") })
    spawn detached fails()
    return "failing"
  },
  "GET /collect": |r| { collect(); return "collected" },
  "GET /flood": |r| {
    for i in 0..20000 { log.info("a line of a flood that nobody reads, long enough to fill", i) }
    return "flooded"
  },
  "WS /log": |m| { log.info("message", m); return m },
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_handler_name_its_request() {
    let server = Server::start("log_lines", APP, &[]);
    let request = server.request(reqwest::Method::GET, "/log");
    let answer = server.send(request.header("x-request-id", "r-1")).await;
    assert_eq!(answer.body, "logged");
    for (text, level) in [
        ("plain", "INFO"),
        ("two", "INFO"),
        ("lines", "INFO"),
        ("told r-1", "INFO"),
        ("bad", "ERROR"),
    ] {
        let line = server.wait_for_message(text);
        assert!(line.contains(level), "{line}");
        assert!(line.contains("request{id=\"r-1\""), "{line}");
    }
    let line = server.wait_for_message("answered status=200");
    assert!(line.contains("latency_ms="), "{line}");
    assert!(line.contains("request{id=\"r-1\""), "{line}");
    // Also of what outlives it.
    let line = server.wait_for_message("later x");
    assert!(line.contains("WARN request{id=\"r-1\""), "{line}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_after_a_request_names_it_too() {
    let server = Server::start("log_failures", APP, &[]);
    let request = server.request(reqwest::Method::GET, "/fails");
    let answer = server.send(request.header("x-request-id", "r-2")).await;
    assert_eq!(answer.body, "failing");
    server.wait_for_metric("crux_detached_tasks", 0).await;
    assert_eq!(server.get("/collect").await.body, "collected");
    let mut said = String::new();
    while !(said.contains("final") && said.contains("alone")) {
        let line = server.wait_for_message("uncaught");
        assert!(line.contains("ERROR request{id=\"r-2\""), "{line}");
        said += &line;
    }
    server.stop();
}

/// A server whose output is in the test's hands.
struct Unread {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    err: Option<ChildStderr>,
    address: String,
    figures: String,
    folder: Folder,
}

impl Unread {
    fn start(name: &str, err: Stdio) -> Unread {
        let folder = Folder::new(&format!("serve_{name}"));
        folder.file("app.crux", APP);
        let mut command = command(&folder, &["--log", "debug"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(err)
            .spawn()
            .expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line).expect("text");
            line.trim_end().to_owned()
        };
        assert_eq!(line(), "begun");
        let address = line().replace("listening on http://", "");
        let figures = line().replace("figures at ", "");
        Unread {
            err: child.stderr.take(),
            child,
            out: Some(out),
            address,
            figures,
            folder,
        }
    }

    async fn get(&self, path: &str) -> String {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await;
        answer.expect("an answer").text().await.expect("text")
    }

    async fn dropped(&self) -> u64 {
        let page = reqwest::get(&self.figures).await.expect("an answer");
        let page = page.text().await.expect("text");
        let name = "crux_log_lines_dropped_total ";
        let value = page.lines().find_map(|line| line.strip_prefix(name));
        value.expect("it is there").parse().expect("a number")
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-TERM", &pid]).status().expect("kill").success());
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_costs_lines_only() {
    let server = Unread::start("log_unread", Stdio::piped());
    while server.dropped().await == 0 {
        assert_eq!(server.get("/flood").await, "flooded");
        assert_eq!(server.get("/").await, "here");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_is_gone_costs_lines_only() {
    let mut server = Unread::start("log_closed", Stdio::piped());
    server.err = None;
    while server.dropped().await == 0 {
        assert_eq!(server.get("/log").await, "logged");
    }
    assert_eq!(server.get("/").await, "here");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_full_costs_lines_only() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let server = Unread::start("log_full", full.expect("the system has it").into());
    while server.dropped().await == 0 {
        assert_eq!(server.get("/log").await, "logged");
    }
    assert_eq!(server.get("/").await, "here");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_output_may_go_as_well() {
    let mut server = Unread::start("stdout_closed", Stdio::null());
    server.out = None;
    // The top level of a new version prints, too.
    server.folder.file("app.crux", APP);
    let pid = server.child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-HUP", &pid]).status().expect("kill").success());
    while server.dropped().await == 0 {
        assert_eq!(server.get("/").await, "here");
    }
    assert_eq!(server.get("/").await, "here");
    server.stop();
}
