//! What the records of a plan ask for, with the simulator's answers to their calls.
//!
//! Kept by what they depend on: an experiment that varies policies, nodes or limits evaluates its
//! pipeline once for each seed.

use std::collections::VecDeque;
use std::sync::Arc;

use sage_core::endpoint::{Answer, CallError, ErrorClass, GenerateOptions, Request};
use sage_core::index::Index;
use sage_dataflow::demand::{Demands, Extent, Interpreter, Question, Shape};
use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value;
use sage_llm::simulator::preview;
use sage_twin::model::Work;

use super::Servers;
use crate::exit::usage_of;

/// Records that are evaluated at most; those of a larger source are taken to be like these, in turn.
pub(crate) const DISTINCT: usize = 4096;

/// A plan, looked at.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) shape: Shape,
    pub(super) demands: Demands<Work>,
}

/// Records that are kept at most, of all that was looked at: some hundred bytes each.
const KEPT: usize = 1 << 17;

/// What was looked at last.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// By identity, the latest at the end.
    known: VecDeque<(String, Arc<Looked>)>,
}

impl Looks {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What the records of `plan` ask for.
    pub(super) fn at(
        &mut self,
        plan: &Plan,
        extent: Extent,
        servers: &[Servers],
        seed: u64,
        indexes: impl FnOnce() -> anyhow::Result<Vec<Arc<dyn Index>>>,
    ) -> anyhow::Result<Arc<Looked>> {
        let identity = identity(plan, extent, servers, seed)?;
        if let Some(at) = self.known.iter().position(|(known, _)| *known == identity)
            && let Some(known) = self.known.remove(at)
        {
            let looked = Arc::clone(&known.1);
            self.known.push_back(known);
            return Ok(looked);
        }
        let interpreter = Interpreter::new(plan, &indexes()?).map_err(usage_of)?;
        let mut answer = |question: &Question| answer(question, servers, seed, false);
        let demands = interpreter.demands(extent, &mut answer).map_err(usage_of)?;
        let looked = Arc::new(Looked { shape: interpreter.shape(), demands });
        self.known.push_back((identity, Arc::clone(&looked)));
        let mut kept: usize =
            self.known.iter().map(|(_, looked)| looked.demands.demands.len()).sum();
        while kept > KEPT
            && let Some((_, oldest)) = self.known.pop_front()
        {
            kept -= oldest.demands.demands.len();
        }
        Ok(looked)
    }
}

/// What the simulated endpoint would answer, and what it takes; one that is `wrong` misses the schema
/// of what is asked for.
pub(crate) fn answer(
    question: &Question,
    servers: &[Servers],
    seed: u64,
    wrong: bool,
) -> Result<(Answer, Work), CallError> {
    let missing = || CallError::new(ErrorClass::Rejected, "the plan has no such endpoint");
    let servers = servers.get(question.endpoint).ok_or_else(missing)?;
    match &question.request {
        Request::Embed { texts } => {
            let text = texts.first().map_or("", String::as_str);
            let (vector, tokens) = preview::embedding(&servers.embedder, text)?;
            let answer = Answer::Embedded { vectors: vec![vector], tokens };
            Ok((answer, Work::Embed { tokens: tokens as u32 }))
        }
        Request::Exec { .. } => {
            Err(CallError::new(ErrorClass::Rejected, "nobody can foretell what a program answers"))
        }
        Request::Http { .. } => {
            Err(CallError::new(ErrorClass::Rejected, "nobody can foretell what a server answers"))
        }
        Request::Generate { prompts, options } => {
            let prompt = prompts.first().map_or("", String::as_str);
            generation(servers, seed, prompt, options, wrong).ok_or_else(missing)?
        }
    }
}

fn generation(
    servers: &Servers,
    seed: u64,
    prompt: &str,
    options: &GenerateOptions,
    wrong: bool,
) -> Option<Result<(Answer, Work), CallError>> {
    let say = if wrong { preview::misfit } else { preview::generation };
    let answered = say(servers.profile()?, seed, prompt, options);
    Some(answered.map(|preview| {
        let work = Work::Generate {
            prompt_tokens: preview.job.prompt_tokens,
            blocks: preview.job.blocks.into(),
            max_tokens: preview.job.max_tokens,
            target_tokens: preview.job.target_tokens,
        };
        (Answer::Generated(vec![preview.generation]), work)
    }))
}

/// All that demands depend on: the flow, its data by name, what its endpoints answer.
fn identity(plan: &Plan, extent: Extent, servers: &[Servers], seed: u64) -> anyhow::Result<String> {
    let schedule = &plan.schedule;
    let wants = [&schedule.priority, &schedule.fair, &schedule.due, &schedule.affinity];
    let answers: Vec<(String, &str)> = servers
        .iter()
        .map(|servers| {
            let profile = servers.profile().map_or_else(String::new, |profile| profile.to_toml(""));
            (profile, servers.embedder.model)
        })
        .collect();
    let seed = seeded(plan).then_some(seed);
    let flow = (&plan.nodes, &plan.indexes, &plan.templates, wants);
    let Extent { tasks, limit, morsel, distinct } = extent;
    Ok(serde_json::to_string(&(flow, answers, seed, (tasks, limit, morsel, distinct)))?)
}

/// Whether the seed of a run decides on answers: calls bring one of their own, and it counts unless
/// nothing is drawn.
fn seeded(plan: &Plan) -> bool {
    let cold = |value: &Value| value.as_float().is_some_and(|temperature| temperature == 0.0);
    plan.stages().any(|stage| lookup(&stage.options, "temperature").is_some_and(cold))
}

/// One call in the place of several that one record makes one after the other, since the twin knows
/// one for each stage: all tokens are there, but for what the context cannot hold.
pub(super) fn joined(calls: &[Work], servers: &Servers) -> Work {
    match calls {
        [] => Work::None,
        [one] => one.clone(),
        several => {
            let (mut prompt, mut produced, mut last) = (0_u32, 0_u32, Vec::new().into());
            for call in several {
                if let Work::Generate { prompt_tokens, blocks, max_tokens, target_tokens } = call {
                    prompt = prompt.saturating_add(*prompt_tokens);
                    produced = produced.saturating_add(*max_tokens.min(target_tokens));
                    last = Arc::clone(blocks);
                }
            }
            let context = servers.profile().map_or(u32::MAX, |profile| profile.max_model_len);
            let most = context.saturating_sub(produced).saturating_sub(1).max(1);
            Work::Generate {
                prompt_tokens: prompt.min(most),
                blocks: last,
                max_tokens: produced,
                target_tokens: produced,
            }
        }
    }
}
