//! Endpoints: shared services and their limits.

use super::names::Decl;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{EndpointPlan, RetryPlan};
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// Options of an `endpoint` block.
pub(crate) const ENDPOINT_OPTIONS: &[&str] =
    &["url", "model", "concurrency", "limits", "retry", "price", "api_key"];

/// Most calls in flight that `auto` tries when no bound is given.
const AUTO_MAX: u32 = 256;

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
        let mut has_url = false;
        for entry in &endpoint.block.entries {
            let value = &entry.value;
            match entry.key.text.as_str() {
                "url" => {
                    has_url = true;
                    if let Some(url) = self.text_setting(value) {
                        self.check_url(&url, value.span);
                        plan.url = url;
                    }
                }
                "model" => plan.model = self.text_setting(value).unwrap_or_default(),
                "concurrency" => self.concurrency(value, &mut plan),
                "limits" => self.limits(value, &mut plan),
                "retry" => self.retry(value, &mut plan.retry),
                "price" => self.price(value, &mut plan),
                "api_key" => plan.api_key_env = self.api_key(value),
                _ => self.unknown_option(&entry.key, ENDPOINT_OPTIONS, "an endpoint"),
            }
        }
        if !has_url && !endpoint.block.broken {
            let message = format!("endpoint `{}` has no `url`", plan.name);
            self.report(
                Diagnostic::error(codes::MISSING_OPTION, endpoint.name.span, message).help(
                    "as in `url: \"http://localhost:8000/v1\"` or `url: \"sim:a100/qwen2.5-7b\"`",
                ),
            );
        }
        plan
    }

    fn text_setting(&mut self, written: &ast::Expr) -> Option<String> {
        match self.constant(written, &Scope::setting(), &Type::String)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn check_url(&mut self, url: &str, span: Span) {
        let Some(simulated) = url.strip_prefix("sim:") else {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                let message = "an endpoint's url starts with `http://`, `https://` or `sim:`";
                self.report(Diagnostic::error(codes::BAD_OPTION, span, message));
            }
            return;
        };
        let (profile, speed) = match simulated.split_once('@') {
            Some((profile, speed)) => (profile, Some(speed)),
            None => (simulated, None),
        };
        let profiles = self.input.catalog.profiles;
        if !profiles.contains(&profile) {
            let help = did_you_mean(profile, profiles.iter().copied()).unwrap_or_else(|| {
                format!("there are {}", suggest::list(profiles.iter().copied()))
            });
            let message = format!("unknown profile `{profile}`");
            self.report(Diagnostic::error(codes::UNKNOWN_PROFILE, span, message).help(help));
        }
        if let Some(speed) = speed {
            let good = speed.parse::<f64>().is_ok_and(|x| x > 0.0 && x.is_finite());
            if !good {
                let message = format!("the speed `{speed}` is not a number above 0");
                self.report(
                    Diagnostic::error(codes::UNKNOWN_PROFILE, span, message)
                        .help(format!("as in `sim:{profile}@20` for 20 times real time")),
                );
            }
        }
    }

    /// A whole number from 1.
    pub(crate) fn count(&mut self, what: &str, written: &ast::Expr, least: i64) -> Option<u32> {
        let value = self.constant(written, &Scope::constant(), &Type::Int)?;
        let count = value.as_int().filter(|n| *n >= least).and_then(|n| u32::try_from(n).ok());
        if count.is_none() {
            let message = format!("`{what}` is a whole number from {least}");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        count
    }

    fn concurrency(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        match &written.kind {
            ExprKind::Name(name) if name == "auto" => {}
            ExprKind::Call(call) if call.name.text == "auto" => {
                if let Some(args) = self.match_args(call, &["max"]) {
                    plan.concurrency_max = self.count("max", args[0], 1).unwrap_or(AUTO_MAX);
                }
            }
            ExprKind::Call(_) => {
                let message = "`concurrency` is a whole number, `auto` or `auto(max: 256)`";
                self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
            }
            _ => {
                plan.concurrency = self.count("concurrency", written, 1);
                plan.concurrency_max = plan.concurrency.unwrap_or(AUTO_MAX);
            }
        }
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

    fn limits(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let form = "as in `limits: { requests: 3000/min, tokens: 600_000/min }`";
        for entry in self.inner(written, "limits", &["requests", "tokens"], form) {
            let value = self.constant(&entry.value, &Scope::setting(), &Type::Rate);
            let Some(rate) = value.as_ref().and_then(Value::as_float) else { continue };
            if rate <= 0.0 {
                let message = "a limit is more than 0";
                self.report(Diagnostic::error(codes::BAD_OPTION, entry.value.span, message));
            } else if entry.key.text == "requests" {
                plan.requests_per_s = Some(rate);
            } else {
                plan.tokens_per_s = Some(rate);
            }
        }
    }

    fn price(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let form = "as in `price: { input: 0.15/Mtok, output: 0.60/Mtok }`";
        for entry in self.inner(written, "price", &["input", "output"], form) {
            let value = self.constant(&entry.value, &Scope::setting(), &Type::Float);
            let price = value.as_ref().and_then(Value::as_float);
            if entry.key.text == "input" {
                plan.price_input_per_mtok = price;
            } else {
                plan.price_output_per_mtok = price;
            }
        }
    }

    fn retry(&mut self, written: &ast::Expr, plan: &mut RetryPlan) {
        let form = "`retry` is `none` or `backoff(max: 4, base: 200ms, cap: 10s)`";
        match &written.kind {
            ExprKind::Name(name) if name == "none" => plan.max = 0,
            ExprKind::Name(name) if name == "backoff" => {}
            ExprKind::Call(call) if call.name.text == "backoff" => {
                const NAMES: [&str; 3] = ["max", "base", "cap"];
                for (position, arg) in call.args.iter().enumerate() {
                    let name = match &arg.name {
                        Some(name) => name.text.as_str(),
                        None => NAMES.get(position).copied().unwrap_or(""),
                    };
                    match name {
                        "max" => plan.max = self.count("max", &arg.value, 0).unwrap_or(plan.max),
                        "base" => self.delay(&arg.value, &mut plan.base_ns),
                        "cap" => self.delay(&arg.value, &mut plan.cap_ns),
                        _ => match &arg.name {
                            Some(name) => self.unknown_argument("backoff", name, NAMES.into_iter()),
                            None => self.too_many(call, NAMES.len(), arg.value.span),
                        },
                    }
                }
            }
            _ => {
                let message = "unknown retry rule";
                self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message).help(form));
            }
        }
    }

    fn delay(&mut self, written: &ast::Expr, place: &mut i64) {
        let value = self.constant(written, &Scope::setting(), &Type::Duration);
        match value.as_ref().and_then(Value::as_duration_ns) {
            Some(nanos) if nanos >= 0 => *place = nanos,
            Some(_) => self.report(Diagnostic::error(
                codes::BAD_OPTION,
                written.span,
                "a delay is not negative",
            )),
            None => {}
        }
    }

    fn api_key(&mut self, written: &ast::Expr) -> Option<String> {
        if let ExprKind::Call(call) = &written.kind
            && let (true, [arg]) = (call.name.text == "env", call.args.as_slice())
            && let ExprKind::Literal(Value::String(name)) = &arg.value.kind
        {
            return Some(name.clone());
        }
        self.report(
            Diagnostic::error(
                codes::KEY_IN_PROGRAM,
                written.span,
                "a key does not belong in a program",
            )
            .help("name the variable that holds it: `api_key: env(\"SAGE_API_KEY\")`"),
        );
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
