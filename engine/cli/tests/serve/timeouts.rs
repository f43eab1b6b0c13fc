//! What takes too long, or is too much, and what becomes of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{LIMIT, Server};

const APP: &str = r#"
let gate = channel(1)
let ended = channel(16)

fn noted(what) {
  try { what() }
  catch e { ended.try_send(e.kind); throw e }
}

fn parent() { for i in 0..100 { spawn noted(|| gate.receive()) } }

export let routes = {
  "GET /": |r| "here",
  "GET /wait": |r| noted(|| gate.receive()),
  "GET /spin": |r| noted(|| { while true { } }),
  "GET /ended": |r| ended.receive(),
  "GET /detach/{count}": |r| {
    let count = int(r["params"]["count"])
    for i in 0..count { spawn detached noted(|| gate.receive()) }
    return count
  },
  "GET /nested": |r| { spawn detached parent(); return "nested" },
  "GET /large": |r| "x".repeat(1_000_000),
  "POST /length": |r| r["body"].len(),
  "POST /json": |r| r["body"].len(),
  "WS /wait": |m| { if m == "wait" { gate.receive() }; return m },
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_has_a_time() {
    let server = Server::start("handler_time", APP, &["--handler-timeout", "100ms"]);
    for (path, count) in [("/wait", 1), ("/spin", 2)] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 504, "{path}");
        assert_eq!(answer.json()["error"], json!("the handler took too long"));
        // Its call has been cancelled, and has ended.
        assert_eq!(server.get("/ended").await.body, "Cancelled");
        server.wait_for_metric("crux_requests_in_flight", 0).await;
        let name = "crux_handler_timeouts_total";
        assert_eq!(server.metric(name).await, count);
    }
    // That of a message, too.
    let url = format!("ws://{}/wait", server.address);
    let mut socket = connect_async(url).await.expect("a WebSocket").0;
    for (sent, closes) in [("a", false), ("wait", true)] {
        socket.send(Message::text(sent)).await.expect("it is open");
        match socket.next().await.expect("an answer").expect("a message") {
            Message::Text(text) if !closes => assert_eq!(text.as_str(), sent),
            Message::Close(Some(frame)) if closes => {
                assert_eq!(u16::from(frame.code), 1011);
                assert_eq!(frame.reason.as_str(), "the handler took too long");
            }
            other => panic!("{other:?}"),
        }
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_long_gives_way_to_others() {
    let options = ["--max-in-flight", "4", "--busy-timeout", "1s"];
    let server = Server::start("gives_way", APP, &options);
    let waiting = (0..4).map(|_| tokio::spawn(server.request(Method::GET, "/wait").send()));
    let waiting: Vec<_> = waiting.collect();
    server.wait_for_metric("crux_requests_in_flight", 4).await;
    for _ in 0..4 {
        assert_eq!(server.get("/").await.body, "here");
    }
    // One gave way, and whoever came later found its place.
    let name = "crux_handlers_gave_way_total";
    assert_eq!(server.metric(name).await, 1);
    let name = "crux_requests_total{status=\"503\"}";
    assert_eq!(server.metric(name).await, 1);
    server.wait_for_metric("crux_requests_in_flight", 3).await;
    for request in waiting {
        request.abort();
    }
    server.wait_for_metric("crux_requests_in_flight", 0).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_clients_keep_others_out_for_a_time_only() {
    let options = ["--handler-timeout", "100ms", "--max-in-flight", "16"];
    let server = Server::start("waiting_clients", APP, &options);
    let waiting = (0..16).map(|_| tokio::spawn(server.request(Method::GET, "/wait").send()));
    let waiting: Vec<_> = waiting.collect();
    for request in waiting {
        let answer = request.await.expect("no panic").expect("an answer");
        assert!([503, 504].contains(&answer.status().as_u16()));
    }
    server.wait_for_metric("crux_requests_in_flight", 0).await;
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_tasks_are_counted_and_limited() {
    let options = ["--max-detached", "8", "--detached-timeout", "off"];
    let server = Server::start("detached", APP, &options);
    assert_eq!(server.get("/detach/6").await.body, "6");
    assert_eq!(server.metric("crux_detached_tasks").await, 6);
    let refused = server.get("/detach/3").await;
    assert_eq!(refused.status, 500);
    let why = "HostError: 8 detached tasks of forks are under way";
    assert!(refused.body.contains(why), "{}", refused.body);
    server.wait_for_metric("crux_detached_tasks", 8).await;
    assert_eq!(server.get("/").await.body, "here");
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_tasks_have_a_time() {
    let options = ["--max-detached", "8", "--detached-timeout", "50ms"];
    let server = Server::start("detached_time", APP, &options);
    assert_eq!(server.get("/detach/5").await.body, "5");
    for _ in 0..5 {
        assert_eq!(server.get("/ended").await.body, "Cancelled");
    }
    server.wait_for_metric("crux_detached_tasks", 0).await;
    // What they spawn belongs to no call either.
    assert_eq!(server.get("/nested").await.body, "nested");
    server.wait_for_metric("crux_detached_tasks", 0).await;
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_given_up() {
    let options = ["--write-timeout", "100ms", "--max-bytes-in-flight", "64m"];
    let server = Server::start("write_time", APP, &options);
    let ask = "GET /large HTTP/1.1\r\nhost: a\r\n\r\n";
    // More than the system takes for a client that does not read.
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        stream
            .write_all(ask.repeat(20).as_bytes())
            .expect("it is sent");
        clients.push(stream);
    }
    server
        .wait_for_metric("crux_write_timeouts_total", 10)
        .await;
    server.wait_for_metric("crux_bytes_in_flight", 0).await;
    server.wait_for_metric("crux_connections_open", 0).await;
    drop(clients);
    assert_eq!(server.get("/large").await.body.len(), 1_000_000);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_flight_have_a_limit() {
    let options = ["--max-bytes-in-flight", "1m", "--max-body", "1m"];
    let server = Server::start("bytes", APP, &options);
    // A body without an end takes nearly all that there is.
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n";
    let part = format!("{head}{}", "x".repeat(800_000));
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        stream.write_all(part.as_bytes()).expect("it is sent");
        if number == 0 {
            // The first bytes are free.
            let charged = 900_000 - 4 * 1024;
            server
                .wait_for_metric("crux_bytes_in_flight", charged)
                .await;
        } else {
            let mut start = [0; 12];
            stream.read_exact(&mut start).expect("an answer");
            assert_eq!(&start, b"HTTP/1.1 503");
        }
        clients.push(stream);
    }
    // Small ones pass; those that can never have room are told so, below.
    assert_eq!(server.get("/").await.body, "here");
    let request = server
        .request(Method::POST, "/length")
        .body("x".repeat(3_000));
    assert_eq!(server.send(request).await.body, "3000");
    assert_eq!(server.get("/large").await.status, 503);
    drop(clients);
    server.wait_for_metric("crux_bytes_in_flight", 0).await;
    let many = format!("[{}1]", "1,".repeat(400_000));
    assert_eq!(server.post("/json", &many).await.status, 413);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_have_a_limit_and_idle_ones_give_way() {
    let server = Server::start("connections", APP, &["--max-connections", "4"]);
    let connect = || {
        let stream = TcpStream::connect(&server.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        stream
    };
    let mut idle: Vec<_> = (0..4).map(|_| connect()).collect();
    server.wait_for_metric("crux_connections_open", 4).await;
    // The oldest goes.
    assert_eq!(server.get("/").await.body, "here");
    assert_eq!(idle[0].read(&mut [0]).expect("its end"), 0);
    // Those that wait for answers stay.
    for stream in &mut idle[1..] {
        let ask = b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(ask).expect("it is sent");
    }
    server.wait_for_metric("crux_requests_in_flight", 3).await;
    let mut fourth = connect();
    let ask = b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n";
    fourth.write_all(ask).expect("it is sent");
    server.wait_for_metric("crux_requests_in_flight", 4).await;
    let mut fifth = connect();
    let mut answer = String::new();
    fifth.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    assert!(
        answer.contains("too many connections are open"),
        "{answer:?}"
    );
    assert!(answer.contains("x-request-id: "), "{answer:?}");
    assert_eq!(server.metric("crux_connections_refused_total").await, 1);
    drop((idle, fourth));
    server.wait_for_metric("crux_connections_open", 0).await;
    assert_eq!(server.get("/").await.body, "here");
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_a_share_of_the_memory() {
    let app = r#"
        let kept = channel(2)
        let gate = channel(1)
        export let routes = {
          "GET /": |r| "here",
          "GET /hog": |r| { let all = []; while true { all.push("a".repeat(1000)) } },
          "GET /keep": |r| { let all = "a".repeat(2_000_000); kept.send(1); gate.receive(); return all.len() },
          "GET /kept": |r| kept.receive(),
          "GET /go": |r| { gate.send(1); return "gone" },
        }
    "#;
    let options = ["--heap-limit", "64m", "--request-memory", "4m"];
    let server = Server::start("request_memory", app, &options);
    let keeping = tokio::spawn(server.request(Method::GET, "/keep").send());
    assert_eq!(server.get("/kept").await.body, "1");
    for _ in 0..5 {
        let hog = server.get("/hog").await;
        assert_eq!(hog.status, 500);
        assert!(hog.body.contains("OutOfMemory"), "{}", hog.body);
        assert_eq!(server.get("/").await.body, "here");
    }
    assert_eq!(server.get("/go").await.body, "gone");
    let kept = keeping.await.expect("no panic").expect("an answer");
    assert_eq!(kept.text().await.expect("text"), "2000000");
    server.stop();
}
