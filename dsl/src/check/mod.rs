//! Names and types: from trees to plans.
//!
//! One [`Checker`] sees all files of a program. Declarations are resolved on first use, so their
//! order in a file is free; each is checked once and what is wrong is said once. **A bad piece has
//! the type [`Type::Unknown`], which fits everywhere**: one misspelt name gives one message.
//!
//! A file per concern; all are `impl Checker`.

mod aggregate;
mod argument;
mod body;
mod branch;
mod catalog;
mod condition;
mod constant;
mod declared;
mod dedup;
mod distribution;
mod early;
mod element;
mod emit;
mod endpoint;
mod experiment;
mod expression;
mod feed;
mod files;
mod fit;
mod flat_map;
mod flow;
mod foreign;
mod foreign_column;
mod foreign_name;
mod foreign_option;
mod function;
mod group;
mod half_condition;
mod interpolation;
mod join;
mod keys;
mod lateness;
mod leaf;
mod matching;
mod measure;
mod mention;
mod merge;
mod names;
mod operator;
mod option;
mod param;
mod passages;
mod prompt;
mod quantity;
mod quoted_number;
mod range;
mod record;
mod rehearse;
mod relation;
mod repeat;
mod room;
mod route;
mod schedule;
mod search;
mod slo;
mod stage;
mod step;
mod structured;
mod template;
mod test;
mod typed;
mod unit_apart;
mod unknown_call;
mod wanted;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::diagnostic::Diagnostic;
use crate::experiment::Experiment;
use crate::plan::{Column, EndpointPlan, IndexPlan, Plan, SinkPlan, SourcePlan, Template, Written};
use crate::rewrite;
use crate::span::{SourceMap, Span};
use crate::study::Program;
use crate::testing::Test;
use crate::types::{Type, Value};

use function::Body;

pub use catalog::check_catalog;
pub(crate) use declared::BUILT_IN;
#[cfg(test)]
pub(crate) use endpoint::ENDPOINT_OPTIONS;
pub use files::InputFile;
pub(crate) use foreign::instead_of;
#[cfg(test)]
pub(crate) use leaf::INDEX_OPTIONS;
pub use leaf::{SINK_OPTIONS, SOURCE_OPTIONS};
pub(crate) use names::Names;
#[cfg(test)]
pub(crate) use schedule::SCHEDULE_OPTIONS;
pub(crate) use template::variables as template_variables;
#[cfg(test)]
pub(crate) use test::fault_names;

/// What a program is checked against.
pub(crate) struct Inputs<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) sources: &'a SourceMap,
    pub(crate) overrides: &'a [(String, String)],
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// Something was wrong before: absence proves nothing.
    pub(crate) incomplete: bool,
    /// Whether to note the type of every expression, for an editor.
    pub(crate) watched: bool,
}

/// A declaration being resolved, or what came out of it.
enum Lazy<T> {
    Busy,
    Done(T),
}

/// Findings after which the checker looks no further.
const ENOUGH: usize = 200;

/// Types that are noted for an editor at most; what comes behind them it does not know.
const MOST_SEEN: usize = 20_000;

pub(crate) struct Checker<'a> {
    input: Inputs<'a>,
    names: Names<'a>,
    diagnostics: Vec<Diagnostic>,
    types: BTreeMap<String, Lazy<Type>>,
    params: BTreeMap<String, Lazy<(Type, Value)>>,
    bodies: BTreeMap<String, Lazy<Option<Body>>>,
    /// Declared sources and sinks by name; `None` when broken.
    streams: BTreeMap<String, Option<SourcePlan>>,
    sinks: Vec<SinkPlan>,
    /// Whether the record of a sink is known, by position.
    sink_known: Vec<bool>,
    endpoints: Vec<EndpointPlan>,
    indexes: Vec<Option<IndexPlan>>,
    index_names: Vec<String>,
    templates: Vec<Template>,
    prompts: BTreeMap<String, prompt::PromptType>,
    used: BTreeSet<String>,
    /// Next free slot of the expression at hand.
    slots: usize,
    /// Declarations being resolved inside of one another.
    nesting: usize,
    /// Levels of the written expression at hand.
    written: usize,
    /// Types by place, if they are watched.
    seen: Vec<(Span, Type)>,
    /// Stages of the flow at hand, wherever they stand in it.
    stages: Vec<crate::ast::Name>,
}

/// What a name or a `.field` may mean where an expression stands.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    /// Columns so far; the first `own` are the fields of the record.
    columns: &'s [Column],
    own: usize,
    /// Parameters of the function at hand; the position is the slot.
    locals: &'s [(String, Type)],
    place: Place,
    /// Names of steps that could not be read.
    poisoned: &'s [String],
    /// Names of other paths through the flow.
    hidden: &'s [body::Hidden],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No record; `env` allowed.
    Setting,
    /// No record.
    Constant,
    /// The body of a function.
    Function,
    /// A step of a flow.
    Record,
    /// A document of an index.
    Document,
    /// No record, but what a run has left: an expectation of a test.
    Outcome,
}

impl<'s> Scope<'s> {
    fn constant() -> Scope<'s> {
        Scope {
            columns: &[],
            own: 0,
            locals: &[],
            place: Place::Constant,
            poisoned: &[],
            hidden: &[],
        }
    }

    /// Whether an expression of a step stands here.
    fn is_step(&self) -> bool {
        self.place == Place::Record
    }

    fn setting() -> Scope<'s> {
        Scope { place: Place::Setting, ..Scope::constant() }
    }
}

/// What came of a check.
pub(crate) struct Checked {
    /// A plan per flow.
    pub(crate) plans: Vec<Plan>,
    /// The same as they are written, before the rules of [`rewrite`].
    pub(crate) written: Vec<Plan>,
    pub(crate) experiments: Vec<Experiment>,
    pub(crate) tests: Vec<Test>,
    pub(crate) inputs: Vec<InputFile>,
    /// Types of the params by name.
    pub(crate) params: Vec<(String, Type)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Types by place, if they were watched.
    pub(crate) seen: Vec<(Span, Type)>,
}

/// Checks a program; its experiments draw their jobs from `programs` and from its own flows.
pub(crate) fn check(input: Inputs<'_>, names: Names<'_>, programs: &[Program]) -> Checked {
    let mut checker = Checker::new(input, names);
    let own = checker.own_program();
    let (written, tests) = checker.program();
    let plans: Vec<Plan> = written.iter().cloned().map(rewrite::rewritten).collect();
    let params = checker.param_types();
    let own = own.map(|own| Program { params: params.clone(), plans: plans.clone(), ..own });
    let programs: Vec<&Program> = own.iter().chain(programs).collect();
    let experiments = checker.experiments(&programs);
    let inputs = checker.input_files();
    let (diagnostics, seen) = (checker.diagnostics, checker.seen);
    Checked { plans, written, experiments, tests, inputs, params, diagnostics, seen }
}

impl<'a> Checker<'a> {
    fn new(input: Inputs<'a>, names: Names<'a>) -> Checker<'a> {
        Checker {
            input,
            names,
            diagnostics: Vec::new(),
            types: BTreeMap::new(),
            params: BTreeMap::new(),
            bodies: BTreeMap::new(),
            streams: BTreeMap::new(),
            sinks: Vec::new(),
            sink_known: Vec::new(),
            endpoints: Vec::new(),
            indexes: Vec::new(),
            index_names: Vec::new(),
            templates: Vec::new(),
            prompts: BTreeMap::new(),
            used: BTreeSet::new(),
            slots: 0,
            nesting: 0,
            written: 0,
            seen: Vec::new(),
            stages: Vec::new(),
        }
    }

    /// Notes the type of what stands at `span`, if an editor wants to know.
    fn see(&mut self, span: Span, ty: &Type) {
        if self.input.watched && self.seen.len() < MOST_SEEN && *ty != Type::Unknown {
            self.seen.push((span, ty.clone()));
        }
    }

    fn program(&mut self) -> (Vec<Plan>, Vec<Test>) {
        self.check_types();
        self.check_overrides();
        self.check_params();
        // A function may fill in a prompt.
        self.check_prompts();
        self.check_bodies();
        self.check_endpoints();
        self.check_sources();
        self.check_indexes();
        self.check_sinks();
        self.check_outlets();
        let objectives = self.check_slos();
        let measures = self.check_measures();
        let flows = std::mem::take(&mut self.names.flows);
        let drafts: Vec<_> =
            flows.iter().filter_map(|(file, flow)| self.flow(*file, flow)).collect();
        self.columns_of_changes();
        let params = self.param_values();
        let imported = self.imported();
        let whole: Vec<Plan> = drafts
            .into_iter()
            .map(|draft| Plan {
                name: draft.name,
                summary: draft.summary,
                nodes: draft.nodes,
                endpoints: self.endpoints.clone(),
                indexes: self.indexes.iter().flatten().cloned().collect(),
                templates: self.templates.clone(),
                sinks: self.sinks.clone(),
                schedule: draft.schedule,
                slo: draft.slo.and_then(|at| objectives.get(&at)).cloned().unwrap_or_default(),
                measures: draft
                    .measures
                    .iter()
                    .filter_map(|at| measures.get(at))
                    .cloned()
                    .collect(),
                columns: draft.columns,
                params: params.clone(),
                imported: imported.clone(),
            })
            .collect();
        // What is to be said of a flow that is none has been said.
        let broken = flows.iter().any(|(_, flow)| flow.broken);
        let tests =
            if whole.len() == flows.len() { self.tests(&whole, broken) } else { Vec::new() };
        self.warn_unused();
        (whole, tests)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        // An error is said beside however many warnings: what it is about has no value.
        let same = |it: &&Diagnostic| it.is_error() == diagnostic.is_error();
        if self.diagnostics.iter().filter(same).count() < ENOUGH {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether an error was found since there were that many findings; a warning is none.
    fn wrong_since(&self, before: usize) -> bool {
        self.diagnostics.iter().skip(before).any(Diagnostic::is_error)
    }

    /// Whether enough has been said; finding words for more would only take time.
    fn full(&self) -> bool {
        self.diagnostics.len() >= ENOUGH
            && self.diagnostics.iter().filter(|it| it.is_error()).count() >= ENOUGH
    }

    /// Whether an error was found, here or by the parser.
    fn failed(&self) -> bool {
        self.input.incomplete || self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Names that other files declare, and those files.
    fn imported(&self) -> Written {
        let elsewhere = self.names.values.iter().filter(|(_, (span, _))| span.file != 0);
        let named = elsewhere.map(|(name, (span, _))| {
            let path = self.input.sources.path(*span);
            let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
            ((*name).to_owned(), file.to_owned())
        });
        Written(named.collect())
    }

    fn line(&self, span: Span) -> u32 {
        self.input.sources.line(span)
    }

    /// Runs `inner` as a declaration inside of another; `None` when they go too deep.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.nesting >= 16 {
            return None;
        }
        self.nesting += 1;
        // The expression around must not share slots with the declaration.
        let slots = std::mem::take(&mut self.slots);
        let written = std::mem::take(&mut self.written);
        let result = inner(self);
        self.slots = slots;
        self.written = written;
        self.nesting -= 1;
        Some(result)
    }
}
