//! Options as other tools call them, and where theirs is set here.

/// What is done about an option of another name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Instead {
    /// An option that takes the same.
    Option(&'static str),
    /// Something else.
    Other(&'static str),
}

use Instead::{Option as Same, Other};

/// Names, what they are an option of (its beginning), and what to do.
const OPTIONS: &[(&[&str], &str, Instead)] = &[
    (
        &["base_url", "host", "address", "uri", "server", "api_base", "endpoint", "baseUrl"],
        "an endpoint",
        Same("url"),
    ),
    (
        &[
            "max_concurrency",
            "parallelism",
            "max_parallel",
            "max_in_flight",
            "connections",
            "parallel",
        ],
        "an endpoint",
        Same("concurrency"),
    ),
    (&["key", "token", "apikey", "auth", "secret"], "an endpoint", Same("api_key")),
    (&["model_name", "engine", "deployment"], "an endpoint", Same("model")),
    (&["pricing", "cost", "prices"], "an endpoint", Same("price")),
    (
        &["provider", "vendor", "type", "kind", "api", "backend"],
        "an endpoint",
        Other(
            "an endpoint is where its `url` leads: `http://...` and `https://...` speak the protocol of \
             OpenAI, `sim:` is simulated, `local:` runs here",
        ),
    ),
    (&["retries", "max_retries", "attempts", "retry", "num_retries", "backoff"], "", Other(RETRY)),
    (
        &["rate_limit", "rpm", "requests_per_minute", "qps", "rps", "tpm"],
        "an endpoint",
        Other("write `limits: { requests: 600/min, tokens: 100_000/min }`"),
    ),
    (&["rpm", "requests_per_minute", "request", "rps"], "`limits`", Other(REQUESTS)),
    (&["tpm", "tokens_per_minute", "token"], "`limits`", Other(TOKENS)),
    (&["prompt", "in", "prompt_tokens", "inputs"], "`price`", Same("input")),
    (
        &["completion", "out", "completion_tokens", "outputs", "generated"],
        "`price`",
        Same("output"),
    ),
    (
        &["system", "system_prompt", "instructions", "messages"],
        "stage",
        Other("what a model is told first is the beginning of the text of its `prompt`"),
    ),
    (&["max_length", "max_new_tokens", "maxTokens", "limit"], "stage", Same("max_tokens")),
    (&["batch_size", "batchsize"], "stage", Same("batch")),
    (
        &["workers", "nodes", "processes", "parallelism"],
        "`schedule`",
        Other("how many workers there are is said by `sage-flow run ... --workers 4`"),
    ),
    (&["threads", "max_in_flight"], "`schedule`", Same("slots")),
    (
        &["limit", "head", "max_rows", "top"],
        "a source",
        Other("how many records are read is said by `sage-flow run ... --limit 10`"),
    ),
    (
        &["order_by", "sort", "order", "sort_by"],
        "a sink",
        Other(
            "rows are written in the order of their source; the largest by something are \
             `group { best: top_k(.text, 10, by: .n) }`",
        ),
    ),
    (
        &["append", "overwrite", "if_exists"],
        "a sink",
        Other(
            "every run writes into a folder of its own, chosen by `sage-flow run ... --out FOLDER`",
        ),
    ),
];

const RETRY: &str = "calls are repeated by the endpoint: `retry: backoff(max: 4, base: 200ms, cap: 10s)` \
                     in the braces of the `endpoint`";
const REQUESTS: &str = "write `requests: 600/min`";
const TOKENS: &str = "write `tokens: 100_000/min`";

/// What to write in place of an option `name` of `what`, which has the options `known`.
pub(super) fn instead_of(name: &str, what: &str, known: &[&str]) -> Option<Instead> {
    let fits = |instead: &Instead| match instead {
        Same(option) => known.contains(option),
        Other(_) => true,
    };
    let found =
        OPTIONS.iter().filter(|(names, of, _)| names.contains(&name) && what.starts_with(of));
    found.map(|(.., instead)| *instead).find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_found_where_it_belongs() {
        let endpoint = ["url", "model", "price"];
        assert_eq!(instead_of("base_url", "an endpoint", &endpoint), Some(Same("url")));
        assert_eq!(instead_of("base_url", "a sink", &["mode"]), None);
        assert_eq!(instead_of("retries", "stage `k`", &[]), Some(Other(RETRY)));
        assert_eq!(instead_of("max_length", "stage `k`", &["timeout"]), None);
    }
}
