//! `source`: tasks enter the dataflow, on the first worker only.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sage_core::event::{Event, Kind};
use sage_dsl::plan::{BadRows, SourcePlan};
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::operator;

use super::{Tasks, Time};
use crate::arrivals::{Due, Pace};
use crate::commit::Outcomes;
use crate::context::Context;
use crate::error::DataflowError;
use crate::sources::{Fed, FeedSettings, Fresh, Supply, is_live, is_watched};
use crate::task::{Dead, LATE, Task};
use crate::worker::Begin;

/// How tasks enter.
pub(crate) struct SourceSettings {
    pub(crate) plan: SourcePlan,
    pub(crate) feed: FeedSettings,
    /// When; as fast as they are taken otherwise.
    pub(crate) pace: Option<Pace>,
    /// Nothing enters before this was said and has come.
    pub(crate) begin: Option<Arc<Begin>>,
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
    let mut settings = settings;
    let context = Rc::clone(context);
    operator::source::<_, timely::container::CapacityContainerBuilder<Vec<Task>>, _, _>(
        scope,
        "source",
        move |capability, info| {
            let mut intake = settings.reads.then(|| {
                let activator = scope.activator_for(Rc::clone(&info.address));
                context.intake.source.replace(Some(activator));
                let wake = scope.worker().sync_activator_for(info.address.to_vec());
                let (plan, feed) = (settings.plan.clone(), settings.feed.clone());
                Intake {
                    supply: Supply::start(plan, feed, context.service.clone(), wake),
                    pace: settings.pace.take(),
                    begin: settings.begin.take(),
                    next: None,
                    ended: false,
                    bad: settings.plan.bad_rows,
                    pipe: is_live(&settings.plan) || is_watched(&settings.plan),
                    starved: false,
                    fed_ns: 0,
                }
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
                            context.clock.rouse_after(&again, wait);
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
    supply: Supply,
    pace: Option<Pace>,
    /// Until it was said and has come.
    begin: Option<Arc<Begin>>,
    /// Read, and on its way here.
    next: Option<(Fresh, Due)>,
    ended: bool,
    bad: BadRows,
    /// Whether records come from outside while the run goes on.
    pipe: bool,
    /// Whether the source had nothing when it was asked last.
    starved: bool,
    /// When it last gave something after that.
    fed_ns: u64,
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
        if context.intake.draining.get() && self.supply.stop() {
            self.ended = true;
        }
        if let Some(begin) = &self.begin {
            let Some(at) = begin.said() else { return Step::Nothing };
            let at = context.clock.of_host(at);
            if let Some(wait) = until(at, context.clock.now_ns()) {
                return Step::Later(wait);
            }
            if let Some(pace) = &mut self.pace {
                pace.begin(at);
            }
            self.begin = None;
        }
        loop {
            if self.ended || context.intake.full.get() {
                return Step::Nothing;
            }
            let now = context.clock.now_ns();
            if let Some((fresh, due)) = self.next.take() {
                if let Some(wait) = until(due.complete_ns, now) {
                    self.next = Some((fresh, due));
                    return Step::Later(wait);
                }
                let late = fresh.late;
                let task = enter(context, fresh, due.arrives_ns);
                if !late {
                    return Step::Task(task);
                }
                too_late(context, &task);
                continue;
            }
            let fed = match context.clock.as_virtual() {
                // While rows are read no time passes.
                Some(_) => self.supply.wait(),
                None => self.supply.next(),
            };
            match fed {
                None => {
                    self.starved = true;
                    return Step::Nothing;
                }
                Some(Fed::Task(fresh)) => match self.due(&fresh, now) {
                    Some(due) => self.next = Some((fresh, due)),
                    // The trace is at its end, whatever the source still holds.
                    None => self.ended = true,
                },
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
                    context.outlets.borrow_mut().bury_row(&row.place, &row.text, &row.reason);
                    context.settle();
                }
                Some(Fed::LeftOut(records)) => context.intake.left_out.set(records),
                Some(Fed::End(result)) => {
                    self.ended = true;
                    if let Err(error) = result {
                        context.fail(error);
                    }
                }
            }
        }
    }

    /// When a task that was just read arrives.
    fn due(&mut self, fresh: &Fresh, now: u64) -> Option<Due> {
        let starved = std::mem::take(&mut self.starved);
        let at_once = Due { arrives_ns: now, complete_ns: now };
        let Some(pace) = &mut self.pace else { return Some(at_once) };
        pace.skip(fresh.skipped);
        let due = pace.next(fresh.rows.len(), now)?;
        if self.pipe && starved {
            self.fed_ns = now;
        }
        // What was not written to the pipe yet has not arrived, whatever was planned.
        let Due { arrives_ns, complete_ns } = due;
        Some(Due {
            arrives_ns: arrives_ns.max(self.fed_ns),
            complete_ns: complete_ns.max(self.fed_ns),
        })
    }
}

fn enter(context: &Context, fresh: Fresh, arrived_ns: u64) -> Task {
    let Fresh { id, rows, round, .. } = fresh;
    let records = rows.len() as u32;
    context.note(Event { records, ..Event::new(Kind::Arrived, id, arrived_ns) });
    context.intake.open.set(context.intake.open.get() + 1);
    Task { id, arrived_ns, round, records, rows, ..Task::default() }
}

/// A task that came too late ends where it entered.
fn too_late(context: &Context, task: &Task) {
    let bound = context.plan.source().and_then(|source| source.watermark.as_ref());
    let bound = bound.map_or("its lateness", |watermark| watermark.text.as_str());
    for row in task.rows.iter() {
        let dead = Dead {
            stage: "window".into(),
            attempts: 0,
            class: LATE.into(),
            status: None,
            message: format!("its time lies more than {bound} before that of an earlier record"),
            row: row.to_vec(),
        };
        context.outlets.borrow_mut().bury(task.id, &dead);
    }
    let outcomes = Outcomes { late: task.records.into(), ..Outcomes::default() };
    context.outlets.borrow_mut().end(task.id, outcomes);
    context.settle();
    context.mark(Kind::Shed, task.id, task.records);
    context.intake.open.set(context.intake.open.get().saturating_sub(1));
}

/// How long it is from `now` to `at`, if at all.
fn until(at: u64, now: u64) -> Option<Duration> {
    // One more, so that it has come for certain when the wait is over.
    at.checked_sub(now).filter(|left| *left > 0).map(|left| Duration::from_nanos(left + 1))
}
