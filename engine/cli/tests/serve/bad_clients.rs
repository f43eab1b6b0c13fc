//! Clients that send what they should not, or not what they should.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use crate::server::{LIMIT, Server};

const APP: &str = r#"
export let routes = {
  "GET /": |r| "here",
  "POST /": |r| r["body"],
}
"#;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
    stream
}

/// What the server sends until it closes the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            // Closed before all that we sent was read.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("after {:?}: {error}", String::from_utf8_lossy(&bytes)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_make_no_sense_are_refused() {
    let server = Server::start("bad_heads", APP, &["--quiet"]);
    for (sent, status) in [
        ("rubbish\r\n\r\n", "400"),
        ("GET / HTTP/9.9\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\ntransfer-encoding: odd\r\n\r\n", "400"),
        ("\0\0\0\0\r\n\r\n", "400"),
    ] {
        let mut stream = connect(&server);
        stream.write_all(sent.as_bytes()).expect("it is sent");
        let answer = rest(stream);
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{sent:?}: {answer:?}");
        assert_eq!(server.get("/").await.body, "here");
    }
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_answered_all_the_same() {
    let server = Server::start("odd_requests", APP, &[]);
    for (target, status) in [
        ("OPTIONS *", "204"),
        ("OPTIONS /", "204"),
        ("OPTIONS /nowhere", "404"),
        ("CONNECT a:1", "404"),
        ("GET http://somewhere.else/", "200"),
        ("GET //", "404"),
        ("GET /?%zz=%\x7f&&=", "400"),
        ("GET /?%zz=%&&=", "200"),
        ("BREW /", "405"),
        ("HEAD /", "200"),
        ("PATCH /", "405"),
        ("GET /-/metrics", "404"),
        ("GET /-/nothing", "404"),
    ] {
        let mut stream = connect(&server);
        let sent = format!("{target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(sent.as_bytes()).expect("it is sent");
        let answer = rest(stream);
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{target}: {answer:?}");
        assert!(answer.contains("x-request-id: "), "{target}: {answer:?}");
        let has_body = answer.ends_with("here");
        assert_eq!(has_body, target.starts_with("GET") && status == "200");
    }
    // Two in one go, and one of an old client.
    let mut stream = connect(&server);
    let both = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\noneGET / HTTP/1.0\r\n\r\n";
    stream.write_all(both.as_bytes()).expect("it is sent");
    let answers = rest(stream);
    let first = answers.find("\r\n\r\none").expect("the first answer");
    let second = answers.find("\r\n\r\nhere").expect("the second answer");
    assert!(first < second, "{answers:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_ten_megabytes_is_refused() {
    let server = Server::start("large_head", APP, &["--quiet"]);
    for field in [
        format!("x: {}\r\n", "y".repeat(10 << 20)),
        "x: y\r\n".repeat(10 << 18),
    ] {
        let mut stream = connect(&server);
        let mut sending = stream.try_clone().expect("the same connection");
        let writer = gcrucible_platform::sync::thread::spawn("test", move || {
            // The server does not read all of it.
            let _ = sending.write_all(b"GET / HTTP/1.1\r\n");
            let _ = sending.write_all(field.as_bytes());
        });
        let mut start = [0; 12];
        stream.read_exact(&mut start).expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 431");
        drop(stream);
        writer.expect("a thread").join().expect("no panic");
        assert_eq!(server.get("/").await.body, "here");
    }
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_is_no_body() {
    let server = Server::start("half_a_body", APP, &["--read-timeout", "200ms"]);
    // It ends too early.
    let mut stream = connect(&server);
    let half = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf";
    stream.write_all(half).expect("it is sent");
    stream.shutdown(Shutdown::Write).expect("it is open");
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    // It never ends.
    let mut stream = connect(&server);
    stream.write_all(half).expect("it is sent");
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    assert!(answer.contains("the body took too long"), "{answer:?}");
    // Its pieces make no sense.
    let mut stream = connect(&server);
    let pieces = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n";
    stream.write_all(pieces).expect("it is sent");
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_clients_hinder_nobody() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, most).expect("what the system allows");
    let options = ["--read-timeout", "2s", "--max-in-flight", "8"];
    let mut server = Server::start("slow_clients", APP, &options);
    // A connection that the client keeps is closed after that time, too: perhaps just when it
    // is used again.
    let client = reqwest::Client::builder().no_proxy();
    let client = client.pool_max_idle_per_host(0).build();
    server.client = client.expect("a client");
    let half = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf";
    let mut slow = Vec::new();
    for number in 0..1_000 {
        let mut stream = connect(&server);
        // Nothing, a part of a head, or a part of a body.
        let sent: &[u8] = [&b""[..], b"GET / HT", half][number % 3];
        stream.write_all(sent).expect("it is sent");
        slow.push((stream, number % 3 != 0));
        if number % 10 == 0 {
            assert_eq!(server.get("/").await.body, "here");
        }
    }
    // They send a byte more each, while others are served.
    for (number, (stream, has_begun)) in slow.iter_mut().enumerate() {
        // It may be closed already. Who has sent nothing goes on so.
        if *has_begun {
            let _ = stream.write_all(b"x");
        }
        if number % 10 == 0 {
            assert_eq!(server.get("/").await.body, "here");
        }
    }
    // None of them is kept, and who has sent something learns why.
    for (stream, has_begun) in slow {
        let answer = rest(stream);
        assert_eq!(answer.starts_with("HTTP/1.1 408 "), has_begun, "{answer:?}");
    }
    assert_eq!(
        server.metric("crux_requests_total{status=\"200\"}").await,
        200
    );
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
}
