//! The scheduler of one server: continuous batching as in vLLM's V1 engine.
//!
//! Each step spends a budget of tokens. Running requests come first (one token each, or the next
//! chunk of an unfinished prompt); when no KV block is left for one, the latest is preempted and
//! will be recomputed. What remains goes to waiting requests in order, their prompts cut to fit;
//! **the head of the queue blocks the others when the cache has no room for it**, and nothing is
//! admitted in a step that preempted. One simplification: the victim of a preemption is never a
//! request that has its tokens in the current step already, even if its priority is lower.
//!
//! Several answers to one prompt (`n` in the API) are as many requests with the same block hashes,
//! as in vLLM: blocks are found by others within the step that fills them, so the prompt is computed
//! once, but for what does not fill a block.

use rustc_hash::FxHashSet;

use super::front::FrontEnd;
use super::kv::KvCache;
use super::profile::{Profile, Scheduling};
use super::queue::Queue;
use super::report::{Admission, Emission, Stats, Step};
use super::sequence::{Finish, Rejected, Request, Sequence};
use super::step::{Load, step_ms};

/// One server. Drive it so: call [`step`](Engine::step); if it returns a step, act on its tokens
/// and call again at its end; if not, call after the next [`submit`](Engine::submit).
///
/// ```
/// use sage_core::vllm::{Engine, Request, profile};
/// let mut engine = Engine::new(profile("a100/qwen2.5-7b").expect("registered"));
/// let ask = Request { id: 1, prompt_tokens: 100, max_tokens: 3, target_tokens: 9, ..Request::default() };
/// engine.submit(ask, 0).expect("it fits");
/// let (mut now, mut tokens) = (0, 0);
/// while let Some(step) = engine.step(now) {
///     tokens += step.emitted.len();
///     now = step.ends_at_ns;
/// }
/// assert_eq!(tokens, 3);
/// assert!(now > 20_000_000, "three steps of about ten milliseconds");
/// ```
#[derive(Debug)]
pub struct Engine {
    profile: Profile,
    kv: KvCache,
    front: FrontEnd,
    queue: Queue,
    running: Vec<Sequence>,
    live: FxHashSet<u64>,
    arrivals: u64,
    busy_until: u64,
    /// Whether the last step finished requests whose blocks are still held.
    unsettled: bool,
    /// Tokens of each running request in a step; kept for its memory alone.
    chunks: Vec<u32>,
    stats: Stats,
}

impl Engine {
    /// An idle server with an empty cache.
    pub fn new(profile: &Profile) -> Self {
        let mut profile = profile.clone();
        for limit in [
            &mut profile.block_size,
            &mut profile.max_num_seqs,
            &mut profile.max_num_batched_tokens,
        ] {
            *limit = (*limit).max(1);
        }
        Engine {
            kv: KvCache::new(profile.kv_blocks),
            profile,
            front: FrontEnd::default(),
            queue: Queue::default(),
            running: Vec::new(),
            live: FxHashSet::default(),
            arrivals: 0,
            busy_until: 0,
            unsettled: false,
            chunks: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// The profile it runs.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Accept a request that arrives at `now`, or say why not. Times must not run backwards.
    pub fn submit(&mut self, request: Request, now: u64) -> Result<(), Rejected> {
        let room = self.profile.room(request.prompt_tokens)?;
        if !self.live.insert(request.id) {
            return Err(Rejected::Duplicate(request.id));
        }
        self.arrivals += 1;
        let priority = match self.profile.scheduling {
            Scheduling::Fcfs => 0,
            Scheduling::Priority => request.priority,
        };
        let work_ns = self.profile.api_ms_per_request * 1e6
            + self.profile.api_us_per_token * 1e3 * f64::from(request.prompt_tokens);
        let sequence = Sequence::new(request, self.arrivals, priority, room);
        self.pass_on(now);
        self.front.arrive(sequence, now, work_ns.max(0.0) as u64);
        Ok(())
    }

    /// Forget a request; false when it is not in flight.
    pub fn cancel(&mut self, id: u64) -> bool {
        if !self.live.remove(&id) {
            return false;
        }
        if !self.front.remove(id)
            && !self.queue.remove(id)
            && let Some(index) = self.running.iter().position(|sequence| sequence.id == id)
        {
            let mut sequence = self.running.remove(index);
            self.kv.release(&mut sequence.blocks);
        }
        self.stats.cancelled += 1;
        true
    }

    /// Counters and gauges as of the last step.
    pub fn stats(&self) -> Stats {
        let used = self.kv.capacity() - self.kv.free();
        Stats {
            running: self.running.len(),
            waiting: self.queue.len(),
            arriving: self.front.len(),
            kv_blocks_used: used,
            kv_usage: f64::from(used) / f64::from(self.kv.capacity().max(1)),
            ..self.stats
        }
    }

    /// Schedule the next step at `now`, or at the end of the current one if that is later; `None`
    /// when there is nothing to do until the next [`submit`](Engine::submit).
    pub fn step(&mut self, now: u64) -> Option<Step> {
        let mut step = Step::default();
        self.step_into(now, &mut step).then_some(step)
    }

    /// The same in the memory of an earlier step, for drivers that take millions of them. False, and
    /// `step` says nothing, when there is nothing to do.
    pub fn step_into(&mut self, now: u64, step: &mut Step) -> bool {
        let now = now.max(self.busy_until);
        self.settle();
        self.pass_on(now);
        step.starts_at_ns = now;
        step.load = Load::default();
        step.emitted.clear();
        step.admitted.clear();
        let mut chunks = std::mem::take(&mut self.chunks);
        chunks.clear();
        if self.profile.chunked_prefill {
            let mut budget = self.profile.max_num_batched_tokens;
            if self.continue_running(&mut budget, &mut chunks) {
                self.admit(&mut budget, &mut chunks, &mut step.admitted);
            }
        } else {
            self.prompts_first(&mut chunks, &mut step.admitted);
        }
        let some = if chunks.is_empty() {
            let departure = self.front.next_departure();
            self.busy_until = departure.unwrap_or(self.busy_until);
            departure.is_some()
        } else {
            self.compute(&chunks, &mut step.load, &mut step.emitted);
            self.stats.steps += 1;
            self.stats.generated_tokens += step.emitted.len() as u64;
            let duration_ns = (step_ms(&self.profile.costs, &step.load) * 1e6).round() as u64;
            self.busy_until = now + duration_ns.max(1);
            true
        };
        self.chunks = chunks;
        step.ends_at_ns = self.busy_until;
        some
    }

    /// Queue what has left the front end by `now`.
    fn pass_on(&mut self, now: u64) {
        while let Some((at, mut sequence)) = self.front.depart(now) {
            sequence.queued_at = at;
            self.queue.wait(sequence);
        }
    }

    /// A step of the first vLLM: whole prompts if any fits, else one token for each request.
    fn prompts_first(&mut self, chunks: &mut Vec<u32>, admitted: &mut Vec<Admission>) {
        let mut budget = self.profile.max_num_batched_tokens.max(self.profile.max_model_len);
        chunks.resize(self.running.len(), 0);
        self.admit(&mut budget, chunks, admitted);
        if admitted.is_empty() {
            chunks.clear();
            let mut budget = u32::MAX;
            self.continue_running(&mut budget, chunks);
        }
    }

    /// Let go of what the last step finished: until its end those requests held their blocks.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let (kv, live, stats) = (&mut self.kv, &mut self.live, &mut self.stats);
        self.running.retain_mut(|sequence| {
            let Some(finish) = sequence.finish else { return true };
            kv.release(&mut sequence.blocks);
            live.remove(&sequence.id);
            match finish {
                Finish::Stop => stats.stopped += 1,
                Finish::Length => stats.cut += 1,
            }
            false
        });
    }

    /// Give running requests their tokens; false when one had to be preempted for it.
    fn continue_running(&mut self, budget: &mut u32, chunks: &mut Vec<u32>) -> bool {
        let mut undisturbed = true;
        'next: while chunks.len() < self.running.len() && *budget > 0 {
            let index = chunks.len();
            let sequence = &self.running[index];
            let chunk = (sequence.total() - sequence.computed).min(*budget);
            while !grow(&mut self.kv, &mut self.running[index], chunk, self.profile.block_size) {
                undisturbed = false;
                let victim = self.victim(index);
                self.preempt(victim);
                if victim == index {
                    continue 'next;
                }
            }
            *budget -= chunk;
            chunks.push(chunk);
        }
        undisturbed
    }

    /// The running request from `from` on that has the least right to run.
    fn victim(&self, from: usize) -> usize {
        let right = |index: &usize| (self.running[*index].key.0, *index);
        (from..self.running.len()).max_by_key(right).unwrap_or(from)
    }

    fn preempt(&mut self, index: usize) {
        let mut sequence = self.running.remove(index);
        self.kv.release(&mut sequence.blocks);
        sequence.computed = 0;
        self.stats.preemptions += 1;
        self.queue.wait(sequence);
    }

    /// Start waiting requests while budget, places and blocks last.
    fn admit(&mut self, budget: &mut u32, chunks: &mut Vec<u32>, admitted: &mut Vec<Admission>) {
        let size = self.profile.block_size;
        // A request without a chunk is one that the budget did not reach: nobody overtakes it.
        while *budget > 0
            && chunks.len() == self.running.len()
            && self.running.len() < self.profile.max_num_seqs as usize
        {
            let Some(head) = self.queue.head() else { break };
            let total = head.total();
            // At least the last token is computed, as its output is what is sampled from.
            let (hits, idle) = self.kv.peek((0..(total - 1) / size).map(|k| head.hash(k)));
            let chunk = (total - hits * size).min(*budget);
            if !self.profile.chunked_prefill && chunk < total - hits * size {
                break;
            }
            if (hits * size + chunk).div_ceil(size) - hits + idle > self.kv.free() {
                break;
            }
            let Some(mut sequence) = self.queue.take_head() else { break };
            for index in 0..hits {
                sequence.blocks.extend(self.kv.share(sequence.hash(index)));
            }
            sequence.computed = hits * size;
            grow(&mut self.kv, &mut sequence, chunk, size);
            let again = std::mem::replace(&mut sequence.seen, true);
            admitted.push(Admission {
                id: sequence.id,
                queued_at_ns: sequence.queued_at,
                cached_tokens: (hits * size).min(sequence.prompt),
                again,
            });
            if !again {
                self.stats.prompt_tokens += u64::from(sequence.prompt);
                self.stats.prefix_queries += u64::from(sequence.prompt);
                self.stats.prefix_hits += u64::from(hits * size);
            }
            *budget -= chunk;
            chunks.push(chunk);
            self.running.push(sequence);
        }
    }

    /// Account for the scheduled tokens and sample from the sequences that are complete.
    fn compute(&mut self, chunks: &[u32], load: &mut Load, emitted: &mut Vec<Emission>) {
        for (sequence, &chunk) in self.running.iter_mut().zip(chunks) {
            if chunk == 0 {
                continue;
            }
            if sequence.produced > 0 && chunk == 1 {
                load.decode(sequence.total());
            } else {
                load.prefill(chunk, sequence.computed);
            }
            sequence.computed += chunk;
            if sequence.computed == sequence.total() {
                load.emitting += 1;
                sequence.produce();
                self.unsettled |= sequence.finish.is_some();
                emitted.push(Emission {
                    id: sequence.id,
                    produced: sequence.produced,
                    finish: sequence.finish,
                });
            }
        }
    }
}

/// Give `sequence` blocks for `chunk` more tokens and publish those that become full; as in vLLM
/// they are found by others within the same step. False, and nothing changed, without room.
fn grow(kv: &mut KvCache, sequence: &mut Sequence, chunk: u32, block_size: u32) -> bool {
    let end = sequence.computed + chunk;
    // Most steps add a token in the middle of the last block.
    let room = sequence.blocks.len() as u64 * u64::from(block_size);
    if u64::from(end) < room && u64::from(sequence.computed) + u64::from(block_size) >= room {
        return true;
    }
    let needed = end.div_ceil(block_size) as usize;
    let missing = needed.saturating_sub(sequence.blocks.len());
    if missing > kv.free() as usize {
        return false;
    }
    sequence.blocks.extend((0..missing).map_while(|_| kv.allocate()));
    for index in sequence.computed / block_size..end / block_size {
        let hash = sequence.hash(index);
        kv.publish(sequence.blocks[index as usize], hash);
    }
    true
}
