//! What HTTP asks of every request, whatever the program says.

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{StatusCode, Version};

use super::handler::Refused;

/// The most bytes of a request's head; a larger one gets 431.
pub(super) const HEAD_MAX: usize = 64 * 1024;

/// Refuses a request that no server should take.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(parts: &Parts) -> Result<(), Refused> {
    let size = size(parts);
    if size > HEAD_MAX {
        let why = format!("the head has {size} bytes, and {HEAD_MAX} at most are taken");
        return Err(Refused::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            why,
        ));
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let why = match (hosts.next(), hosts.next()) {
        (None, _) if parts.version >= Version::HTTP_11 => "the header Host is missing",
        (Some(_), Some(_)) => "there are several headers Host",
        (Some(host), None) if !is_host(host.as_bytes()) => "the header Host is no name of a host",
        _ => return Ok(()),
    };
    Err(Refused::new(StatusCode::BAD_REQUEST, why))
}

/// Bytes of the head, as they were sent but for spaces that mean nothing.
pub(super) fn size(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(1, |it| it.as_str().len());
    let authority = parts.uri.authority().map_or(0, |it| it.as_str().len() + 7);
    let line = parts.method.as_str().len() + target + authority + " HTTP/1.1\r\n".len() + 1;
    let field = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    line + parts.headers.iter().map(field).sum::<usize>() + "\r\n".len()
}

/// Whether a text can be a host, perhaps with a port. None at all is allowed, for targets that
/// have no authority.
fn is_host(text: &[u8]) -> bool {
    let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    text.iter().all(is_fit)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn the_size_of_a_head_is_that_of_its_text() {
        let head = "GET /a?b=c HTTP/1.1\r\nhost: a\r\nx: yz\r\n\r\n";
        let request = Request::get("/a?b=c").header("host", "a").header("x", "yz");
        let parts = request.body(()).expect("a request").into_parts().0;
        assert_eq!(size(&parts), head.len());
    }

    #[test]
    fn hosts_have_names() {
        for host in ["", "a", "a.b:80", "[::1]:80", "127.0.0.1"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in ["a b", "a/b", "a@b", "é", "a#b"] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
