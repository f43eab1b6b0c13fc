//! A server under test, and its clients.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use crate::process::{Folder, crux, lines};

/// How long what must come may take: far longer than any machine needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// A program that is served from a folder of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// Where its figures are.
    figures: String,
    /// What it writes to standard error.
    err: Receiver<String>,
    pub(crate) client: Client,
    pub(crate) folder: Folder,
}

/// The command that serves `app.crux` of a folder, at any address.
pub(crate) fn command(folder: &Folder, options: &[&str]) -> Command {
    let mut command = crux();
    command
        .arg("serve")
        .arg(folder.path("app.crux"))
        .args(["--address", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
        .args(options);
    command
}

/// What a client got.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) async fn of(response: Response) -> Answer {
        let status = response.status().as_u16();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        let headers = headers.collect();
        let body = response.text().await.expect("a body");
        Answer {
            status,
            headers,
            body,
        }
    }
}

impl Server {
    /// Serves a program of one file.
    pub(crate) fn start(name: &str, text: &str, options: &[&str]) -> Server {
        let folder = Folder::new(&format!("serve_{name}"));
        folder.file("app.crux", text);
        Server::start_in(folder, options)
    }

    /// Serves `app.crux` of a folder.
    pub(crate) fn start_in(folder: Folder, options: &[&str]) -> Server {
        let mut child = command(&folder, options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let out = lines(child.stdout.take().expect("a pipe"));
        let err = lines(child.stderr.take().expect("a pipe"));
        let address = loop {
            match out.recv_timeout(LIMIT) {
                // The program may have printed something before that.
                Ok(line) => match line.strip_prefix("listening on http://") {
                    Some(address) => break address.to_owned(),
                    None => continue,
                },
                Err(_) => panic!("it does not listen: {:?}", err.iter().collect::<Vec<_>>()),
            }
        };
        let line = out.recv_timeout(LIMIT).expect("a second line");
        let figures = line.strip_prefix("figures at ");
        let figures = figures.expect("it says where they are").to_owned();
        Server {
            child,
            address,
            figures,
            err,
            client: Client::builder().no_proxy().build().expect("a client"),
            folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer::of(response).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends a body of JSON.
    pub(crate) async fn post(&self, path: &str, json: &str) -> Answer {
        let request = self.request(Method::POST, path);
        let request = request.header("content-type", "application/json");
        self.send(request.body(json.to_owned())).await
    }

    /// A figure of the metrics, with its labels as they are written there; 0 if it is not.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = self.client.get(&self.figures).send().await;
        let page = page.expect("an answer").text().await.expect("text");
        let mut values = page.lines().filter_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(' ')?;
            Some(value.parse().expect("a number"))
        });
        values.next().unwrap_or(0)
    }

    /// Waits until a figure of the metrics has a value.
    pub(crate) async fn wait_for_metric(&self, name: &str, value: u64) {
        let look = async {
            while self.metric(name).await != value {
                tokio::time::sleep(LOOKS_EVERY).await;
            }
        };
        let seen = tokio::time::timeout(LIMIT, look).await;
        assert!(seen.is_ok(), "{name} is not {value}");
    }

    /// Waits until a path is answered like this.
    pub(crate) async fn wait_for_body(&self, path: &str, body: &str) {
        let look = async {
            while self.get(path).await.body != body {
                tokio::time::sleep(LOOKS_EVERY).await;
            }
        };
        let seen = tokio::time::timeout(LIMIT, look).await;
        assert!(seen.is_ok(), "{path} is not answered {body:?}");
    }

    /// Waits for a message with this text; gives the line.
    pub(crate) fn wait_for_message(&self, text: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.err.recv_timeout(LIMIT) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => before.push(line),
                Err(_) => panic!("no {text:?} after {before:?}"),
            }
        }
    }

    /// The most memory that it has had in RAM, in bytes.
    #[allow(dead_code, reason = "a bench uses it")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|text| text.parse().ok()).unwrap_or(0) * 1024
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let mut kill = Command::new("kill");
        kill.args([&format!("-{name}"), &pid]);
        assert!(kill.status().expect("kill starts").success());
    }

    /// Waits for its end; gives the exit code and what it wrote that nobody has waited for.
    pub(crate) fn ended(mut self) -> (i32, String) {
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        loop {
            match self.err.recv_timeout(LIMIT) {
                Ok(line) => rest.push_str(&format!("{line}\n")),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("its standard error is open"),
            }
        }
        (status.code().expect("no signal killed it"), rest)
    }

    /// Stops it as an operator does, and looks whether all is as it was.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        let (code, rest) = self.ended();
        assert_eq!(code, 0, "{rest}");
        assert!(rest.contains("stopped calls=0 protected=0"), "{rest}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
