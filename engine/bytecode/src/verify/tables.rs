//! The tables of a program: what names what, and in which order.

use super::{MAX_MEMBERS, Rule};
use crate::program::{Class, FunctionId, Program, Type};

/// Reports each rule that a table of `program` breaks.
pub(super) fn check(program: &Program, refuse: &mut dyn FnMut(Rule)) {
    if program.modules.is_empty() {
        refuse(Rule::NoModules);
    }
    for count in [
        program.modules.len(),
        program.functions.len(),
        program.constants.len(),
        program.classes.len(),
        program.enums.len(),
        program.variants.len(),
        program.types.len(),
        program.steps.len(),
        program.library.len(),
        program.globals.len(),
    ] {
        if count > usize::from(u16::MAX) + 1 {
            refuse(Rule::TooManyItems(count));
        }
    }
    modules(program, refuse);
    for global in &program.globals {
        if usize::from(global.module) >= program.modules.len() {
            refuse(Rule::GlobalModule(global.module));
        }
    }
    for class in &program.classes {
        check_class(program, class, refuse);
    }
    enums(program, refuse);
    types(program, refuse);
    for (at, pair) in program.library.windows(2).enumerate() {
        let key = |method: usize| (pair[method].receiver, pair[method].name.as_str());
        if key(0) >= key(1) {
            refuse(Rule::LibraryOrder(at + 1));
        }
    }
    for method in &program.library {
        check_method(program, method.function, refuse);
    }
    for &function in program.finish.iter().chain(&program.interrupt) {
        match program.functions.get(usize::from(function)) {
            None => refuse(Rule::RunIndex(function)),
            Some(found) if found.arity != 1 || !found.captures.is_empty() => {
                refuse(Rule::RunSignature(function));
            }
            Some(_) => {}
        }
    }
}

fn modules(program: &Program, refuse: &mut dyn FnMut(Rule)) {
    for (index, module) in program.modules.iter().enumerate() {
        match program.functions.get(usize::from(module.init)) {
            None => refuse(Rule::InitIndex(module.init)),
            Some(init) => {
                if usize::from(init.module) != index {
                    refuse(Rule::InitModule(module.init));
                }
                if init.arity != 0 || !init.captures.is_empty() {
                    refuse(Rule::InitSignature(module.init));
                }
            }
        }
        for (at, pair) in module.exports.windows(2).enumerate() {
            if pair[0].0 >= pair[1].0 {
                refuse(Rule::ExportOrder(at + 1));
            }
        }
        for &(_, global) in &module.exports {
            let owner = program
                .globals
                .get(usize::from(global))
                .map(|g| usize::from(g.module));
            if owner != Some(index) {
                refuse(Rule::ExportGlobal(global));
            }
        }
    }
}

fn check_class(program: &Program, class: &Class, refuse: &mut dyn FnMut(Rule)) {
    if class.fields.len() > MAX_MEMBERS {
        refuse(Rule::TooManyFields(class.fields.len()));
        return;
    }
    // At most 255 fields: comparing all pairs is cheaper than a set.
    for (at, field) in class.fields.iter().enumerate() {
        if class.fields[..at].contains(field) {
            refuse(Rule::DuplicateField(at));
        }
    }
    if class.methods.len() > usize::from(u16::MAX) + 1 {
        refuse(Rule::TooManyItems(class.methods.len()));
        return;
    }
    let mut is_sorted = true;
    for (at, pair) in class.methods.windows(2).enumerate() {
        if pair[0].0 >= pair[1].0 {
            refuse(Rule::MethodOrder(at + 1));
            is_sorted = false;
        }
    }
    for field in class.fields.iter().filter(|_| is_sorted) {
        if let Ok(at) = class.methods.binary_search_by(|(name, _)| name.cmp(field)) {
            refuse(Rule::MethodIsField(at));
        }
    }
    for &(_, function) in &class.methods {
        check_method(program, function, refuse);
    }
}

fn check_method(program: &Program, function: FunctionId, refuse: &mut dyn FnMut(Rule)) {
    match program.functions.get(usize::from(function)) {
        None => refuse(Rule::MethodIndex(function)),
        Some(found) if found.arity == 0 || !found.captures.is_empty() => {
            refuse(Rule::MethodSignature(function));
        }
        Some(_) => {}
    }
}

/// The enums in their order have the variants in their order, each variant one enum.
fn enums(program: &Program, refuse: &mut dyn FnMut(Rule)) {
    let mut next = 0;
    for (index, found) in program.enums.iter().enumerate() {
        let end = next + usize::from(found.count);
        if usize::from(found.first) != next || end > program.variants.len() {
            refuse(Rule::EnumVariants(index));
            return;
        }
        for (at, variant) in program.variants[next..end].iter().enumerate() {
            if usize::from(variant.of) != index {
                refuse(Rule::VariantEnum(next + at));
            }
        }
        next = end;
    }
    if next != program.variants.len() {
        refuse(Rule::VariantCount(next));
    }
}

fn types(program: &Program, refuse: &mut dyn FnMut(Rule)) {
    for (at, found) in program.types.iter().enumerate() {
        let (index, count) = match *found {
            Type::Class(class) => (class, program.classes.len()),
            Type::Enum(of) => (of, program.enums.len()),
            Type::Variant(variant) => (variant, program.variants.len()),
            Type::Error(_) | Type::Kind(_) => continue,
        };
        if usize::from(index) >= count {
            refuse(Rule::TypeOf(at));
        }
    }
}
