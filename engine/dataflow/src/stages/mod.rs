//! The stages a flow may name: one file each, plus one word in [`STAGES`].
//!
//! A leaf brings a `SPEC` for the checker, the documentation and the planner, and a constructor
//! that turns a checked stage of a plan into something that runs. There are three ways to run: on
//! the spot, as a call to an endpoint, and as a wait.

mod hits;
mod options;
mod wanted;

use std::sync::Arc;

use bumpalo::Bump;
use sage_core::endpoint::{CacheMode, ExecCommand, GenerateOptions, Generation, Lane};
use sage_core::expr::{EvalError, Program, Templates};
use sage_core::index::Index;
use sage_core::record::{AnswerType, Datum, write_json};
use sage_core::web::HttpCall;
use sage_dsl::catalog::{EndpointUse, StageSpec};
use sage_dsl::plan::{Argument, Plan, StagePlan, lookup};
use sage_dsl::types::{Type, Value};

use crate::error::DataflowError;

/// A stage the engine can run.
#[derive(Debug)]
pub struct StageEntry {
    /// What the checker and the planner know.
    pub spec: StageSpec,
    build: fn(&Build<'_>) -> Result<Stage, DataflowError>,
}

crate::registry! {
    /// Every stage. A new stage is one file and one word here.
    pub STAGES: StageEntry, SPECS: StageSpec = spec,
    [burn, chunk, context, embed, exec, filter, generate, hash_chain, http, map, rerank, retrieve, search, sleep]
}

pub use embed::HASHED_DIMENSIONS;

/// What runs for a stage.
pub(crate) enum Stage {
    /// Computes its column on the spot.
    Local(Box<dyn LocalStage>),
    /// Computes its column by an expression; the value is borrowed, not packed, until the segment
    /// ends.
    Map(Program),
    /// Keeps or drops the record; its column is the truth value.
    Keep(Program),
    /// Asks an endpoint.
    Call(Box<CallStage>),
    /// Waits for a time given per record, nanoseconds.
    Wait(Program),
}

/// Where a stage is evaluated: everything it may read.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r, 'a> {
    /// Columns so far.
    pub(crate) columns: &'r [Datum<'a>],
    /// The plan's prompts.
    pub(crate) templates: &'a Templates,
    /// Memory that lives as long as the batch.
    pub(crate) arena: &'a Bump,
    /// Task number, a seed for stages that draw.
    pub(crate) task: u64,
}

impl<'a> Row<'_, 'a> {
    /// Evaluate an argument.
    pub(crate) fn get<'x>(self, program: &'x Program) -> Result<Datum<'x>, EvalError>
    where
        'a: 'x,
    {
        program.evaluate(self.columns, self.templates, self.arena)
    }

    /// Evaluate a text argument; null reads as empty.
    pub(crate) fn text<'x>(self, program: &'x Program) -> Result<&'x str, EvalError>
    where
        'a: 'x,
    {
        Ok(self.get(program)?.as_str().unwrap_or(""))
    }

    /// Evaluate a count, or a time in nanoseconds; null reads as 0.
    pub(crate) fn count(self, program: &Program) -> Result<usize, EvalError> {
        let value = self.get(program)?.as_int().unwrap_or(0);
        usize::try_from(value).map_err(|_| EvalError::Negative { value })
    }
}

/// A stage that computes its column on the spot.
pub(crate) trait LocalStage: Send {
    /// Append the column's value to `out`.
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError>;

    /// The same without spending what it costs, where the value can be known without that.
    fn foresee(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        self.apply(row, out)
    }

    /// How long it keeps a core busy, if that is all it does.
    fn busy_ns(&self, _row: Row<'_, '_>) -> Option<u64> {
        None
    }

    /// Append any value of the column's type, for somebody who wants to know only whether the stage
    /// fails; a stage whose value is dear makes one up.
    fn stand_in(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        self.foresee(row, out)
    }
}

/// A stage that asks an endpoint.
pub(crate) struct CallStage {
    /// Position in the plan's endpoints.
    pub(crate) endpoint: usize,
    /// What is sent.
    pub(crate) text: Program,
    /// Its type, if it is sent as JSON and not as the text that it is.
    pub(crate) sends: Option<Type>,
    /// What is asked.
    pub(crate) ask: Ask,
    /// What the answer has to be, if not plain text.
    pub(crate) structured: Option<Structured>,
    /// Most items in one call.
    pub(crate) batch: usize,
    /// Most tokens of the texts in one call, as estimated.
    pub(crate) batch_tokens: Option<u64>,
    /// Longest time an item waits for others, nanoseconds.
    pub(crate) linger_ns: u64,
    /// Longest time until the answer, waiting for others and repairs included, nanoseconds.
    pub(crate) timeout_ns: u64,
    /// Which lane of the gateway's queue its calls take.
    pub(crate) lane: Lane,
    /// Whether answers that were paid before may be used again.
    pub(crate) cache: CacheMode,
}

impl CallStage {
    /// What is sent for a record.
    pub(crate) fn question(&self, row: Row<'_, '_>) -> Result<String, EvalError> {
        let Some(ty) = &self.sends else { return row.text(&self.text).map(str::to_owned) };
        let mut json = Vec::new();
        write_json(&mut json, ty, row.get(&self.text)?);
        Ok(String::from_utf8_lossy(&json).into_owned())
    }

    /// Append the column of an answer that is a mere text.
    pub(crate) fn pack_text(&self, out: &mut Vec<u8>, answer: &Generation) {
        match &self.ask {
            Ask::Exec(_) | Ask::Http(_) => exec::pack_line(out, &answer.text),
            Ask::Generate(_) | Ask::Embed => generate::pack_generation(out, answer),
        }
    }
}

/// Structured output: an answer that is a value of a declared type.
pub(crate) struct Structured {
    /// Reads it.
    pub(crate) answer: AnswerType,
    /// How often one that does not fit is asked for again.
    pub(crate) repair: u8,
}

/// What a [`CallStage`] asks.
pub(crate) enum Ask {
    /// Text.
    Generate(GenerateOptions),
    /// A vector.
    Embed,
    /// A line of a program.
    Exec(Arc<ExecCommand>),
    /// A request to a server of the web.
    Http(Arc<HttpCall>),
}

/// What comes back for one record.
pub(crate) enum Received {
    /// Text.
    Text(Generation),
    /// A vector, its share of the call's tokens, and whether it had been paid for earlier.
    Vector(Vec<f32>, u64, bool),
}

/// What a constructor sees.
pub(crate) struct Build<'b> {
    pub(crate) plan: &'b Plan,
    pub(crate) stage: &'b StagePlan,
    pub(crate) indexes: &'b [Arc<dyn Index>],
}

impl Build<'_> {
    fn broken(&self, what: &str) -> DataflowError {
        DataflowError::Plan(format!(
            "stage `{}` (line {}): {what}",
            self.stage.name, self.stage.line
        ))
    }

    /// Compile the argument called `name`.
    pub(crate) fn program(&self, name: &str) -> Result<Program, DataflowError> {
        let found = self.stage.args.iter().find(|(key, _)| key == name);
        match found {
            Some((_, Argument::Expr(expr))) => {
                Program::compile(expr).map_err(|error| self.broken(&error.to_string()))
            }
            _ => Err(self.broken(&format!("the plan has no argument `{name}`"))),
        }
    }

    /// Position of the index given as `name`, and the index.
    pub(crate) fn index(&self, name: &str) -> Result<(usize, Arc<dyn Index>), DataflowError> {
        let found = self.stage.args.iter().find(|(key, _)| key == name);
        let Some((_, Argument::Index(position))) = found else {
            return Err(self.broken(&format!("the plan has no index `{name}`")));
        };
        let index = self.indexes.get(*position);
        index
            .map(|index| (*position, Arc::clone(index)))
            .ok_or_else(|| self.broken("its index was not opened"))
    }

    /// Text asked with each call of this stage.
    pub(crate) fn call(
        &self,
        text: &str,
        ask: Ask,
        structured: Option<Structured>,
    ) -> Result<Stage, DataflowError> {
        let endpoint = self.stage.endpoint.ok_or_else(|| self.broken("it names no endpoint"))?;
        let calling = options::calling(self.stage)?;
        Ok(Stage::Call(Box::new(CallStage {
            endpoint,
            text: self.program(text)?,
            sends: None,
            ask,
            structured,
            batch: calling.batch,
            batch_tokens: calling.batch_tokens,
            linger_ns: calling.linger_ns,
            timeout_ns: calling.timeout_ns,
            lane: calling.lane,
            cache: calling.cache,
        })))
    }
}

/// Address and variable with a token of each stage that makes requests to servers of the web.
pub fn requests(plan: &Plan) -> impl Iterator<Item = (&StagePlan, &str, Option<&str>)> {
    plan.stages().filter(|stage| stage.calls == EndpointUse::Http).map(|stage| {
        let token = lookup(&stage.options, "token").and_then(Value::as_str);
        (stage, http::url(stage).unwrap_or_default(), token)
    })
}

/// Say early whether the options of the stages that call an endpoint can be meant: what a checker
/// that knows one option at a time cannot see.
pub fn probe(plan: &Plan) -> Result<(), DataflowError> {
    for stage in plan.stages().filter(|stage| stage.calls == EndpointUse::Program) {
        exec::command(stage)?;
        options::calling(stage)?;
    }
    for stage in plan.stages().filter(|stage| stage.calls == EndpointUse::Http) {
        http::call(stage)?;
    }
    for stage in plan.stages().filter(|stage| stage.endpoint.is_some()) {
        match stage.calls {
            EndpointUse::Generate => drop(generate::ask(plan, stage)?),
            EndpointUse::Embed => drop(options::calling(stage)?),
            EndpointUse::None | EndpointUse::Program | EndpointUse::Http => {}
        }
    }
    Ok(())
}

/// Make what runs for a stage that needs nothing of its plan but itself, as the ones are that only
/// compute and ask no index.
pub(crate) fn alone(stage: &StagePlan) -> Result<Box<dyn LocalStage>, DataflowError> {
    match build(&Plan::default(), stage, &[])? {
        Stage::Local(run) => Ok(run),
        _ => Err(DataflowError::Plan(format!(
            "stage `{}` (line {}) cannot be run while the source is read",
            stage.name, stage.line
        ))),
    }
}

/// Make what runs for `stage`.
pub(crate) fn build(
    plan: &Plan,
    stage: &StagePlan,
    indexes: &[Arc<dyn Index>],
) -> Result<Stage, DataflowError> {
    let build = Build { plan, stage, indexes };
    let entry = STAGES.iter().find(|entry| entry.spec.signature.name == stage.kind);
    let entry =
        entry.ok_or_else(|| build.broken(&format!("there is no stage `{}`", stage.kind)))?;
    (entry.build)(&build)
}
