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
use std::task::Poll;

use crate::StopToken;
use crate::host::{self, HostOperation, HostRequest, HostValue};

/// All operations: what they take is text, each in its own number.
const TAKES_TEXTS: [&str; 5] = ["fs.read", "fs.write", "env", "http.get", "http.post"];

/// Begins an operation. Must be called within a runtime.
pub(super) fn begin(#[cfg(feature = "http")] http: &Http, request: HostRequest) -> HostOperation {
    use HostValue::String as Text;
    match (request.name.as_str(), request.args.as_slice()) {
        ("fs.read", [Text(path)]) => until_stopped(request.stop.clone(), read(path.clone())),
        ("fs.write", [Text(path), Text(text)]) => write(path.clone(), text.clone()),
        ("env", [Text(name)]) => env(name),
        #[cfg(feature = "http")]
        ("http.get", [Text(url)]) => {
            let sent = http.send(reqwest::Method::GET, url, None);
            until_stopped(request.stop.clone(), sent)
        }
        #[cfg(feature = "http")]
        ("http.post", [Text(url), Text(body)]) => {
            http.send(reqwest::Method::POST, url, Some(body.clone()))
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

fn read(path: String) -> HostOperation {
    Box::pin(async move {
        match tokio::fs::read(&path).await {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(HostValue::String(text)),
                Err(_) => Err(format!("cannot read {path}: it is not UTF-8 text")),
            },
            Err(error) => Err(format!("cannot read {path}: {}", reason(&error))),
        }
    })
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
    fn send(&self, method: reqwest::Method, url: &str, body: Option<String>) -> HostOperation {
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
                let response = request.send().await?;
                let status = response.status().as_u16();
                let body = response.text().await?;
                Ok((status, body))
            };
            match answer.await {
                Ok((status, body)) => Ok(HostValue::Map(vec![
                    ("status".to_owned(), HostValue::Int(i64::from(status))),
                    ("body".to_owned(), HostValue::String(body)),
                ])),
                Err(error) => Err(format!("{what}: {}", causes(&error))),
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
