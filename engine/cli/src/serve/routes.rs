//! Which path is whose.

use std::collections::BTreeMap;
use std::fmt;

use gcrucible_engine::HostValue;
use percent_encoding::percent_decode_str;

/// The routes of a version, made from the keys of its map.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    paths: matchit::Router<usize>,
    methods: Vec<Methods>,
}

/// The key of each method of one path.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    keys: Vec<(Verb, String)>,
}

/// What a route answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    /// No method: a GET that asks for a WebSocket.
    WebSocket,
}

/// A path that was found, and what stands for its parameters.
#[derive(Debug)]
pub(crate) struct Found<'r> {
    pub(crate) methods: &'r Methods,
    /// As text; none if one is no text.
    pub(crate) params: Option<Vec<(String, String)>>,
}

impl Verb {
    const ALL: [Verb; 6] = [
        Verb::Get,
        Verb::Post,
        Verb::Put,
        Verb::Patch,
        Verb::Delete,
        Verb::WebSocket,
    ];

    /// As it is written in keys, and in requests but for `WS`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
            Verb::WebSocket => "WS",
        }
    }

    fn named(name: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `Allow` says of the server as a whole, which `OPTIONS *` asks for.
pub(super) const ALLOW_ALL: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/// Paths that are the server's own.
pub(super) const RESERVED: &str = "/-/";

impl Routes {
    /// Reads what the module around the program says of `routes`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn of(found: HostValue) -> Result<Routes, String> {
        let entries = match found {
            HostValue::Array(entries) => entries,
            HostValue::String(kind) => {
                return Err(format!("`routes` must be a map, and is of type `{kind}`"));
            }
            _ => return Err("`routes` must be a map".to_owned()),
        };
        let mut keys = Vec::with_capacity(entries.len());
        for entry in entries {
            let HostValue::Array(parts) = entry else {
                return Err("`routes` must be a map".to_owned());
            };
            match parts.as_slice() {
                [
                    HostValue::String(key),
                    HostValue::Bool(true),
                    HostValue::Bool(true),
                ] => {
                    keys.push(key.clone());
                }
                [HostValue::String(key), HostValue::Bool(true), _] => {
                    return Err(format!("`routes[\"{key}\"]` must be a function"));
                }
                [HostValue::String(key), ..] => {
                    return Err(format!("the key `{key}` of `routes` must be a string"));
                }
                _ => return Err("`routes` must be a map".to_owned()),
            }
        }
        Self::new(keys)
    }

    /// # Errors
    /// What is wrong with a key.
    fn new(keys: Vec<String>) -> Result<Routes, String> {
        let mut routes = Routes::default();
        let mut indexes = BTreeMap::new();
        for key in keys {
            let refused = |why: &str| format!("the route \"{key}\" is wrong: {why}");
            let Some((method, path)) = key.split_once(' ') else {
                return Err(refused("expected \"METHOD /path\""));
            };
            let Some(verb) = Verb::named(method) else {
                let why = "the method must be GET, POST, PUT, PATCH, DELETE or WS";
                return Err(refused(why));
            };
            if !path.starts_with('/') {
                return Err(refused("the path must begin with `/`"));
            }
            if path.starts_with(RESERVED) {
                return Err(refused("paths below /-/ are the server's own"));
            }
            if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['?', '#']) {
                let why =
                    "a path has no spaces, `?` and `#`; write other characters as in `%C3%A9`";
                return Err(refused(why));
            }
            let index = match indexes.get(path) {
                Some(&index) => index,
                None => {
                    let index = routes.methods.len();
                    let added = routes.paths.insert(path, index);
                    added.map_err(|error| refused(&error.to_string()))?;
                    routes.methods.push(Methods::default());
                    indexes.insert(path.to_owned(), index);
                    index
                }
            };
            // The keys of a map differ, so the verbs of a path do.
            routes.methods[index].keys.push((verb, key));
        }
        Ok(routes)
    }

    /// The keys of all WebSockets.
    pub(crate) fn websockets(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().filter_map(Methods::websocket)
    }

    /// Looks for a path as it is in a request, percent signs and all.
    pub(crate) fn find(&self, path: &str) -> Option<Found<'_>> {
        let found = self.paths.at(path).ok()?;
        let text = |(name, value): (&str, &str)| {
            let value = percent_decode_str(value).decode_utf8().ok()?;
            Some((name.to_owned(), value.into_owned()))
        };
        Some(Found {
            methods: &self.methods[*found.value],
            params: found.params.iter().map(text).collect(),
        })
    }
}

impl Methods {
    /// The key of a method of HTTP. HEAD is GET, but for the body, which nobody sends then.
    pub(crate) fn key(&self, method: &str) -> Option<&str> {
        let method = if method == "HEAD" { "GET" } else { method };
        let verb = Verb::named(method).filter(|&verb| verb != Verb::WebSocket)?;
        self.key_of(verb)
    }

    /// The key of the path's WebSocket.
    pub(crate) fn websocket(&self) -> Option<&str> {
        self.key_of(Verb::WebSocket)
    }

    fn key_of(&self, verb: Verb) -> Option<&str> {
        let found = self.keys.iter().find(|(known, _)| *known == verb);
        found.map(|(_, key)| key.as_str())
    }

    /// What the header `Allow` says.
    pub(crate) fn allow(&self) -> String {
        let name = |(verb, _): &(Verb, String)| match verb {
            Verb::WebSocket => Verb::Get.name(),
            verb => verb.name(),
        };
        let mut names: Vec<&str> = self.keys.iter().map(name).collect();
        names.push("OPTIONS");
        if self.key_of(Verb::Get).is_some() {
            names.push("HEAD");
        }
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes<const N: usize>(keys: [&str; N]) -> Result<Routes, String> {
        Routes::new(keys.map(str::to_owned).to_vec())
    }

    #[test]
    fn a_path_has_methods_and_parameters() {
        let routes = routes([
            "GET /",
            "GET /a/{x}",
            "PUT /a/{x}",
            "WS /a/{x}",
            "POST /a/b",
        ]);
        let routes = routes.expect("they are right");
        let found = routes.find("/a/%C3%A9%20b").expect("a route");
        let params = vec![("x".to_owned(), "é b".to_owned())];
        assert_eq!(found.params, Some(params));
        assert_eq!(found.methods.key("GET"), Some("GET /a/{x}"));
        assert_eq!(found.methods.key("DELETE"), None);
        assert_eq!(found.methods.key("WS"), None);
        assert_eq!(found.methods.websocket(), Some("WS /a/{x}"));
        assert_eq!(found.methods.key("HEAD"), Some("GET /a/{x}"));
        assert_eq!(found.methods.allow(), "GET, HEAD, OPTIONS, PUT");
        let found = routes.find("/a/b").expect("a route");
        assert_eq!(found.methods.allow(), "OPTIONS, POST");
        assert!(routes.find("/a").is_none());
        assert!(routes.find("/a/b/c").is_none());
        assert_eq!(routes.find("/a/%FF").expect("a route").params, None);
    }

    #[test]
    fn wrong_keys_are_named() {
        for (key, why) in [
            ("", "expected \"METHOD /path\""),
            ("GET", "expected \"METHOD /path\""),
            ("get /", "the method must be"),
            ("HEAD /", "the method must be"),
            ("GET a", "must begin with `/`"),
            ("GET  /a", "must begin with `/`"),
            ("GET /a b", "no spaces"),
            ("GET /a?b", "no spaces, `?`"),
            ("GET /é", "write other characters"),
            ("GET /-/metrics", "the server's own"),
            ("GET /{", "is wrong"),
            ("GET /{}", "is wrong"),
        ] {
            let error = routes([key]).expect_err(key);
            assert!(error.contains(why), "{key}: {error}");
        }
        let error = routes(["GET /{a}", "POST /{b}"]).expect_err("they conflict");
        assert!(
            error.starts_with("the route \"POST /{b}\" is wrong: "),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_map_of_functions_is_named() {
        let text = |text: &str| HostValue::String(text.to_owned());
        let error = |found| Routes::of(found).expect_err("it is wrong");
        assert_eq!(
            error(text("array")),
            "`routes` must be a map, and is of type `array`"
        );
        let entry = |is_text, is_function| {
            let parts = vec![
                text("GET /"),
                HostValue::Bool(is_text),
                HostValue::Bool(is_function),
            ];
            HostValue::Array(vec![HostValue::Array(parts)])
        };
        assert_eq!(
            error(entry(true, false)),
            "`routes[\"GET /\"]` must be a function"
        );
        assert_eq!(
            error(entry(false, true)),
            "the key `GET /` of `routes` must be a string"
        );
        assert!(Routes::of(entry(true, true)).is_ok());
        assert_eq!(error(HostValue::Nil), "`routes` must be a map");
    }
}
