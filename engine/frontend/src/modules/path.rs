//! Paths of modules: text with `/` between its parts, nothing of a file system.

/// The path of what the module at `importer` imports as `path`, without `.` and with `..`
/// at its beginning only.
///
/// # Errors
///
/// What is wrong with `path`, and what was expected.
pub(super) fn join(importer: &str, path: &str) -> Result<String, (&'static str, &'static str)> {
    if !path.starts_with("./") && !path.starts_with("../") {
        return Err((
            "the path of a module is relative",
            "`./` or `../` at its beginning",
        ));
    }
    if !path.ends_with(".crux") || path.ends_with("/.crux") {
        return Err(("the path of a module names a file", "`.crux` at its end"));
    }
    if path.contains("//") || path.contains(['\\', '\0']) {
        return Err((
            "the path of a module has a part that is none",
            "parts with one `/` between them",
        ));
    }
    let (root, importer) = match importer.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", importer),
    };
    let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                None if !root.is_empty() => {
                    return Err((
                        "the path of a module leaves the file system",
                        "fewer `..` in it",
                    ));
                }
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    Ok(format!("{root}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_importer() {
        for (importer, path, expected) in [
            ("main.crux", "./util.crux", "util.crux"),
            ("main.crux", "../util.crux", "../util.crux"),
            ("a/b/main.crux", "./c/../d.crux", "a/b/d.crux"),
            ("a/b/main.crux", "../../../x.crux", "../x.crux"),
            ("../a/main.crux", "../../x.crux", "../../x.crux"),
            ("./a/main.crux", "./x.crux", "a/x.crux"),
            ("/a/main.crux", "../x.crux", "/x.crux"),
        ] {
            assert_eq!(join(importer, path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn other_paths_are_refused() {
        for path in [
            "",
            "util",
            "util.crux",
            "/util.crux",
            "./util",
            "./.crux",
            ".//a.crux",
            "./a\\b.crux",
            "./../../x.crux",
        ] {
            assert!(join("/a/main.crux", path).is_err(), "{path}");
        }
    }
}
