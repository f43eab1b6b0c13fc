//! What `--allow-fs`, `--allow-net`, `--allow-env` and `--deny-all` let a program touch.

mod process;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use self::process::{Finished, Folder, crux, finish};

/// Prints what each of these comes to: `ok`, or why not.
const PROGRAM: &str = r#"
  import { answer } from "./lib.crux"
  fn try_it(f) { try { f(); return "ok" } catch e { return "${e.kind}: ${e.message}" } }
  fn main() {
    let args = sys.args()
    let inside = args[0]
    let outside = args[1]
    let url = args[2]
    print(answer())
    print(try_it(|| fs.write(inside, "text")))
    print(try_it(|| fs.read(inside)))
    print(try_it(|| fs.read(outside)))
    print(try_it(|| fs.write(outside, "overwritten")))
    print(try_it(|| sys.env("CRUX_TEST_SEEN")))
    print(try_it(|| sys.env("CRUX_TEST_HIDDEN")))
    print(try_it(|| http.get(url)))
    print(try_it(|| host("process.spawn", "ls")))
  }
"#;

/// A folder `data`, and a file beside it.
fn world(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.file("lib.crux", "export fn answer() { return 42 }");
    folder.file("main.crux", PROGRAM);
    folder.file("secret.txt", "secret");
    folder.file("data/old.txt", "old");
    folder
}

/// A server that gives as many clients as there are answers one each.
fn answering(answers: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serve = move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer).expect("a request") {
                    0 => break,
                    count => request.extend_from_slice(&buffer[..count]),
                }
            }
            let sent = stream.write_all(answer.as_bytes());
            sent.expect("the client reads");
        }
    };
    gcrucible_platform::sync::thread::spawn("test", serve).expect("a thread");
    address
}

fn ok() -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok".to_owned()
}

fn redirect(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn run(folder: &Folder, options: &[String], url: &str) -> Finished {
    let mut command = crux();
    command
        .env("CRUX_TEST_SEEN", "1")
        .env("CRUX_TEST_HIDDEN", "2")
        // Whoever may not talk to everybody asks no proxy.
        .env_remove("NO_PROXY")
        .current_dir(folder.path("."))
        .arg("run")
        .args(options)
        .args(["main.crux", "data/new.txt", "data/../secret.txt", url]);
    finish(&mut command)
}

fn lines(seen: &Finished) -> Vec<&str> {
    assert_eq!(seen.code, 0, "{}", seen.err);
    seen.out.lines().collect()
}

#[test]
fn nothing_is_closed_unless_something_is_said() {
    let folder = world("caps_open");
    let url = format!("http://{}/", answering(vec![ok()]));
    let seen = run(&folder, &[], &url);
    let mut expected = vec!["42"];
    expected.extend(["ok"; 7]);
    expected.push("HostError: this host has no operation `process.spawn`");
    assert_eq!(lines(&seen), expected);
}

#[test]
fn what_is_not_named_is_refused_by_name() {
    let folder = world("caps_closed");
    let seen = run(&folder, &["--deny-all".to_owned()], "http://127.0.0.1:9/x");
    assert_eq!(
        lines(&seen),
        [
            "42",
            "HostError: not allowed: fs.write of data/new.txt; --allow-fs=data would allow it",
            "HostError: not allowed: fs.read of data/new.txt; --allow-fs=data would allow it",
            "HostError: not allowed: fs.read of data/../secret.txt; --allow-fs=data/.. would allow it",
            "HostError: not allowed: fs.write of data/../secret.txt; --allow-fs=data/.. would allow it",
            "HostError: not allowed: env of CRUX_TEST_SEEN; --allow-env=CRUX_TEST_SEEN would allow it",
            "HostError: not allowed: env of CRUX_TEST_HIDDEN; --allow-env=CRUX_TEST_HIDDEN would allow it",
            "HostError: not allowed: http.get of http://127.0.0.1:9/x; --allow-net=127.0.0.1:9 would allow it",
            "HostError: this host has no operation `process.spawn`",
        ]
    );
    let secret = std::fs::read_to_string(folder.path("secret.txt"));
    assert_eq!(secret.expect("it is there"), "secret");
    assert!(!folder.path("data/new.txt").exists());
}

#[test]
fn what_is_named_is_allowed_and_nothing_beside_it() {
    let folder = world("caps_some");
    let address = answering(vec![ok()]);
    let options = [
        "--allow-fs=data".to_owned(),
        "--allow-env=CRUX_TEST_SEEN,OTHER".to_owned(),
        format!("--allow-net={address}"),
    ];
    let seen = run(&folder, &options, &format!("http://{address}/"));
    let lines: Vec<&str> = lines(&seen)
        .iter()
        .map(|line| {
            line.strip_prefix("HostError: not allowed: ")
                .map_or(*line, |_| "refused")
        })
        .collect();
    let expected = [
        "42", "ok", "ok", "refused", "refused", "ok", "refused", "ok",
    ];
    assert_eq!(lines[..8], expected);
}

#[test]
fn a_link_is_no_way_out_of_a_folder() {
    let folder = world("caps_link");
    symlink("../secret.txt", folder.path("data/new.txt")).expect("a link");
    let seen = run(&folder, &["--allow-fs=data".to_owned()], "x");
    for line in &lines(&seen)[1..5] {
        assert!(line.starts_with("HostError: not allowed: fs."), "{line}");
    }
    let secret = std::fs::read_to_string(folder.path("secret.txt"));
    assert_eq!(secret.expect("it is there"), "secret");
}

#[test]
fn a_redirect_leads_only_to_what_is_allowed() {
    let folder = world("caps_redirect");
    let closed = answering(vec![ok()]);
    let landing = answering(vec![ok()]);
    let away = redirect(&format!("http://{closed}/secret"));
    let on = redirect(&format!("http://{landing}/fine"));
    let door = answering(vec![away, on, redirect("/again")]);
    let allow = format!("--allow-net={door},{landing}");
    let url = format!("http://{door}/");
    let refused = run(&folder, std::slice::from_ref(&allow), &url);
    assert_eq!(
        lines(&refused)[7],
        format!(
            "HostError: GET {url}: not allowed: its redirect of http://{closed}/secret; \
             --allow-net={closed} would allow it"
        )
    );
    let followed = run(&folder, std::slice::from_ref(&allow), &url);
    assert_eq!(lines(&followed)[7], "ok");
}

#[test]
fn flags_that_make_no_sense_end_with_2() {
    let folder = world("caps_usage");
    for (wrong, why) in [
        ("--allow-fs=absent", "--allow-fs: absent: "),
        (
            "--allow-net=http://a/",
            "--allow-net: `http://a/` is no host",
        ),
        ("--allow-env=", "--allow-env: a variable has a name"),
    ] {
        let seen = run(&folder, &[wrong.to_owned()], "x");
        assert_eq!((seen.code, seen.out.as_str()), (2, ""), "{wrong}");
        assert!(seen.err.contains(why), "{wrong}: {}", seen.err);
    }
}

#[test]
fn a_session_has_the_same_flags() {
    let folder = world("caps_repl");
    let mut child = crux()
        .args(["repl", "--allow-fs=data"])
        .current_dir(folder.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let input = "fs.read(\"data/old.txt\")\nfs.read(\"secret.txt\")\n";
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let seen = Finished::of(child.wait_with_output().expect("it ends"));
    assert_eq!(seen.out, "old\n");
    assert!(
        seen.err.contains("not allowed: fs.read of secret.txt"),
        "{}",
        seen.err
    );
}

#[test]
fn a_server_has_the_same_flags() {
    let folder = world("caps_serve");
    let text = r#"
      fn read(r) { try { return fs.read(r["params"]["path"]) } catch e { return e.message } }
      export let routes = { "GET /{*path}": read }
    "#;
    folder.file("app.crux", text);
    let mut child = crux()
        .args([
            "serve",
            "app.crux",
            "--allow-fs=data",
            "--address",
            "127.0.0.1:0",
            "--quiet",
        ])
        .current_dir(folder.path("."))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("it says where it listens");
    let address = line.trim().rsplit('/').next().expect("an address");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let request = format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    };
    let answers = ["data/old.txt", "secret.txt"].map(get);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(answers[0].ends_with("\r\n\r\nold"), "{}", answers[0]);
    assert!(
        answers[1].contains("not allowed: fs.read of secret.txt"),
        "{}",
        answers[1]
    );
}
