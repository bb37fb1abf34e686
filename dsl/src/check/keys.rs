//! Keys that would be written down: a plan is kept beside the results of its run, and shown.
//!
//! Whether a text is a key cannot be told from it, so this goes by names, and only warns.

use super::Checker;
use super::names::Decl;
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::types::Value;

/// Words that make what a name stands for a secret.
const SECRET: [&str; 10] = [
    "key",
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "auth",
];
/// Fields of a header that have such a word and are none.
const HARMLESS: [&str; 1] = ["idempotency-key"];
/// Shown in place of a secret.
const HIDDEN: &str = "***";

/// Whether a name speaks of a secret.
fn is_secret(name: &str) -> bool {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_lowercase).any(|word| SECRET.contains(&word.as_str()))
}

/// The name in an address, or a field of a header, whose value looks like a key.
fn key_in<'t>(option: &str, text: &'t str) -> Option<&'t str> {
    match option {
        "header" => {
            let (name, value) = text.split_once(':')?;
            let lower = name.trim().to_lowercase();
            let secret = is_secret(&lower) || lower == "cookie";
            (secret && !value.trim().is_empty() && !HARMLESS.contains(&lower.as_str()))
                .then_some(name.trim())
        }
        "url" => {
            let (_, query) = text.split_once('?')?;
            let query = query.split('#').next().unwrap_or(query);
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, value)| is_secret(name) && !value.is_empty()).map(|it| it.0).next()
        }
        _ => None,
    }
}

impl Checker<'_> {
    /// Warns of a key in the text of an option.
    pub(super) fn warn_of_key(&mut self, option: &str, written: &ast::Expr) {
        let ExprKind::Literal(Value::String(text)) = &written.kind else { return };
        let Some(name) = key_in(option, text) else { return };
        let message =
            format!("`{name}` looks like a key, and is written into the plan of each run");
        self.report(Diagnostic::warning(codes::KEY_IN_PROGRAM, written.span, message).help(
            "where the server takes `Authorization: Bearer`, give it by `token: env(\"NAME\")`, which \
             is read when the run starts and never written",
        ));
    }

    /// Warns of a variable with a secret whose value becomes a part of the plan.
    pub(super) fn warn_of_secret(&mut self, variable: &str, call: &ast::Call) {
        if is_secret(variable) {
            let message = format!(
                "what `{variable}` holds is written into the plan of each run where it is used"
            );
            self.report(Diagnostic::warning(codes::KEY_IN_PROGRAM, call.span, message).help(
                "options such as `api_key: env(...)` and `token: env(...)` read it when the run starts \
                 and write it nowhere",
            ));
        }
    }

    /// What reports show of a param.
    pub(super) fn shown_param(&self, name: &str, value: &Value) -> Value {
        let hidden = || Value::String(HIDDEN.to_owned());
        let Some((_, Decl::Param(param))) = self.names.values.get(name) else {
            return value.clone();
        };
        let Some(ExprKind::Call(call)) = param.default.as_ref().map(|default| &default.kind) else {
            return value.clone();
        };
        let variable = call.args.first().map(|arg| &arg.value.kind);
        match variable {
            Some(ExprKind::Literal(Value::String(variable)))
                if call.name.text == "env" && (is_secret(variable) || is_secret(name)) =>
            {
                hidden()
            }
            _ => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_names() {
        let cases = [
            ("header", "X-Api-Key: sk-1", Some("X-Api-Key")),
            ("header", "cookie: a=b", Some("cookie")),
            ("header", "X-Team: search", None),
            ("header", "Idempotency-Key: 7", None),
            ("header", "X-Api-Key:", None),
            ("url", "http://h/p?limit=3&api_key=sk-1#x", Some("api_key")),
            ("url", "http://h/p?max_tokens=3", None),
            ("url", "http://h/p?token=", None),
            ("url", "http://h/token=3", None),
            ("at", "http://h/p?token=3", None),
        ];
        for (option, text, found) in cases {
            assert_eq!(key_in(option, text), found, "{text}");
        }
    }
}
