//! Prompts: typed templates.
//!
//! The text is scanned for the variables it uses; a full template engine is not needed to tell that
//! a name is misspelt, and the place can be shown inside of the text.

use std::collections::BTreeSet;

use super::Checker;
use super::names::Decl;
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

/// Words of the template language that are no variables.
const WORDS: &[&str] = &[
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "in",
    "endfor",
    "set",
    "endset",
    "not",
    "and",
    "or",
    "is",
    "true",
    "false",
    "none",
    "loop",
    "block",
    "endblock",
    "filter",
    "endfilter",
    "macro",
    "endmacro",
    "with",
    "endwith",
    "range",
    "recursive",
    "raw",
    "endraw",
    "autoescape",
    "endautoescape",
    "True",
    "False",
    "None",
];

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
            params.push((param.name.text.clone(), ty));
        }
        let result = self.answer_type(prompt);
        let raw = self.input.sources.text(prompt.raw).to_owned();
        let mut said = BTreeSet::new();
        for (offset, name) in variables(&raw) {
            if params.iter().any(|(param, _)| *param == name) || !said.insert(name.clone()) {
                continue;
            }
            let start = prompt.raw.start + offset as u32;
            let span = Span { start, end: start + name.len() as u32, ..prompt.raw };
            let known = || params.iter().map(|(param, _)| param.as_str());
            let help = did_you_mean(&name, known()).unwrap_or_else(|| {
                if params.is_empty() {
                    format!("declare it: `prompt {}({name}: string)`", prompt.name.text)
                } else {
                    format!("its parameters are {}", suggest::list(known()))
                }
            });
            let message = format!("prompt `{}` has no parameter `{name}`", prompt.name.text);
            self.report(Diagnostic::error(codes::TEMPLATE_VARIABLE, span, message).help(help));
        }
        for (name, _) in &params {
            self.other_braces(prompt.raw, &raw, name);
        }
        let template = self.templates.len();
        self.templates.push(Template {
            name: prompt.name.text.clone(),
            params: params.iter().map(|(name, _)| name.clone()).collect(),
            text: prompt.text.clone(),
            result,
        });
        self.prompts.insert(prompt.name.text.clone(), PromptType { params, template });
    }
}

impl Checker<'_> {
    /// Says so when a text names a parameter as other languages do, which leaves it as it stands.
    fn other_braces(&mut self, place: Span, text: &str, name: &str) {
        if variables(text).iter().any(|(_, used)| used == name) {
            return;
        }
        let forms = [format!("${{{name}}}"), format!("{{{name}}}"), format!("<{name}>")];
        let found = forms.iter().find_map(|form| Some((text.find(form.as_str())?, form)));
        if let Some((at, form)) = found {
            let start = place.start + at as u32;
            let span = Span { start, end: start + form.len() as u32, ..place };
            let message = format!("`{form}` is text, and not the value of `{name}`");
            let right = format!("{{{{ {name} }}}}");
            self.report(
                Diagnostic::warning(codes::TEMPLATE_VARIABLE, span, message)
                    .help(format!("write `{right}`"))
                    .fix(span, right),
            );
        }
    }
}

/// Variables a template reads, with their offsets.
pub(crate) fn variables(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut bound: BTreeSet<String> = BTreeSet::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|n| at + n) {
        let (close, code) = match text.as_bytes().get(open + 1) {
            Some(b'{') => ("}}", true),
            Some(b'%') => ("%}", true),
            Some(b'#') => ("#}", false),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let end = text[open + 2..].find(close).map_or(text.len(), |n| open + 2 + n);
        if code {
            let inner = &text[open + 2..end];
            let tag = inner.trim_matches(['-', '+', ' ', '\n', '\t']);
            if tag == "raw" {
                at = text[end..].find("endraw").map_or(text.len(), |n| end + n);
                continue;
            }
            let binds =
                tag.starts_with("for ") || tag.starts_with("set ") || tag.starts_with("with ");
            names(inner, open + 2, binds, &mut bound, &mut found);
        }
        at = (end + 2).min(text.len());
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    found.retain(|(_, name)| !bound.contains(name));
    found
}

/// Names in the code of one tag.
fn names(
    code: &str,
    base: usize,
    binds: bool,
    bound: &mut BTreeSet<String>,
    found: &mut Vec<(usize, String)>,
) {
    let bytes = code.as_bytes();
    let mut at = 0;
    let mut binding = false;
    let mut test = false;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'"' || byte == b'\'' {
            at += 1;
            while at < bytes.len() && bytes[at] != byte {
                at += 1 + usize::from(bytes[at] == b'\\');
            }
            at += 1;
            continue;
        }
        if !byte.is_ascii_alphabetic() && byte != b'_' {
            if byte == b'=' {
                binding = false;
            }
            at += 1;
            if byte.is_ascii_digit() {
                while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
                    at += 1;
                }
            }
            continue;
        }
        let start = at;
        while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
            at += 1;
        }
        let name = &code[start..at];
        let before = code[..start].trim_end();
        let after = code[at..].trim_start();
        let attribute = before.ends_with('.') || before.ends_with('|');
        let keyword_argument = after.starts_with('=') && !after.starts_with("==") && !binding;
        match name {
            "for" | "set" | "with" if binds => binding = true,
            "in" => binding = false,
            "is" => test = true,
            "not" => {}
            _ if test => test = false,
            _ if binding => {
                bound.insert(name.to_owned());
            }
            _ if attribute || keyword_argument || WORDS.contains(&name) => {}
            _ if after.starts_with('(') => {}
            _ => found.push((base + start, name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<String> = variables(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn variables_are_found_in_tags_only() {
        check("plain { x } text", &[]);
        check("{{ a }} and {{ b.c | upper }}", &["a", "b"]);
        check("{% for d in docs %}{{ d.text }}{{ loop.index }}{% endfor %}", &["docs"]);
        check("{% if q is defined and not r %}{{ \"s\" }}{% endif %}", &["q", "r"]);
        check("{# {{ no }} #}{{ join(xs, sep='x') }}{{ 3e5 }}", &["xs"]);
        check("{{ open", &["open"]);
        check("{%- set y = x -%}{{ y }}", &["x"]);
        check("{{ \"unclosed", &[]);
    }
}
