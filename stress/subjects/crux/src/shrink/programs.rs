//! Passes over programs, host scripts and the host's answers.

use super::Search;
use crate::scenario::program::Place;
use crate::scenario::{
    Body, BytecodeEdit, Data, Header, HostAnswer, HostEvent, ModuleSource, Scenario,
};
use gcrucible_trace::Refusal;

/// Shrinks the host script and what the host answers, then the module by its structure. A
/// module that a person wrote as text stays as it is.
pub(super) fn shrink_programs(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    drop_versions(search)?;
    search.drop_items(host, set_host)?;
    search.simplify_items(host, set_host, simpler)?;
    // What nobody asks for any more.
    drop_versions(search)?;
    search.drop_items(edits, set_edits)?;
    search.drop_items(answers, set_answers)?;
    search.simplify_items(answers, set_answers, simpler_answers)?;
    for version in 0..versions(search.best()).len() {
        reduce_module(search, Some(version))?;
    }
    reduce_module(search, None)
}

/// Drops versions, the last first, with all that the host asks of them.
fn drop_versions(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    for version in (0..versions(search.best()).len()).rev() {
        if search.is_spent() {
            break;
        }
        let mut scenario = search.best().clone();
        if let Body::Programs(programs) = &mut scenario.body {
            programs.versions.remove(version);
            let host = std::mem::take(&mut programs.host);
            let left = host.into_iter().filter_map(|event| without(event, version));
            programs.host = left.collect();
        }
        search.propose(scenario)?;
    }
    Ok(())
}

/// Takes the first of a module's reductions that still fails, again and again: of a version,
/// or of the entry.
fn reduce_module(search: &mut Search<'_, '_>, version: Option<usize>) -> Result<(), Refusal> {
    let mut start = Place::default();
    'smaller: while !search.is_spent() {
        let Some(ModuleSource::Tree(module)) = source(search.best(), version) else {
            return Ok(());
        };
        let module = module.clone();
        // Those before the last success failed a moment ago, on a module that was
        // hardly larger: try them last.
        for is_first_half in [true, false] {
            let mut reductions = match is_first_half {
                true => module.reductions_from(start),
                false => module.reductions(),
            };
            while let Some(smaller) = reductions.next() {
                if !is_first_half && reductions.place() >= start {
                    return Ok(());
                }
                let mut scenario = search.best().clone();
                if let Body::Programs(programs) = &mut scenario.body {
                    let place = match version {
                        Some(version) => &mut programs.versions[version],
                        None => &mut programs.entry,
                    };
                    *place = ModuleSource::Tree(smaller);
                }
                if search.propose(scenario)? {
                    start = reductions.place();
                    continue 'smaller;
                }
            }
        }
        return Ok(());
    }
    Ok(())
}

fn versions(scenario: &Scenario) -> &[ModuleSource] {
    match &scenario.body {
        Body::Programs(programs) => &programs.versions,
        Body::HeapOps(_) => &[],
    }
}

/// A version, or the entry.
fn source(scenario: &Scenario, version: Option<usize>) -> Option<&ModuleSource> {
    match (&scenario.body, version) {
        (Body::Programs(programs), None) => Some(&programs.entry),
        (_, Some(version)) => versions(scenario).get(version),
        (Body::HeapOps(_), None) => None,
    }
}

/// The event once a version is gone; none if it was about that.
fn without(event: HostEvent, gone: usize) -> Option<HostEvent> {
    let left = |version: u32| {
        let gone = gone as u32;
        (version != gone).then(|| version - u32::from(version > gone))
    };
    Some(match event {
        HostEvent::Reload { version, forced } => HostEvent::Reload {
            version: left(version)?,
            forced,
        },
        HostEvent::Preload { version } => HostEvent::Preload {
            version: left(version)?,
        },
        HostEvent::OverrideEntry { version } => HostEvent::OverrideEntry {
            version: left(version)?,
        },
        event => event,
    })
}

fn host(scenario: &Scenario) -> Vec<HostEvent> {
    match &scenario.body {
        Body::Programs(programs) => programs.host.clone(),
        Body::HeapOps(_) => Vec::new(),
    }
}

fn set_host(scenario: &mut Scenario, host: Vec<HostEvent>) {
    if let Body::Programs(programs) = &mut scenario.body {
        programs.host = host;
    }
}

/// The event with smaller numbers.
fn simpler(event: &HostEvent) -> Vec<HostEvent> {
    match event {
        HostEvent::Call {
            call,
            function,
            args,
        } => {
            let zeroed = |at: usize| {
                let mut args = args.clone();
                args[at] = 0;
                HostEvent::Call {
                    call: *call,
                    function: function.clone(),
                    args,
                }
            };
            (0..args.len())
                .filter(|&at| args[at] != 0)
                .map(zeroed)
                .collect()
        }
        HostEvent::CallInFork {
            call,
            function,
            args,
            ..
        } => vec![HostEvent::Call {
            call: *call,
            function: function.clone(),
            args: args.clone(),
        }],
        HostEvent::Request {
            call,
            function,
            args,
            header,
            panics,
        } => {
            let mut simpler = vec![HostEvent::Call {
                call: *call,
                function: function.clone(),
                args: args.clone(),
            }];
            let mut like = |header: Header, panics| {
                simpler.push(HostEvent::Request {
                    call: *call,
                    function: function.clone(),
                    args: args.clone(),
                    header,
                    panics,
                });
            };
            if *panics {
                like(header.clone(), false);
            }
            if !header.is_absent() {
                like(Header::Absent, *panics);
            }
            simpler
        }
        HostEvent::AdvanceTime { ms } => {
            let smaller = [1, ms / 2].into_iter().filter(|n| (1..*ms).contains(n));
            smaller.map(|ms| HostEvent::AdvanceTime { ms }).collect()
        }
        HostEvent::Reload {
            version,
            forced: true,
        } => vec![HostEvent::Reload {
            version: *version,
            forced: false,
        }],
        _ => Vec::new(),
    }
}

fn edits(scenario: &Scenario) -> Vec<BytecodeEdit> {
    match &scenario.body {
        Body::Programs(programs) => programs.edits.clone(),
        Body::HeapOps(_) => Vec::new(),
    }
}

fn set_edits(scenario: &mut Scenario, edits: Vec<BytecodeEdit>) {
    if let Body::Programs(programs) = &mut scenario.body {
        programs.edits = edits;
    }
}

fn answers(scenario: &Scenario) -> Vec<HostAnswer> {
    match &scenario.body {
        Body::Programs(programs) => programs.answers.clone(),
        Body::HeapOps(_) => Vec::new(),
    }
}

fn set_answers(scenario: &mut Scenario, answers: Vec<HostAnswer>) {
    if let Body::Programs(programs) = &mut scenario.body {
        programs.answers = answers;
    }
}

/// The answer without a panic, with less data, or sooner.
fn simpler_answers(answer: &HostAnswer) -> Vec<HostAnswer> {
    let results = match &answer.result {
        Ok(data) => simpler_data(data).into_iter().map(Ok).collect(),
        Err(message) if message.is_empty() => Vec::new(),
        Err(_) => vec![Err(String::new())],
    };
    let with_less = results.into_iter().map(|result| HostAnswer {
        result,
        ..answer.clone()
    });
    let sooner = [0, 1, answer.after_ms / 2];
    let sooner = sooner.into_iter().filter(|&ms| ms < answer.after_ms);
    let sooner = sooner.map(|after_ms| HostAnswer {
        after_ms,
        ..answer.clone()
    });
    let calm = answer.panics.is_some().then(|| HostAnswer {
        panics: None,
        ..answer.clone()
    });
    let deaf = answer.stops_after_ms.is_some().then(|| HostAnswer {
        stops_after_ms: None,
        ..answer.clone()
    });
    let at_once = answer.stops_after_ms.filter(|&ms| ms > 0);
    let at_once = at_once.map(|_| HostAnswer {
        stops_after_ms: Some(0),
        ..answer.clone()
    });
    let calm = calm.into_iter().chain(deaf).chain(at_once);
    calm.chain(with_less).chain(sooner).collect()
}

/// Smaller data, the smallest first: nil, a part of it, the same without a part, the same
/// with a smaller part.
fn simpler_data(data: &Data) -> Vec<Data> {
    let mut simpler = match data {
        Data::Nil => return Vec::new(),
        _ => vec![Data::Nil],
    };
    match data {
        Data::Nil | Data::Bool(_) => {}
        Data::Int(0) | Data::Float(0) => {}
        Data::Int(_) => simpler.push(Data::Int(0)),
        Data::Float(_) => simpler.push(Data::Float(0)),
        Data::Text(text) if text.is_empty() => {}
        Data::Text(text) => simpler.extend(["", half(text)].map(|it| Data::Text(it.to_owned()))),
        Data::List(elements) => {
            simpler.extend(elements.iter().cloned());
            simpler.extend(without_each(elements).map(Data::List));
            let smaller = with_each(elements, simpler_data);
            simpler.extend(smaller.map(Data::List));
        }
        Data::Map(entries) => {
            simpler.extend(entries.iter().map(|(_, value)| value.clone()));
            simpler.extend(without_each(entries).map(Data::Map));
            let smaller = with_each(entries, |(key, value)| {
                let shorter = (half(key).to_owned(), value.clone());
                let is_shorter = shorter.0.len() < key.len() && has_no(entries, &shorter.0);
                let values = simpler_data(value).into_iter();
                let values = values.map(|value| (key.clone(), value));
                values.chain(is_shorter.then_some(shorter)).collect()
            });
            simpler.extend(smaller.map(Data::Map));
        }
    }
    simpler
}

fn half(text: &str) -> &str {
    let middle = text.len() / 2;
    let at = (0..=middle).rev().find(|&at| text.is_char_boundary(at));
    &text[..at.unwrap_or(0)]
}

fn has_no(entries: &[(String, Data)], key: &str) -> bool {
    entries.iter().all(|(other, _)| other != key)
}

/// The list without one item, for each.
fn without_each<T: Clone>(items: &[T]) -> impl Iterator<Item = Vec<T>> + '_ {
    (0..items.len()).map(|at| {
        let mut fewer = items.to_vec();
        fewer.remove(at);
        fewer
    })
}

/// The list with one item replaced, for each item and each of what takes its place.
fn with_each<T: Clone>(
    items: &[T],
    simpler: impl Fn(&T) -> Vec<T>,
) -> impl Iterator<Item = Vec<T>> {
    items.iter().enumerate().flat_map(move |(at, item)| {
        let replaced = simpler(item).into_iter().map(move |item| {
            let mut changed = items.to_vec();
            changed[at] = item;
            changed
        });
        replaced.collect::<Vec<_>>()
    })
}
