//! The name that a request has in logs and answers.

use std::fmt;
use std::sync::Arc;

use gcrucible_platform::planted;

/// The id of a request: what its client calls it, if that can be repeated in a header and a
/// log, else a generated one. It is not empty, has no control character and at most
/// [`RequestId::CHARS_MAX`] characters. Clones share the text.
///
/// ```
/// use gcrucible_engine::RequestId;
///
/// let from = |header: Option<&[u8]>| RequestId::from_header(header, || "r-1".to_owned());
/// assert_eq!(from(Some(b"order 66")).as_str(), "order 66");
/// assert_eq!(from(None).as_str(), "r-1");
/// assert_eq!(from(Some(b"")).as_str(), "r-1");
/// assert_eq!(from(Some(&[b'x'; 10_000])).as_str(), "x".repeat(64));
/// let unknown = from(Some(b"\xff\xfe"));
/// assert_eq!(unknown.to_string(), "unknown");
/// assert!(!unknown.is_text());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    text: Arc<str>,
    is_text: bool,
}

impl RequestId {
    /// Characters that are kept of a longer id.
    pub const CHARS_MAX: usize = 64;

    /// The id of a request whose client sent one that is not text.
    pub const UNKNOWN: &'static str = "unknown";

    /// The id of a request by the bytes of its header: the first [`RequestId::CHARS_MAX`]
    /// characters of them; [`RequestId::UNKNOWN`] if they are not UTF-8, or have a control
    /// character; what `generate` gives, held to the same rules, if there is no header or
    /// nothing in it.
    pub fn from_header(header: Option<&[u8]>, generate: impl FnOnce() -> String) -> RequestId {
        match header {
            Some(bytes) if !bytes.is_empty() => RequestId::from_bytes(bytes),
            _ => RequestId::from_bytes(generate().as_bytes()),
        }
    }

    fn from_bytes(bytes: &[u8]) -> RequestId {
        let cut = &bytes[..bytes.len().min(RequestId::CHARS_MAX)];
        if planted!(B114a, std::str::from_utf8(cut).is_err()) {
            panic!("the id of a request is text");
        }
        let text = std::str::from_utf8(bytes).ok();
        let text = text.filter(|text| !text.is_empty() && !text.contains(char::is_control));
        let Some(text) = text else {
            return RequestId {
                text: RequestId::UNKNOWN.into(),
                is_text: false,
            };
        };
        let mut end = text.char_indices().nth(RequestId::CHARS_MAX);
        if planted!(B114b, end.is_some()) {
            end = None;
        }
        let kept = end.map_or(text, |(end, _)| &text[..end]);
        RequestId {
            text: kept.into(),
            is_text: true,
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether what the client sent was text. If not, who serves the request warns about it.
    pub fn is_text(&self) -> bool {
        self.is_text
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(header: &[u8]) -> RequestId {
        RequestId::from_header(Some(header), || "generated".to_owned())
    }

    #[test]
    fn a_short_text_is_kept_as_it_is() {
        for text in [
            "a",
            "0af7651916cd43dd8448eb211c80319c",
            "größe €",
            &"x".repeat(64),
        ] {
            assert_eq!(id(text.as_bytes()).as_str(), text);
            assert!(id(text.as_bytes()).is_text());
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(id("x".repeat(65).as_bytes()).as_str(), "x".repeat(64));
        // No byte offset of 64 lies between two of these characters.
        assert_eq!(id("€".repeat(100).as_bytes()).as_str(), "€".repeat(64));
        let mixed = format!("{}€{}", "x".repeat(63), "y".repeat(1 << 20));
        assert_eq!(
            id(mixed.as_bytes()).as_str(),
            format!("{}€", "x".repeat(63))
        );
    }

    #[test]
    fn what_is_not_text_is_unknown() {
        for bytes in [
            &b"\xff"[..],
            b"ab\xc3",
            b"a\nb",
            b"\0",
            b"tab\t",
            "\u{85}".as_bytes(),
        ] {
            assert_eq!(id(bytes).as_str(), "unknown");
            assert!(!id(bytes).is_text());
        }
        // Also behind the part that would have been kept.
        assert_eq!(id(&[&[b'x'; 99][..], b"\n"].concat()).as_str(), "unknown");
    }

    #[test]
    fn nothing_is_generated_unless_it_is_needed() {
        assert_eq!(id(b"").as_str(), "generated");
        let absent = RequestId::from_header(None, || "z".repeat(70));
        assert_eq!(absent.as_str(), "z".repeat(64));
        assert!(absent.is_text());
        RequestId::from_header(Some(b"sent"), || panic!("it has one"));
        assert_eq!(
            RequestId::from_header(None, String::new).as_str(),
            "unknown"
        );
    }

    #[test]
    fn it_is_displayed_with_the_width_asked_for() {
        assert_eq!(format!("[{:>6}]", id(b"ab")), "[    ab]");
    }
}
