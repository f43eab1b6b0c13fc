//! Hosts and ports.

use std::net::IpAddr;
use std::str::FromStr;

/// A host that may be talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPattern {
    name: Name,
    /// None for all.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// This one, as a URL has it when it was parsed: in lower case, without brackets.
    Is(String),
    /// All that end like this, which begins with a dot.
    Below(String),
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no host: expected NAME, NAME:PORT or *.NAME");
        let (host, port) = split(text).ok_or_else(wrong)?;
        let port = match port {
            None => None,
            Some(port) => Some(
                port.parse()
                    .ok()
                    .filter(|&port| port > 0)
                    .ok_or_else(wrong)?,
            ),
        };
        let (is_below, host) = match host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, host),
        };
        let is_address = host.parse::<IpAddr>().is_ok();
        let has_odd = |c: char| c.is_whitespace() || c.is_control() || "/\\@?#*%[]".contains(c);
        if host.is_empty() || host.contains(has_odd) || (host.contains(':') && !is_address) {
            return Err(wrong());
        }
        if is_below && is_address {
            return Err(wrong());
        }
        let host = normal(host).ok_or_else(wrong)?;
        let name = match is_below {
            true => Name::Below(format!(".{host}")),
            false => Name::Is(host),
        };
        Ok(HostPattern { name, port })
    }
}

/// A host and its port, if it has one.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest {
            "" => Some((address, None)),
            rest => Some((address, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        // An address of version 6 without brackets has no port.
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

/// The host as URLs have it when they were parsed.
fn normal(host: &str) -> Option<String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    #[cfg(feature = "http")]
    {
        let url = reqwest::Url::parse(&format!("http://{host}/")).ok()?;
        url.host_str().map(bare)
    }
    #[cfg(not(feature = "http"))]
    Some(bare(host))
}

fn bare(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host);
    host.to_ascii_lowercase()
}

/// Whether the host of a URL is among these. What is no URL has none.
#[cfg(feature = "http")]
pub(super) fn is_among(hosts: &[HostPattern], url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let (Some(host), Some(port)) = (url.host_str().map(bare), url.port_or_known_default()) else {
        return false;
    };
    let has_port = |pattern: &HostPattern| pattern.port.is_none_or(|known| known == port);
    let has_name = |pattern: &HostPattern| match &pattern.name {
        Name::Is(name) => *name == host,
        Name::Below(end) => host.ends_with(end.as_str()) && host.len() > end.len(),
    };
    hosts.iter().any(|known| has_port(known) && has_name(known))
}

/// Nobody can be talked to without a client.
#[cfg(not(feature = "http"))]
pub(super) fn is_among(_hosts: &[HostPattern], _url: &str) -> bool {
    false
}

/// Says that a URL may not be asked.
pub(super) fn refusal(operation: &str, url: &str) -> String {
    #[cfg(feature = "http")]
    if let Ok(url) = reqwest::Url::parse(url)
        && let Some(host) = url.host_str()
    {
        let port = url.port_or_known_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        return format!(
            "not allowed: {operation} of {url}; --allow-net={host}{port} would allow it"
        );
    }
    format!("not allowed: {operation} of {url}; --allow-net=HOST would allow it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in [
            "",
            ":",
            ":80",
            "a:",
            "a:0",
            "a:99999",
            "a:b",
            "http://a",
            "a/b",
            "a b",
            "u@a",
            "*",
            "*.",
            "a.*",
            "*.1.2.3.4",
            "[::1",
            "[::1]80",
            "[a]:80",
            "a%2e",
            "\n",
        ] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong:?}");
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_host_is_what_the_client_takes_it_for() {
        let is_among = |host: &str, url: &str| {
            let pattern = host.parse().unwrap_or_else(|error| panic!("{error}"));
            super::is_among(&[pattern], url)
        };
        for (host, url) in [
            ("example.com", "http://example.com/x"),
            ("Example.COM", "https://eXample.com:8443"),
            ("example.com.", "http://example.com"),
            ("example.com", "http://example.com./"),
            ("example.com:80", "http://example.com"),
            ("example.com:443", "https://example.com"),
            ("example.com:8080", "http://user:pass@example.com:8080/"),
            ("127.0.0.1", "http://0x7f.1/"),
            ("127.0.0.1:80", "http://2130706433/"),
            ("[::1]:80", "http://[0:0::1]/"),
            ("::1", "http://[::1]:9/"),
            ("*.example.com", "http://a.b.example.com/"),
            ("bücher.example", "http://xn--bcher-kva.example/"),
        ] {
            assert!(is_among(host, url), "{host} {url}");
        }
        for (host, url) in [
            ("example.com", "http://example.org/"),
            ("example.com", "http://notexample.com/"),
            ("example.com", "http://example.com.evil.org/"),
            ("example.com", "http://example.com@evil.org/"),
            ("example.com", "http://evil.org/?example.com"),
            ("example.com", "http://evil.org#@example.com"),
            ("example.com", "http://evil.org\\@example.com"),
            ("example.com", "http://a.example.com/"),
            ("*.example.com", "http://example.com/"),
            ("example.com:80", "https://example.com/"),
            ("example.com:80", "http://example.com:81/"),
            ("127.0.0.1", "http://localhost/"),
            ("localhost", "http://127.0.0.1/"),
            ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
            ("example.com", "file:///example.com"),
            ("example.com", "example.com"),
            ("example.com", ""),
        ] {
            assert!(!is_among(host, url), "{host} {url}");
        }
    }
}
