//! The life of each request, and the histograms that it ends up in.
//!
//! As in vLLM: the time to the first token begins when the request arrives, so it includes every
//! queue; the choices of one prompt (`n`) are requests of their own, except in `request_params_n`
//! and in the longest answer of the prompt.

use std::collections::HashMap;

use super::exposition::Exposition;
use super::histogram::{
    CHOICES, FIRST_TOKEN, Histogram, ITERATION, PER_TOKEN, PHASE, one_two_five,
};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Ask {
    pub(in super::super) arrived_ns: u64,
    pub(in super::super) prompt_tokens: u32,
    pub(in super::super) max_tokens: u32,
    /// The first of the `n` choices of its prompt.
    pub(in super::super) family: u64,
    pub(in super::super) n: u64,
}

#[derive(Debug, Clone)]
struct Life {
    ask: Ask,
    /// Ready to run, and first run; unknown until then.
    scheduled_ns: Option<(u64, u64)>,
    /// Prompt tokens that were found in the cache.
    cached: u32,
    first_ns: u64,
    last_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Family {
    open: u64,
    longest: u32,
}

/// All requests in flight, and the sums over those that ended.
#[derive(Debug, Clone)]
pub(in super::super) struct Ledger {
    lives: HashMap<u64, Life>,
    families: HashMap<u64, Family>,
    histograms: Histograms,
}

#[derive(Debug, Clone)]
struct Histograms {
    first_token: Histogram,
    between: Histogram,
    per_token: Histogram,
    whole: Histogram,
    queue: Histogram,
    inference: Histogram,
    prefill: Histogram,
    decode: Histogram,
    prompt: Histogram,
    computed: Histogram,
    generation: Histogram,
    longest: Histogram,
    n: Histogram,
    max_tokens: Histogram,
    iteration: Histogram,
}

fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}

impl Ledger {
    /// Empty; token counts get buckets up to `max_model_len`.
    pub(in super::super) fn new(max_model_len: u32) -> Self {
        let tokens = one_two_five(max_model_len);
        let count = |name, help| Histogram::new(name, help, &tokens);
        let phase = |name, help| Histogram::new(name, help, PHASE);
        let histograms = Histograms {
            first_token: Histogram::new(
                "time_to_first_token_seconds",
                "Arrival to first token, all queues included, virtual seconds.",
                FIRST_TOKEN,
            ),
            between: Histogram::new(
                "inter_token_latency_seconds",
                "Between two tokens of a request, virtual seconds.",
                PER_TOKEN,
            ),
            per_token: Histogram::new(
                "request_time_per_output_token_seconds",
                "Mean over the tokens of a request after its first, virtual seconds.",
                PER_TOKEN,
            ),
            whole: phase("e2e_request_latency_seconds", "Arrival to end, virtual seconds."),
            queue: phase("request_queue_time_seconds", "Front end to first step, virtual seconds."),
            inference: phase(
                "request_inference_time_seconds",
                "First step to end, virtual seconds.",
            ),
            prefill: phase(
                "request_prefill_time_seconds",
                "First step to first token, virtual seconds.",
            ),
            decode: phase("request_decode_time_seconds", "First token to end, virtual seconds."),
            prompt: count("request_prompt_tokens", "Prompt tokens of a request."),
            computed: count(
                "request_prefill_kv_computed_tokens",
                "Prompt tokens of a request that were not in the cache.",
            ),
            generation: count("request_generation_tokens", "Generated tokens of a request."),
            longest: count(
                "request_max_num_generation_tokens",
                "Tokens of the longest choice of a prompt.",
            ),
            n: Histogram::new("request_params_n", "Choices of a prompt.", CHOICES),
            max_tokens: count("request_params_max_tokens", "The max_tokens of a request."),
            iteration: Histogram::new("iteration_tokens_total", "Tokens of a step.", ITERATION),
        };
        Ledger { lives: HashMap::new(), families: HashMap::new(), histograms }
    }

    /// A request has come in.
    pub(in super::super) fn arrived(&mut self, id: u64, ask: Ask) {
        let life =
            Life { ask, scheduled_ns: None, cached: 0, first_ns: 0, last_ns: ask.arrived_ns };
        self.lives.insert(id, life);
        let family = self.families.entry(ask.family).or_insert(Family { open: 0, longest: 0 });
        family.open += 1;
    }

    /// A request, ready since `queued`, runs at `now` with `cached` tokens of its prompt known;
    /// after a preemption it does so again, which does not count.
    pub(in super::super) fn scheduled(&mut self, id: u64, queued: u64, now: u64, cached: u32) {
        if let Some(life) = self.lives.get_mut(&id)
            && life.scheduled_ns.is_none()
        {
            life.scheduled_ns = Some((queued, now));
            life.cached = cached;
        }
    }

    /// A step of so many tokens.
    pub(in super::super) fn step(&mut self, tokens: u32) {
        if tokens > 0 {
            self.histograms.iteration.record(f64::from(tokens));
        }
    }

    /// Token number `produced` of a request appears at `now`, in a step that began at `began`.
    pub(in super::super) fn token(&mut self, id: u64, produced: u32, began: u64, now: u64) {
        let Some(life) = self.lives.get_mut(&id) else { return };
        if produced == 1 {
            // An engine that does not tell runs a request in the step that answers it.
            life.scheduled_ns.get_or_insert((life.ask.arrived_ns, began));
            life.first_ns = now;
            self.histograms.first_token.record(seconds(life.ask.arrived_ns, now));
        } else {
            self.histograms.between.record(seconds(life.last_ns, now));
        }
        life.last_ns = now;
    }

    /// A request has ended by itself with `produced` tokens.
    pub(in super::super) fn finished(&mut self, id: u64, produced: u32) {
        let Some(Life { ask, scheduled_ns, cached, first_ns, last_ns }) = self.lives.remove(&id)
        else {
            return;
        };
        let all = &mut self.histograms;
        let (queued, scheduled) = scheduled_ns.unwrap_or((ask.arrived_ns, first_ns));
        all.whole.record(seconds(ask.arrived_ns, last_ns));
        all.queue.record(seconds(queued, scheduled));
        all.inference.record(seconds(scheduled, last_ns));
        all.prefill.record(seconds(scheduled, first_ns));
        all.decode.record(seconds(first_ns, last_ns));
        if produced > 1 {
            all.per_token.record(seconds(first_ns, last_ns) / f64::from(produced - 1));
        }
        all.prompt.record(f64::from(ask.prompt_tokens));
        all.computed.record(f64::from(ask.prompt_tokens.saturating_sub(cached)));
        all.generation.record(f64::from(produced));
        all.max_tokens.record(f64::from(ask.max_tokens));
        if let Some(family) = self.families.get_mut(&ask.family) {
            family.open = family.open.saturating_sub(1);
            family.longest = family.longest.max(produced);
            if family.open == 0 {
                all.longest.record(f64::from(family.longest));
                all.n.record(ask.n as f64);
                self.families.remove(&ask.family);
            }
        }
    }

    /// A request was cancelled or refused: it is in no histogram, nor is its prompt.
    pub(in super::super) fn forget(&mut self, id: u64) {
        if let Some(life) = self.lives.remove(&id) {
            self.families.remove(&life.ask.family);
        }
    }

    /// The sums alone, for a reader: what is in flight stays.
    pub(in super::super) fn sums(&self) -> Ledger {
        let histograms = self.histograms.clone();
        Ledger { lives: HashMap::new(), families: HashMap::new(), histograms }
    }

    pub(super) fn render(&self, out: &mut Exposition) {
        let all = &self.histograms;
        for histogram in [
            &all.first_token,
            &all.between,
            &all.per_token,
            &all.whole,
            &all.queue,
            &all.inference,
            &all.prefill,
            &all.decode,
            &all.prompt,
            &all.computed,
            &all.generation,
            &all.longest,
            &all.n,
            &all.max_tokens,
            &all.iteration,
        ] {
            histogram.render(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn text(ledger: &Ledger) -> String {
        let mut out = Exposition::new(&[]);
        ledger.render(&mut out);
        out.text()
    }

    #[test]
    fn phases_add_up_and_the_first_token_includes_the_queue() {
        let mut ledger = Ledger::new(100);
        let ask = Ask { arrived_ns: S, prompt_tokens: 7, max_tokens: 9, family: 1, n: 1 };
        ledger.arrived(1, ask);
        ledger.scheduled(1, 2 * S, 3 * S, 5);
        ledger.scheduled(1, 8 * S, 8 * S, 7);
        ledger.token(1, 1, 4 * S, 5 * S);
        ledger.token(1, 2, 5 * S, 6 * S);
        ledger.token(1, 3, 6 * S, 9 * S);
        ledger.finished(1, 3);
        let text = text(&ledger);
        for (name, sum) in [
            ("time_to_first_token_seconds", 4.0),
            ("inter_token_latency_seconds", 4.0),
            ("request_time_per_output_token_seconds", 2.0),
            ("e2e_request_latency_seconds", 8.0),
            ("request_queue_time_seconds", 1.0),
            ("request_prefill_time_seconds", 2.0),
            ("request_decode_time_seconds", 4.0),
            ("request_inference_time_seconds", 6.0),
            ("request_prompt_tokens", 7.0),
            ("request_prefill_kv_computed_tokens", 2.0),
            ("request_generation_tokens", 3.0),
            ("request_params_max_tokens", 9.0),
        ] {
            assert!(text.contains(&format!("vllm:{name}_sum{{}} {sum:?}\n")), "{name}\n{text}");
        }
    }

    #[test]
    fn a_prompt_of_several_choices_counts_once_where_it_should() {
        let mut ledger = Ledger::new(100);
        for id in 4..7 {
            let ask = Ask { arrived_ns: 0, prompt_tokens: 1, max_tokens: 9, family: 4, n: 3 };
            ledger.arrived(id, ask);
        }
        for id in 4..7 {
            ledger.token(id, 1, 0, S);
            ledger.finished(id, id as u32);
        }
        let text = text(&ledger);
        assert!(text.contains("vllm:request_params_n_sum{} 3.0\n"));
        assert!(text.contains("vllm:request_max_num_generation_tokens_sum{} 6.0\n"));
        assert!(text.contains("vllm:request_params_max_tokens_count{} 3.0\n"));
        assert!(ledger.lives.is_empty() && ledger.families.is_empty());
    }
}
