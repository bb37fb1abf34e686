//! Plans that serve (`from http(...)`): where they listen, who may ask, and what they cannot be.
//!
//! A program is a text that people pass on, so it opens a port to this machine alone; that others
//! may ask is said by the person at the command line.

use std::net::{TcpListener, ToSocketAddrs};
use std::time::Duration;

use sage_dataflow::stages::requests;
use sage_dataflow::{Serving, serving, visits};
use sage_dsl::plan::Plan;
use serde::{Deserialize, Serialize};

use super::options::Options;
use crate::exit::usage;

/// Where the first worker serves, and for whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Served {
    /// `HOST:PORT`.
    pub(crate) listen: String,
    /// What clients have to bring.
    pub(crate) token: Option<String>,
    /// When the run is to end, requests have this long.
    pub(crate) drain: Duration,
}

fn serving_of(plan: &Plan) -> Option<Serving> {
    plan.source().and_then(serving)
}

impl Served {
    /// Of a plan, if it serves.
    pub(crate) fn of(plan: &Plan, options: &Options) -> anyhow::Result<Option<Self>> {
        let Some(serving) = serving_of(plan) else { return Ok(None) };
        let token = serving.token_env.as_deref().map(secret).transpose()?;
        let listen = options.listen.clone().unwrap_or(serving.listen);
        Ok(Some(Served { listen, token, drain: options.drain }))
    }
}

/// Environment variables of a plan that its workers have no need of.
pub(super) fn secrets(plan: &Plan) -> impl Iterator<Item = String> {
    let of_service = serving_of(plan).and_then(|serving| serving.token_env);
    let of_stages = requests(plan).filter_map(|(_, _, token)| token.map(str::to_owned));
    let of_ends = visits(plan).filter_map(|visit| visit.token.map(str::to_owned));
    of_service.into_iter().chain(of_stages).chain(of_ends)
}

/// What a variable holds that is sent as a token, or asked for.
pub(super) fn secret(variable: &str) -> anyhow::Result<String> {
    let value = std::env::var(variable).unwrap_or_default();
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(usage(format!(
            "the variable `{variable}` holds the token of a service: set it to visible characters \
             without spaces"
        )));
    }
    Ok(value)
}

/// Refuse what cannot be served, before anything starts.
pub(super) fn check(plan: &Plan, options: &Options) -> anyhow::Result<()> {
    let Some(served) = Served::of(plan, options)? else {
        return match &options.listen {
            Some(address) => Err(usage(format!(
                "--listen {address}: the flow {} reads no source `http`, so there is nothing to serve",
                plan.name
            ))),
            None => Ok(()),
        };
    };
    for (option, given) in [
        ("--tasks", options.tasks.is_some()),
        ("--rate and --arrivals", options.arrivals.is_some()),
    ] {
        if given {
            return Err(usage(format!(
                "{option}: the records of flow {} are requests, which come when clients ask; --limit N \
                 ends it after N of them",
                plan.name
            )));
        }
    }
    let listen = &served.listen;
    let addresses = listen.to_socket_addrs().map_err(|error| {
        usage(format!("`{listen}` is no address to listen at ({error}); write 127.0.0.1:8088"))
    })?;
    let addresses: Vec<_> = addresses.collect();
    let alone = addresses.iter().all(|address| address.ip().is_loopback());
    if !alone && options.listen.is_none() {
        return Err(usage(format!(
            "source of flow {}: others than this machine can reach `{listen}`; if that is meant, say so \
             by --listen {listen}",
            plan.name
        )));
    }
    if !alone && served.token.is_none() && !options.quiet {
        eprintln!(
            "warning: whoever reaches {listen} may ask, since the source has no token \
             (`token: env(\"SAGE_TOKEN\")`)"
        );
    }
    if !options.launch.remote() {
        TcpListener::bind(addresses.as_slice()).map_err(|error| {
            usage(format!("cannot listen at {listen}: {error}; --listen gives another address"))
        })?;
    }
    Ok(())
}

/// Nobody can say beforehand what clients will ask.
pub(super) fn foreseeable(plan: &Plan) -> anyhow::Result<()> {
    match serving_of(plan) {
        None => Ok(()),
        Some(_) => Err(usage(format!(
            "flow {} is a service, and what clients will ask and when cannot be foretold; let it read \
             a file of requests (`from jsonl(...)`) to look at the rest",
            plan.name
        ))),
    }
}
