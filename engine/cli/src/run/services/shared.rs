//! Endpoints that several jobs have in common.
//!
//! Two jobs that name the same server and model mean the same scarce thing, so it has one limit and
//! one line for both. Where they say different things about it the stricter one holds: neither job
//! may ask more of the server than its own program allows.

use sage_dsl::plan::{EndpointPlan, Plan};

/// The endpoints of some jobs, each once.
pub(crate) struct Shared {
    /// With names that differ.
    pub(crate) endpoints: Vec<EndpointPlan>,
    /// For each job, the positions of its plan's endpoints among these.
    pub(crate) of: Vec<Vec<usize>>,
}

impl Shared {
    pub(crate) fn new<'p>(plans: impl Iterator<Item = &'p Plan>) -> Self {
        let mut shared = Shared { endpoints: Vec::new(), of: Vec::new() };
        for plan in plans {
            let mut used: Vec<usize> = Vec::new();
            for endpoint in &plan.endpoints {
                // Endpoints of one program are never merged: it has its reasons.
                let known = shared.endpoints.iter().enumerate();
                let same = known
                    .filter(|(at, known)| !used.contains(at) && same(known, endpoint))
                    .map(|(at, _)| at)
                    .next();
                let at = if let Some(at) = same {
                    restrict(&mut shared.endpoints[at], endpoint);
                    at
                } else {
                    let name = shared.free_name(&endpoint.name);
                    shared.endpoints.push(EndpointPlan { name, ..endpoint.clone() });
                    shared.endpoints.len() - 1
                };
                used.push(at);
            }
            shared.of.push(used);
        }
        shared
    }

    fn free_name(&self, name: &str) -> String {
        let taken = |name: &str| self.endpoints.iter().any(|endpoint| endpoint.name == name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        std::iter::once(name.to_owned())
            .chain(numbered)
            .find(|name| !taken(name))
            .unwrap_or_else(|| name.to_owned())
    }
}

fn same(a: &EndpointPlan, b: &EndpointPlan) -> bool {
    (&a.url, &a.model, &a.replicas, &a.api_key_env)
        == (&b.url, &b.model, &b.replicas, &b.api_key_env)
}

fn restrict(shared: &mut EndpointPlan, other: &EndpointPlan) {
    // A number stands for a known bound of the server, `auto` for none that is known.
    shared.concurrency = least(shared.concurrency, other.concurrency);
    shared.concurrency_max = shared.concurrency_max.min(other.concurrency_max);
    shared.latency_target_ns = least(shared.latency_target_ns, other.latency_target_ns);
    shared.requests_per_s = least(shared.requests_per_s, other.requests_per_s);
    shared.tokens_per_s = least(shared.tokens_per_s, other.tokens_per_s);
    shared.affinity |= other.affinity;
    shared.price_input_per_mtok = shared.price_input_per_mtok.or(other.price_input_per_mtok);
    shared.price_output_per_mtok = shared.price_output_per_mtok.or(other.price_output_per_mtok);
}

/// The lesser of two limits, of those that are set.
fn least<T: PartialOrd + Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b < a { b } else { a }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(endpoints: &str) -> Plan {
        let text = format!(
            "sage 1\n{endpoints}\ntype T {{ id: string @key }}\nsource ts: T from generate(count: 1)\n\
             sink outs: T to csv(\"o.csv\")\nflow f {{ from ts\n\
             stage a = generate(.id) on one {{ max_tokens: 4 }}\n\
             stage b = generate(.id) on two {{ max_tokens: 4 }}\n\
             emit T {{ id: a.text + b.text }} into outs }}\n"
        );
        let catalog = crate::catalog::catalog();
        let mut compiled = sage_dsl::compile(sage_dsl::Request {
            path: "t.sage",
            text: &text,
            overrides: &[],
            env: &|_| None,
            load: &|_| Err(String::new()),
            catalog: &catalog,
        });
        assert!(!compiled.failed(), "{:?}", compiled.diagnostics);
        compiled.plans.pop().unwrap()
    }

    #[test]
    fn jobs_share_what_is_the_same_and_the_stricter_limit_holds() {
        let first = plan(
            "endpoint one { url: \"http://a:1\", model: \"m\", concurrency: 8 }\n\
             endpoint two { url: \"http://a:1\", model: \"m\" }",
        );
        let second = plan(
            "endpoint one { url: \"http://b:1\", model: \"m\" }\n\
             endpoint two { url: \"http://a:1\", model: \"m\", concurrency: 5 }",
        );
        let shared = Shared::new([&first, &second].into_iter());
        let names: Vec<_> =
            shared.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "one-2"]);
        assert_eq!(shared.of, [vec![0, 1], vec![2, 0]], "two endpoints of one program stay two");
        assert_eq!(shared.endpoints[0].concurrency, Some(5));
        assert_eq!(shared.endpoints[1].concurrency, None, "and keep their own limits");
        let alone = Shared::new(std::iter::once(&second));
        assert_eq!(alone.endpoints, second.endpoints, "a job alone has what it says");
    }
}
