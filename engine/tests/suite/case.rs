//! One program, and what it says about itself in comments.

use std::fmt;
use std::fs;
use std::path::Path;

/// A program of the suite: one file, or a folder with a `main.crux`.
#[derive(Clone)]
pub(crate) struct Case {
    /// `area/name`.
    pub(crate) name: String,
    /// Its modules; the entry module is the last one.
    pub(crate) modules: Vec<Module>,
}

/// One source file.
#[derive(Clone)]
pub(crate) struct Module {
    /// Its path, relative to the entry module: `main.crux`, `lib/base.crux`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line of a module, numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) line: usize,
}

/// What a program says about itself.
#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) rules: Vec<String>,
    pub(crate) printed: Vec<Printed>,
    /// The display text of what `main` returned, if it matters.
    pub(crate) returned: Option<String>,
    /// The display text of what nobody caught, and the line that threw it if it is one of
    /// the program.
    pub(crate) uncaught: Option<(String, Option<Place>)>,
    /// Why the front end refuses it: messages by line.
    pub(crate) errors: Vec<(Place, String)>,
}

/// A line of output.
pub(crate) struct Printed {
    pub(crate) at: Place,
    pub(crate) text: String,
    /// Whether `main` has ended before.
    pub(crate) is_late: bool,
}

/// What a comment may begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Rule,
    Printed,
    PrintedLate,
    Returned,
    Uncaught,
    Error,
}

const MARKS: [(&str, Mark); 6] = [
    ("// rule:", Mark::Rule),
    ("// =>", Mark::Printed),
    ("// ~>", Mark::PrintedLate),
    ("// ->", Mark::Returned),
    ("// !!", Mark::Uncaught),
    ("// error:", Mark::Error),
];

/// The mark of a line: what it is, where its text begins, and whether the line has nothing
/// before it.
fn mark(line: &str) -> Option<(Mark, usize, bool)> {
    let found = MARKS.iter().filter_map(|&(prefix, mark)| {
        let at = line.rfind(prefix)?;
        Some((at, prefix, mark))
    });
    let (at, prefix, mark) = found.max_by_key(|&(at, _, _)| at)?;
    let end = at + prefix.len();
    let text_at = end + usize::from(line[end..].starts_with(' '));
    Some((mark, text_at, line[..at].trim().is_empty()))
}

/// All programs below a folder of areas, by name.
pub(crate) fn find(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for area in entries(folder) {
        for path in entries(&folder.join(&area)) {
            let whole = folder.join(&area).join(&path);
            let name = format!("{area}/{}", path.trim_end_matches(".crux"));
            let mut modules = Vec::new();
            if whole.is_dir() {
                read_modules(&whole, "", &mut modules);
                modules.sort_by_key(|module| (module.path == "main.crux", module.path.clone()));
            } else {
                modules.push(Module {
                    path: "main.crux".to_owned(),
                    text: fs::read_to_string(&whole).expect("a readable file"),
                });
            }
            cases.push(Case { name, modules });
        }
    }
    cases
}

fn read_modules(folder: &Path, prefix: &str, modules: &mut Vec<Module>) {
    for name in entries(folder) {
        let whole = folder.join(&name);
        if whole.is_dir() {
            read_modules(&whole, &format!("{prefix}{name}/"), modules);
        } else {
            modules.push(Module {
                path: format!("{prefix}{name}"),
                text: fs::read_to_string(&whole).expect("a readable file"),
            });
        }
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let found = fs::read_dir(folder).expect("a folder of the suite");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("a readable folder").file_name();
        name.into_string().expect("a name in UTF-8")
    };
    let mut names: Vec<String> = found.map(name).collect();
    names.sort();
    names
}

impl Case {
    /// What its comments say.
    pub(crate) fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        for module in &self.modules {
            // The last line that is not a comment of ours: what one below it belongs to.
            let mut code_line = 1;
            for (index, line) in module.text.lines().enumerate() {
                let line_number = index + 1;
                let Some((mark, text_at, is_alone)) = mark(line) else {
                    code_line = line_number;
                    continue;
                };
                if !is_alone {
                    code_line = line_number;
                }
                let at = |line| Place {
                    path: module.path.clone(),
                    line,
                };
                let text = line[text_at..].to_owned();
                match mark {
                    Mark::Rule => {
                        let rules = text.split(',').map(|rule| rule.trim().to_owned());
                        expected.rules.extend(rules);
                    }
                    Mark::Printed | Mark::PrintedLate => expected.printed.push(Printed {
                        at: at(line_number),
                        text,
                        is_late: mark == Mark::PrintedLate,
                    }),
                    Mark::Returned => expected.returned = Some(text),
                    Mark::Uncaught => {
                        let place = (!is_alone).then(|| at(line_number));
                        expected.uncaught = Some((text, place));
                    }
                    Mark::Error => expected.errors.push((at(code_line), text)),
                }
            }
        }
        expected.errors.sort();
        expected
    }

    /// The line that a comment of ours at this line, or behind the last one, belongs to.
    pub(crate) fn code_line(&self, path: &str, line: usize) -> usize {
        let module = self.modules.iter().find(|module| module.path == path);
        let text = module.map_or("", |module| module.text.as_str());
        let lines: Vec<&str> = text.lines().take(line).collect();
        let is_code = |line: &&str| mark(line).is_none_or(|(_, _, is_alone)| !is_alone);
        lines.iter().rposition(is_code).map_or(1, |index| index + 1)
    }

    /// The program with one expectation changed, and with it gone, for each of them; with
    /// the line that was changed.
    pub(crate) fn altered(&self) -> Vec<(Case, String)> {
        let mut all = Vec::new();
        for (index, module) in self.modules.iter().enumerate() {
            let lines: Vec<&str> = module.text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let Some((found, text_at, _)) = mark(line) else {
                    continue;
                };
                if found == Mark::Rule {
                    continue;
                }
                let changed = format!("{}~{}", &line[..text_at], &line[text_at..]);
                let marker_at = line.rfind("//").expect("a mark is a comment");
                let mut instead = vec![changed];
                // A result that no comment names is not looked at.
                if found != Mark::Returned {
                    instead.push(line[..marker_at].to_owned());
                }
                for other in instead {
                    let mut case = self.clone();
                    let mut text = lines.clone();
                    text[number] = &other;
                    case.modules[index].text = text.join("\n");
                    all.push((case, format!("{}:{}", module.path, number + 1)));
                }
            }
        }
        all
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
