//! What is outside of a test's dataflow: its endpoints, in virtual time.
//!
//! An answer is known when a call is made, as it is in the twin: the simulator's code says what the
//! server would write. The station says when it is there, or why it is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sage_core::endpoint::{
    Answer, Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass, GenerateOptions,
    Generation, Request,
};
use sage_dataflow::VirtualTime;
use sage_dataflow::demand::Question;
use sage_dsl::plan::Plan;
use sage_dsl::testing::Test;
use sage_llm::simulator::{Faults, Foreteller};
use sage_twin::model::Work;
use sage_twin::station::{Station, StationCall, StationStats};

use super::sabotage::Rules;
use crate::exit::{usage, usage_of};
use crate::twin::{Servers, foretold};

/// See the module.
pub(super) struct World {
    time: VirtualTime,
    servers: Vec<Servers>,
    seed: u64,
    /// What the calls of a stage fail with, by the stage's position.
    failing: BTreeMap<usize, String>,
    names: Vec<String>,
    state: Mutex<State>,
}

struct State {
    stations: Vec<Station>,
    /// Of the endpoints with faults: which answers miss their schema.
    misfits: Vec<Option<Foreteller>>,
    open: BTreeMap<u64, Open>,
    next: u64,
}

/// A call on its way.
struct Open {
    completion: Completion,
    answer: Answer,
    since_ns: u64,
}

impl World {
    pub(super) fn new(
        test: &Test,
        plan: &Plan,
        servers: Vec<Servers>,
        seed: u64,
        time: VirtualTime,
    ) -> anyhow::Result<Arc<World>> {
        let (mut stations, mut misfits) = (Vec::new(), Vec::new());
        for (endpoint, servers) in plan.endpoints.iter().zip(&servers) {
            let model = servers.model(endpoint, true);
            let mut station = Station::new(&model, &[1.0], seed).map_err(usage_of)?;
            let fault = test.faults.iter().find(|fault| fault.endpoint == endpoint.name);
            let mut misfit = None;
            if let Some(fault) = fault {
                let rules = Faults::parse(&fault.rules).map_err(usage)?;
                misfit = Some(Foreteller::new(rules.clone(), fault.seed));
                station.sabotage(Box::new(Rules(Foreteller::new(rules, fault.seed))));
            }
            stations.push(station);
            misfits.push(misfit);
        }
        let failing = plan.stages().enumerate().filter_map(|(at, stage)| {
            let failing = test.failing.iter().find(|failing| failing.stage == stage.name)?;
            Some((at, failing.message.clone()))
        });
        Ok(Arc::new(World {
            time,
            servers,
            seed,
            failing: failing.collect(),
            names: plan.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect(),
            state: Mutex::new(State { stations, misfits, open: BTreeMap::new(), next: 0 }),
        }))
    }

    /// The figures of the endpoint called `name`; of one that the flow does not use, nothing.
    pub(super) fn stats(&self, name: &str) -> StationStats {
        let at = self.names.iter().position(|known| known == name);
        let state = self.state();
        let station = at.and_then(|at| state.stations.get(at));
        station.map(Station::stats).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the answer to a call is to miss its schema.
    fn misses(&self, call: &Call) -> bool {
        let structured = match &call.request {
            Request::Generate { options, .. } => options.schema.is_some(),
            _ => false,
        };
        let mut state = self.state();
        let misfit = state.misfits.get_mut(call.endpoint).and_then(Option::as_mut);
        structured && misfit.is_some_and(Foreteller::misses_schema)
    }

    /// What the server answers to each item, and what that takes.
    fn answer(&self, call: &Call) -> Result<(Answer, Vec<Work>), CallError> {
        let wrong = self.misses(call);
        let ask = |request: Request| {
            let stage = u16::try_from(call.stage).unwrap_or(u16::MAX);
            let question = Question { stage, endpoint: call.endpoint, request };
            foretold(&question, &self.servers, self.seed, wrong)
        };
        let mut works = Vec::new();
        let answer = match &call.request {
            Request::Embed { texts } => {
                let (mut vectors, mut tokens) = (Vec::new(), 0);
                for text in texts {
                    let (answer, work) = ask(Request::Embed { texts: vec![text.clone()] })?;
                    works.push(work);
                    if let Answer::Embedded { vectors: own, tokens: used } = answer {
                        vectors.extend(own);
                        tokens += used;
                    }
                }
                Answer::Embedded { vectors, tokens }
            }
            Request::Generate { prompts, options } => {
                // Several prompts are a list, which has no chat form.
                let chat = options.chat && prompts.len() == 1;
                let options = GenerateOptions { chat, ..options.clone() };
                let mut texts: Vec<Generation> = Vec::new();
                for prompt in prompts {
                    let (prompts, options) = (vec![prompt.clone()], options.clone());
                    let (answer, work) = ask(Request::Generate { prompts, options })?;
                    works.push(work);
                    if let Answer::Generated(own) = answer {
                        texts.extend(own);
                    }
                }
                Answer::Generated(texts)
            }
            Request::Http { call, .. } => {
                let what = format!(
                    "a test asks no server (`{}`); say what it answers: `mock STAGE = ...`",
                    call.url
                );
                return Err(CallError::new(ErrorClass::Rejected, what));
            }
            Request::Exec { command, .. } => {
                let what = format!(
                    "a test does not run `{}`; say what it answers: `mock STAGE = ...`",
                    command.words.join(" ")
                );
                return Err(CallError::new(ErrorClass::Rejected, what));
            }
        };
        Ok((answer, works))
    }
}

impl Endpoint for World {
    fn submit(&self, call: Call, completion: Completion) {
        let now_ns = self.time.now_ns();
        if let Some(message) = self.failing.get(&call.stage) {
            let error = CallError::new(ErrorClass::Rejected, message.clone());
            completion.complete(CallOutcome::failed(error, 1));
            return;
        }
        let (answer, works) = match self.answer(&call) {
            Ok(answered) => answered,
            Err(error) => {
                completion.complete(CallOutcome::failed(error, 1));
                return;
            }
        };
        let mut state = self.state();
        let State { stations, open, next, .. } = &mut *state;
        // Dropping the completion answers that the call was lost.
        let Some(station) = stations.get_mut(call.endpoint) else { return };
        let id = *next;
        *next += 1;
        open.insert(id, Open { completion, answer, since_ns: now_ns });
        let call = StationCall {
            id,
            job: 0,
            stage: u16::try_from(call.stage).unwrap_or(u16::MAX),
            lane: call.lane,
            items: works.into(),
            deadline_ns: now_ns.saturating_add(call.timeout_ns),
        };
        station.submit(call, now_ns);
    }
}

impl sage_dataflow::World for World {
    fn next_ns(&self) -> Option<u64> {
        self.state().stations.iter_mut().filter_map(Station::next_ns).min()
    }

    fn advance(&self, now_ns: u64) {
        let mut done = Vec::new();
        {
            let mut state = self.state();
            let State { stations, open, .. } = &mut *state;
            let mut replies = Vec::new();
            for station in stations {
                station.advance(now_ns, &mut replies);
            }
            for reply in replies {
                let Some(open) = open.remove(&reply.id) else { continue };
                let first = reply.first_token_ns.map(|at_ns| at_ns.saturating_sub(open.since_ns));
                let result = reply.result.map(|_| open.answer).map_err(error);
                let (attempts, first_token_ns) = (reply.attempts, first);
                done.push((open.completion, CallOutcome { result, attempts, first_token_ns }));
            }
        }
        for (completion, outcome) in done {
            completion.complete(outcome);
        }
    }
}

fn error(class: ErrorClass) -> CallError {
    let message = match class {
        ErrorClass::Timeout => "no answer within the time of the call",
        ErrorClass::Throttled => "refused for want of room",
        ErrorClass::Unreachable => "no connection",
        ErrorClass::Protocol => "the answer could not be understood",
        ErrorClass::Rejected => "the server finds fault with the call",
        ErrorClass::Server | ErrorClass::Abandoned | ErrorClass::Cancelled => {
            "the server failed, also when it was asked again"
        }
    };
    CallError::new(class, message)
}
