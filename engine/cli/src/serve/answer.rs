//! What a client is given.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use gcrucible_engine::{HostValue, RequestId};

use super::budget::{Charge, FREE, Full};
use super::json;

/// The header that names a request, in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Headers that say how an answer travels, and the request's id: they are the server's.
const OF_THE_SERVER: [&str; 5] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Wrong {
    /// What is wrong with the value that the handler returned.
    Value(String),
    /// There is no room for it.
    Full(Full),
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Wrong::Value(why)
    }
}

/// The answer that a handler's value stands for: text is text, nil 204, a map with a `status`
/// and at most `headers` and `body` what these say, all else JSON. Its body is charged until
/// the client has it.
///
/// # Errors
/// What is wrong with a status, a header or a number.
pub(super) fn of(value: HostValue, charge: Charge) -> Result<Response, Wrong> {
    match value {
        HostValue::Nil => Ok(empty(StatusCode::NO_CONTENT)),
        HostValue::Map(entries) => match explicit(entries) {
            Ok((status, headers, body)) => in_full(status, headers, body, charge),
            Err(entries) => with_body(StatusCode::OK, HostValue::Map(entries), charge),
        },
        value => with_body(StatusCode::OK, value, charge),
    }
}

/// Why a request is not answered by a handler's value. It travels with a response without a
/// body, until [`complete`] puts it there.
#[derive(Clone, Debug)]
struct Reason(String);

/// A refusal, or what came of a request that failed.
pub(super) fn refusal(status: StatusCode, why: impl Into<String>) -> Response {
    let mut response = empty(status);
    response.extensions_mut().insert(Reason(why.into()));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let soon = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, soon);
    }
    response
}

/// Gives a refusal its body, JSON with the reason and the request's id, and every answer the
/// header with that.
pub(super) fn complete(response: Response, id: &RequestId) -> Response {
    let (mut parts, mut body) = response.into_parts();
    if let Some(Reason(why)) = parts.extensions.remove() {
        let text = |text: &str| HostValue::String(text.to_owned());
        let reason = HostValue::Map(vec![
            ("error".to_owned(), text(&why)),
            ("request_id".to_owned(), text(id.as_str())),
        ]);
        // It has no number.
        body = Body::from(json::text(&reason).unwrap_or_default());
        parts.headers.insert(CONTENT_TYPE, JSON);
    }
    // Whatever text it is, without control characters it can be in a header.
    if let Ok(id) = HeaderValue::from_bytes(id.as_str().as_bytes()) {
        parts.headers.insert(REQUEST_ID, id);
    }
    Response::from_parts(parts, body)
}

type Explicit = (i64, Option<HostValue>, Option<HostValue>);
type Entries = Vec<(String, HostValue)>;

/// `status`, `headers` and `body` of a map that has the first and nothing else; other maps are
/// given back.
fn explicit(mut entries: Entries) -> Result<Explicit, Entries> {
    let is_known = |(key, _): &(String, _)| ["status", "headers", "body"].contains(&key.as_str());
    if !entries.iter().all(is_known) {
        return Err(entries);
    }
    let status = entries.iter().find(|(key, _)| key == "status");
    let Some(&(_, HostValue::Int(status))) = status else {
        return Err(entries);
    };
    let mut take = |name: &str| {
        let at = entries.iter().position(|(key, _)| key == name)?;
        Some(entries.swap_remove(at).1)
    };
    Ok((status, take("headers"), take("body")))
}

fn in_full(
    status: i64,
    headers: Option<HostValue>,
    body: Option<HostValue>,
    charge: Charge,
) -> Result<Response, Wrong> {
    let code = u16::try_from(status).ok();
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    let code = code.filter(|code| !code.is_informational() && code.as_u16() < 600);
    let code = code.ok_or_else(|| format!("{status} is no status of an answer"))?;
    let mut response = match body {
        None | Some(HostValue::Nil) => empty(code),
        Some(body) if may_have_body(code) => with_body(code, body, charge)?,
        Some(_) => return Err(format!("an answer of status {status} has no body").into()),
    };
    let headers = match headers {
        None | Some(HostValue::Nil) => Vec::new(),
        Some(HostValue::Map(headers)) => headers,
        Some(_) => return Err("the headers of an answer are a map".to_owned().into()),
    };
    for (name, value) in &headers {
        let (name, value) = header(name, value)?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

fn may_have_body(code: StatusCode) -> bool {
    !matches!(
        code,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    )
}

fn header(name: &str, value: &HostValue) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = |_| format!("`{}` is no name of a header", name.escape_default());
    let known: HeaderName = name.parse().map_err(wrong)?;
    if OF_THE_SERVER.contains(&known.as_str()) {
        return Err(format!("the header `{known}` is the server's own"));
    }
    let text = match value {
        HostValue::String(text) => text.clone(),
        HostValue::Int(int) => int.to_string(),
        _ => return Err(format!("the header `{known}` must be a string or an int")),
    };
    match HeaderValue::from_str(&text) {
        Ok(value) => Ok((known, value)),
        Err(_) => Err(format!(
            "the header `{known}` has characters that none may have"
        )),
    }
}

fn with_body(status: StatusCode, body: HostValue, charge: Charge) -> Result<Response, Wrong> {
    let (kind, text) = match body {
        HostValue::String(text) => (TEXT, text),
        body => (JSON, json::text(&body)?),
    };
    let mut response = Response::new(held(text, charge).map_err(Wrong::Full)?);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// A body that is charged for as long as any of it has not been sent.
fn held(text: String, mut charge: Charge) -> Result<Body, Full> {
    struct Held(
        String,
        #[expect(dead_code, reason = "it drops with the text")] Charge,
    );

    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    charge.set(text.len())?;
    Ok(match text.len() <= FREE {
        true => Body::from(text),
        false => Body::from(Bytes::from_owner(Held(text, charge))),
    })
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    fn answer(json: &str) -> Result<Response, Wrong> {
        let charge = Budget::new(1 << 20).charge();
        of(json::parse(json.as_bytes()).expect("JSON"), charge)
    }

    fn status_and_kind(json: &str) -> (u16, Option<String>) {
        let answer = answer(json).expect("it is right");
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().expect("text").to_owned());
        (answer.status().as_u16(), kind)
    }

    #[test]
    fn a_value_says_what_it_is() {
        let text = Some("text/plain; charset=utf-8".to_owned());
        let data = Some("application/json".to_owned());
        assert_eq!(status_and_kind("null"), (204, None));
        assert_eq!(status_and_kind("\"a\""), (200, text.clone()));
        assert_eq!(status_and_kind("[1]"), (200, data.clone()));
        assert_eq!(status_and_kind("{}"), (200, data.clone()));
        assert_eq!(status_and_kind(r#"{"status": "new"}"#), (200, data.clone()));
        let more = r#"{"status": 404, "name": "a"}"#;
        assert_eq!(status_and_kind(more), (200, data.clone()));
        assert_eq!(status_and_kind(r#"{"status": 404}"#), (404, None));
        assert_eq!(
            status_and_kind(r#"{"status": 201, "body": "a"}"#),
            (201, text)
        );
        assert_eq!(
            status_and_kind(r#"{"status": 201, "body": [1]}"#),
            (201, data)
        );
        let html = r#"{"status": 200, "headers": {"Content-Type": "text/html"}, "body": "a"}"#;
        assert_eq!(status_and_kind(html), (200, Some("text/html".to_owned())));
    }

    #[test]
    fn wrong_answers_are_named() {
        for (json, why) in [
            (r#"{"status": 99}"#, "99 is no status"),
            (r#"{"status": 101}"#, "101 is no status"),
            (r#"{"status": 600}"#, "600 is no status"),
            (r#"{"status": -1}"#, "-1 is no status"),
            (r#"{"status": 70000}"#, "70000 is no status"),
            (r#"{"status": 204, "body": 1}"#, "has no body"),
            (r#"{"status": 200, "headers": 1}"#, "are a map"),
            (
                r#"{"status": 200, "headers": {"a b": ""}}"#,
                "no name of a header",
            ),
            (
                r#"{"status": 200, "headers": {"a": []}}"#,
                "must be a string",
            ),
            (r#"{"status": 200, "headers": {"a": "\n"}}"#, "characters"),
            (
                r#"{"status": 302, "headers": {"location": "b\r\nset-cookie: c=1"}}"#,
                "characters",
            ),
            (
                r#"{"status": 200, "headers": {"Content-Length": 1}}"#,
                "server's own",
            ),
        ] {
            match answer(json).expect_err(json) {
                Wrong::Value(error) => assert!(error.contains(why), "{json}: {error}"),
                Wrong::Full(full) => panic!("{json}: {full}"),
            }
        }
    }
}
