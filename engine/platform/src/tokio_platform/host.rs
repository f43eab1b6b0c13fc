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
//! Each begins behind one check of what the program may touch ([`Capabilities`]); what is not in
//! the table of operations never begins.
//!
//! What only reads ends at once when its task is cancelled; `fs.write` and `http.post` use the
//! grace time to do what they began.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::Pin;
#[cfg(feature = "http")]
use std::sync::OnceLock;
use std::task::Poll;

use tokio::io::{AsyncRead as _, ReadBuf};

use super::content::Content;
use crate::capabilities::Need;
use crate::capabilities::files::{self, Access, OpenError};
use crate::host::{self, HostOperation, HostRequest, HostValue};
use crate::{Capabilities, DataBudget, StopToken};

/// All operations: how many arguments they take, all of them text, and what they touch, which the
/// first argument names.
const OPERATIONS: [(&str, usize, Need); 5] = [
    ("fs.read", 1, Need::File),
    ("fs.write", 2, Need::File),
    ("env", 1, Need::Variable),
    ("http.get", 1, Need::Host),
    ("http.post", 2, Need::Host),
];

/// Begins an operation, if the program may. Must be called within a runtime.
pub(super) fn begin(#[cfg(feature = "http")] http: &Http, request: &HostRequest) -> HostOperation {
    use HostValue::String as Text;
    let name = request.name.as_str();
    let Some(&(_, count, need)) = OPERATIONS.iter().find(|(known, ..)| *known == name) else {
        return host::unknown_operation(request);
    };
    let is_text = |arg: &HostValue| matches!(arg, Text(_));
    let [Text(what), ..] = request.args.as_slice() else {
        return wrong_arguments(name);
    };
    if request.args.len() != count || !request.args.iter().all(is_text) {
        return wrong_arguments(name);
    }
    #[cfg(not(feature = "http"))]
    if need == Need::Host {
        return host::fails("this build has no HTTP client (feature `http`)".to_owned());
    }
    let capabilities = &request.capabilities;
    if let Err(message) = capabilities.check(name, need, what) {
        return host::fails(message);
    }
    match (name, request.args.as_slice()) {
        ("fs.read", [Text(path)]) => {
            let text = read(capabilities.clone(), path.clone(), request.budget.clone());
            until_stopped(request.stop.clone(), text)
        }
        ("fs.write", [Text(path), Text(text)]) => {
            write(capabilities.clone(), path.clone(), text.clone())
        }
        ("env", [Text(name)]) => env(name),
        #[cfg(feature = "http")]
        ("http.get", [Text(url)]) => {
            let sent = http.send(
                capabilities,
                reqwest::Method::GET,
                url,
                None,
                request.budget.clone(),
            );
            until_stopped(request.stop.clone(), sent)
        }
        #[cfg(feature = "http")]
        ("http.post", [Text(url), Text(body)]) => {
            let (body, budget) = (Some(body.clone()), request.budget.clone());
            http.send(capabilities, reqwest::Method::POST, url, body, budget)
        }
        _ => host::unknown_operation(request),
    }
}

fn wrong_arguments(name: &str) -> HostOperation {
    host::fails(format!("`{name}` takes other arguments, all of them texts"))
}

/// The operation, which fails at once when it is to stop.
fn until_stopped(stop: StopToken, mut operation: HostOperation) -> HostOperation {
    Box::pin(poll_fn(move |cx| match operation.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => stop.poll_fired(cx).map(|()| Err("stopped".to_owned())),
    }))
}

fn read(capabilities: Capabilities, path: String, budget: DataBudget) -> HostOperation {
    Box::pin(async move {
        let opened = on_disk(
            capabilities,
            "fs.read",
            path.clone(),
            Access::Read,
            |file| Ok((file.metadata()?.len(), file)),
        );
        let (length, file) = opened.await?;
        let text = read_text(tokio::fs::File::from_std(file), length, &budget).await;
        let text = text.map_err(|why| format!("cannot read {path}: {why}"))?;
        Ok(HostValue::String(text))
    })
}

/// Reads a file piece by piece: it may have no end, whatever its length is said to be.
async fn read_text(
    mut file: tokio::fs::File,
    length: u64,
    budget: &DataBudget,
) -> Result<String, String> {
    let mut content = Content::new(budget);
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

fn write(capabilities: Capabilities, path: String, text: String) -> HostOperation {
    Box::pin(async move {
        let written = on_disk(
            capabilities,
            "fs.write",
            path,
            Access::Replace,
            move |mut file| file.write_all(text.as_bytes()),
        );
        written.await.map(|()| HostValue::Nil)
    })
}

/// Opens a file, if the program may touch it, and does something with it, on a thread that may
/// wait for the disk.
async fn on_disk<T: Send + 'static>(
    capabilities: Capabilities,
    operation: &'static str,
    path: String,
    access: Access,
    work: impl FnOnce(File) -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let verb = match access {
        Access::Read => "read",
        Access::Replace => "write",
    };
    let done = tokio::task::spawn_blocking(move || {
        let opened = capabilities.open(Path::new(&path), access);
        match opened.and_then(|file| Ok(work(file)?)) {
            Ok(done) => Ok(done),
            Err(OpenError::NotAllowed) => Err(files::refusal(operation, &path)),
            Err(OpenError::Failed(error)) => {
                Err(format!("cannot {verb} {path}: {}", reason(&error)))
            }
        }
    });
    // It panics only where the engine ends.
    done.await.unwrap_or_else(|error| Err(error.to_string()))
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

/// The HTTP clients, made when they are first needed.
#[cfg(feature = "http")]
#[derive(Debug, Default)]
pub(super) struct Http {
    /// For who may talk to every host.
    open: OnceLock<Result<reqwest::Client, String>>,
    /// For who may not: it goes nowhere by itself, neither to a proxy nor where it is redirected to.
    strict: OnceLock<Result<reqwest::Client, String>>,
}

/// Redirects that are followed, at most, as the client has it.
#[cfg(feature = "http")]
const REDIRECTS_MAX: usize = 10;

#[cfg(feature = "http")]
impl Http {
    fn client(&self, is_strict: bool) -> Result<reqwest::Client, String> {
        let made = match is_strict {
            false => self.open.get_or_init(|| made(reqwest::Client::builder())),
            true => self.strict.get_or_init(|| {
                let redirects = reqwest::redirect::Policy::none();
                made(reqwest::Client::builder().redirect(redirects).no_proxy())
            }),
        };
        made.clone()
    }

    fn send(
        &self,
        capabilities: &Capabilities,
        method: reqwest::Method,
        url: &str,
        body: Option<String>,
        budget: DataBudget,
    ) -> HostOperation {
        let is_strict = !capabilities.has_all_hosts();
        let client = match self.client(is_strict) {
            Ok(client) => client,
            Err(message) => return host::fails(message),
        };
        let what = format!("{method} {url}");
        let first = client.request(method.clone(), url);
        let first = match &body {
            Some(body) => first.body(body.clone()),
            None => first,
        };
        let capabilities = capabilities.clone();
        Box::pin(async move {
            let failed = |error: reqwest::Error| format!("{what}: {}", causes(&error));
            let mut response = first.send().await.map_err(failed)?;
            if is_strict {
                response = follow(&capabilities, &client, method, body, response)
                    .await
                    .map_err(|error| match error {
                        Astray::Failed(error) => failed(error),
                        Astray::Refused(why) => format!("{what}: {why}"),
                    })?;
            }
            let status = response.status().as_u16();
            let mut content = Content::new(&budget);
            let no_memory = |why| format!("{what}: {why}");
            while let Some(piece) = response.chunk().await.map_err(failed)? {
                content.push(&piece).await.map_err(no_memory)?;
            }
            let body = content.into_lossy_text().await.map_err(no_memory)?;
            Ok(HostValue::Map(vec![
                ("status".to_owned(), HostValue::Int(i64::from(status))),
                ("body".to_owned(), HostValue::String(body)),
            ]))
        })
    }
}

#[cfg(feature = "http")]
fn made(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    let client = builder.build();
    client.map_err(|error| format!("no HTTP client: {}", causes(&error)))
}

/// Why a redirect led to no answer.
#[cfg(feature = "http")]
enum Astray {
    Failed(reqwest::Error),
    /// In words.
    Refused(String),
}

/// Goes where the answer redirects to, as far as that is allowed.
#[cfg(feature = "http")]
async fn follow(
    capabilities: &Capabilities,
    client: &reqwest::Client,
    mut method: reqwest::Method,
    mut body: Option<String>,
    mut response: reqwest::Response,
) -> Result<reqwest::Response, Astray> {
    for _ in 0..REDIRECTS_MAX {
        let status = response.status().as_u16();
        let to = response.headers().get(reqwest::header::LOCATION);
        let to = to.and_then(|to| response.url().join(to.to_str().ok()?).ok());
        let (true, Some(to)) = (matches!(status, 301 | 302 | 303 | 307 | 308), to) else {
            return Ok(response);
        };
        let operation = "its redirect";
        let allowed = capabilities.check(operation, Need::Host, to.as_str());
        allowed.map_err(Astray::Refused)?;
        if matches!(status, 301..=303) {
            // As browsers do.
            method = reqwest::Method::GET;
            body = None;
        }
        let request = client.request(method.clone(), to);
        let request = match &body {
            Some(body) => request.body(body.clone()),
            None => request,
        };
        response = request.send().await.map_err(Astray::Failed)?;
    }
    match response.status().is_redirection() {
        true => Err(Astray::Refused("too many redirects".to_owned())),
        false => Ok(response),
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
