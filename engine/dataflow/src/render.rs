//! The one walk from plan to dataflow.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use roaring::RoaringTreemap;
use sage_core::index::Index;
use sage_core::policies;
use timely::dataflow::Scope;
use timely::dataflow::operators::{ConnectLoop, Feedback};

use crate::arrivals::{Pace, task_size};
use crate::commit::{Came, Commit};
use crate::context::Context;
use crate::cost::CostModel;
use crate::decisions::DecisionLog;
use crate::dispatcher::Dispatcher;
use crate::error::DataflowError;
use crate::operators::{
    self, Emit, Fused, Measurements, SchedulerSettings, SourceSettings, Tasks, Time,
};
use crate::segments::{Segment, Segments, is_cheap, segments};
use crate::sources::{FeedSettings, Needs, Place};
use crate::task::Done;
use crate::wants::Wants;
use crate::worker::{Begin, RunSettings};

/// Everything of a plan that can fail to be built, built before the dataflow is.
pub(crate) struct Parts {
    segments: Segments,
    emits: Vec<Emit>,
    source: SourceSettings,
    dispatcher: Option<Dispatcher>,
    /// Whether no stage is worth a task of its own.
    cheap: bool,
}

/// Where this timely worker stands in the cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Number of processes.
    pub(crate) nodes: usize,
    /// Number of the timely worker over all processes.
    pub(crate) peer: usize,
}

impl Parts {
    pub(crate) fn build(
        context: &Rc<Context>,
        settings: &RunSettings,
        begin: Option<Arc<Begin>>,
        position: Position,
        indexes: &[Arc<dyn Index>],
        earlier: &Commit,
    ) -> Result<Self, DataflowError> {
        let plan = &context.plan;
        let first = position.peer == 0;
        let source =
            plan.source().ok_or_else(|| DataflowError::Plan("the flow has no source".into()))?;
        let arrivals = settings.arrivals.as_ref();
        let source = SourceSettings {
            plan: source.clone(),
            feed: FeedSettings {
                out: settings.out.clone(),
                generation: settings.generation,
                morsel: task_size(plan, arrivals.map(|arrivals| &arrivals.rule)),
                tasks: settings.tasks,
                limit: settings.limit,
                done: Arc::new(if first { earlier.done.clone() } else { RoaringTreemap::new() }),
                buried: earlier.outcomes.unreadable,
                place: (first && context.clock.as_virtual().is_none()).then(|| Place {
                    out: settings.out.clone(),
                    generation: settings.generation,
                    needs: Needs {
                        tasks: earlier.done.max().map_or(0, |last| last + 1),
                        bad: earlier.outcomes.unreadable,
                    },
                }),
                web: context.web.clone(),
                came: (first && context.service.is_some())
                    .then(|| Came::begin(&settings.out, settings.generation).map(Arc::new))
                    .transpose()?,
            },
            pace: arrivals.filter(|_| first).map(Pace::new).transpose()?,
            begin,
            reads: first,
        };
        let dispatcher = first.then(|| dispatcher(context, settings, position)).transpose()?;
        Ok(Parts {
            segments: segments(plan, indexes)?,
            emits: Emit::compile(plan)?,
            source,
            dispatcher,
            cheap: is_cheap(plan),
        })
    }
}

fn dispatcher(
    context: &Rc<Context>,
    settings: &RunSettings,
    position: Position,
) -> Result<Dispatcher, DataflowError> {
    let schedule = &context.plan.schedule;
    let policy = policies::build(&schedule.policy, &schedule.policy_args)
        .map_err(|error| DataflowError::Plan(error.to_string()))?;
    let wants = Wants::of(schedule).map_err(|error| DataflowError::Plan(error.to_string()))?;
    let scheduler = SchedulerSettings {
        nodes: position.nodes,
        special: settings.nodes.clone(),
        threads: settings.threads,
        morsel: task_size(&context.plan, settings.arrivals.as_ref().map(|arrivals| &arrivals.rule)),
        seed: settings.seed,
        decisions: DecisionLog::create(&settings.out, settings.generation > 1)?,
        cost: CostModel::of(&context.plan),
    };
    Ok(Dispatcher::new(Rc::clone(context), schedule, policy, wants, scheduler))
}

/// Build the operators; `measurements` are there on the first worker.
pub(crate) fn render(
    scope: Scope<'_, Time>,
    context: &Rc<Context>,
    parts: Parts,
    measurements: Option<Rc<RefCell<Measurements>>>,
) {
    let mut tasks = operators::source(scope, context, parts.source);
    for segment in parts.segments.before {
        tasks = operator(tasks, context, segment);
    }
    let (feedback, completions) = scope.feedback::<Vec<Done>>(0);
    tasks = operators::schedule(tasks, completions, context, parts.dispatcher);
    tasks = operators::receive(tasks, context);
    let mut behind = parts.segments.behind;
    // Cheap steps at the end need no operator of their own; expensive ones do, they take turns.
    let last = match behind.pop() {
        Some(Segment::Fused(fused)) if parts.cheap => fused,
        other => {
            behind.extend(other);
            Fused::default()
        }
    };
    for segment in behind {
        tasks = operator(tasks, context, segment);
    }
    let completed = operators::complete(tasks, context, last, parts.emits);
    completed.done.connect_loop(feedback);
    operators::print(completed.printed, context);
    operators::reply(completed.replies, context);
    operators::tally(completed.counted, context);
    operators::measure(completed.events, context, measurements);
}

fn operator<'s>(tasks: Tasks<'s>, context: &Rc<Context>, segment: Segment) -> Tasks<'s> {
    match segment {
        Segment::Fused(fused) => operators::fused(tasks, context, fused),
        Segment::Call(members) => operators::call(tasks, context, members),
    }
}
