//! The catalog itself against the language: what a leaf says of itself must be readable.

use super::argument::default_expr;
use super::{Checker, Inputs, Names};
use crate::catalog::{Catalog, Kind, Param, Signature};
use crate::parse;
use crate::span::{SourceMap, Span};

/// Everything wrong with a catalog: defaults and examples that cannot be read, names that come
/// twice. Meant for a test where the catalog is put together.
pub fn check_catalog(catalog: &Catalog) -> Vec<String> {
    let sources = SourceMap::default();
    let input = Inputs {
        catalog,
        sources: &sources,
        overrides: &[],
        env: &|_| None,
        incomplete: false,
        watched: false,
    };
    let mut checker = Checker::new(input, Names::default());
    let mut problems = Vec::new();
    let stages: Vec<&'static Signature> =
        catalog.stages.iter().map(|spec| &spec.signature).collect();
    let lists: [(&str, &[&'static Signature]); 5] = [
        ("stage", &stages),
        ("source", catalog.sources),
        ("documents", catalog.documents),
        ("sink", catalog.sinks),
        ("policy", catalog.policies),
    ];
    for (what, list) in lists {
        for (at, signature) in list.iter().enumerate() {
            let name = signature.name;
            if list[..at].iter().any(|other| other.name == name) {
                problems.push(format!("{what} {name} is listed twice"));
            }
            if !signature.example.is_empty() && !parse::is_line(signature.example) {
                problems.push(format!("{what} {name}: the example cannot be read"));
            }
            checker.defaults(signature.params, &format!("{what} {name}"), &mut problems);
        }
    }
    for spec in catalog.stages {
        let what = format!("option of stage {}", spec.signature.name);
        checker.defaults(spec.options, &what, &mut problems);
        if let Some(option) = spec.options.iter().find(|option| !option.optional()) {
            problems.push(format!("{what}: {} has no default", option.name));
        }
    }
    problems
}

impl Checker<'_> {
    fn defaults(&mut self, params: &[Param], what: &str, problems: &mut Vec<String>) {
        let nowhere = Span { file: 0, start: 0, end: 0 };
        for param in params {
            let Some(text) = param.default else { continue };
            let per_record = matches!(param.kind, Kind::Index | Kind::Hits | Kind::Documents);
            let good = match default_expr(param, text, nowhere) {
                // A field, as in `.text`, is a default that only a record can resolve.
                Some(_) if text.starts_with('.') => true,
                _ if per_record => text == "null",
                _ => self.default(param, nowhere).is_some(),
            };
            if !good {
                problems
                    .push(format!("{what}: the default `{text}` of {} does not fit", param.name));
            }
        }
    }
}
