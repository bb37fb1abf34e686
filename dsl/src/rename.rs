//! The fix of a name in the wrong case renames it wherever it stands.
//!
//! A declaration that is renamed alone leaves its uses behind, each an unknown name. Which places
//! name the same thing is known when the whole program has been read, so the parser's fixes of
//! declarations are completed here, from the symbols.

use std::collections::HashMap;

use crate::ast::{Item, Ty, TyKind};
use crate::codes;
use crate::diagnostic::{Diagnostic, Edit};
use crate::load::Loaded;
use crate::span::{SourceMap, Span};
use crate::symbols::{self, Mention, Symbol, SymbolKind};
use crate::types::Type;

/// Whether a finding is about the case of a name.
pub(crate) fn renames(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == codes::NAME_CASE && diagnostic.fix.is_some()
}

/// Adds the uses of each name to the fix of its declaration. A new name that is taken is no fix.
pub(crate) fn complete(
    diagnostics: &mut [Diagnostic],
    loaded: &Loaded,
    sources: &SourceMap,
    seen: &[(Span, Type)],
) {
    let types: HashMap<Span, Type> = seen.iter().rev().cloned().collect();
    let (symbols, mentions) = symbols::of_tree(loaded, sources, &types);
    for found in diagnostics.iter_mut().filter(|found| renames(found)) {
        let Some(fix) = &mut found.fix else { continue };
        let Some(here) = mentions.iter().find(|mention| mention.span == fix.span) else { continue };
        let symbol = &symbols[here.symbol];
        if symbol.kind == SymbolKind::Variant
            && symbol.container.as_ref().is_some_and(|name| is_in_data(loaded, name))
        {
            let right = &fix.replacement;
            found.help = Some(format!(
                "data hold the word, too: if they say `{right}`, write that; otherwise read a string \
                 and say which is which: `match .field {{ \"{}\" => {right}, ... }}`",
                symbol.name
            ));
            found.fix = None;
            continue;
        }
        if taken(&fix.replacement, &symbols[here.symbol], &symbols) {
            let upper = fix.replacement.starts_with(|c: char| c.is_ascii_uppercase());
            let case = if upper { "an upper-case" } else { "a lower-case" };
            found.help = Some(format!(
                "`{}` is taken already: choose another name that starts with {case} letter",
                fix.replacement
            ));
            found.fix = None;
            continue;
        }
        let uses = mentions.iter().filter(|mention| is_use(mention, here));
        fix.besides = uses
            .map(|mention| Edit { span: mention.span, replacement: fix.replacement.clone() })
            .collect();
    }
}

/// Whether records that may be read have a field of this enum: then its variants are words in data.
fn is_in_data(loaded: &Loaded, name: &str) -> bool {
    fn holds(ty: &Ty, name: &str) -> bool {
        match &ty.kind {
            TyKind::Name(own) => own == name,
            TyKind::List(item) => holds(item, name),
            TyKind::Vector(_) | TyKind::Bad => false,
        }
    }
    let items = loaded.files.iter().flat_map(|file| &file.items);
    items.into_iter().any(|item| match item {
        Item::Type(def) => def.fields.iter().any(|field| holds(&field.ty, name)),
        _ => false,
    })
}

fn is_use(mention: &Mention, declared: &Mention) -> bool {
    let (at, of) = (mention.span, declared.span);
    mention.symbol == declared.symbol && at != of && at.file == of.file
}

/// Whether something beside `symbol` has this name already.
fn taken(name: &str, symbol: &Symbol, symbols: &[Symbol]) -> bool {
    let is_type = |kind| matches!(kind, SymbolKind::Type | SymbolKind::Enum);
    symbols.iter().any(|other| {
        other.name == name
            && other.container == symbol.container
            && is_type(other.kind) == is_type(symbol.kind)
    })
}
