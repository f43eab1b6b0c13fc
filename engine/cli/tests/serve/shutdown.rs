//! How a server ends.

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;

/// A request can wait for a file, which needs no other request.
const APP: &str = r#"
schedule every 1ms { return true }

export let routes = {
  "GET /": |r| "here",
  "GET /until": |r| {
    while true {
      try { return fs.read(r["query"]["file"]) }
      catch e is HostError { sleep(1) }
    }
  },
  "GET /stubborn": |r| { while true { try { sleep(1) } catch e { } } },
}
"#;

/// Starts a request that is answered when the file is there.
async fn waiting(server: &Server, file: &str) -> tokio::task::JoinHandle<reqwest::Result<String>> {
    let path = format!("/until?file={}", server.folder.path(file).display());
    let request = server.request(Method::GET, &path);
    let waiting = tokio::spawn(async move { request.send().await?.text().await });
    server.wait_for_metric("crux_requests_in_flight", 1).await;
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_and_no_other_is_taken() {
    let server = Server::start("graceful", APP, &["--grace", "60s"]);
    let waiting = waiting(&server, "ready.txt").await;
    server.signal("TERM");
    server.wait_for_message("SIGTERM: the server stops");
    // Nobody is let in any more.
    while TcpStream::connect(&server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.folder.file("ready.txt", "ready");
    let answer = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(answer, "ready");
    let (code, rest) = server.ended();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("stopped calls=0 protected=0"), "{rest}");
    assert!(!rest.contains("given up"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_the_grace_time_is_given_up() {
    for path in ["/until?file=none", "/stubborn"] {
        let server = Server::start("grace_is_over", APP, &["--grace", "50ms"]);
        let request = server.request(Method::GET, path);
        let waiting = tokio::spawn(request.send());
        server.wait_for_metric("crux_requests_in_flight", 1).await;
        server.signal("INT");
        server.wait_for_message("SIGINT: the server stops");
        assert!(waiting.await.expect("no panic").is_err());
        let (code, rest) = server.ended();
        assert_eq!(code, 0, "{rest}");
        assert!(rest.contains("requests under way are given up"), "{rest}");
        assert!(rest.contains("stopped calls=0 protected=0"), "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let server = Server::start("second_signal", APP, &["--grace", "1000s"]);
    let waiting = waiting(&server, "none").await;
    server.signal("INT");
    server.wait_for_message("SIGINT: the server stops");
    server.signal("TERM");
    assert!(waiting.await.expect("no panic").is_err());
    assert_eq!(server.ended().0, 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_idle_keep_nothing_up() {
    let server = Server::start("idle", APP, &["--grace", "1000s"]);
    // The client keeps its connections open, and one has sent nothing.
    assert_eq!(server.get("/").await.body, "here");
    let silent = TcpStream::connect(&server.address)
        .await
        .expect("it listens");
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
    drop(silent);
}

/// Asks again and again, on one connection or on a new one each time, until nobody is let in any
/// more. Gives how often it was answered.
async fn ask(address: String, keeps: bool) -> usize {
    let mut count = 0;
    while let Ok(mut stream) = TcpStream::connect(&address).await {
        loop {
            let connection = if keeps { "keep-alive" } else { "close" };
            let ask = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\n\r\n");
            stream.write_all(ask.as_bytes()).await.expect("it is sent");
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\nhere") {
                let read = stream.read_buf(&mut answer).await.expect("an answer");
                let so_far = String::from_utf8_lossy(&answer);
                assert_ne!(read, 0, "no answer after {count}: {so_far:?}");
            }
            count += 1;
            let answer = String::from_utf8(answer).expect("text");
            if answer.contains("connection: close\r\n") {
                break;
            }
            assert!(keeps);
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_no_request_is_lost() {
    let server = Server::start("stop_under_load", APP, &["--quiet"]);
    let clients = (0..16).map(|number| {
        let address = server.address.clone();
        tokio::spawn(ask(address, number % 2 == 0))
    });
    let clients: Vec<_> = clients.collect();
    while server.metric("crux_requests_total{status=\"200\"}").await < 500 {
        tokio::task::yield_now().await;
    }
    // Nobody has let these in: they wait with their requests.
    server.signal("STOP");
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(&server.address)
            .await
            .expect("a place to wait");
        let ask = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(ask).await.expect("it is sent");
        waiting.push(stream);
    }
    server.signal("TERM");
    server.signal("CONT");
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.ends_with("\r\n\r\nhere"), "{answer:?}");
    }
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("nothing is lost");
    }
    assert!(answered >= 500);
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_keeps_nothing_up() {
    let app = r#"
        fn spin() { while true { } }
        export let routes = {
          "GET /": |r| "here",
          "GET /spin": |r| { while true { } },
          "GET /detached": |r| { spawn detached spin(); return "x" },
          "GET /finally": |r| { try { sleep(60000) } finally { while true { } } },
          "GET /stubborn": |r| { while true { try { sleep(60000) } catch e { } } },
          "GET /finish": |r| { on_finish(|v| { while true { } }); return 1 },
          "GET /finalizers": |r| {
            for i in 0..100 { finalizer([i], |v| { sleep(1000) }) }
            collect()
            return "x"
          },
        }
    "#;
    let server = Server::start("does_not_end", app, &["--grace", "500ms"]);
    for path in ["/detached", "/finalizers"] {
        assert_eq!(server.get(path).await.body, "x");
    }
    let endless = ["/spin", "/finally", "/stubborn", "/finish"];
    let endless = endless.map(|path| tokio::spawn(server.request(Method::GET, path).send()));
    server.wait_for_metric("crux_requests_in_flight", 4).await;
    server.signal("TERM");
    let (code, rest) = server.ended();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("requests under way are given up"), "{rest}");
    for request in endless {
        assert!(request.await.expect("no panic").is_err());
    }
}
