//! Prompts: typed templates.
//!
//! The text is scanned for the variables it uses and for what it reads of them, so that what is wrong
//! is shown at its place inside of the text.

use std::collections::BTreeSet;

use super::Checker;
use super::fit::required;
use super::names::Decl;
use super::rehearse::is_readable;
use super::template::{Read, Scan, plain_text, scan};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Template;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::Type;

/// What a call of a prompt needs to know.
#[derive(Debug, Clone)]
pub(crate) struct PromptType {
    pub(crate) params: Vec<(String, Type)>,
    pub(crate) template: usize,
}

impl<'a> Checker<'a> {
    pub(crate) fn check_prompts(&mut self) {
        let names: Vec<&'a str> = self.names.values.keys().copied().collect();
        for name in names {
            if let Some((_, Decl::Prompt(prompt))) = self.names.values.get(name).copied() {
                self.prompt(prompt);
            }
        }
    }

    fn prompt(&mut self, prompt: &'a ast::Prompt) {
        let mut params: Vec<(String, Type)> = Vec::new();
        for param in &prompt.params {
            if params.iter().any(|(name, _)| *name == param.name.text) {
                let message = format!("parameter `{}` is given twice", param.name.text);
                self.report(Diagnostic::error(codes::TWICE, param.name.span, message));
                continue;
            }
            let ty = self.ty(&param.ty);
            let name = &param.name.text;
            if !is_readable(name) {
                let message = format!("`{name}` is a word of templates and cannot be a parameter");
                self.report(
                    Diagnostic::error(codes::TEMPLATE_VARIABLE, param.name.span, message)
                        .help(format!("choose another, such as `{name}_`")),
                );
                continue;
            }
            params.push((param.name.text.clone(), ty));
        }
        let result = self.answer_type(prompt);
        let raw = self.input.sources.text(prompt.raw).to_owned();
        let mut said = BTreeSet::new();
        let before = self.diagnostics.len();
        let readable = self.is_template(prompt.raw, &raw, &prompt.text);
        let scan = if readable { scan(&raw) } else { Scan::default() };
        for Read { offset, name, .. } in &scan.reads {
            if params.iter().any(|(param, _)| param == name) || !said.insert(name) {
                continue;
            }
            let start = prompt.raw.start + *offset as u32;
            let span = Span { start, end: start + name.len() as u32, ..prompt.raw };
            let known = || params.iter().map(|(param, _)| param.as_str());
            let help = did_you_mean(name, known()).unwrap_or_else(|| {
                if params.is_empty() {
                    format!("declare it: `prompt {}({name}: string)`", prompt.name.text)
                } else {
                    format!("its parameters are {}", suggest::list(known()))
                }
            });
            let message = format!("prompt `{}` has no parameter `{name}`", prompt.name.text);
            self.report(Diagnostic::error(codes::TEMPLATE_VARIABLE, span, message).help(help));
        }
        self.attributes(prompt.raw, &scan, &params);
        // What the scan has found is not said twice.
        if self.diagnostics.len() == before {
            self.rehearse(prompt.raw, &raw, &prompt.text, &params);
        }
        for param in &prompt.params {
            // Where a name is misspelt, that was the use of it.
            if !readable
                || !is_readable(&param.name.text)
                || !said.is_empty()
                || scan.reads.iter().any(|read| read.name == param.name.text)
                || self.other_braces(prompt.raw, &raw, &param.name.text)
            {
                continue;
            }
            let name = &param.name.text;
            let message =
                format!("prompt `{}` does not use its parameter `{name}`", prompt.name.text);
            self.report(
                Diagnostic::warning(codes::UNUSED_PARAMETER, param.name.span, message)
                    .help(format!("its value stands in the text where `{{{{ {name} }}}}` is")),
            );
        }
        let template = self.templates.len();
        self.templates.push(Template {
            name: prompt.name.text.clone(),
            params: params.iter().map(|(name, _)| name.clone()).collect(),
            types: params.iter().map(|(_, ty)| ty.clone()).collect(),
            text: prompt.text.clone(),
            result,
        });
        self.prompts.insert(prompt.name.text.clone(), PromptType { params, template });
    }
}

impl Checker<'_> {
    /// What is read of a parameter, and of an element of one, against its type.
    fn attributes(&mut self, place: Span, scan: &Scan, params: &[(String, Type)]) {
        let ty_of = |name: &str| params.iter().find(|(param, _)| param == name).map(|(_, ty)| ty);
        for read in scan.reads.iter().chain(&scan.own) {
            let ty = match scan.elements.get(&read.name) {
                None => ty_of(&read.name).cloned(),
                Some(list) => list.as_ref().and_then(|list| {
                    let (first, fields) = list.split_first()?;
                    let field = |ty: Type, name: &String| match required(&ty) {
                        Type::Record(record) => record.field(name).map(|(_, it)| it.ty.clone()),
                        _ => None,
                    };
                    let list = fields.iter().try_fold(ty_of(first)?.clone(), field)?;
                    match required(&list) {
                        Type::List(item) => Some(item.as_ref().clone()),
                        _ => None,
                    }
                }),
            };
            if let Some(ty) = ty {
                self.path(place, read, ty);
            }
        }
    }

    fn path(&mut self, place: Span, read: &Read, mut ty: Type) {
        let mut before = read.name.clone();
        for (number, (offset, name)) in read.path.iter().enumerate() {
            let start = place.start + *offset as u32;
            let span = Span { start, end: start + name.len() as u32, ..place };
            let called = read.called && number + 1 == read.path.len();
            let (message, help) = match required(&ty) {
                Type::Unknown => return,
                Type::Record(record) => {
                    if let Some((_, field)) = record.field(name) {
                        ty = field.ty.clone();
                        before = format!("{before}.{name}");
                        continue;
                    }
                    let known = || record.fields.iter().map(|field| field.name.as_str());
                    let help = did_you_mean(name, known())
                        .unwrap_or_else(|| format!("its fields are {}", suggest::list(known())));
                    (format!("{} has no field `{name}`", record.name), help)
                }
                other => {
                    let help = match other {
                        _ if called => {
                            format!("a filter stands behind `|`: `{{{{ {before} | {name} }}}}`")
                        }
                        Type::List(_) => format!(
                            "go through it: `{{% for it in {before} %}}{{{{ it }}}}{{% endfor %}}`; how \
                             many there are is `{{{{ {before} | length }}}}`"
                        ),
                        _ => format!("its value is `{{{{ {before} }}}}`"),
                    };
                    (format!("`{before}` is {other}, which has no `{name}`"), help)
                }
            };
            self.report(Diagnostic::error(codes::TEMPLATE_VARIABLE, span, message).help(help));
            return;
        }
    }

    /// Says so when a text names a parameter as other languages do, which leaves it as it stands.
    fn other_braces(&mut self, place: Span, text: &str, name: &str) -> bool {
        let forms = ["${_}", "${ _ }", "{_}", "{ _ }", "<_>"].map(|form| form.replace('_', name));
        let text = plain_text(text);
        let found = forms.iter().find_map(|form| Some((text.find(form.as_str())?, form)));
        if let Some((at, form)) = found {
            let start = place.start + at as u32;
            let span = Span { start, end: start + form.len() as u32, ..place };
            let message = format!("`{form}` is text, and not the value of `{name}`");
            let right = format!("{{{{ {name} }}}}");
            let warning = Diagnostic::warning(codes::TEMPLATE_VARIABLE, span, message)
                .help(format!("write `{right}`"));
            // Behind a command of TeX the text in braces may well be meant.
            let word = text[..at].rsplit(char::is_whitespace).next().unwrap_or("");
            let fixed = !form.starts_with('{') || !word.contains('\\');
            self.report(if fixed { warning.fix(span, right) } else { warning });
        }
        found.is_some()
    }
}
