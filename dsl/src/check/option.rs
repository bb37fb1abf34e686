//! Options of blocks, and references to declarations: what is unknown, and where it would be known.

use super::Checker;
use super::Scope;
use super::endpoint::ENDPOINT_OPTIONS;
use super::foreign_option::Instead;
use super::leaf::{INDEX_OPTIONS, SOURCE_OPTIONS};
use super::schedule::SCHEDULE_OPTIONS;
use crate::ast::{self, ExprKind};
use crate::catalog::Param;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::suggest::{self, did_you_mean};
use crate::types::Value;

impl Checker<'_> {
    /// Says that `name` is no declared source, sink, endpoint or index.
    pub(crate) fn wrong_reference(
        &mut self,
        name: &ast::Name,
        wanted: &str,
        known: &[String],
        declare: &str,
    ) {
        if self.names.is_poisoned(&name.text) || self.full() {
            return;
        }
        let found = self.names.values.get(name.text.as_str()).copied();
        let mut diagnostic = if let Some((span, decl)) = found {
            let message =
                format!("`{}` is {}, not the name of a declared {wanted}", name.text, decl.kind());
            Diagnostic::error(codes::WRONG_DECLARATION, name.span, message)
                .also(span, "declared here")
        } else {
            let message = format!("unknown {wanted} `{}`", name.text);
            Diagnostic::error(codes::UNKNOWN_NAME, name.span, message)
        };
        let names = || known.iter().map(String::as_str);
        diagnostic = diagnostic.help(did_you_mean(&name.text, names()).unwrap_or_else(|| {
            if known.is_empty() {
                format!("declare it: `{declare}`")
            } else {
                format!("declared are {}", suggest::list(names()))
            }
        }));
        self.report(diagnostic);
    }

    /// Options of a block against `known`, defaults filled in.
    pub(crate) fn options(
        &mut self,
        block: &ast::Block,
        known: &[Param],
        what: &str,
    ) -> Vec<(String, Value)> {
        let names: Vec<&str> = known.iter().map(|param| param.name).collect();
        for entry in &block.entries {
            if !names.contains(&entry.key.text.as_str()) {
                self.unknown_option(&entry.key, &names, what);
            }
        }
        let mut values = Vec::new();
        for param in known {
            let entry = block.entries.iter().find(|entry| entry.key.text == param.name);
            let value = match entry {
                Some(entry) => self.setting(param, &entry.value, &Scope::constant(), true),
                None => self.default(param, block.span),
            };
            if entry.is_none() && !param.optional() && !block.broken {
                let message = format!("{what} needs the option `{}`", param.name);
                self.report(Diagnostic::error(codes::MISSING_OPTION, block.span, message));
            }
            values.extend(value.map(|value| (param.name.to_owned(), value)));
        }
        values
    }

    /// Says that an option is unknown, and where it would be known.
    pub(crate) fn unknown_option(&mut self, key: &ast::Name, known: &[&str], what: &str) {
        if self.full() {
            return;
        }
        let name = key.text.as_str();
        let message = format!("unknown option `{name}` for {what}");
        let close = did_you_mean(name, known.iter().copied());
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_OPTION, key.span, message);
        if let Some(instead) = super::foreign_option::instead_of(name, what, known) {
            diagnostic = match instead {
                Instead::Option(meant) => {
                    diagnostic.help(format!("it is called `{meant}`")).fix(key.span, meant)
                }
                Instead::Other(help) => diagnostic.help(help),
            };
        } else if let Some(help) = close {
            diagnostic = diagnostic.help(help);
        } else if let Some(place) = self.home_of(name) {
            diagnostic =
                diagnostic.help(format!("`{name}` is an option of {place}; move it there"));
        } else if known.is_empty() {
            diagnostic = diagnostic.help(format!("{what} has no options"));
        } else {
            diagnostic =
                diagnostic.help(format!("options are {}", suggest::list(known.iter().copied())));
        }
        self.report(diagnostic);
    }

    /// Where an option of this name is valid.
    fn home_of(&self, name: &str) -> Option<String> {
        if SCHEDULE_OPTIONS.contains(&name) {
            return Some("`schedule`".to_owned());
        }
        if ENDPOINT_OPTIONS.contains(&name) {
            return Some("`endpoint`".to_owned());
        }
        if INDEX_OPTIONS.contains(&name) {
            return Some("`index`".to_owned());
        }
        if SOURCE_OPTIONS.iter().any(|option| option.name == name) {
            return Some("`source`".to_owned());
        }
        let stages = self.input.catalog.stages.iter();
        let with: Vec<&str> = stages
            .filter(|spec| spec.options.iter().any(|option| option.name == name))
            .map(|spec| spec.signature.name)
            .take(3)
            .collect();
        (!with.is_empty()).then(|| format!("the stage {}", suggest::list(with)))
    }

    /// Says that a text stands without quotes, if that is what it is.
    pub(crate) fn bare_text(&mut self, param: &Param, written: &ast::Expr) -> bool {
        let ExprKind::Name(name) = &written.kind else { return false };
        if self.names.values.contains_key(name.as_str()) || self.names.is_poisoned(name) {
            return false;
        }
        let quoted = format!("\"{name}\"");
        let message = format!("`{}` is a text, in quotes", param.name);
        self.report(
            Diagnostic::error(codes::TYPE_MISMATCH, written.span, message)
                .help(format!("write `{quoted}`"))
                .fix(written.span, quoted),
        );
        true
    }

    /// Says that one path is due where several stand, if so.
    pub(crate) fn list_of_paths(&mut self, written: &ast::Expr) -> bool {
        let several = matches!(&written.kind, ExprKind::List(_));
        if several {
            let message = "one path is due here";
            let help = "join the files, or write a `source` for each; records of two are brought \
                        together by `join`";
            self.report(Diagnostic::error(codes::TYPE_MISMATCH, written.span, message).help(help));
        }
        several
    }

    /// Says that a path stands without quotes, if that is what it is.
    pub(crate) fn bare_path(&mut self, written: &ast::Expr) -> bool {
        let text = self.input.sources.text(written.span);
        let start = text.split(['/', '.']).next().unwrap_or("");
        let path = matches!(written.kind, ExprKind::Binary(..) | ExprKind::Field(..))
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
            && !self.names.values.contains_key(start);
        if path {
            let quoted = format!("\"{text}\"");
            self.report(
                Diagnostic::error(codes::TYPE_MISMATCH, written.span, "a path stands in quotes")
                    .help(format!("write `{quoted}`"))
                    .fix(written.span, quoted),
            );
        }
        path
    }
}
