//! Addresses of an endpoint: servers, simulated ones, and profiles that users wrote.

use super::super::names::Decl;
use crate::ast::{self, ExprKind};
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::path;
use crate::plan::EndpointPlan;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// Servers of one endpoint; each takes connections and a place in every decision.
const MAX_SERVERS: usize = 64;

impl Checker<'_> {
    /// `url: "..."` or `url: ["...", "..."]`.
    pub(super) fn urls(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let given: Vec<(String, Span)> = if let ExprKind::List(items) = &written.kind {
            items.iter().filter_map(|item| Some((self.text_setting(item)?, item.span))).collect()
        } else if let Some(texts) = self.listed(written) {
            texts
        } else {
            self.text_setting(written).map(|text| (text, written.span)).into_iter().collect()
        };
        let none = matches!(&written.kind, ExprKind::List(items) if items.is_empty());
        if none || given.len() > MAX_SERVERS {
            let message = format!("an endpoint has from 1 to {MAX_SERVERS} servers");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
            return;
        }
        let mut found: Vec<(String, Span)> = Vec::new();
        for (url, span) in given {
            let Some(url) = self.address(&url, span) else { continue };
            // Two equal simulated entries are two servers; two equal addresses are one.
            let twin = |(other, _): &&(String, Span)| !url.starts_with("sim:") && same(other, &url);
            if let Some((_, first)) = found.iter().find(twin) {
                let message = format!("the server `{url}` is listed twice");
                let mut diagnostic = Diagnostic::error(codes::BAD_OPTION, span, message);
                if *first != span {
                    diagnostic = diagnostic.also(*first, "first listed here");
                }
                self.report(diagnostic);
                continue;
            }
            found.push((url, span));
        }
        let mut urls = found.into_iter().map(|(url, _)| url);
        plan.url = urls.next().unwrap_or_default();
        plan.replicas = urls.collect();
    }

    /// The addresses in a param of type `[string]`.
    fn listed(&mut self, written: &ast::Expr) -> Option<Vec<(String, Span)>> {
        let ExprKind::Name(name) = &written.kind else { return None };
        if !matches!(self.names.values.get(name.as_str()), Some((_, Decl::Param(_)))) {
            return None;
        }
        let (Type::List(_), Value::List(values)) = self.param(name) else { return None };
        self.used.insert(name.clone());
        let texts = values.iter().filter_map(|value| match value {
            Value::String(text) => Some((text.clone(), written.span)),
            _ => None,
        });
        let texts: Vec<_> = texts.collect();
        if texts.len() < values.len() || values.is_empty() {
            let message = "`url` is a string or a list of at least one string";
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        Some(texts)
    }

    /// One address as it stands in the plan; `None` when it is none.
    pub(crate) fn address(&mut self, url: &str, span: Span) -> Option<String> {
        if let Some(simulated) = url.strip_prefix("sim:") {
            return self.simulated(simulated, span);
        }
        if let Some(folder) = url.strip_prefix("local:").filter(|folder| !folder.is_empty()) {
            return Some(format!("local:{}", path::resolve(self.input.sources.path(span), folder)));
        }
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let Some(rest) = rest else {
            let message = "an endpoint's url starts with `http://`, `https://`, `sim:` or `local:`";
            let diagnostic = Diagnostic::error(codes::BAD_OPTION, span, message);
            let whole = format!("\"http://{url}\"");
            let literal = self.input.sources.text(span) == format!("\"{url}\"");
            let help = "as in `\"http://localhost:8000/v1\"` or `\"sim:a100/qwen2.5-7b\"`";
            self.report(match (is_host(url), literal) {
                (true, true) => diagnostic.help(format!("write `{whole}`")).fix(span, whole),
                (true, false) => diagnostic.help(format!("write `{whole}`")),
                _ => diagnostic.help(help),
            });
            return None;
        };
        let host = rest.split('/').next().unwrap_or("");
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
        if host.is_empty() || host.starts_with(':') || rest.contains(odd) {
            let message = "the url is not the base address of a server";
            self.report(
                Diagnostic::error(codes::BAD_OPTION, span, message)
                    .help("as in `http://localhost:8000` or `https://host/openai/v1`"),
            );
            return None;
        }
        Some(url.to_owned())
    }

    /// Says so when a simulated server would refuse the model that is asked of it.
    pub(super) fn served(&mut self, endpoint: &ast::Endpoint, plan: &EndpointPlan) {
        let entry = endpoint.block.entries.iter().find(|entry| entry.key.text == "model");
        let Some(entry) = entry.filter(|_| !plan.model.is_empty()) else { return };
        for url in std::iter::once(&plan.url).chain(&plan.replicas) {
            let Some(simulated) = url.strip_prefix("sim:") else { continue };
            let (profile, _) = split(simulated);
            let models = self.input.catalog.models.iter().filter(|(of, _)| *of == profile);
            let models = models.map(|(_, model)| *model);
            let Some(own) = models.clone().next() else { continue };
            if models.clone().any(|model| model == plan.model) {
                continue;
            }
            let message = format!("profile `{profile}` does not serve `{}`", plan.model);
            let known = suggest::list(models);
            let help = format!("it serves {known}; without `model` it is `{own}`");
            let span = entry.value.span;
            self.report(Diagnostic::error(codes::NOT_SERVED, span, message).help(help));
            return;
        }
    }

    /// `PROFILE[@SPEED]` or `PATH.toml[@SPEED]`.
    fn simulated(&mut self, simulated: &str, span: Span) -> Option<String> {
        let (profile, speed) = split(simulated);
        if let Some(speed) = speed
            && !speed.parse::<f64>().is_ok_and(|x| x > 0.0 && x.is_finite())
        {
            let message = format!("the speed `{speed}` is not a number above 0");
            self.report(
                Diagnostic::error(codes::UNKNOWN_PROFILE, span, message)
                    .help(format!("as in `sim:{profile}@20` for 20 times real time")),
            );
            return None;
        }
        let speed = speed.map_or_else(String::new, |speed| format!("@{speed}"));
        if is_file(profile) {
            let path = path::resolve(self.input.sources.path(span), profile);
            return Some(format!("sim:{path}{speed}"));
        }
        let profiles = self.input.catalog.profiles;
        if !profiles.contains(&profile) {
            let help = did_you_mean(profile, profiles.iter().copied()).unwrap_or_else(|| {
                let names = suggest::list(profiles.iter().copied());
                format!("there are {names}; a profile of your own is a file: `sim:mine.toml`")
            });
            let message = format!("unknown profile `{profile}`");
            self.report(Diagnostic::error(codes::UNKNOWN_PROFILE, span, message).help(help));
            return None;
        }
        Some(format!("sim:{profile}{speed}"))
    }
}

fn is_file(profile: &str) -> bool {
    profile.strip_suffix(".toml").is_some_and(|stem| !stem.is_empty())
}

/// Profile and speed. A path may hold an `@` of its own.
fn split(simulated: &str) -> (&str, Option<&str>) {
    if is_file(simulated) {
        return (simulated, None);
    }
    match simulated.rsplit_once('@') {
        Some((path, speed)) if is_file(path) => (path, Some(speed)),
        _ => match simulated.split_once('@') {
            Some((profile, speed)) => (profile, Some(speed)),
            None => (simulated, None),
        },
    }
}

/// Whether two addresses are of one server: the gateway adds the version where it is left out.
fn same(a: &str, b: &str) -> bool {
    fn base(url: &str) -> &str {
        let url = url.trim_end_matches('/');
        url.strip_suffix("/v1").unwrap_or(url)
    }
    base(a) == base(b)
}

/// Whether an address lacks its scheme alone: `localhost:8000/v1`.
fn is_host(url: &str) -> bool {
    let host = url.split('/').next().unwrap_or("");
    let (name, port) = host.split_once(':').unwrap_or((host, "80"));
    !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && (name == "localhost" || name.contains('.'))
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_speeds_are_told_apart() {
        assert_eq!(split("a100/qwen2.5-7b"), ("a100/qwen2.5-7b", None));
        assert_eq!(split("a100/qwen2.5-7b@10"), ("a100/qwen2.5-7b", Some("10")));
        assert_eq!(split("my@gpu.toml"), ("my@gpu.toml", None));
        assert_eq!(split("my@gpu.toml@2.5"), ("my@gpu.toml", Some("2.5")));
        assert_eq!(split("a@b@c"), ("a", Some("b@c")));
    }

    #[test]
    fn a_version_makes_no_other_server() {
        assert!(same("http://h:1", "http://h:1/v1/"));
        assert!(!same("http://h:1", "http://h:2"));
    }
}
