//! What a client is given.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use gcrucible_engine::{HostValue, RequestId};

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

/// The answer that a handler's value stands for: text is text, nil 204, a map with a `status`
/// and at most `headers` and `body` what these say, all else JSON.
///
/// # Errors
/// What is wrong with a status or a header.
pub(super) fn of(value: &HostValue) -> Result<Response, String> {
    match value {
        HostValue::Nil => Ok(empty(StatusCode::NO_CONTENT)),
        HostValue::Map(entries) => match explicit(entries) {
            Some((status, headers, body)) => in_full(status, headers, body),
            None => Ok(with_body(StatusCode::OK, value)),
        },
        _ => Ok(with_body(StatusCode::OK, value)),
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
        body = Body::from(json::text(&reason));
        parts.headers.insert(CONTENT_TYPE, JSON);
    }
    // Whatever text it is, without control characters it can be in a header.
    if let Ok(id) = HeaderValue::from_bytes(id.as_str().as_bytes()) {
        parts.headers.insert(REQUEST_ID, id);
    }
    Response::from_parts(parts, body)
}

type Explicit<'v> = (i64, Option<&'v HostValue>, Option<&'v HostValue>);

/// `status`, `headers` and `body` of a map that has the first and nothing else.
fn explicit(entries: &[(String, HostValue)]) -> Option<Explicit<'_>> {
    let of = |name: &str| {
        let mut found = entries.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value)
    };
    let is_known = |(key, _): &(String, _)| ["status", "headers", "body"].contains(&key.as_str());
    match of("status") {
        Some(&HostValue::Int(status)) if entries.iter().all(is_known) => {
            Some((status, of("headers"), of("body")))
        }
        _ => None,
    }
}

fn in_full(
    status: i64,
    headers: Option<&HostValue>,
    body: Option<&HostValue>,
) -> Result<Response, String> {
    let code = u16::try_from(status).ok();
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    let code = code.filter(|code| !code.is_informational() && code.as_u16() < 600);
    let code = code.ok_or_else(|| format!("{status} is no status of an answer"))?;
    let mut response = match body {
        None | Some(HostValue::Nil) => empty(code),
        Some(body) if may_have_body(code) => with_body(code, body),
        Some(_) => return Err(format!("an answer of status {status} has no body")),
    };
    let headers = match headers {
        None | Some(HostValue::Nil) => &[],
        Some(HostValue::Map(headers)) => headers.as_slice(),
        Some(_) => return Err("the headers of an answer are a map".to_owned()),
    };
    for (name, value) in headers {
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

fn with_body(status: StatusCode, body: &HostValue) -> Response {
    let (kind, text) = match body {
        HostValue::String(text) => (TEXT, text.clone()),
        body => (JSON, json::text(body)),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Result<Response, String> {
        of(&json::parse(json.as_bytes()).expect("JSON"))
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
                r#"{"status": 200, "headers": {"Content-Length": 1}}"#,
                "server's own",
            ),
        ] {
            let error = answer(json).expect_err(json);
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
