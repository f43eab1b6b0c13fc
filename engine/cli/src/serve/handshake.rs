//! How a request becomes a WebSocket.

use axum::body::Body;
use axum::http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::handler::Refused;

/// Whether a request asks for a WebSocket.
pub(super) fn is_asked(parts: &Parts) -> bool {
    parts.method == Method::GET && has_token(&parts.headers, UPGRADE, "websocket")
}

/// The answer that makes a WebSocket of the connection.
///
/// # Errors
/// What is wrong with the request: 403 for a page of another origin.
pub(super) fn answer(parts: &Parts, allowed: &[String]) -> Result<Response, Refused> {
    let wrong = |why: &str| Refused::new(StatusCode::BAD_REQUEST, why);
    let headers = &parts.headers;
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(wrong("a WebSocket needs `Connection: upgrade`"));
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .map(HeaderValue::as_bytes)
        != Some(b"13")
    {
        let refused = Refused::new(
            StatusCode::UPGRADE_REQUIRED,
            "the version of a WebSocket must be 13",
        );
        return Err(refused.with(SEC_WEBSOCKET_VERSION, "13"));
    }
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
        return Err(wrong("a WebSocket needs a key"));
    };
    if !is_of_ours(headers, allowed) {
        let why = "pages of this origin may not open WebSockets here";
        return Err(Refused::new(StatusCode::FORBIDDEN, why));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // Base64 is fit for a header.
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        fields.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

/// Whether the page that opens the WebSocket, if it is one, is of the server's own origin, or one
/// of those that are allowed. Browsers let any page open one, and send the user's cookies along.
fn is_of_ours(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        // No browser sent it.
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let is_allowed = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
    if allowed.iter().any(is_allowed) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    match (of_origin, host) {
        (Some(origin), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// Whether a header is a list that has this word.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn pages_of_other_origins_are_kept_out_unless_they_are_allowed() {
        let is_ours = |origin: Option<&str>, allowed: &[&str]| {
            let mut request = Request::get("/").header("host", "a.example:80");
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let parts = request.body(()).expect("a request").into_parts().0;
            let allowed: Vec<String> = allowed.iter().map(|&text| text.to_owned()).collect();
            is_of_ours(&parts.headers, &allowed)
        };
        assert!(is_ours(None, &[]));
        assert!(is_ours(Some("http://a.example:80"), &[]));
        assert!(is_ours(Some("https://A.Example:80"), &[]));
        for other in [
            "http://b.example",
            "http://a.example",
            "null",
            "",
            "a.example:80",
        ] {
            assert!(!is_ours(Some(other), &[]), "{other}");
            assert!(is_ours(Some(other), &["*"]), "{other}");
        }
        assert!(is_ours(Some("http://b.example"), &["http://b.example"]));
        assert!(!is_ours(Some("http://c.example"), &["http://b.example"]));
    }
}
