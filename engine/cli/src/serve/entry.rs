//! The module around the program that is served.
//!
//! It imports what the program exports as `routes`, so that the front end says what is wrong
//! there, and has the functions that the server calls.

use std::path::Path;

use gcrucible_engine::Source;

use crate::program::{self, Made};

/// Gives an array of `[key, whether it is text, whether it leads to a function]`, or the name
/// of the type that `routes` has instead of a map.
pub(super) const ROUTES: &str = "__routes";
/// Gives the function of a key.
pub(super) const HANDLER: &str = "__handler";
/// Calls the function of a key with an argument.
pub(super) const ANSWER: &str = "__answer";
/// Keeps the request that a WebSocket began with.
pub(super) const OPEN: &str = "__open";
/// Calls the function of a key with a message, and with that request if it was kept.
pub(super) const MESSAGE: &str = "__message";

/// The module's name: no file can have it.
const NAME: &str = "<serve>.crux";

/// Reads and compiles a program that is to be served.
pub(super) fn make(file: &Path) -> Made {
    let path = file.display().to_string();
    let refused = |why: &str| Made {
        program: Err(format!("error: {why}\n")),
        paths: vec![path.clone()],
    };
    if let Err(message) = program::read(&path) {
        return refused(&format!("cannot read {path}: {message}"));
    }
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, path.as_str()),
    };
    if !name.ends_with(".crux") || name == ".crux" || name.contains(['\\', '"', '$', '\n']) {
        let why = format!("{path} cannot be served: its name must be plain and end in `.crux`");
        return refused(&why);
    }
    let around = match folder {
        Some(folder) => format!("{folder}/{NAME}"),
        None => NAME.to_owned(),
    };
    let source = Source::new(around.clone(), text(name));
    let mut made = program::make_of(source, &path, |errors| {
        // The module itself is right but for what it imports.
        let is_ours = errors.iter().all(|(source, _)| source.path == around);
        is_ours.then(|| {
            format!(
                "error: {path} does not export `routes`, a map from keys such as \
                 \"GET /path/{{param}}\" to functions\n"
            )
        })
    });
    made.paths.retain(|path| *path != around);
    made
}

fn text(name: &str) -> String {
    format!(
        r#"import {{ routes }} from "./{name}"

fn {ROUTES}() {{
  if !(routes is map) {{ return type(routes) }}
  let found = []
  for key in routes {{ found.push([str(key), key is string, routes[key] is function]) }}
  return found
}}

fn {HANDLER}(key) {{ return routes[key] }}

fn {ANSWER}(key, argument) {{ return routes[key](argument) }}

let __handshakes = []

fn {OPEN}(request) {{ __handshakes.push(request) }}

fn {MESSAGE}(key, message) {{
  if __handshakes.len() == 0 {{ return routes[key](message) }}
  return routes[key](message, __handshakes[0])
}}
"#
    )
}
