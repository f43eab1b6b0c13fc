//! HTTP operations, against servers of the test's own.

mod process;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use self::process::{Folder, crux, finish};

/// A server that answers one request with these bytes, and gives what it was sent.
fn answering(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = gcrucible_platform::sync::thread::spawn("test", move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        // A request of these tests ends with its body, or without one with an empty line.
        while !(request.ends_with(b"\r\n\r\n") || request.ends_with(b"the end")) {
            match stream.read(&mut buffer).expect("a request") {
                0 => break,
                count => request.extend_from_slice(&buffer[..count]),
            }
        }
        stream
            .write_all(answer.as_bytes())
            .expect("the client reads");
        String::from_utf8_lossy(&request).into_owned()
    });
    (address, server.expect("a thread"))
}

#[test]
fn an_answer_of_any_status_is_a_result() {
    let folder = Folder::new("http_status");
    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\nconnection: close\r\n\r\nabsent";
    let (address, server) = answering(answer);
    let text = format!(
        "fn main() {{ let r = http.get(\"http://{address}/path?q=1\"); print(r.status, r.body) }}"
    );
    let seen = finish(crux().arg("run").arg(folder.file("main.crux", &text)));
    assert_eq!(
        (seen.code, seen.out.as_str()),
        (0, "404 absent\n"),
        "{}",
        seen.err
    );
    let request = server.join().expect("a request");
    assert!(
        request.starts_with("GET /path?q=1 HTTP/1.1\r\n"),
        "{request}"
    );
}

#[test]
fn a_body_is_posted() {
    let folder = Folder::new("http_post");
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    let (address, server) = answering(answer);
    let text =
        format!("fn main() {{ print(http.post(\"http://{address}/\", \"to the end\").body) }}");
    let seen = finish(crux().arg("run").arg(folder.file("main.crux", &text)));
    assert_eq!((seen.code, seen.out.as_str()), (0, "ok\n"), "{}", seen.err);
    let request = server.join().expect("a request");
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("to the end"), "{request}");
}

#[test]
fn no_answer_is_an_error() {
    let folder = Folder::new("http_refused");
    // Nobody listens on a port that was just given back.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let text = format!(
        "fn main() {{\n  for url in [\"http://{address}/\", \"no url\"] {{\n    \
         try {{ http.get(url) }} catch e is HostError {{ print(e.message) }}\n  }}\n}}"
    );
    let seen = finish(crux().arg("run").arg(folder.file("main.crux", &text)));
    assert_eq!(seen.code, 0, "{}", seen.err);
    let lines: Vec<&str> = seen.out.lines().collect();
    assert!(
        lines[0].starts_with(&format!("GET http://{address}/: ")),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("refused"), "{}", lines[0]);
    assert!(lines[1].starts_with("GET no url: "), "{}", lines[1]);
}

#[test]
fn a_server_that_sends_rubbish_is_an_error_and_leaves_nothing_behind() {
    let folder = Folder::new("http_rubbish");
    let answers = [
        "\u{1}\u{2} no HTTP at all\r\n\r\n",
        "HTTP/1.1 999999 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf a body",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk",
        // Nothing: the connection is closed.
        "",
    ];
    let (addresses, servers): (Vec<_>, Vec<_>) = answers.into_iter().map(answering).unzip();
    let urls: Vec<String> = addresses
        .iter()
        .map(|address| format!("\"http://{address}/\""))
        .collect();
    let text = format!(
        "fn main() {{\n  for url in [{}] {{\n    \
         try {{ print(http.get(url)) }} catch e is HostError {{ print(\"HostError\") }}\n  }}\n  \
         print(sys.unsettled())\n}}",
        urls.join(", ")
    );
    let seen = finish(crux().arg("run").arg(folder.file("main.crux", &text)));
    let expected = "HostError\n".repeat(answers.len()) + "0\n";
    assert_eq!((seen.code, &seen.out), (0, &expected), "{}", seen.err);
    for server in servers {
        server.join().expect("a request");
    }
}

#[test]
fn deadlines_and_cancellation_end_an_exchange_that_is_never_answered() {
    let folder = Folder::new("http_silence");
    // Connections are made, but nobody accepts them.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let text = format!(
        r#"
        fn get() {{ return http.get("http://{address}/") }}
        fn kind(f) {{ try {{ f() }} catch e {{ return e.kind }} }}
        fn main() {{
          print(kind(|| {{ deadline 20ms {{ get() }} }}))
          let f = spawn get()
          yield_now()
          cancel(f)
          print(kind(|| await f))
        }}
        "#
    );
    let seen = finish(crux().arg("run").arg(folder.file("main.crux", &text)));
    assert_eq!(
        (seen.code, seen.out.as_str()),
        (0, "DeadlineExceeded\nCancelled\n"),
        "{}",
        seen.err
    );
    drop(listener);
}
