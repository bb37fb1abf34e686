//! Endpoints: shared services, where they are and how they may be used.
//!
//! Everything is settled here: a plan holds numbers and addresses, no words of the program, so that
//! the gateway has nothing left to refuse when a run begins.

mod address;
mod money;
mod rules;

use super::foreign_option;
use super::names::Decl;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::catalog::{Kind, Param};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{EndpointPlan, RetryPlan};
use crate::span::Span;
use crate::suggest::did_you_mean;
use crate::types::{Type, Value};

pub(crate) use rules::MAX_CONCURRENCY;

/// Options of an `endpoint` block.
pub(crate) const ENDPOINT_OPTIONS: &[&str] =
    &["url", "model", "concurrency", "limits", "retry", "hedge", "balance", "price", "api_key"];

/// Words that stand inside of an option, and how.
const INSIDE: &[(&str, &str)] = &[
    ("latency_target", "concurrency: auto(latency_target: 2s)"),
    ("max", "concurrency: auto(max: 256)"),
    ("base", "retry: backoff(base: 200ms)"),
    ("cap", "retry: backoff(cap: 10s)"),
    ("budget", "retry: backoff(budget: 10%)"),
    ("quantile", "hedge: quantile(95%)"),
    ("requests", "limits: { requests: 3000/min }"),
    ("tokens", "limits: { tokens: 600_000/min }"),
    ("input", "price: { input: 0.15/Mtok }"),
    ("output", "price: { output: 0.60/Mtok }"),
    ("replicas", "url: [\"http://a:8000\", \"http://b:8000\"]"),
];

/// Most calls in flight that `auto` tries when no bound is given.
const AUTO_MAX: u32 = 256;

const BALANCE: Param = Param {
    name: "balance",
    kind: Kind::Word(&["least_tokens", "prefix_affinity"]),
    default: Some("least_tokens"),
    doc: "which of several servers a call goes to",
};

/// Position of an endpoint; `None` when the name is wrong and was reported.
pub(crate) struct EndpointRef(pub(crate) Option<usize>);

impl<'a> Checker<'a> {
    pub(crate) fn check_endpoints(&mut self) {
        let declared: Vec<&'a ast::Endpoint> = self
            .names
            .values
            .values()
            .filter_map(|(_, decl)| if let Decl::Endpoint(it) = decl { Some(*it) } else { None })
            .collect();
        for endpoint in declared {
            let plan = self.endpoint(endpoint);
            self.endpoints.push(plan);
        }
    }

    fn endpoint(&mut self, endpoint: &'a ast::Endpoint) -> EndpointPlan {
        let mut plan = EndpointPlan {
            name: endpoint.name.text.clone(),
            url: String::new(),
            replicas: Vec::new(),
            affinity: false,
            model: String::new(),
            concurrency: None,
            concurrency_max: AUTO_MAX,
            latency_target_ns: None,
            hedge: None,
            retry: RetryPlan::default(),
            requests_per_s: None,
            tokens_per_s: None,
            price_input_per_mtok: None,
            price_output_per_mtok: None,
            api_key_env: None,
            line: self.line(endpoint.name.span),
        };
        let mut balance: Option<Span> = None;
        for entry in &endpoint.block.entries {
            let value = &entry.value;
            match entry.key.text.as_str() {
                "url" => self.urls(value, &mut plan),
                "model" => {
                    plan.model = self.text_setting(value).unwrap_or_default();
                    if matches!(&value.kind, ExprKind::Literal(Value::String(text)) if text.trim().is_empty())
                    {
                        let message = "the name of a model is not empty";
                        self.report(Diagnostic::error(codes::BAD_OPTION, value.span, message));
                    }
                }
                "concurrency" => self.concurrency(value, &mut plan),
                "limits" => self.limits(value, &mut plan),
                "retry" => self.retry(value, &mut plan.retry),
                "hedge" => self.hedge(value, &mut plan),
                "balance" => {
                    balance = Some(entry.key.span);
                    let word = self.setting(&BALANCE, value, &Scope::setting(), false);
                    plan.affinity =
                        word.as_ref().and_then(Value::as_str) == Some("prefix_affinity");
                }
                "price" => self.price(value, &mut plan),
                "api_key" => plan.api_key_env = self.secret("api_key", value),
                _ => self.unknown_entry(&entry.key),
            }
        }
        self.served(endpoint, &plan);
        self.incomplete(endpoint, &plan);
        if let Some(span) = balance.filter(|_| plan.replicas.is_empty() && !plan.url.is_empty()) {
            let message = "`balance` chooses among several servers, but there is one";
            self.report(
                Diagnostic::warning(codes::NO_EFFECT, span, message)
                    .help("list them, as in `url: [\"http://a:8000\", \"http://b:8000\"]`"),
            );
        }
        plan
    }

    /// Says that an option is unknown, or inside of which one it is known.
    fn unknown_entry(&mut self, key: &ast::Name) {
        let Some((name, form)) = INSIDE.iter().find(|(name, _)| *name == key.text) else {
            self.unknown_option(key, ENDPOINT_OPTIONS, "an endpoint");
            return;
        };
        let message = format!("unknown option `{name}` for an endpoint");
        self.report(
            Diagnostic::error(codes::UNKNOWN_OPTION, key.span, message)
                .help(format!("write `{form}`")),
        );
    }

    /// Says what is missing in the block of an endpoint.
    fn incomplete(&mut self, endpoint: &ast::Endpoint, plan: &EndpointPlan) {
        let has = |name: &str| endpoint.block.entries.iter().any(|entry| entry.key.text == name);
        if endpoint.block.broken {
            return;
        }
        let by_another_name = endpoint.block.entries.iter().any(|entry| {
            foreign_option::instead_of(&entry.key.text, "an endpoint", &["url"])
                == Some(foreign_option::Instead::Option("url"))
        });
        if !has("url") && !by_another_name {
            let message = format!("endpoint `{}` has no `url`", plan.name);
            self.report(
                Diagnostic::error(codes::MISSING_OPTION, endpoint.name.span, message).help(
                    "as in `url: \"http://localhost:8000/v1\"` or `url: \"sim:a100/qwen2.5-7b\"`",
                ),
            );
        }
        let real = std::iter::once(&plan.url).chain(&plan.replicas).any(|url| {
            // A simulated server brings the name of its model along.
            url.starts_with("http")
        });
        if real && !has("model") {
            let message = format!("endpoint `{}` has no `model`", plan.name);
            self.report(
                Diagnostic::error(codes::MISSING_OPTION, endpoint.name.span, message).help(
                    "name one that the server offers, as in `model: \"Qwen/Qwen2.5-7B-Instruct\"`",
                ),
            );
        }
    }

    pub(crate) fn text_setting(&mut self, written: &ast::Expr) -> Option<String> {
        match self.constant(written, &Scope::setting(), &Type::String)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn count(
        &mut self,
        what: &str,
        written: &ast::Expr,
        least: u32,
        most: u32,
    ) -> Option<u32> {
        let value = self.constant(written, &Scope::constant(), &Type::Int)?;
        // `4 tokens` is an int to the type system, but nobody means that.
        let tokens = matches!(written.kind, ExprKind::Literal(Value::Tokens(_)));
        let count = value
            .as_int()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (least..=most).contains(n) && !tokens);
        if count.is_none() {
            let message = format!("`{what}` is a whole number from {least} to {most}");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        count
    }

    /// Says that an option takes other rules; `words` are those it knows.
    pub(crate) fn unknown_rule(
        &mut self,
        what: &str,
        written: &ast::Expr,
        words: &[&str],
        form: &str,
    ) {
        let given = match &written.kind {
            ExprKind::Name(name) => Some(name.as_str()),
            ExprKind::Call(call) => Some(call.name.text.as_str()),
            _ => None,
        };
        let message = match given {
            Some(given) => format!("`{what}` does not take `{given}`"),
            None => format!("`{what}` does not take this value"),
        };
        let close = given.and_then(|given| {
            let others = words.iter().copied().filter(|word| *word != given);
            did_you_mean(given, others)
        });
        let help = close.unwrap_or_else(|| form.to_owned());
        self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message).help(help));
    }

    /// Entries of an inner block, with the names it may have.
    fn inner<'e>(
        &mut self,
        written: &'e ast::Expr,
        what: &str,
        names: &[&str],
        form: &str,
    ) -> Vec<&'e ast::Entry> {
        let ExprKind::Record(None, block) = &written.kind else {
            let message = format!("`{what}` is a block of its own");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message).help(form));
            return Vec::new();
        };
        let mut known = Vec::new();
        for entry in &block.entries {
            if names.contains(&entry.key.text.as_str()) {
                known.push(entry);
            } else {
                self.unknown_option(&entry.key, names, &format!("`{what}`"));
            }
        }
        known
    }

    /// The variable that `what` names by `env("NAME")`; its value is read where it is needed.
    pub(crate) fn secret(&mut self, what: &str, written: &ast::Expr) -> Option<String> {
        if let ExprKind::Call(call) = &written.kind
            && let (true, [arg]) = (call.name.text == "env", call.args.as_slice())
            && let ExprKind::Literal(Value::String(name)) = &arg.value.kind
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Some(name.clone());
        }
        let variable = if what == "api_key" { "SAGE_API_KEY" } else { "SAGE_TOKEN" };
        // `"$NAME"` and `"${NAME}"` name a variable as a shell does.
        let of_shell = match &written.kind {
            ExprKind::Literal(Value::String(text)) => text.strip_prefix('$'),
            _ => None,
        };
        let bare = |name: &'_ str| name.trim_start_matches('{').trim_end_matches('}').to_owned();
        let of_shell = of_shell.map(bare).filter(|name| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        });
        let named = of_shell.as_deref().unwrap_or(variable);
        let message = "a key does not belong in a program";
        let diagnostic = Diagnostic::error(codes::KEY_IN_PROGRAM, written.span, message)
            .help(format!("name the variable that holds it: `{what}: env(\"{named}\")`"));
        self.report(match &of_shell {
            Some(name) => diagnostic.fix(written.span, format!("env(\"{name}\")")),
            None => diagnostic,
        });
        None
    }

    /// An endpoint by its bare name.
    pub(crate) fn endpoint_named(&mut self, written: &ast::Expr) -> Option<EndpointRef> {
        if let ExprKind::Name(text) = &written.kind {
            let name = ast::Name { text: text.clone(), span: written.span };
            return Some(self.endpoint_ref(&name));
        }
        let message = "the name of an endpoint is needed here";
        self.report(Diagnostic::error(codes::WRONG_DECLARATION, written.span, message));
        None
    }

    pub(crate) fn endpoint_ref(&mut self, name: &ast::Name) -> EndpointRef {
        if let Some(at) = self.endpoints.iter().position(|plan| plan.name == name.text) {
            self.used.insert(name.text.clone());
            return EndpointRef(Some(at));
        }
        let known: Vec<String> = self.endpoints.iter().map(|plan| plan.name.clone()).collect();
        let declare = format!("endpoint {} {{ url: \"...\", model: \"...\" }}", name.text);
        self.wrong_reference(name, "endpoint", &known, &declare);
        EndpointRef(None)
    }
}
