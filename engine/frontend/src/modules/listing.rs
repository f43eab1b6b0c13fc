//! Which files a program is made of.

use std::cell::RefCell;

use super::Loader;
use super::graph::{Graph, Texts};

/// A loader that notes what is asked for, for those who watch files: each module of the
/// program, and also those that could not be loaded, so that their coming back is seen.
pub struct Listing<'l> {
    loader: &'l dyn Loader,
    paths: RefCell<Vec<String>>,
}

impl<'l> Listing<'l> {
    /// One that loads what `loader` loads.
    pub fn new(loader: &'l dyn Loader) -> Self {
        Listing {
            loader,
            paths: RefCell::default(),
        }
    }

    /// The paths that were asked for, each once, in order: the entry module comes first.
    pub fn into_paths(self) -> Vec<String> {
        self.paths.into_inner()
    }
}

impl Loader for Listing<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        let mut paths = self.paths.borrow_mut();
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
        drop(paths);
        self.loader.load(path)
    }
}

impl std::fmt::Debug for Listing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// See [`crate::module_paths`].
pub(crate) fn module_paths(entry: &str, loader: &dyn Loader) -> Vec<String> {
    let listing = Listing::new(loader);
    Graph::load(&Texts::new(), entry, &listing);
    listing.into_paths()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(&'static [(&'static str, &'static str)]);

    impl Loader for Files {
        fn load(&self, path: &str) -> Result<String, String> {
            let found = self.0.iter().find(|(name, _)| *name == path);
            let text = found.map(|(_, text)| (*text).to_owned());
            text.ok_or_else(|| "no such file".to_owned())
        }
    }

    #[test]
    fn files_are_listed_once_and_missing_ones_too() {
        let files = Files(&[
            (
                "app/main.crux",
                "import { a } from \"./lib/a.crux\"\nimport { b } from \"./b.crux\"",
            ),
            (
                "app/lib/a.crux",
                "import { c } from \"../c.crux\"\nexport let a = 1",
            ),
            ("app/c.crux", "import { b } from \"./b.crux\"\nlet let"),
        ]);
        assert_eq!(
            module_paths("app/main.crux", &files),
            [
                "app/main.crux",
                "app/lib/a.crux",
                "app/c.crux",
                "app/b.crux"
            ]
        );
    }

    #[test]
    fn a_program_without_its_entry_is_that_file() {
        assert_eq!(module_paths("main.crux", &Files(&[])), ["main.crux"]);
    }
}
