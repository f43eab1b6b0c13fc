//! What HTTP asks of a server, whatever the program says.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use reqwest::Method;
use serde_json::json;

use crate::server::{LIMIT, Server};

const APP: &str = r#"
export let routes = {
  "GET /": |r| "here",
  "GET /show/{a}": |r| [r["params"]["a"], r["query"]],
  "GET /files/{*path}": |r| r["params"]["path"],
  "GET /method": |r| ({ status: 200, headers: { "x-method": r["method"] }, body: "a body" }),
  "POST /": |r| [r["body"], r["headers"].has("content-length")],
  "PATCH /": |r| r["method"],
  "GET /nan": |r| [1, 0.0 / 0.0],
  "GET /infinite": |r| ({ status: 201, body: { a: 1.0 / 0.0 } }),
  "GET /inject": |r| ({ status: 302, headers: { location: r["query"]["to"] } }),
  "GET /name": |r| ({ status: 200, headers: { "a: b\r\nc": "d" } }),
}
"#;

/// What the server answers to all that is sent on a connection.
fn answers(server: &Server, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(&server.address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
    let mut sending = stream.try_clone().expect("the same connection");
    let sent = sent.to_vec();
    let writer = gcrucible_platform::sync::thread::spawn("test", move || {
        // The server may have had enough of it.
        let _ = sending.write_all(&sent);
    });
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // The end may be a reset: not all that was sent has been read.
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    let _ = stream.shutdown(Shutdown::Both);
    writer.expect("a thread").join().expect("no panic");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> &str {
    let version = answer.get(.."HTTP/1.1 ".len()).unwrap_or_default();
    match ["HTTP/1.1 ", "HTTP/1.0 "].contains(&version) {
        true => answer
            .get(version.len()..version.len() + 3)
            .unwrap_or("none"),
        false => "none",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let server = Server::start("hosts", APP, &["--quiet"]);
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nhost: a", "200"),
        ("GET / HTTP/1.1\r\nhost:", "200"),
        ("GET / HTTP/1.1\r\nx: y", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nHost: b", "400"),
        ("GET / HTTP/1.1\r\nhost: a b", "400"),
        ("GET / HTTP/1.1\r\nhost: a/b", "400"),
        ("GET / HTTP/1.0\r\nx: y", "200"),
        ("GET http://b/ HTTP/1.1\r\nhost: a", "200"),
        ("GET http://b/ HTTP/1.1\r\nx: y", "400"),
    ] {
        let sent = format!("{head}\r\nconnection: close\r\n\r\n");
        let answer = answers(&server, sent.as_bytes());
        assert_eq!(status(&answer), expected, "{head:?}: {answer:?}");
        assert!(answer.contains("x-request-id: "), "{answer:?}");
    }
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_as_http_has_them() {
    let server = Server::start("methods", APP, &[]);
    let head = server.send(server.request(Method::HEAD, "/method")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some("6"));
    assert_eq!(head.header("x-method"), Some("HEAD"));
    let options = server.send(server.request(Method::OPTIONS, "/")).await;
    assert_eq!((options.status, options.body.as_str()), (204, ""));
    let allow = Some("GET, HEAD, OPTIONS, PATCH, POST");
    assert_eq!(options.header("allow"), allow);
    let patch = server.send(server.request(Method::PATCH, "/")).await;
    assert_eq!((patch.status, patch.body.as_str()), (200, "PATCH"));
    let other = server.send(server.request(Method::DELETE, "/")).await;
    assert_eq!((other.status, other.header("allow")), (405, allow));
    // The connection is still what it was after an answer without a body.
    let both = b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n";
    let both = answers(&server, both);
    assert_eq!(both.matches(" 200 OK\r\n").count(), 2, "{both:?}");
    assert!(both.ends_with("\r\n\r\nhere"), "{both:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_limit_however_it_arrives() {
    let server = Server::start("head_size", APP, &["--quiet"]);
    let padded = |bytes: usize| {
        let start = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: ";
        let end = "\r\n\r\n";
        format!(
            "{start}{}{end}",
            "y".repeat(bytes - start.len() - end.len())
        )
    };
    for (bytes, expected) in [
        (64 * 1024 - 1, "200"),
        (64 * 1024 + 1, "431"),
        (70_000, "431"),
    ] {
        let answer = answers(&server, padded(bytes).as_bytes());
        assert_eq!(status(&answer), expected, "{bytes}: {answer:?}");
        assert!(answer.contains("x-request-id: "), "{answer:?}");
    }
    let many = "x: y\r\n".repeat(10_000);
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    assert_eq!(status(&answers(&server, many.as_bytes())), "431");
    let long = format!(
        "GET /?{} HTTP/1.1\r\nhost: a\r\n\r\n",
        "a=b&".repeat(20_000)
    );
    let answer = answers(&server, long.as_bytes());
    assert!(["414", "431"].contains(&status(&answer)), "{answer:?}");
    let keys: String = (0..4_000).map(|key| format!("k{key}=1&")).collect();
    let many = format!("GET /show/a?{keys} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let answer = answers(&server, many.as_bytes());
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("\"k3999\":\"1\""), "{answer:?}");
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_http_cannot_carry_is_an_error() {
    let server = Server::start("answers", APP, &["--quiet"]);
    let error = async |path: &str| {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(answer.header("set-cookie"), None);
        answer.json()["error"].clone()
    };
    assert_eq!(error("/nan").await, json!("JSON has no number for NaN"));
    assert_eq!(
        error("/infinite").await,
        json!("JSON has no number for inf")
    );
    let injected = error("/inject?to=b%0D%0Aset-cookie:%20c=1").await;
    assert_eq!(
        injected,
        json!("the header `location` has characters that none may have")
    );
    assert!(
        error("/name")
            .await
            .to_string()
            .contains("no name of a header")
    );
    let moved = server.client.get(server.url("/inject?to=/b")).send().await;
    // The client follows it: there is nothing.
    assert_eq!(moved.expect("an answer").status(), 404);
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_taken_as_they_are() {
    let server = Server::start("paths", APP, &["--quiet"]);
    for (target, expected, body) in [
        ("//", "404", ""),
        ("/./", "404", ""),
        ("/show/..", "200", "[\"..\","),
        ("/show/%2e%2E", "200", "[\"..\","),
        ("/show/a%2Fb", "200", "[\"a/b\","),
        ("/show/a%00b", "200", "[\"a\\u0000b\","),
        ("/show/%zz", "200", "[\"%zz\","),
        ("/show/%C3%28", "400", "no UTF-8 text"),
        ("/show/", "404", ""),
        ("/files/../../etc", "200", "../../etc"),
        ("/files//a//b", "200", "/a//b"),
        ("/show/a?x=%FF", "200", "\u{FFFD}"),
    ] {
        let sent = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = answers(&server, sent.as_bytes());
        assert_eq!(status(&answer), expected, "{target}: {answer:?}");
        assert!(answer.contains(body), "{target}: {answer:?}");
    }
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_framed_in_one_way() {
    let server = Server::start("framing", APP, &["--quiet"]);
    let post = |fields: &str, body: &str| {
        let sent =
            format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n\r\n{body}");
        answers(&server, sent.as_bytes())
    };
    // Trailers are none of the body.
    let chunked = "3\r\none\r\n3;x=y\r\ntwo\r\n0\r\nx-trailer: z\r\n\r\n";
    let answer = post("transfer-encoding: chunked", chunked);
    assert!(answer.ends_with("[\"onetwo\",false]"), "{answer:?}");
    // A length beside chunks says nothing, and the connection ends with such a request: what is
    // behind it may be a part of it for others.
    for fields in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
    ] {
        let sent = format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{chunked}");
        let sent = sent + "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer = answers(&server, sent.as_bytes());
        assert!(answer.ends_with("[\"onetwo\",false]"), "{answer:?}");
    }
    for fields in [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: +3",
        "content-length: 3, 3",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: gzip",
    ] {
        let answer = post(fields, "one");
        assert_eq!(status(&answer), "400", "{fields}: {answer:?}");
        assert!(answer.contains("x-request-id: "), "{answer:?}");
    }
    let answer = post("content-length: 3\r\nexpect: 100-continue", "one");
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "),
        "{answer:?}"
    );
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_in_the_log_and_the_figures_too() {
    let server = Server::start("early", APP, &[]);
    let answer = answers(&server, b"rubbish\r\n\r\n");
    assert_eq!(status(&answer), "400");
    let id = answer.split("x-request-id: ").nth(1).expect("an id");
    let id = id.split("\r\n").next().expect("an id");
    let line = server.wait_for_message(id);
    assert!(
        line.contains("the head makes no sense status=400"),
        "{line}"
    );
    assert!(
        answer.ends_with(&format!("\"request_id\":\"{id}\"}}")),
        "{answer:?}"
    );
    let refused = server.metric("crux_requests_total{status=\"400\"}").await;
    assert_eq!(refused, 1);
    // The same behind a request that made sense.
    let both = answers(
        &server,
        b"GET /none HTTP/1.1\r\nhost: a\r\n\r\nrubbish\r\n\r\n",
    );
    let (first, second) = both.split_once("}HTTP/1.1 ").expect("two answers");
    assert_eq!(status(first), "404", "{both:?}");
    assert!(second.starts_with("400 "), "{both:?}");
    let id = second.split("x-request-id: ").nth(1).expect("an id");
    let id = id.split("\r\n").next().expect("an id");
    assert!(
        second.ends_with(&format!(
            "{{\"error\":\"the head makes no sense\",\"request_id\":\"{id}\"}}"
        )),
        "{both:?}"
    );
    server.wait_for_message(id);
    server.stop();
}
