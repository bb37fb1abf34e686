//! A shared endpoint in virtual time: the gateway's line, limiter, rates, retries and servers.
//!
//! The caller's loop is: [`submit`](Station::submit) calls as they come, ask
//! [`next_ns`](Station::next_ns) for the next moment something happens in here, and
//! [`advance`](Station::advance) to it; answers come out in order of time.
//!
//! ```text
//! submit -> line (SFQ) -> permit -> choice (least tokens) -> rates -> try -> engines, stepped
//!             ^                       ^                                |      |
//!             |  budget, backoff      '------- breaker, hold-off ------'      '-> Reply
//!             '---------------------------- failed
//! ```
//!
//! **What decides are the objects that decide in the gateway**, driven in the same order: those of
//! [`sage_core::upstream`], with the numbers that no program sets, and `FairQueue`, `CostEstimator`,
//! `Replicas` and `Hedger`. The engines are those of the simulator. What is here is virtual time and
//! who waits for what: the gateway's tasks, timers and locks. Where they differ:
//!
//! - The way to the gateway and to the servers takes no time; the caller adds what it costs.
//! - Prompts are known by their tokens and the hashes of their blocks, not by their text. So costs
//!   are exact where the gateway estimates four bytes a token, and prompts begin alike when their
//!   full blocks within the first 256 tokens do.
//! - Servers can always be reached, and no call is without a deadline unless that is `u64::MAX`.
//! - What generates is never sent a second time: only the temperature would allow it, which is not
//!   in the model.

mod agenda;
mod books;
mod call;
mod check;
mod choice;
mod clockwork;
mod engines;
mod error;
mod faults;
mod hedge;
mod line;
mod outcome;
mod paces;
mod places;
mod poll;
mod server;
mod trip;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rand::SeedableRng;
use rand_pcg::Pcg32;
use rustc_hash::FxHashMap;
use sage_core::endpoint::{ErrorClass, Lane};
use sage_core::hedge::Hedger;
use sage_core::replica::Replicas;
use sage_core::retry::{RetryBudget, RetryPolicy};
use sage_core::upstream::settings::{limiter, retry_burst};

use crate::model::{EndpointModel, ServerKind, Work};

use agenda::Agenda;
use books::Books;
pub use books::JobStats;
use call::{Attempt, Call, Kind, Size, key};
use check::check;
use choice::Seekers;
pub use error::StationError;
use faults::Faults;
pub use faults::{Ending, Fate, Saboteur};
use line::{Line, Place, Visitor};
use paces::Paces;
use server::{Backend, Server};
use trip::Wake;

/// One call on its way.
#[derive(Debug, Clone)]
pub struct StationCall {
    /// Number of the call, unique among those in flight.
    pub id: u64,
    /// Position of its job.
    pub job: usize,
    /// Position of its stage: calls of one stage are expected to get answers of like length.
    pub stage: u16,
    /// Lane of the line.
    pub lane: Lane,
    /// Its items, all `Embed` or all `Generate`; `Wait` for servers of kind `Queue`.
    pub items: Arc<[Work]>,
    /// Given up at this time; `u64::MAX` is never.
    pub deadline_ns: u64,
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Number of the call.
    pub id: u64,
    /// When.
    pub at_ns: u64,
    /// Prompt and generated tokens of each item, or why there is none.
    pub result: Result<Vec<(u32, u32)>, ErrorClass>,
    /// Tries.
    pub attempts: u32,
    /// When the first token of the first item was there.
    pub first_token_ns: Option<u64>,
}

/// Figures of one endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StationStats {
    /// Calls that were submitted.
    pub calls: u64,
    /// Calls with an answer.
    pub ok: u64,
    /// Calls without.
    pub errors: u64,
    /// Tries at a server.
    pub attempts: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Most calls at the servers at once.
    pub max_in_flight: u64,
    /// The limit as it stands.
    pub limit: u32,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
    /// Prompt tokens found in a prefix cache.
    pub cached_tokens: u64,
    /// Preemptions at the servers.
    pub preemptions: u64,
    /// Time during which a server computed, nanoseconds, all servers together. Of servers without a
    /// model it is the time of each place in use.
    pub busy_ns: u64,
    /// Time for which calls had a place, whatever became of them, nanoseconds, all calls together:
    /// over the length of a run it is how many places were taken on average.
    pub held_ns: u64,
    /// The limit, on average over time.
    pub mean_limit: f64,
    /// What each job has asked for, in the order of their shares; all else here is of all jobs
    /// together.
    pub jobs: Vec<JobStats>,
}

/// One endpoint; see the module.
///
/// ```
/// # use std::sync::Arc;
/// # use sage_core::endpoint::Lane;
/// # use sage_dsl::plan::RetryPlan;
/// use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
/// use sage_twin::station::{Station, StationCall};
///
/// # fn model(server: ServerModel) -> EndpointModel {
/// #     EndpointModel {
/// #         name: "e".into(), servers: vec![server], affinity: false, concurrency: Some(1),
/// #         concurrency_max: 1, latency_target_ns: None, queue: 10, aging_ns: 0, fair: true,
/// #         retry: RetryPlan::default(), hedge: None, requests_per_s: None, tokens_per_s: None,
/// #         error_share: 0.0,
/// #     }
/// # }
/// let server = ServerModel { kind: ServerKind::Fixed { service_ns: 50 }, speed: 1.0 };
/// let mut station = Station::new(&model(server), &[1.0], 7)?;
/// for id in 0..2 {
///     let items = Arc::new([Work::Wait(0)]);
///     let call = StationCall { id, job: 0, stage: 0, lane: Lane::Normal, items, deadline_ns: 1_000 };
///     station.submit(call, 10);
/// }
/// let mut replies = Vec::new();
/// while let Some(now_ns) = station.next_ns() {
///     station.advance(now_ns, &mut replies);
/// }
/// let times: Vec<u64> = replies.iter().map(|reply| reply.at_ns).collect();
/// assert_eq!(times, [60, 110]);
/// # Ok::<(), sage_twin::station::StationError>(())
/// ```
#[derive(Debug)]
pub struct Station {
    now_ns: u64,
    line: Line,
    servers: Vec<Server>,
    choice: Replicas,
    paces: Paces,
    retry: RetryPolicy,
    budget: RetryBudget,
    hedger: Option<Hedger>,
    faults: Faults,
    /// The limit over all servers; `None` when each finds its own.
    fixed: Option<u32>,
    /// Tokens of a block, by which beginnings of prompts are told apart.
    block_size: u32,
    rng: Pcg32,
    calls: FxHashMap<u64, Call>,
    /// The number of each call here, by the caller's.
    ids: FxHashMap<u64, u64>,
    attempts: FxHashMap<u64, Attempt>,
    /// The last number given to a call or a try.
    last: u64,
    agenda: Agenda,
    deadlines: BTreeSet<(u64, u64)>,
    seekers: Seekers,
    ready: VecDeque<Wake>,
    replies: VecDeque<Reply>,
    stats: StationStats,
    books: Books,
}

impl Station {
    /// An idle endpoint. `shares` is the weight of each job, `seed` that of everything drawn here.
    pub fn new(model: &EndpointModel, shares: &[f64], seed: u64) -> Result<Station, StationError> {
        check(model, shares)?;
        let max = model.concurrency_max.max(1);
        let limiter = model.concurrency.is_none().then(|| limiter(max, model.latency_target_ns));
        let servers: Vec<Server> =
            model.servers.iter().map(|server| Server::new(server, limiter)).collect();
        let block_size = model.servers.iter().find_map(|server| match &server.kind {
            ServerKind::Vllm { generator, .. } => Some(generator.block_size),
            _ => None,
        });
        let fixed = model.concurrency.map(|limit| limit.max(1));
        let limit = fixed.unwrap_or(1);
        let mut station = Station {
            now_ns: 0,
            line: Line::new(limit, model.queue, model.aging_ns, shares, model.fair),
            choice: Replicas::new(servers.len(), model.affinity),
            servers,
            paces: Paces::new(model.requests_per_s, model.tokens_per_s),
            retry: model.retry.into(),
            budget: RetryBudget::of_share(model.retry.budget, retry_burst(fixed, max)),
            hedger: model.hedge.map(|hedge| Hedger::new(hedge.quantile, hedge.budget)),
            faults: Faults::new(model.error_share, seed),
            fixed,
            block_size: block_size.unwrap_or(1),
            rng: Pcg32::seed_from_u64(seed),
            calls: FxHashMap::default(),
            ids: FxHashMap::default(),
            attempts: FxHashMap::default(),
            last: 0,
            agenda: Agenda::default(),
            deadlines: BTreeSet::new(),
            seekers: Seekers::default(),
            ready: VecDeque::new(),
            replies: VecDeque::new(),
            stats: StationStats::default(),
            books: Books::new(shares.len()),
        };
        station.adjust();
        Ok(station)
    }

    /// Leave it to `saboteur` what becomes of each try, in the place of the model's `error_share`.
    pub fn sabotage(&mut self, saboteur: Box<dyn Saboteur>) {
        self.faults.leave_to(saboteur);
    }

    /// A call reaches the gateway at `now_ns`, which is not before anything that was told here.
    ///
    /// Every call is answered once, unless it is [cancelled](Self::cancel): at once if the line is
    /// full, or if it makes no sense (no items, items of different kinds, an unknown job, a number
    /// that is in flight).
    pub fn submit(&mut self, call: StationCall, now_ns: u64) {
        self.run(now_ns, false);
        self.now_ns = self.now_ns.max(now_ns);
        self.stats.calls += 1;
        self.books.count(call.job, |job| job.calls += 1);
        let known = self.ids.contains_key(&call.id) || call.job >= self.line.jobs();
        let kind = Kind::of_all(&call.items).filter(|_| !known);
        let Some(kind) = kind else { return self.turn_away(&call, ErrorClass::Rejected) };
        let number = self.number();
        let size = Size::of(&call.items, kind, number, self.block_size);
        let Size { input, limit, .. } = size;
        let &StationCall { id, job, lane, stage, .. } = &call;
        let visitor = Visitor { call: number, job, lane, key: key(job, stage), input, limit };
        let ticket = match self.line.enter(visitor, self.now_ns) {
            Place::Full => return self.turn_away(&call, ErrorClass::Throttled),
            Place::Queued(ticket) => ticket,
            Place::Granted(ticket) => {
                self.ready.push_back(Wake::Permit(number));
                ticket
            }
        };
        let deadline_ns = call.deadline_ns.max(self.now_ns);
        self.ids.insert(id, number);
        self.deadlines.insert((deadline_ns, number));
        let call = Call::new(StationCall { deadline_ns, ..call }, kind, size, ticket);
        self.calls.insert(number, call);
        self.plan_polls();
        self.run_ready();
    }

    /// The caller has given call `id` up, now: [advance](Self::advance) to that moment first. There
    /// will be no answer to it. False if it was answered or never came.
    pub fn cancel(&mut self, id: u64) -> bool {
        let Some(&number) = self.ids.get(&id) else { return false };
        self.drop_tries(number);
        self.leave(number, Err(ErrorClass::Cancelled), None);
        self.run_ready();
        true
    }

    /// The next moment at which something happens in here, if nothing comes from outside. It is not
    /// always one with an answer.
    pub fn next_ns(&mut self) -> Option<u64> {
        if !self.replies.is_empty() {
            return Some(self.now_ns);
        }
        let planned = self.next_event().map(|(at_ns, _)| at_ns);
        let deadline = self.deadlines.first().map(|&(at_ns, _)| at_ns);
        planned.into_iter().chain(deadline).min()
    }

    /// Time goes on to `now_ns`; the answers up to then, that moment included, are put into `out`.
    pub fn advance(&mut self, now_ns: u64, out: &mut Vec<Reply>) {
        self.run(now_ns, true);
        self.now_ns = self.now_ns.max(now_ns);
        out.extend(self.replies.drain(..));
    }

    /// The figures now.
    pub fn stats(&self) -> StationStats {
        let mut stats = StationStats {
            max_in_flight: self.line.max_in_flight(),
            limit: self.line.limit(),
            held_ns: self.line.held_ns(),
            mean_limit: self.line.mean_limit(),
            jobs: self.books.jobs(),
            ..self.stats.clone()
        };
        for server in &self.servers {
            stats.busy_ns += server.busy_ns();
            if let Backend::Vllm { generator, .. } = &server.backend {
                let of_engine = generator.stats();
                stats.cached_tokens += of_engine.prefix_hits;
                stats.preemptions += of_engine.preemptions;
            }
        }
        stats
    }

    /// A call that does not come in.
    fn turn_away(&mut self, call: &StationCall, class: ErrorClass) {
        self.stats.errors += 1;
        self.books.count(call.job, |job| job.errors += 1);
        let at_ns = self.now_ns;
        self.replies.push_back(Reply {
            id: call.id,
            at_ns,
            result: Err(class),
            attempts: 0,
            first_token_ns: None,
        });
    }

    /// A number for a call or a try.
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

#[cfg(test)]
mod tests;
