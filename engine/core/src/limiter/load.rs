//! The load of a server, read from its `/metrics` (Prometheus text format 0.0.4).
//!
//! Two servers are known by name: vLLM (V1 names and the older ones) and llama.cpp. Everything else
//! in the text is skipped without being parsed, and a line that cannot be read counts as absent:
//! the text comes from the network and may be anything.

/// Text beyond this is not looked at; vLLM's whole page has some 100 kB.
const MOST_BYTES: usize = 4 << 20;

/// What a server says of itself. It counts the calls of all its clients, not ours alone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServerLoad {
    /// Requests it computes.
    pub running: f64,
    /// Requests that wait for room.
    pub waiting: f64,
    /// Share of the KV cache in use, 0 to 1; the fullest of several engines.
    pub kv_usage: Option<f64>,
    /// Requests preempted since it started.
    pub preemptions: Option<u64>,
    /// Most requests it computes at once. vLLM does not export `max_num_seqs`; some builds and
    /// proxies do.
    pub max_running: Option<u32>,
}

impl ServerLoad {
    /// Read a metrics page; `None` when it names no queue that is known here. Counts are summed over
    /// engines and other labels.
    ///
    /// ```
    /// use sage_core::limiter::ServerLoad;
    /// let text = "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
    ///             vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 1.0\n";
    /// let load = ServerLoad::parse(text).expect("known");
    /// assert_eq!((load.running, load.waiting), (3.0, 1.0));
    /// assert_eq!(ServerLoad::parse("# nothing"), None);
    /// ```
    pub fn parse(text: &str) -> Option<ServerLoad> {
        let mut end = text.len().min(MOST_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (mut running, mut waiting, mut preemptions) = (None, None, None);
        let mut load = ServerLoad::default();
        for (name, value) in text[..end].lines().filter_map(sample) {
            // Each is finite, and so is their sum.
            let add = |sum: &mut Option<f64>| {
                *sum = Some((sum.unwrap_or(0.0) + value).min(f64::MAX));
            };
            match name {
                "vllm:num_requests_running" | "llamacpp:requests_processing" => add(&mut running),
                "vllm:num_requests_waiting" | "llamacpp:requests_deferred" => add(&mut waiting),
                "vllm:num_preemptions_total" | "vllm:num_preemptions" => add(&mut preemptions),
                "vllm:kv_cache_usage_perc"
                | "vllm:gpu_cache_usage_perc"
                | "llamacpp:kv_cache_usage_ratio" => {
                    let fullest = load.kv_usage.unwrap_or(0.0).max(value.min(1.0));
                    load.kv_usage = Some(fullest);
                }
                "vllm:max_num_seqs" | "vllm:num_requests_max" => {
                    let sum = f64::from(load.max_running.unwrap_or(0)) + value;
                    load.max_running = (sum >= 1.0).then_some(sum as u32);
                }
                _ => {}
            }
        }
        load.running = running?;
        load.waiting = waiting?;
        load.preemptions = preemptions.map(|count| count as u64);
        Some(load)
    }
}

/// Name and value of one line, if it is a sample of a server known here with a value that means
/// something: finite and not negative.
fn sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim_start();
    if !(line.starts_with("vllm:") || line.starts_with("llamacpp:")) {
        return None;
    }
    let name_end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(name_end);
    let rest = rest.trim_start();
    let rest = if rest.starts_with('{') { &rest[labels_end(rest)?..] } else { rest };
    // A time stamp may follow the value.
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some((name, value))
}

/// Where a label set that begins with `{` ends; braces inside quoted values do not count.
fn labels_end(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}
