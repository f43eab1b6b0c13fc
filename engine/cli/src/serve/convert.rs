//! Work on large data, off the threads that serve.
//!
//! JSON of megabytes takes milliseconds, and whoever waits for a thread that is at it waits as
//! long. So large texts are read and written on threads of their own, as many at a time as there
//! are cores.

use gcrucible_engine::HostValue;

use super::Server;

/// From so many bytes on it is worth the way to another thread.
const LARGE: usize = 32 * 1024;

/// Does some work on so many bytes of data.
pub(super) async fn convert<R: Send + 'static>(
    server: &Server,
    bytes: usize,
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    if bytes < LARGE {
        return Some(work());
    }
    // Nobody closes it.
    let _permit = server.conversions.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

/// Drops data where it holds nobody up.
pub(super) fn discard(data: impl Send + 'static, bytes: usize) {
    if bytes >= LARGE {
        drop(tokio::task::spawn_blocking(move || drop(data)));
    }
}

/// About how many bytes data takes in this process.
pub(super) fn footprint(data: &HostValue) -> usize {
    let own = size_of::<HostValue>();
    match data {
        HostValue::Nil | HostValue::Bool(_) | HostValue::Int(_) | HostValue::Float(_) => own,
        HostValue::String(text) => own + text.len(),
        HostValue::Array(elements) => own + elements.iter().map(footprint).sum::<usize>(),
        HostValue::Map(entries) => {
            let entry = |(key, value): &(String, HostValue)| {
                size_of::<String>() + key.len() + footprint(value)
            };
            own + entries.iter().map(entry).sum::<usize>()
        }
    }
}

/// At most so many bytes the data takes that a text of JSON stands for, while it is read.
pub(super) fn footprint_of_json(text: &[u8]) -> usize {
    /// An element, and the spare room of the array that grows.
    const ELEMENT: usize = 2 * size_of::<HostValue>();
    /// A key, in the map and in the table that looks for equal ones.
    const KEY: usize = 160;
    let mut bytes = text.len();
    let mut is_text = false;
    let mut is_escaped = false;
    for &byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => bytes += ELEMENT,
            b':' if !is_text => bytes += KEY,
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn json_takes_no_more_than_it_is_thought_to() {
        for text in [
            "[]".to_owned(),
            format!("[{}]", "1,".repeat(1_000) + "1"),
            format!("[{}]", "[],".repeat(1_000) + "{}"),
            format!("[{}]", r#"{"a":"b\"c,,,"},"#.repeat(1_000) + "1"),
            format!("\"{}\"", ",".repeat(1_000)),
        ] {
            let data = json::parse(text.as_bytes()).expect("JSON");
            let most = footprint_of_json(text.as_bytes());
            assert!(footprint(&data) <= most + size_of::<HostValue>(), "{text}");
        }
        let commas = format!("\"{}\"", ",".repeat(1_000));
        assert_eq!(footprint_of_json(commas.as_bytes()), 1_002);
    }
}
