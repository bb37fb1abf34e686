//! What all operators of one timely worker share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sage_core::event::{Event, Kind};
use sage_core::expr::Templates;
use sage_dsl::plan::Plan;

use crate::clock::Clock;

/// Shared by the operators of one timely worker. Single-threaded: cells, no locks.
pub(crate) struct Context {
    pub(crate) plan: Rc<Plan>,
    pub(crate) templates: Rc<Templates>,
    pub(crate) clock: Clock,
    /// Answers the calls of all stages.
    pub(crate) endpoint: std::sync::Arc<dyn sage_core::endpoint::Endpoint>,
    /// Whose records are requests; only on the first worker.
    pub(crate) service: Option<std::sync::Arc<dyn sage_core::service::Service>>,
    /// Whether the records of the plan are requests that somebody answers.
    pub(crate) served: bool,
    /// Makes the requests of the source, if it needs some.
    pub(crate) web: Option<std::sync::Arc<dyn sage_core::web::Web>>,
    /// Raised when the run is to stop.
    pub(crate) stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    /// The node (process) this worker belongs to.
    pub(crate) node: u32,
    /// Whether this is the first of all workers: source, scheduler and measurement live there.
    pub(crate) first: bool,
    /// Events since they were last shipped.
    pub(crate) log: RefCell<Vec<Event>>,
    /// The first error of an operator; ends the run.
    pub(crate) failure: RefCell<Option<crate::error::DataflowError>>,
    /// What source and scheduler tell each other, on the first worker.
    pub(crate) intake: Intake,
    /// Tasks this dataflow thread may execute at once.
    pub(crate) slots: crate::operators::Slots,
    /// What this worker writes.
    pub(crate) outlets: RefCell<crate::outlets::Outlets>,
    /// Where the contributions go, if the plan has steps over all records.
    pub(crate) feed: Option<Rc<crate::relation::Feed>>,
}

/// What source and scheduling operator tell each other; both live on the first worker.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// The central queue is full: the source pauses.
    pub(crate) full: Cell<bool>,
    /// Tasks handed out by the source whose completion is not known.
    pub(crate) open: Cell<u64>,
    /// The run is asked to stop: nothing new is taken in or dispatched.
    pub(crate) draining: Cell<bool>,
    /// Records that were queued when the run was asked to stop.
    pub(crate) given_back: Cell<u64>,
    /// Records that the source left out, because one like them had come before.
    pub(crate) left_out: Cell<u64>,
    /// Rouses the source after one of these has changed.
    pub(crate) source: RefCell<Option<timely::scheduling::Activator>>,
    /// Rouses the scheduling operator.
    pub(crate) scheduler: RefCell<Option<timely::scheduling::Activator>>,
}

impl Intake {
    /// Let the source and the scheduling operator look again.
    pub(crate) fn rouse(&self) {
        self.rouse_source();
        if let Some(scheduler) = self.scheduler.borrow().as_ref() {
            scheduler.activate();
        }
    }

    /// Let the source look again.
    pub(crate) fn rouse_source(&self) {
        if let Some(source) = self.source.borrow().as_ref() {
            source.activate();
        }
    }
}

impl Context {
    /// Note an event of this node.
    pub(crate) fn note(&self, event: Event) {
        self.log.borrow_mut().push(Event { node: self.node, ..event });
    }

    /// Note that something happened to `task` now.
    pub(crate) fn mark(&self, kind: Kind, task: u64, records: u32) -> u64 {
        let now = self.clock.now_ns();
        self.note(Event { records, ..Event::new(kind, task, now) });
        now
    }

    /// Note that a record of `task` failed in the stage called `name`, or in a step that is none.
    pub(crate) fn note_failed(&self, name: &str, task: u64) {
        let stage = self.plan.stages().position(|stage| stage.name == name);
        let stage = stage.map_or(u16::MAX, |stage| stage as u16);
        let event = Event::new(Kind::Failed, task, self.clock.now_ns());
        self.note(Event { stage, detail: 1, ..event });
    }

    /// Let what has ended be committed, unless something went wrong: then it may not have been
    /// written.
    pub(crate) fn settle(&self) {
        if self.failure.borrow().is_some() {
            return;
        }
        let settled = self.outlets.borrow_mut().settle();
        if let Err(error) = settled {
            self.fail(error);
        }
    }

    /// Hand what the records have contributed to the steps over all of them.
    pub(crate) fn contribute(&self) {
        let Some(feed) = &self.feed else { return };
        let contributions = self.outlets.borrow_mut().take_contributions();
        if !contributions.is_empty() {
            feed.add(contributions.into_iter());
        }
    }

    /// Keep the first error; the run ends with it.
    pub(crate) fn fail(&self, error: crate::error::DataflowError) {
        self.failure.borrow_mut().get_or_insert(error);
    }
}
