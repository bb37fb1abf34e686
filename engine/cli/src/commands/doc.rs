//! `doc`: the reference page of one name, straight from the registries.

use sage_dsl::catalog::{Kind, Param, Signature};

use crate::catalog::catalog;
use crate::exit::{Exit, usage};

pub(crate) fn doc(name: Option<&str>) -> anyhow::Result<Exit> {
    let pages = pages();
    let Some(name) = name else {
        for (kind, page) in &pages {
            println!("{kind:<9} {:<14} {}", page.signature.name, page.signature.summary);
        }
        for function in sage_dsl::FUNCTIONS {
            println!("{:<9} {:<14} {}", "function", function.name, function.doc);
        }
        return Ok(Exit::Complete);
    };
    let mut found = false;
    for (kind, page) in pages.iter().filter(|(_, page)| page.signature.name == name) {
        show(kind, page);
        found = true;
    }
    for function in sage_dsl::FUNCTIONS.iter().filter(|function| function.name == name) {
        println!("function {}\n  {}\n", function.signature, function.doc);
        found = true;
    }
    if found {
        return Ok(Exit::Complete);
    }
    let names = pages.iter().map(|(_, page)| page.signature.name);
    let nearest = names
        .chain(sage_dsl::FUNCTIONS.iter().map(|function| function.name))
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let hint = nearest.map_or_else(
        || "; `sage-flow doc` lists all names".to_owned(),
        |(_, known)| format!(", did you mean `{known}`?"),
    );
    Err(usage(format!("nothing is called `{name}`{hint}")))
}

struct Page {
    signature: &'static Signature,
    options: &'static [Param],
}

fn pages() -> Vec<(&'static str, Page)> {
    let catalog = catalog();
    let plain = |signature: &&'static Signature| Page { signature, options: &[] };
    let mut pages: Vec<_> = catalog
        .stages
        .iter()
        .map(|spec| ("stage", Page { signature: &spec.signature, options: spec.options }))
        .collect();
    pages.extend(catalog.sources.iter().map(|signature| ("source", plain(signature))));
    pages.extend(catalog.documents.iter().map(|signature| ("documents", plain(signature))));
    pages.extend(catalog.sinks.iter().map(|signature| ("sink", plain(signature))));
    pages.extend(catalog.policies.iter().map(|signature| ("policy", plain(signature))));
    pages
}

fn show(kind: &str, page: &Page) {
    let Page { signature, options } = page;
    println!("{kind} {}\n  {}\n", signature.name, signature.summary);
    parameters("parameters", signature.params);
    parameters("options", options);
    if signature.takes_fields {
        println!("  Further named arguments fill fields of the record.\n");
    }
    println!("example\n  {}\n", signature.example);
}

fn parameters(title: &str, params: &[Param]) {
    if params.is_empty() {
        return;
    }
    println!("{title}");
    for param in params {
        let default =
            param.default.map_or_else(|| "required".to_owned(), |d| format!("default {d}"));
        println!("  {:<12} {:<14} {default}", param.name, kind_name(param.kind));
        println!("  {:<12} {}", "", param.doc);
    }
    println!();
}

fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Int => "int".into(),
        Kind::Count(least, most) => format!("{least} to {most}"),
        Kind::Float => "float".into(),
        Kind::Bool => "bool".into(),
        Kind::String => "string".into(),
        Kind::Duration => "duration".into(),
        Kind::Tokens => "tokens".into(),
        Kind::Size => "size".into(),
        Kind::Vector => "vector".into(),
        Kind::Hits => "list of hits".into(),
        Kind::Index => "an index".into(),
        Kind::Any => "any".into(),
        Kind::Path => "path".into(),
        Kind::Paths => "paths".into(),
        Kind::Word(words) => words.join("|"),
        Kind::Distribution => "distribution".into(),
    }
}
