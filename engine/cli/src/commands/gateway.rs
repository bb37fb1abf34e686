//! `gateway`: one bounded, fair door in front of OpenAI-compatible endpoints, for any client.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sage_core::endpoint::CacheMode;
use sage_core::fair::Share;
use sage_llm::gateway::{
    ClientKey, Concurrency, Counters, Gateway, GatewayConfig, GatewayError, GatewayStats,
    HedgeRule, Price, Upstream, probe,
};
use sage_llm::journal::{CONTENT_BYTES, Journal, JournalConfig, Kind, RUN_BYTES, default_folder};

use super::interrupted;
use crate::exit::{Exit, usage, usage_of};
use crate::run::services::Simulators;

const EXAMPLES: &str = "\
Examples:
  sage-flow gateway --upstream http://127.0.0.1:8000 --model Qwen/Qwen2.5-7B-Instruct
  sage-flow gateway --upstream sim:a100/qwen2.5-7b@10 --concurrency 32 --listen 127.0.0.1:9000
  sage-flow gateway --upstream http://a:8000 --upstream http://b:8000 --model Qwen/Qwen2.5-7B-Instruct
  sage-flow gateway --upstream http://a:8000 --model m --client team=TEAM_KEY:weight=2:reserve=8 \\
      --client guests=GUEST_KEY --requests-per-min 3000 --tokens-per-min 600000 --cache content

Servers with the same --model are taken for one endpoint, and calls are spread over them.
The figures are at /metrics (Prometheus), the state is at /health.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GatewayArguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8002")]
    listen: String,
    /// A server: a URL or sim:PROFILE[@SPEED]; may be given several times
    #[arg(long = "upstream", required = true, value_name = "URL")]
    upstreams: Vec<String>,
    /// The model each server has, in the order of --upstream; one name is for all of them
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Calls at each endpoint at once: a number, or `auto`, or `auto:MOST`
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = concurrency)]
    concurrency: Concurrency,
    /// Median latency for which `auto` gives throughput up (`2s`)
    #[arg(long, value_name = "D", value_parser = span)]
    latency_target: Option<Duration>,
    /// Most calls of each endpoint that wait; more are refused with 429
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    queue: u32,
    /// Most requests a minute at each endpoint
    #[arg(long, value_name = "N", value_parser = above_zero)]
    requests_per_min: Option<f64>,
    /// Most tokens a minute at each endpoint, of prompts and answers together
    #[arg(long, value_name = "N", value_parser = above_zero)]
    tokens_per_min: Option<f64>,
    /// Tries after the first
    #[arg(long, value_name = "N", default_value_t = 4)]
    retries: u32,
    /// Retries as a share of the calls, per cent
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    retry_budget: f64,
    /// A second try when the first takes longer than this share of the calls, within a budget
    /// (`95:2`: slower than 95 %, at most 2 % of the calls); only for calls that may be made twice
    #[arg(long, value_name = "PERCENT[:BUDGET]", value_parser = hedge)]
    hedge: Option<HedgeRule>,
    /// How calls are spread over the servers of an endpoint
    #[arg(long, value_enum, default_value_t = Balance::LeastTokens)]
    balance: Balance,
    /// Environment variable that holds the servers' key
    #[arg(long, value_name = "VARIABLE")]
    api_key_env: Option<String>,
    /// Environment variable that holds the key every caller must bring
    #[arg(long, value_name = "VARIABLE", conflicts_with = "clients")]
    token_env: Option<String>,
    /// A client with a key of its own, in an environment variable, and its share of the endpoints;
    /// may be given several times
    #[arg(long = "client", value_name = "NAME=VARIABLE[:weight=W][:reserve=N]", value_parser = client)]
    clients: Vec<Client>,
    /// `content` answers a call that was answered before from the cache; a call may ask for it
    /// itself with the header `x-sage-cache: content`
    #[arg(long, value_enum, default_value_t = Cache::Off)]
    cache: Cache,
    /// Folder of the cache [default: $SAGE_CACHE_DIR, else ~/.cache/sage-flow]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Largest size of the cache, MiB
    #[arg(long, value_name = "MIB", default_value_t = CONTENT_BYTES >> 20)]
    cache_max: u64,
    /// Folder of a journal for callers that name their records (`x-sage-record`)
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Price of a million prompt tokens, for the figures
    #[arg(long, value_name = "X", default_value = "0", value_parser = not_negative)]
    price_input: f64,
    /// Price of a million answer tokens
    #[arg(long, value_name = "X", default_value = "0", value_parser = not_negative)]
    price_output: f64,
    /// Largest request, MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1024))]
    max_body: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Balance {
    /// The one with the fewest tokens under way
    LeastTokens,
    /// Prompts that begin alike to the same server, while its load allows
    PrefixAffinity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cache {
    Off,
    Content,
}

#[derive(Debug, Clone)]
struct Client {
    name: String,
    variable: String,
    share: Share,
}

pub(crate) fn gateway(arguments: &GatewayArguments) -> anyhow::Result<Exit> {
    let api_key = arguments.api_key_env.as_deref().map(secret).transpose()?;
    let stop = interrupted()?;
    let stats = super::serve(async {
        let mut simulators = Simulators::default();
        let upstreams = upstreams(arguments, api_key, &mut simulators).await?;
        let config = config(arguments, upstreams)?;
        let gateway = Gateway::bind(&arguments.listen, config).await.map_err(usage_of)?;
        let stats = gateway.stats();
        eprintln!("gateway ready (Ctrl-C ends it)");
        println!("http://{}", gateway.local_addr());
        gateway.serve(stop).await;
        Ok(stats.snapshot())
    })?;
    tell(&stats);
    Ok(Exit::Complete)
}

fn secret(variable: &str) -> anyhow::Result<String> {
    match std::env::var(variable) {
        Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        Ok(_) => Err(usage(format!("environment variable {variable} is empty"))),
        Err(_) => Err(usage(format!("environment variable {variable} is not set"))),
    }
}

/// The endpoints: servers of the same model together.
async fn upstreams(
    arguments: &GatewayArguments,
    api_key: Option<String>,
    simulators: &mut Simulators,
) -> anyhow::Result<Vec<Upstream>> {
    let (urls, models) = (&arguments.upstreams, &arguments.models);
    if models.len() > 1 && models.len() != urls.len() {
        return Err(usage(format!(
            "{} --upstream but {} --model: give one for all, or one each in the same order",
            urls.len(),
            models.len()
        )));
    }
    let mut found: Vec<Upstream> = Vec::new();
    let (mut served, mut missing) = (Vec::new(), Vec::new());
    for (i, url) in urls.iter().enumerate() {
        if url.trim().is_empty() {
            return Err(usage("--upstream: expected a URL or sim:PROFILE[@SPEED]"));
        }
        let model = if models.len() == 1 { models.first() } else { models.get(i) };
        let resolved = simulators.resolve(url, model.map(String::as_str), i).await?;
        if resolved.model.is_empty() {
            return Err(usage(format!("name the model of {url} with --model")));
        }
        let mut upstream =
            Upstream::new(format!("upstream{}", found.len()), resolved.url, resolved.model);
        upstream.kind = resolved.kind;
        upstream.api_key.clone_from(&api_key);
        upstream.concurrency = match arguments.concurrency {
            Concurrency::Auto { max, .. } => {
                Concurrency::Auto { max, latency_target: arguments.latency_target }
            }
            fixed @ Concurrency::Fixed(_) => fixed,
        };
        upstream.queue = arguments.queue;
        upstream.affinity = arguments.balance == Balance::PrefixAffinity;
        upstream.retry.max = arguments.retries;
        upstream.retry_budget = arguments.retry_budget;
        upstream.hedge = arguments.hedge;
        upstream.requests_per_s = arguments.requests_per_min.map(|n| n / 60.0);
        upstream.tokens_per_s = arguments.tokens_per_min.map(|n| n / 60.0);
        upstream.price = Price {
            input_per_mtok: arguments.price_input,
            output_per_mtok: arguments.price_output,
        };
        let there = probe(&upstream).await;
        eprintln!("{}: {}", upstream.model, resolved.label);
        match there {
            Ok(_) => served.push(upstream.model.clone()),
            Err(error) => missing.push((upstream.model.clone(), error)),
        }
        match found.iter_mut().find(|other| other.model == upstream.model) {
            Some(other) if other.url == upstream.url || other.replicas.contains(&upstream.url) => {
                return Err(usage(format!("{url} is given twice")));
            }
            Some(other) if other.kind != upstream.kind => {
                return Err(usage(format!(
                    "{url}: simulated and real servers cannot stand for the same model `{}`",
                    upstream.model
                )));
            }
            Some(other) => other.replicas.push(upstream.url),
            None => found.push(upstream),
        }
    }
    for (model, error) in missing {
        // One server of several may be away; it is used when it is back.
        if !served.contains(&model) || !matches!(error, GatewayError::Unreachable { .. }) {
            return Err(usage_of(error));
        }
        eprintln!("warning: {error}");
    }
    if arguments.latency_target.is_some() && matches!(arguments.concurrency, Concurrency::Fixed(_))
    {
        return Err(usage("--latency-target needs --concurrency auto"));
    }
    Ok(found)
}

fn config(arguments: &GatewayArguments, upstreams: Vec<Upstream>) -> anyhow::Result<GatewayConfig> {
    let mut clients = Vec::new();
    for (i, Client { name, variable, share }) in arguments.clients.iter().enumerate() {
        if arguments.clients[..i].iter().any(|other| other.name == *name) {
            return Err(usage(format!("--client {name}: two clients have that name")));
        }
        let mut client = ClientKey::new(name, secret(variable)?);
        client.share = *share;
        clients.push(client);
    }
    let open = |path: PathBuf, max_bytes, kind| {
        Journal::open(JournalConfig { path, max_bytes, kind }).map_err(usage_of)
    };
    // A call may ask for the cache whatever the default is, so it is there in any case.
    let folder = arguments.cache_dir.clone().or_else(default_folder);
    let content = match (folder, arguments.cache) {
        (Some(folder), _) => Some(open(folder, arguments.cache_max << 20, Kind::Content)?),
        (None, Cache::Off) => None,
        (None, Cache::Content) => {
            let places = "set SAGE_CACHE_DIR or HOME, or give --cache-dir";
            return Err(usage(format!("there is no place for the cache: {places}")));
        }
    };
    let journal = arguments.journal.clone();
    Ok(GatewayConfig {
        upstreams,
        token: arguments.token_env.as_deref().map(secret).transpose()?,
        clients,
        journal: journal.map(|path| open(path, RUN_BYTES, Kind::Run)).transpose()?,
        content,
        cache: match arguments.cache {
            Cache::Off => CacheMode::Off,
            Cache::Content => CacheMode::Content,
        },
        max_body: (arguments.max_body << 20) as usize,
        ..GatewayConfig::default()
    })
}

/// What there was, at the end.
fn tell(stats: &GatewayStats) {
    let line = |name: &str, counters: &Counters| {
        eprintln!(
            "{name}: {} calls, {} ok ({} items from the cache), {} failed, {} retries, {} + {} tokens",
            counters.calls,
            counters.ok,
            counters.cache_hits,
            counters.errors.sum(),
            counters.retries,
            counters.prompt_tokens,
            counters.completion_tokens
        );
    };
    for endpoint in &stats.endpoints {
        line(&endpoint.name, &endpoint.total);
        if endpoint.jobs.len() > 1 {
            endpoint.jobs.iter().for_each(|(job, counters)| line(&format!("  {job}"), counters));
        }
    }
}

fn concurrency(text: &str) -> Result<Concurrency, String> {
    let wrong = || "expected a number of 1 to 100000, `auto` or `auto:MOST`".to_owned();
    let count = |text: &str| match text.parse() {
        Ok(count @ 1..=100_000_u32) => Ok(count),
        _ => Err(wrong()),
    };
    match text.strip_prefix("auto") {
        Some("") => Ok(Concurrency::Auto { max: 256, latency_target: None }),
        Some(rest) => {
            let max = count(rest.strip_prefix(':').ok_or_else(wrong)?)?;
            Ok(Concurrency::Auto { max, latency_target: None })
        }
        None => count(text).map(Concurrency::Fixed),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if !span.is_zero() => Ok(span),
        Ok(_) => Err("expected a time above 0, such as `2s`".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.trim_end_matches('%').replace('_', "").parse::<f64>().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("expected a number from {least} to {most}"))
}

fn above_zero(text: &str) -> Result<f64, String> {
    number(text, 1e-3, 1e12)
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1e9)
}

fn percent(text: &str) -> Result<f64, String> {
    number(text, 0.0, 100.0).map(|percent| percent / 100.0)
}

fn hedge(text: &str) -> Result<HedgeRule, String> {
    let (quantile, budget) = text.split_once(':').unwrap_or((text, "2"));
    let quantile = number(quantile, 50.0, 99.9)? / 100.0;
    Ok(HedgeRule { quantile, budget: number(budget, 0.1, 20.0)? / 100.0 })
}

fn client(text: &str) -> Result<Client, String> {
    let form = "expected NAME=VARIABLE[:weight=W][:reserve=N]";
    let (name, rest) = text.split_once('=').ok_or(form)?;
    let mut parts = rest.split(':');
    let variable = parts.next().unwrap_or_default();
    if name.is_empty() || variable.is_empty() {
        return Err(form.into());
    }
    let mut share = Share::default();
    for part in parts {
        match part.split_once('=') {
            Some(("weight", weight)) => share.weight = number(weight, 1e-3, 1e6)?,
            Some(("reserve", reserve)) => {
                share.reserve = reserve.parse().map_err(|_| "reserve: expected a whole number")?;
            }
            _ => return Err(form.into()),
        }
    }
    Ok(Client { name: name.to_owned(), variable: variable.to_owned(), share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_strictly() {
        assert_eq!(concurrency("64"), Ok(Concurrency::Fixed(64)));
        let auto = Concurrency::Auto { max: 32, latency_target: None };
        assert_eq!(concurrency("auto:32"), Ok(auto));
        for wrong in ["0", "auto:", "auto:0", "automatic", "-1", ""] {
            assert!(concurrency(wrong).is_err(), "{wrong}");
        }
        let read = client("team=KEY:weight=2:reserve=8").unwrap();
        assert_eq!((read.name.as_str(), read.variable.as_str()), ("team", "KEY"));
        assert_eq!(read.share, Share { weight: 2.0, reserve: 8 });
        for wrong in ["team", "=KEY", "team=", "team=KEY:weight=0", "team=KEY:wait=1"] {
            assert!(client(wrong).is_err(), "{wrong}");
        }
        assert_eq!(hedge("95:2"), Ok(HedgeRule { quantile: 0.95, budget: 0.02 }));
        assert!(span("0s").is_err() && span("2s").is_ok());
        assert!(hedge("20").is_err() && hedge("95:50").is_err());
        assert!(percent("101").is_err() && percent("nan").is_err());
    }
}
