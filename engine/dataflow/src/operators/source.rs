//! `source`: tasks enter the dataflow, on the first worker only.

use std::rc::Rc;
use std::time::Duration;

use sage_core::event::{Event, Kind};
use sage_dsl::plan::{BadRows, SourcePlan};
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::operator;

use super::{Tasks, Time};
use crate::context::Context;
use crate::error::DataflowError;
use crate::sources::{Fed, FeedSettings, Feeder};
use crate::task::Task;

/// How tasks enter.
pub(crate) struct SourceSettings {
    pub(crate) plan: SourcePlan,
    pub(crate) feed: FeedSettings,
    /// Tasks per second; as fast as they are taken otherwise.
    pub(crate) rate: Option<f64>,
    /// Whether this worker is the one that reads.
    pub(crate) reads: bool,
}

/// Tasks handed on in one activation; then other operators get their turn.
const BURST: usize = 256;

pub(crate) fn source<'s>(
    scope: Scope<'s, Time>,
    context: &Rc<Context>,
    settings: SourceSettings,
) -> Tasks<'s> {
    let context = Rc::clone(context);
    operator::source::<_, timely::container::CapacityContainerBuilder<Vec<Task>>, _, _>(
        scope,
        "source",
        move |capability, info| {
            let mut intake = settings.reads.then(|| {
                let activator = scope.activator_for(Rc::clone(&info.address));
                context.intake.source.replace(Some(activator));
                let wake = scope.worker().sync_activator_for(info.address.to_vec());
                let feeder = Feeder::start(settings.plan.clone(), settings.feed.clone(), wake);
                let pacer = settings.rate.map(Pacer::new);
                Intake { feeder, pacer, next_task: 0, ended: false, bad: settings.plan.bad_rows }
            });
            let mut promise = intake.is_some().then_some(capability);
            let again = scope.activator_for(info.address);
            move |output| {
                let (Some(intake), Some(held)) = (intake.as_mut(), promise.as_ref()) else {
                    return;
                };
                let data = held.delayed(&(held.time() + 1));
                let mut session = output.session(&data);
                for given in 0.. {
                    if given == BURST {
                        again.activate();
                        break;
                    }
                    match intake.step(&context) {
                        Step::Task(task) => session.give(task),
                        Step::Nothing => break,
                        Step::Later(wait) => {
                            again.activate_after(wait);
                            break;
                        }
                    }
                }
                drop(session);
                if intake.ended && context.intake.open.get() == 0 {
                    promise = None;
                }
            }
        },
    )
}

struct Intake {
    feeder: Feeder,
    pacer: Option<Pacer>,
    next_task: u64,
    ended: bool,
    bad: BadRows,
}

enum Step {
    Task(Task),
    /// Nothing to do until somebody rouses the source.
    Nothing,
    /// Nothing to do for this long.
    Later(Duration),
}

impl Intake {
    fn step(&mut self, context: &Context) -> Step {
        if context.intake.draining.get() {
            self.ended = true;
        }
        loop {
            if self.ended || context.intake.full.get() {
                return Step::Nothing;
            }
            let now = context.clock.now_ns();
            if let Some(wait) = self.pacer.as_ref().and_then(|pacer| pacer.wait(now)) {
                return Step::Later(wait);
            }
            match self.feeder.next() {
                None => return Step::Nothing,
                Some(Fed::Task(rows, round)) => {
                    if let Some(pacer) = &mut self.pacer {
                        pacer.took(now, rows.len());
                    }
                    let id = self.next_task;
                    self.next_task += 1;
                    let records = rows.len() as u32;
                    let arrived_ns = context.mark(Kind::Arrived, id, records);
                    context.intake.open.set(context.intake.open.get() + 1);
                    let task = Task { id, arrived_ns, round, records, rows, ..Task::default() };
                    return Step::Task(task);
                }
                Some(Fed::Bad(row)) => {
                    if self.bad == BadRows::Fail {
                        let message = format!("{}: {}", row.place, row.reason);
                        context.fail(DataflowError::Source {
                            name: context
                                .plan
                                .source()
                                .map_or_else(String::new, |s| s.name.clone()),
                            line: context.plan.source().map_or(0, |s| s.line),
                            message: message + " (`bad_rows: fail` is set)",
                        });
                        self.ended = true;
                        return Step::Nothing;
                    }
                    context.note(Event::new(Kind::Unreadable, u64::MAX, now));
                    let buried =
                        context.outlets.borrow_mut().bury_row(&row.place, &row.text, &row.reason);
                    if let Err(error) = buried {
                        context.fail(error);
                    }
                }
                Some(Fed::End(result)) => {
                    self.ended = true;
                    if let Err(error) = result {
                        context.fail(error);
                    }
                }
            }
        }
    }
}

/// Spaces arrivals evenly.
struct Pacer {
    gap_ns: f64,
    next_ns: f64,
}

impl Pacer {
    fn new(per_second: f64) -> Self {
        Pacer { gap_ns: 1e9 / per_second, next_ns: 0.0 }
    }

    /// How long to wait from `now`, if at all.
    fn wait(&self, now: u64) -> Option<Duration> {
        let left = self.next_ns - now as f64;
        (left > 0.0).then(|| Duration::from_nanos(left as u64 + 1))
    }

    fn took(&mut self, now: u64, records: usize) {
        // The first arrival sets the beat; a late one does not shift those behind it.
        let from = if self.next_ns == 0.0 { now as f64 } else { self.next_ns };
        self.next_ns = from + self.gap_ns * records as f64;
    }
}
