//! Clients that mean harm, and the program that they harm.
#![allow(dead_code, reason = "the test and the bench use a part of it each")]

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A program that lets its clients do whatever a program can do.
pub(crate) const APP: &str = include_str!("hostile.crux");

/// What a hostile client does, again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// Asks for this, and reads the answer.
    Asks(&'static str),
    /// Asks for this, and leaves after some milliseconds.
    Leaves(&'static str, u64),
    /// Asks for this, and never reads.
    DoesNotRead(&'static str),
    /// Sends bodies of 2 MB but for their ends.
    SendsNoEnd,
    /// Sends the beginning of a head.
    SendsHalfAHead,
    /// Connects.
    IsSilent,
    /// Sends JSON whose keys had equal hashes, when these had no key.
    SendsKeys,
    /// Sends JSON that takes much more room than its text.
    SendsBrackets,
    /// Opens a WebSocket, sends pings and reads nothing.
    Pings,
    /// Opens a WebSocket, and asks for large replies that it does not read.
    DoesNotReadReplies,
    /// Opens a WebSocket, and sends a message in parts, without the last one.
    SendsParts,
    /// Sends heads that make no sense.
    SendsRubbish,
}

/// A hostile client: as many connections at a time, each of which does that.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    connections: usize,
    deed: Deed,
}

/// All that are known.
pub(crate) const ALL: &[Hostile] = &[
    hostile("colliding keys", 2, Deed::SendsKeys),
    hostile("brackets", 8, Deed::SendsBrackets),
    hostile("a value that is shared", 2, Deed::Leaves("/dag", 200)),
    hostile("pings, nothing read", 4, Deed::Pings),
    hostile("replies not read", 4, Deed::DoesNotReadReplies),
    hostile("parts of messages", 64, Deed::SendsParts),
    hostile("answers not read", 100, Deed::DoesNotRead("/big")),
    hostile("bodies without end", 300, Deed::SendsNoEnd),
    hostile("half a head", 300, Deed::SendsHalfAHead),
    hostile("silence", 1_000, Deed::IsSilent),
    hostile("rubbish", 8, Deed::SendsRubbish),
    hostile("handlers that wait", 512, Deed::Asks("/recv")),
    hostile("handlers that compute", 64, Deed::Asks("/loop")),
    hostile(
        "handlers that do not give up",
        16,
        Deed::Leaves("/stubborn", 50),
    ),
    hostile("handlers that do not end", 16, Deed::Leaves("/finally", 50)),
    hostile("hooks that do not end", 16, Deed::Leaves("/exit", 50)),
    hostile("finalizers that wait", 4, Deed::Asks("/fin")),
    hostile("detached tasks that wait", 4, Deed::Asks("/detached")),
    hostile("detached tasks that compute", 4, Deed::Asks("/looptask")),
    hostile("tasks", 2, Deed::Asks("/tasks")),
    hostile("channels", 2, Deed::Asks("/chans")),
    hostile("memory", 4, Deed::Asks("/oom")),
    hostile("memory, caught", 2, Deed::Leaves("/oomcatch", 300)),
    hostile("a log", 2, Deed::Asks("/logs")),
    hostile("recursion", 4, Deed::Asks("/recurse")),
    hostile("nested data", 4, Deed::Asks("/deep")),
];

const fn hostile(name: &'static str, connections: usize, deed: Deed) -> Hostile {
    Hostile {
        name,
        connections,
        deed,
    }
}

/// A hostile client at work. It stops when this is dropped.
pub(crate) struct AtWork {
    _connections: JoinSet<()>,
    /// Grows with each deed.
    deeds: Arc<Semaphore>,
}

impl AtWork {
    /// Waits until it has begun so many deeds.
    pub(crate) async fn has_begun(&self, count: u32) {
        let permits = self.deeds.acquire_many(count).await;
        permits.expect("nobody closes it").forget();
    }
}

impl Hostile {
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Lets it loose.
    pub(crate) fn start(&self, address: &str) -> AtWork {
        let deeds = Arc::new(Semaphore::new(0));
        let mut connections = JoinSet::new();
        let keys: Arc<str> = match self.deed {
            Deed::SendsKeys => colliding(5_000).into(),
            _ => "".into(),
        };
        for _ in 0..self.connections {
            let (address, deed) = (address.to_owned(), self.deed);
            let (deeds, keys) = (Arc::clone(&deeds), Arc::clone(&keys));
            connections.spawn(async move {
                loop {
                    if do_once(&address, deed, &keys, &deeds).await.is_none() {
                        // It was not let in: it tries again.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            });
        }
        AtWork {
            _connections: connections,
            deeds,
        }
    }
}

/// Does it until the server closes the connection, or it is aborted. `None` if it was disturbed.
async fn do_once(address: &str, deed: Deed, keys: &str, deeds: &Semaphore) -> Option<()> {
    let mut stream = connect(address, deed).await?;
    let get = |path| format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let post = |path, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let send = async |stream: &mut TcpStream, bytes: &[u8]| {
        let sent = stream.write_all(bytes).await.ok();
        deeds.add_permits(1);
        sent
    };
    match deed {
        Deed::Asks(path) => {
            send(&mut stream, get(path).as_bytes()).await?;
            read(&mut stream).await
        }
        Deed::Leaves(path, after) => {
            send(&mut stream, get(path).as_bytes()).await?;
            tokio::time::sleep(Duration::from_millis(after)).await;
            Some(())
        }
        Deed::DoesNotRead(path) => {
            send(&mut stream, get(path).as_bytes()).await?;
            wait(&mut stream).await
        }
        Deed::SendsNoEnd => {
            let head = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n";
            send(&mut stream, head.as_bytes()).await?;
            for _ in 0..240 {
                stream.write_all(&[b'x'; 8_192]).await.ok()?;
            }
            read(&mut stream).await
        }
        Deed::SendsHalfAHead => {
            let head = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(60_000));
            send(&mut stream, head.as_bytes()).await?;
            read(&mut stream).await
        }
        Deed::IsSilent => {
            deeds.add_permits(1);
            read(&mut stream).await
        }
        Deed::SendsKeys => {
            send(&mut stream, post("/json", keys).as_bytes()).await?;
            read(&mut stream).await
        }
        Deed::SendsBrackets => {
            let body = format!("[{}[]]", "[],".repeat(600_000));
            send(&mut stream, post("/json", &body).as_bytes()).await?;
            read(&mut stream).await
        }
        Deed::SendsRubbish => {
            send(&mut stream, &[0xFF; 1_000]).await?;
            read(&mut stream).await
        }
        Deed::Pings => {
            open(&mut stream, "/echo").await?;
            let ping = [&[0x89, 0xFD, 0, 0, 0, 0][..], &[b'p'; 125]].concat();
            let pings = ping.repeat(500);
            loop {
                send(&mut stream, &pings).await?;
            }
        }
        Deed::DoesNotReadReplies => {
            open(&mut stream, "/big").await?;
            // "1000000"
            let message = [&[0x81, 0x87, 0, 0, 0, 0][..], b"1000000"].concat();
            loop {
                send(&mut stream, &message).await?;
            }
        }
        Deed::SendsParts => {
            open(&mut stream, "/echo").await?;
            let part = |first: u8| {
                // 16 KiB each, behind a mask of zeros.
                let head = [first, 0xFE, 0x40, 0, 0, 0, 0, 0];
                [&head[..], &[b'x'; 16_384]].concat()
            };
            send(&mut stream, &part(0x01)).await?;
            for _ in 0..100 {
                stream.write_all(&part(0x00)).await.ok()?;
            }
            read(&mut stream).await
        }
    }
}

async fn connect(address: &str, deed: Deed) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    if matches!(
        deed,
        Deed::DoesNotRead(_) | Deed::Pings | Deed::DoesNotReadReplies
    ) {
        // The system takes little for it.
        socket.set_recv_buffer_size(4_096).ok()?;
    }
    socket.connect(address.parse().ok()?).await.ok()
}

/// Reads an answer that nobody needs, until the connection is closed.
async fn read(stream: &mut TcpStream) -> Option<()> {
    let mut buffer = [0; 4_096];
    while stream.read(&mut buffer).await.ok()? > 0 {}
    Some(())
}

/// Waits until the connection is closed, without reading more than a byte.
async fn wait(stream: &mut TcpStream) -> Option<()> {
    let mut waited = 0;
    // A reset is seen, an answer is not taken.
    while waited < 3_000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(&[]).await.ok()?;
        if stream.take_error().ok()?.is_some() {
            return None;
        }
        waited += 1;
    }
    Some(())
}

/// Makes a WebSocket of a connection.
async fn open(stream: &mut TcpStream, path: &str) -> Option<()> {
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.ok()?;
    (&start == b"HTTP/1.1 101").then_some(())
}

/// An object whose keys had places side by side in any table of up to half a million, when the
/// hash of a text was the same for everybody.
fn colliding(count: usize) -> String {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut text = String::from("{\"xs\":[1]");
    let mut found = 0;
    for number in 0_u64.. {
        let letter = |at: u32| LETTERS[(number >> (6 * at)) as usize & 63];
        let key: [u8; 6] = std::array::from_fn(|at| letter(at as u32));
        let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        let hash = key.iter().fold(0xCBF2_9CE4_8422_2325, fnv);
        let place = (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        if (place >> 9) & 0x3FF != 0 {
            continue;
        }
        text.push_str(&format!(",\"{}\":1", String::from_utf8_lossy(&key)));
        found += 1;
        if found == count {
            break;
        }
    }
    text.push('}');
    text
}
