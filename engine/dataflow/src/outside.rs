//! What a worker is given of the world around it, beside endpoints and indexes: servers of the web for
//! sources and sinks, and what is not to be shown. With what programs say of such servers.

use std::sync::Arc;
use std::time::Duration;

use sage_core::secrets::Mask;
use sage_core::web::{HttpCall, HttpMethod, Web};
use sage_dsl::catalog::{Kind, Param};
use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value;

use crate::sinks::HTTP_POST;
use crate::sources::HTTP_GET;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// What is not to be shown in dead letters and messages.
    pub mask: Mask,
    /// Makes the requests of sources and sinks; `None` where none are to be made.
    pub web: Option<Arc<dyn Web>>,
}

/// What whoever speaks to a server may add to the head of its requests.
pub(crate) const HEADER: Param = Param {
    name: "header",
    kind: Kind::String,
    default: Some("\"\""),
    doc: "a further header field: `\"Name: value\"`",
};
/// What it proves itself by.
pub(crate) const TOKEN: Param = Param {
    name: "token",
    kind: Kind::Secret,
    default: Some("null"),
    doc: "what is sent as `Authorization: Bearer`: `env(\"NAME\")`",
};

/// The time of a try, with words for what ends it.
pub(crate) const fn timeout(doc: &'static str) -> Param {
    Param { name: "timeout", kind: Kind::Duration, default: Some("30s"), doc }
}

/// How long sources and sinks try, with words for what.
pub(crate) const fn patience(doc: &'static str) -> Param {
    Param { name: "patience", kind: Kind::Duration, default: Some("60s"), doc }
}

/// What a source or a sink says by these words: its requests, and their patience.
pub(crate) fn requested(
    args: &[(String, Value)],
    method: HttpMethod,
    max_answer: usize,
) -> Result<(HttpCall, Duration), String> {
    let text = |name: &str| lookup(args, name).and_then(Value::as_str);
    let duration = |name: &str, seconds: u64| {
        let given = lookup(args, name).and_then(Value::as_duration_ns);
        given.and_then(|ns| u64::try_from(ns).ok()).unwrap_or(seconds * 1_000_000_000)
    };
    let timeout_ns = duration("timeout", 30);
    if timeout_ns == 0 {
        return Err("`timeout` must be above 0".to_owned());
    }
    let call = HttpCall {
        url: text("url").unwrap_or_default().to_owned(),
        method,
        headers: header(text("header").unwrap_or_default())?,
        token_env: text("token").map(str::to_owned),
        retries: 0,
        timeout_ns,
        max_answer,
        concurrency: 1,
    };
    Ok((call, Duration::from_nanos(duration("patience", 60))))
}

/// A header field as a program writes it; none for an empty text.
pub(crate) fn header(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let field = text.split_once(':').filter(|(name, value)| {
        !name.is_empty() && name.bytes().all(plain) && value.chars().all(|c| !c.is_control())
    });
    let Some((name, value)) = field else {
        return Err("`header` is one field, as in `\"X-Team: search\"`".to_owned());
    };
    if name.eq_ignore_ascii_case("authorization") {
        let message = "a key does not belong in a program; give it by `token: env(\"NAME\")`";
        return Err(message.to_owned());
    }
    Ok(vec![(name.to_owned(), value.trim().to_owned())])
}

/// A size between 1 byte and `most`, which is in MiB.
pub(crate) fn most_bytes(
    value: Option<&Value>,
    name: &str,
    otherwise: usize,
    most: usize,
) -> Result<usize, String> {
    let given = value.and_then(Value::as_int).and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = given.unwrap_or(otherwise);
    if (1..=most).contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("`{name}` is 1B to {}MiB", most >> 20))
}

/// A source or a sink that speaks to a server of the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit<'p> {
    /// Which one, and where in the program.
    pub place: String,
    /// Address.
    pub url: &'p str,
    /// Environment variable with a token.
    pub token: Option<&'p str>,
    /// What it does there, before the address.
    pub does: &'static str,
}

/// The source and the sinks of a plan that speak to servers of the web.
pub fn visits(plan: &Plan) -> impl Iterator<Item = Visit<'_>> {
    fn visit<'p>(
        (what, name, line): (&str, &str, u32),
        args: &'p [(String, Value)],
        does: &'static str,
    ) -> Visit<'p> {
        let text = |wanted| lookup(args, wanted).and_then(Value::as_str);
        let place = format!("{what} `{name}` (line {line})");
        Visit { place, url: text("url").unwrap_or_default(), token: text("token"), does }
    }
    let source = plan.source().filter(|source| source.kind == HTTP_GET);
    let sinks = plan.sinks.iter().filter(|sink| sink.kind == HTTP_POST);
    source
        .map(|it| visit(("source", &it.name, it.line), &it.args, "reads what is at"))
        .into_iter()
        .chain(sinks.map(|it| visit(("sink", &it.name, it.line), &it.args, "sends rows to")))
}
