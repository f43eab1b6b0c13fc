//! What a handler is given.

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use gcrucible_engine::HostValue;

use super::json::{self, Entries};

/// The argument of a handler: `id`, `method`, `path`, `params`, `query`, `headers`, `body`.
///
/// # Errors
/// When the body has too many levels.
pub(super) fn argument(
    id: &str,
    parts: &Parts,
    params: Vec<(String, String)>,
    body: HostValue,
) -> Result<HostValue, String> {
    let text = |text: &str| HostValue::String(text.to_owned());
    let params = params.into_iter();
    let params = params.map(|(name, value)| (name, HostValue::String(value)));
    let entry = |key: &str, value| (key.to_owned(), value);
    let argument = HostValue::Map(vec![
        entry("id", text(id)),
        entry("method", text(parts.method.as_str())),
        entry("path", text(parts.uri.path())),
        entry("params", HostValue::Map(params.collect())),
        entry("query", query(parts.uri.query().unwrap_or_default())),
        entry("headers", headers(parts)),
        entry("body", body),
    ]);
    match argument.levels() <= HostValue::LEVELS_MAX {
        true => Ok(argument),
        // The argument itself is a level.
        false => Err(format!(
            "the body has more than {} levels of arrays and objects",
            HostValue::LEVELS_MAX - 1
        )),
    }
}

/// Of a name that comes several times, the last value counts.
fn query(text: &str) -> HostValue {
    let mut entries = Entries::default();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        entries.put(name.into_owned(), HostValue::String(value.into_owned()));
    }
    entries.into_map()
}

/// Names are in lower case. What is no UTF-8 has U+FFFD in its place.
fn headers(parts: &Parts) -> HostValue {
    let mut entries = Entries::default();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        entries.join(name.as_str().to_owned(), value);
    }
    entries.into_map()
}

/// What a body stands for.
///
/// # Errors
/// What is wrong with it.
pub(super) fn body(is_json: bool, body: Vec<u8>) -> Result<HostValue, String> {
    if body.is_empty() {
        return Ok(HostValue::Nil);
    }
    if is_json {
        return json::parse(&body).map_err(|error| format!("the body is no JSON: {error}"));
    }
    match String::from_utf8(body) {
        Ok(text) => Ok(HostValue::String(text)),
        Err(error) => Err(format!(
            "the body is no UTF-8 text (byte {})",
            error.utf8_error().valid_up_to()
        )),
    }
}

/// Whether the body is said to be JSON: `application/json`, or `application/geo+json` and such.
pub(super) fn is_json(parts: &Parts) -> bool {
    let Some(kind) = parts.headers.get(CONTENT_TYPE) else {
        return false;
    };
    let kind = String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(kind: Option<&str>) -> Parts {
        let mut request = Request::post("/a/b?x=1&y=%20z&x=2").header("X-One", "1");
        request = request.header("x-one", "2");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_request_is_a_map() {
        let params = vec![("name".to_owned(), "b".to_owned())];
        let kind = Some("Application/JSON; charset=utf-8");
        let body = HostValue::Array(vec![HostValue::Int(1)]);
        let argument = argument("7", &parts(kind), params, body).expect("it is right");
        assert_eq!(
            json::text(&argument).expect("JSON"),
            "{\"id\":\"7\",\"method\":\"POST\",\"path\":\"/a/b\",\"params\":{\"name\":\"b\"},\
             \"query\":{\"x\":\"2\",\"y\":\" z\"},\"headers\":{\"x-one\":\"1, 2\",\
             \"content-type\":\"Application/JSON; charset=utf-8\"},\"body\":[1]}"
        );
    }

    #[test]
    fn a_body_is_json_if_it_says_so_else_text() {
        let body = |kind, text: &[u8]| body(is_json(&parts(kind)), text.to_vec());
        let text = Ok(HostValue::String("[1]".to_owned()));
        assert_eq!(body(None, b"[1]"), text);
        assert_eq!(body(Some("text/plain"), b"[1]"), text);
        let array = Ok(HostValue::Array(vec![HostValue::Int(1)]));
        assert_eq!(body(Some("application/json"), b"[1]"), array);
        assert_eq!(body(Some("application/geo+json"), b"[1]"), array);
        assert_eq!(body(Some("application/json"), b""), Ok(HostValue::Nil));
        assert!(body(Some("application/json"), b"[1").is_err());
        assert!(body(None, b"\xFF").is_err());
    }

    #[test]
    fn a_body_has_levels_that_the_engine_takes() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let argument = |levels| {
            let body = body(true, nested(levels).into_bytes())?;
            argument("", &parts(None), vec![], body)
        };
        assert!(argument(63).is_ok());
        assert!(argument(64).is_err());
        assert!(argument(100_000).is_err());
    }
}
