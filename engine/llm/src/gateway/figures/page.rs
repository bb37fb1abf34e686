//! Which figures there are.

use sage_core::endpoint::ErrorClass;

use super::super::rates::RateUse;
use super::super::stats::{Counters, EndpointStats, ReplicaStats};
use super::super::target::Target;
use super::Histogram;
use super::text::{Labels, Page};

struct Endpoint {
    labels: Labels,
    stats: EndpointStats,
    queue_wait: Histogram,
    latency: Histogram,
    rates: Vec<RateUse>,
}

type PerJob = (&'static str, &'static str, &'static str, fn(&Counters) -> f64);

const PER_JOB: [PerJob; 14] = [
    ("sage_gateway_calls_total", "counter", "Calls that came.", |c| c.calls as f64),
    ("sage_gateway_ok_total", "counter", "Calls answered with success.", |c| c.ok as f64),
    ("sage_gateway_attempts_total", "counter", "Tries that reached a server.", |c| {
        c.attempts as f64
    }),
    ("sage_gateway_retries_total", "counter", "Tries after a call's first.", |c| c.retries as f64),
    ("sage_gateway_shed_total", "counter", "Tries that a busy server turned away.", |c| {
        c.shed as f64
    }),
    ("sage_gateway_hedges_total", "counter", "Second tries beside a slow one.", |c| {
        c.hedges as f64
    }),
    ("sage_gateway_cache_hits_total", "counter", "Items answered by the journal.", |c| {
        c.cache_hits as f64
    }),
    ("sage_gateway_prompt_tokens_total", "counter", "Tokens of prompts, paid.", |c| {
        c.prompt_tokens as f64
    }),
    ("sage_gateway_completion_tokens_total", "counter", "Tokens of answers, paid.", |c| {
        c.completion_tokens as f64
    }),
    (
        "sage_gateway_cost_total",
        "counter",
        "What the tokens cost, by the price of the endpoint.",
        |c| c.cost,
    ),
    ("sage_gateway_in_flight", "gauge", "Calls that hold a place.", |c| c.in_flight as f64),
    ("sage_gateway_queued", "gauge", "Calls that wait for a place or their next try.", |c| {
        c.queued as f64
    }),
    ("sage_gateway_max_in_flight", "gauge", "Most calls that held a place at once.", |c| {
        c.max_in_flight as f64
    }),
    ("sage_gateway_failed_total", "counter", "Calls that failed, of all classes.", |c| {
        c.errors.sum() as f64
    }),
];

type OfEndpoint = fn(&Endpoint) -> &Histogram;

type PerReplica = (&'static str, &'static str, &'static str, fn(&ReplicaStats) -> f64);

const PER_REPLICA: [PerReplica; 7] = [
    ("sage_gateway_limit", "gauge", "Most calls at a server at once.", |r| f64::from(r.limit)),
    ("sage_gateway_replica_in_flight", "gauge", "Tries at a server.", |r| f64::from(r.in_flight)),
    (
        "sage_gateway_outstanding_tokens",
        "gauge",
        "Tokens of the calls at a server, estimated.",
        |r| r.outstanding_tokens,
    ),
    (
        "sage_gateway_breaker_open",
        "gauge",
        "1 while a server is left alone because it fails.",
        |r| f64::from(u8::from(r.down)),
    ),
    ("sage_gateway_held", "gauge", "1 while a server is left alone as it asked.", |r| {
        f64::from(u8::from(r.held))
    }),
    ("sage_gateway_replica_attempts_total", "counter", "Tries that reached a server.", |r| {
        r.attempts as f64
    }),
    ("sage_gateway_replica_failures_total", "counter", "Tries that failed at a server.", |r| {
        r.failures as f64
    }),
];

/// The page.
pub(in crate::gateway) fn page<'a>(targets: impl Iterator<Item = &'a Target>) -> String {
    let endpoints: Vec<Endpoint> = targets
        .map(|target| {
            let (queue_wait, latency) = target.turnstile.times();
            Endpoint {
                labels: Labels::default().with("endpoint", &target.name),
                stats: target.stats(),
                queue_wait,
                latency,
                rates: target.rates.in_use(),
            }
        })
        .collect();
    let mut page = Page::default();
    for (name, kind, help, value) in PER_JOB {
        page.family(name, kind, help);
        for endpoint in &endpoints {
            for (job, counters) in &endpoint.stats.jobs {
                page.sample(name, &endpoint.labels.with("job", job), value(counters));
            }
        }
    }
    page.family("sage_gateway_errors_total", "counter", "Calls that failed, by class.");
    for endpoint in &endpoints {
        for (job, counters) in &endpoint.stats.jobs {
            let labels = endpoint.labels.with("job", job);
            for class in ErrorClass::ALL {
                let labels = labels.with("class", class);
                page.sample("sage_gateway_errors_total", &labels, counters.errors.of(class));
            }
        }
    }
    for (name, kind, help, value) in PER_REPLICA {
        page.family(name, kind, help);
        for endpoint in &endpoints {
            for replica in &endpoint.stats.replicas {
                page.sample(name, &endpoint.labels.with("replica", &replica.url), value(replica));
            }
        }
    }
    page.family(
        "sage_gateway_limit_reason",
        "gauge",
        "1 for why the limit of a server is what it is.",
    );
    for endpoint in &endpoints {
        for replica in &endpoint.stats.replicas {
            let labels = endpoint.labels.with("replica", &replica.url);
            let labels = labels.with("reason", &replica.limit_reason);
            page.sample("sage_gateway_limit_reason", &labels, 1);
        }
    }
    page.family("sage_gateway_endpoint_limit", "gauge", "Most calls at an endpoint at once.");
    for endpoint in &endpoints {
        page.sample("sage_gateway_endpoint_limit", &endpoint.labels, endpoint.stats.limit);
    }
    page.family("sage_gateway_not_kept_total", "counter", "Answers that the journal did not take.");
    for endpoint in &endpoints {
        page.sample("sage_gateway_not_kept_total", &endpoint.labels, endpoint.stats.not_kept);
    }
    page.family("sage_gateway_rate_limit", "gauge", "What a rate limit allows in a minute.");
    page_rates(&mut page, &endpoints, "sage_gateway_rate_limit", |rate| rate.limit);
    page.family(
        "sage_gateway_rate_used",
        "gauge",
        "What a rate limit counts in the minute until now.",
    );
    page_rates(&mut page, &endpoints, "sage_gateway_rate_used", |rate| rate.used);
    let times: [(&str, &str, OfEndpoint); 2] = [
        ("sage_gateway_queue_wait_seconds", "Time to a call's first try.", |e| &e.queue_wait),
        ("sage_gateway_latency_seconds", "Time to a call's answer, with all waits.", |e| {
            &e.latency
        }),
    ];
    for (name, help, histogram) in times {
        page.family(name, "histogram", help);
        for endpoint in &endpoints {
            page.histogram(name, &endpoint.labels, histogram(endpoint));
        }
    }
    page.into_text()
}

fn page_rates(page: &mut Page, endpoints: &[Endpoint], name: &str, value: fn(&RateUse) -> f64) {
    for endpoint in endpoints {
        for rate in &endpoint.rates {
            page.sample(name, &endpoint.labels.with("of", rate.of), value(rate));
        }
    }
}
