//! Connections whose messages are calls.

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::server::{LIMIT, Server};

const APP: &str = r#"
fn counting() { let n = 0; return || { n += 1; return n } }
let count = counting()
let gate = channel(16)
let ended = channel(16)

fn on_message(text) {
  if text == "wait" {
    try { return gate.receive() }
    catch e { ended.try_send(e.kind); throw e }
  }
  if text == "nothing" { return nil }
  if text == "data" { return { text: text, list: [1] } }
  if text == "throw" { throw error("no such luck") }
  if text == "function" { return on_message }
  return "${count()}: ${text}"
}

export let routes = {
  "WS /talk": on_message,
  "GET /talk": |r| "not a WebSocket",
  "WS /only": on_message,
  "POST /go": |r| { gate.send("gone"); return "sent" },
  "GET /ended": |r| ended.receive(),
  "GET /count": |r| count(),
  "WS /rooms/{name}": in_room,
  "WS /large": |m| "x".repeat(int(m)),
}

fn in_room(message, request) {
  if message == "request" { return request }
  if !request.has("seen") { request["seen"] = 0 }
  request["seen"] += 1
  return "${request["params"]["name"]} ${request["seen"]}: ${message}"
}
"#;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &Server) -> Socket {
    let url = format!("ws://{}/talk", server.address);
    connect_async(url).await.expect("a WebSocket").0
}

async fn send(socket: &mut Socket, text: &str) {
    let message = Message::text(text);
    socket.send(message).await.expect("it is open");
}

async fn receive(socket: &mut Socket) -> Message {
    let message = tokio::time::timeout(LIMIT, socket.next()).await;
    let message = message.expect("it comes").expect("it is open");
    message.expect("a message")
}

async fn text(socket: &mut Socket) -> String {
    receive(socket).await.into_text().expect("text").to_string()
}

/// Waits for the server's close; gives its code and reason.
async fn closed(socket: &mut Socket) -> (u16, String) {
    match receive(socket).await {
        Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_a_call_and_replies_come_in_order() {
    let server = Server::start("websocket", APP, &[]);
    let mut first = connect(&server).await;
    let mut second = connect(&server).await;
    server.wait_for_metric("crux_websockets_open", 2).await;
    // Each connection has globals of its own, for as long as it lasts.
    for count in 1..=3 {
        send(&mut first, "a").await;
        assert_eq!(text(&mut first).await, format!("{count}: a"));
    }
    send(&mut second, "b").await;
    assert_eq!(text(&mut second).await, "1: b");
    assert_eq!(server.get("/count").await.body, "1");

    // Messages wait for the one before, however many they are.
    send(&mut first, "wait").await;
    for number in 0..200 {
        send(&mut first, &number.to_string()).await;
    }
    send(&mut second, "c").await;
    assert_eq!(text(&mut second).await, "2: c");
    assert_eq!(server.post("/go", "{}").await.body, "sent");
    assert_eq!(text(&mut first).await, "gone");
    for number in 0..200 {
        assert_eq!(text(&mut first).await, format!("{}: {number}", number + 4));
    }
    // What is nil is no reply, and what is no text is JSON.
    send(&mut first, "nothing").await;
    send(&mut first, "data").await;
    assert_eq!(text(&mut first).await, r#"{"text":"data","list":[1]}"#);
    first
        .send(Message::Ping("here".into()))
        .await
        .expect("it is open");
    assert_eq!(receive(&mut first).await, Message::Pong("here".into()));

    assert_eq!(server.get("/talk").await.body, "not a WebSocket");
    assert_eq!(server.get("/only").await.status, 426);
    assert_eq!(
        server
            .request(Method::POST, "/only")
            .send()
            .await
            .expect("an answer")
            .status(),
        405
    );
    first.close(None).await.expect("it is open");
    server.wait_for_metric("crux_websockets_open", 1).await;
    drop(second);
    server.wait_for_metric("crux_websockets_open", 0).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_the_call_of_its_message() {
    let server = Server::start("websocket_leaves", APP, &[]);
    for is_polite in [true, false] {
        let mut socket = connect(&server).await;
        send(&mut socket, "wait").await;
        // The next message is behind it: both have been read when this is answered.
        socket
            .send(Message::Ping("seen".into()))
            .await
            .expect("it is open");
        assert_eq!(receive(&mut socket).await, Message::Pong("seen".into()));
        if is_polite {
            socket.close(None).await.expect("it is open");
        }
        drop(socket);
        assert_eq!(server.get("/ended").await.body, "Cancelled");
        server.wait_for_metric("crux_websockets_open", 0).await;
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_closes_the_connection_and_says_why() {
    let server = Server::start("websocket_errors", APP, &["--max-body", "1k"]);
    let large = "x".repeat(1025);
    for (message, code, reason) in [
        (
            Message::text("throw"),
            CloseCode::Error,
            "Error: no such luck",
        ),
        (
            Message::text("function"),
            CloseCode::Error,
            "the answer is no plain data: <fn on_message>",
        ),
        (
            Message::binary("bytes"),
            CloseCode::Unsupported,
            "only text is understood",
        ),
        (
            Message::text(large),
            CloseCode::Size,
            "the message is too large",
        ),
    ] {
        let mut socket = connect(&server).await;
        socket.send(message).await.expect("it is open");
        let expected = (code.into(), reason.to_owned());
        assert_eq!(closed(&mut socket).await, expected);
        server.wait_for_metric("crux_websockets_open", 0).await;
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_two_parameters_sees_the_request_of_the_handshake() {
    let server = Server::start("websocket_handshake", APP, &[]);
    let url = format!("ws://{}/rooms/blue%20one?x=1", server.address);
    let mut request = url.into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert("x-request-id", "ws-1".parse().expect("a value"));
    headers.insert("cookie", "user=7".parse().expect("a value"));
    let mut socket = connect_async(request).await.expect("a WebSocket").0;
    send(&mut socket, "request").await;
    let seen: serde_json::Value = serde_json::from_str(&text(&mut socket).await).expect("JSON");
    assert_eq!(seen["id"], "ws-1");
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["path"], "/rooms/blue%20one");
    assert_eq!(seen["params"]["name"], "blue one");
    assert_eq!(seen["query"]["x"], "1");
    assert_eq!(seen["headers"]["cookie"], "user=7");
    assert_eq!(seen["body"], serde_json::Value::Null);
    // It is one map for as long as the connection lasts.
    for count in 1..=2 {
        send(&mut socket, "a").await;
        assert_eq!(text(&mut socket).await, format!("blue one {count}: a"));
    }
    drop(socket);
    server.wait_for_metric("crux_websockets_open", 0).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_open_none() {
    let options = ["--allow-origin", "https://friend.example", "--quiet"];
    let server = Server::start("websocket_origin", APP, &options);
    let own = format!("http://{}", server.address);
    for (origin, is_allowed) in [
        (None, true),
        (Some(own.as_str()), true),
        (Some("https://friend.example"), true),
        (Some("https://other.example"), false),
        (Some("null"), false),
    ] {
        let url = format!("ws://{}/talk", server.address);
        let mut request = url.into_client_request().expect("a request");
        if let Some(origin) = origin {
            let origin = origin.parse().expect("a value");
            request.headers_mut().insert("origin", origin);
        }
        match connect_async(request).await {
            Ok((mut socket, _)) => {
                assert!(is_allowed, "{origin:?}");
                send(&mut socket, "a").await;
                assert_eq!(text(&mut socket).await, "1: a");
            }
            Err(Error::Http(response)) => {
                assert!(!is_allowed, "{origin:?}");
                assert_eq!(response.status(), 403);
            }
            Err(error) => panic!("{origin:?}: {error}"),
        }
    }
    server.wait_for_metric("crux_websockets_open", 0).await;
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_protocol_is_told_how() {
    let server = Server::start("websocket_protocol", APP, &["--max-body", "1k"]);
    // Frames with a mask of zeros.
    let masked = |first: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("a short one");
        let mut frame = vec![first, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        frame
    };
    let part = |first: u8| masked(first, &[b'x'; 100]);
    let parts: Vec<u8> = [part(0x01)]
        .into_iter()
        .chain((0..20).map(|_| part(0x00)))
        .flatten()
        .collect();
    for (name, sent, code) in [
        ("no mask", b"\x81\x01a".to_vec(), 1002),
        ("reserved bits", masked(0xF1, b"a"), 1002),
        ("an unknown kind", masked(0x83, b"a"), 1002),
        ("a part of nothing", masked(0x80, b"a"), 1002),
        ("a ping in parts", masked(0x09, b"a"), 1002),
        ("no UTF-8", masked(0x81, b"\xFF"), 1007),
        ("too many parts", parts, 1009),
        ("bytes", masked(0x82, b"a"), 1003),
    ] {
        let mut socket = connect(&server).await;
        let MaybeTlsStream::Plain(stream) = socket.get_mut() else {
            panic!("it is no other");
        };
        stream.write_all(&sent).await.expect("it is open");
        assert_eq!(closed(&mut socket).await.0, code, "{name}");
        server.wait_for_metric("crux_websockets_open", 0).await;
    }
    assert_eq!(server.get("/count").await.body, "1");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_reply_is_one_message() {
    let server = Server::start("websocket_large", APP, &["--heap-limit", "64m"]);
    let url = format!("ws://{}/large", server.address);
    let mut socket = connect_async(url).await.expect("a WebSocket").0;
    for length in [0, 1, 32_768, 32_769, 3_000_000] {
        send(&mut socket, &length.to_string()).await;
        assert_eq!(text(&mut socket).await.len(), length);
    }
    drop(socket);
    server.wait_for_metric("crux_bytes_in_flight", 0).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pings_and_reads_nothing_is_given_up() {
    let options = ["--write-timeout", "200ms"];
    let server = Server::start("websocket_pings", APP, &options);
    let mut socket = connect(&server).await;
    let ping: Vec<u8> = [&[0x89, 0xFD, 0, 0, 0, 0][..], &[b'p'; 125]].concat();
    let pings = ping.repeat(1_000);
    let MaybeTlsStream::Plain(stream) = socket.get_mut() else {
        panic!("it is no other");
    };
    // The server reads no more when its pongs are not taken, and then closes the connection.
    let pinging = async { while stream.write_all(&pings).await.is_ok() {} };
    tokio::time::timeout(LIMIT, pinging)
        .await
        .expect("it is closed");
    server.wait_for_metric("crux_websockets_open", 0).await;
    assert_eq!(server.metric("crux_write_timeouts_total").await, 1);
    assert_eq!(server.get("/count").await.body, "1");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_is_asked_and_given_up() {
    let server = Server::start("websocket_idle", APP, &["--idle-timeout", "200ms"]);
    let mut here = connect(&server).await;
    let mut gone = connect(&server).await;
    // This one answers pings, as it reads; the other does not.
    let answering = async {
        loop {
            match receive(&mut here).await {
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::select! {
        () = answering => {}
        () = server.wait_for_metric("crux_websockets_open", 1) => {}
    }
    let why = (
        CloseCode::Away.into(),
        "nothing came for too long".to_owned(),
    );
    assert!(matches!(receive(&mut gone).await, Message::Ping(_)));
    assert_eq!(closed(&mut gone).await, why);
    send(&mut here, "a").await;
    loop {
        match receive(&mut here).await {
            Message::Ping(_) => {}
            message => break assert_eq!(message, Message::text("1: a")),
        }
    }
    drop(here);
    server.wait_for_metric("crux_websockets_open", 0).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_allowed_are_open_and_none_survives_the_server() {
    let server = Server::start("websocket_limit", APP, &["--max-websockets", "2"]);
    let mut first = connect(&server).await;
    let mut second = connect(&server).await;
    let third = connect_async(format!("ws://{}/talk", server.address)).await;
    match third {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{other:?}"),
    }
    first.close(None).await.expect("it is open");
    server.wait_for_metric("crux_websockets_open", 1).await;
    let mut third = connect(&server).await;
    send(&mut third, "wait").await;
    third
        .send(Message::Ping("seen".into()))
        .await
        .expect("it is open");
    assert_eq!(receive(&mut third).await, Message::Pong("seen".into()));
    // One is idle, one has a call under way.
    server.signal("TERM");
    let away = (CloseCode::Away.into(), "the server stops".to_owned());
    assert_eq!(closed(&mut second).await, away);
    assert_eq!(closed(&mut third).await, away);
    let (code, rest) = server.ended();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("stopped calls=0 protected=0"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_stays_with_its_version() {
    let app = |version: u64| {
        format!(
            "export let routes = {{\n\
               \"WS /talk\": |m| \"{version}\",\n\
               \"GET /version\": |r| \"{version}\",\n\
             }}\n"
        )
    };
    let server = Server::start("websocket_version", &app(1), &[]);
    let mut old = connect(&server).await;
    send(&mut old, "which?").await;
    assert_eq!(text(&mut old).await, "1");
    server.folder.file("app.crux", &app(2));
    server.signal("HUP");
    server.wait_for_body("/version", "2").await;
    let mut new = connect(&server).await;
    for (socket, version) in [(&mut old, "1"), (&mut new, "2")] {
        send(socket, "which?").await;
        assert_eq!(text(socket).await, version);
    }
    drop((old, new));
    server.wait_for_metric("crux_websockets_open", 0).await;
    server.stop();
}
