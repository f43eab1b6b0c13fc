//! The host operations of production.
//!
//! | operation | arguments | result |
//! |---|---|---|
//! | `fs.read` | path | the file's text; it must be UTF-8 |
//! | `fs.write` | path, text | nil; the file has this text and no other |
//! | `env` | name | the variable's text, nil if it is not set |
//! | `http.get` | URL | map of `status` (int) and `body` (text) |
//! | `http.post` | URL, body | the same |
//!
//! An answer of any status is a result; an error is that there was none. The last two are
//! there with the feature `http`.
//!
//! What only reads ends at once when its task is cancelled; `fs.write` and `http.post` use the
//! grace time to do what they began.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead as _, ReadBuf};

use crate::host::{self, HostOperation, HostRequest, HostValue};
use crate::{DataBudget, StopToken};

/// All operations: what they take is text, each in its own number.
const TAKES_TEXTS: [&str; 5] = ["fs.read", "fs.write", "env", "http.get", "http.post"];

/// Begins an operation. Must be called within a runtime.
pub(super) fn begin(#[cfg(feature = "http")] http: &Http, request: HostRequest) -> HostOperation {
    use HostValue::String as Text;
    match (request.name.as_str(), request.args.as_slice()) {
        ("fs.read", [Text(path)]) => {
            let read = read(path.clone(), request.budget.clone());
            until_stopped(request.stop.clone(), read)
        }
        ("fs.write", [Text(path), Text(text)]) => write(path.clone(), text.clone()),
        ("env", [Text(name)]) => env(name),
        #[cfg(feature = "http")]
        ("http.get", [Text(url)]) => {
            let sent = http.send(reqwest::Method::GET, url, None, request.budget.clone());
            until_stopped(request.stop.clone(), sent)
        }
        #[cfg(feature = "http")]
        ("http.post", [Text(url), Text(body)]) => {
            let budget = request.budget.clone();
            http.send(reqwest::Method::POST, url, Some(body.clone()), budget)
        }
        #[cfg(not(feature = "http"))]
        ("http.get" | "http.post", _) => {
            host::fails("this build has no HTTP client (feature `http`)".to_owned())
        }
        (name, _) if TAKES_TEXTS.contains(&name) => {
            host::fails(format!("`{name}` takes other arguments, all of them texts"))
        }
        _ => host::unknown_operation(&request),
    }
}

/// The operation, which fails at once when it is to stop.
fn until_stopped(stop: StopToken, mut operation: HostOperation) -> HostOperation {
    Box::pin(poll_fn(move |cx| match operation.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => stop.poll_fired(cx).map(|()| Err("stopped".to_owned())),
    }))
}

fn read(path: String, budget: DataBudget) -> HostOperation {
    Box::pin(async move {
        let text = read_text(&path, &budget).await;
        let text = text.map_err(|why| format!("cannot read {path}: {why}"))?;
        Ok(HostValue::String(text))
    })
}

/// Reads a file piece by piece: it may have no end, whatever its length is said to be.
async fn read_text(path: &str, budget: &DataBudget) -> Result<String, String> {
    let failed = |error: io::Error| reason(&error);
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut content = Content::new(budget);
    let length = file.metadata().await.map_err(failed)?.len();
    budget.take(Content::PIECE as u64).await?;
    content.make_room(length).await?;
    let mut piece = vec![0; Content::PIECE];
    loop {
        let mut read = ReadBuf::new(&mut piece);
        let end = poll_fn(|cx| Pin::new(&mut file).poll_read(cx, &mut read)).await;
        end.map_err(|error| reason(&error))?;
        if read.filled().is_empty() {
            return content.into_text();
        }
        content.push(read.filled()).await?;
    }
}

/// What has been read so far.
struct Content<'b> {
    budget: &'b DataBudget,
    bytes: Vec<u8>,
}

impl<'b> Content<'b> {
    /// What is read and asked for at once.
    const PIECE: usize = 128 << 10;

    fn new(budget: &'b DataBudget) -> Self {
        Content {
            budget,
            bytes: Vec::new(),
        }
    }

    /// Makes sure that there is room for so many bytes. It grows by doubling, within the budget.
    async fn make_room(&mut self, more: u64) -> Result<(), String> {
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        let now = self.bytes.capacity();
        let room = now - self.bytes.len();
        if room >= more {
            return Ok(());
        }
        let least = more - room;
        let left = usize::try_from(self.budget.left()).unwrap_or(usize::MAX);
        let wanted = now.max(Self::PIECE).min(left).max(least);
        self.budget.take(wanted as u64).await?;
        let reserved = self.bytes.try_reserve_exact(room + wanted);
        reserved.map_err(|_| "there is no memory for it".to_owned())
    }

    async fn push(&mut self, piece: &[u8]) -> Result<(), String> {
        self.make_room(piece.len() as u64).await?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    fn into_text(self) -> Result<String, String> {
        let text = String::from_utf8(self.bytes);
        text.map_err(|_| "it is not UTF-8 text".to_owned())
    }
}

fn write(path: String, text: String) -> HostOperation {
    Box::pin(async move {
        match tokio::fs::write(&path, text).await {
            Ok(()) => Ok(HostValue::Nil),
            Err(error) => Err(format!("cannot write {path}: {}", reason(&error))),
        }
    })
}

fn env(name: &str) -> HostOperation {
    // The standard library panics on names that no variable can have.
    let is_name = !name.is_empty() && !name.contains(['=', '\0']);
    let value = is_name.then(|| std::env::var_os(name)).flatten();
    let result = match value.map(std::ffi::OsString::into_string) {
        None => Ok(HostValue::Nil),
        Some(Ok(text)) => Ok(HostValue::String(text)),
        Some(Err(_)) => Err(format!("the variable {name} is not UTF-8 text")),
    };
    Box::pin(std::future::ready(result))
}

/// What went wrong, without the number that the operating system gives it.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The HTTP client, made when it is first needed.
#[cfg(feature = "http")]
#[derive(Debug, Default)]
pub(super) struct Http {
    client: std::sync::OnceLock<Result<reqwest::Client, String>>,
}

#[cfg(feature = "http")]
impl Http {
    fn send(
        &self,
        method: reqwest::Method,
        url: &str,
        body: Option<String>,
        budget: DataBudget,
    ) -> HostOperation {
        let client = self.client.get_or_init(|| {
            let client = reqwest::Client::builder().build();
            client.map_err(|error| format!("no HTTP client: {}", causes(&error)))
        });
        let client = match client {
            Ok(client) => client,
            Err(message) => return host::fails(message.clone()),
        };
        let what = format!("{method} {url}");
        let mut request = client.request(method, url);
        if let Some(body) = body {
            request = request.body(body);
        }
        Box::pin(async move {
            let answer = async {
                let failed = |error| causes(&error);
                let mut response = request.send().await.map_err(failed)?;
                let status = response.status().as_u16();
                let mut content = Content::new(&budget);
                while let Some(piece) = response.chunk().await.map_err(failed)? {
                    content.push(&piece).await?;
                }
                let body = match String::from_utf8(content.bytes) {
                    Ok(body) => body,
                    // What is no UTF-8 is replaced, by up to three bytes for each.
                    Err(bad) => {
                        budget.take(bad.as_bytes().len() as u64 * 3).await?;
                        String::from_utf8_lossy(bad.as_bytes()).into_owned()
                    }
                };
                Ok::<_, String>((status, body))
            };
            match answer.await {
                Ok((status, body)) => Ok(HostValue::Map(vec![
                    ("status".to_owned(), HostValue::Int(i64::from(status))),
                    ("body".to_owned(), HostValue::String(body)),
                ])),
                Err(why) => Err(format!("{what}: {why}")),
            }
        })
    }
}

/// An error and its causes, the URL left out: whoever reads it has that already.
#[cfg(feature = "http")]
fn causes(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    match texts.is_empty() {
        true => error.to_string(),
        false => texts.join(": "),
    }
}
