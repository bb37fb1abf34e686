//! How contributions enter the steps: from `complete` of this worker, in rounds.
//!
//! The same trick as in the main dataflow: what enters is stamped one round ahead of the capability
//! that is kept, so no message is at the frontier, and workers tell each other of progress only when
//! a round ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::operator;
use timely::scheduling::Activator;

use super::packed::Packed;
use super::steps::{Changing, Round};

type Change = (Packed, Round, isize);

/// Where a worker puts its contributions.
#[derive(Default)]
pub(crate) struct Feed {
    fresh: RefCell<Vec<(Packed, isize)>>,
    closed: Cell<bool>,
    /// Rounds that have ended since the operator looked last.
    ended: Cell<u64>,
    operator: RefCell<Option<Activator>>,
}

impl Feed {
    /// Rows that come, each so many times.
    pub(crate) fn add(&self, rows: impl Iterator<Item = (Packed, isize)>) {
        self.fresh.borrow_mut().extend(rows);
        self.rouse();
    }

    /// Nothing more will come from this worker.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.rouse();
    }

    /// What came until now is a round.
    pub(crate) fn end_round(&self) {
        self.ended.set(self.ended.get() + 1);
        self.rouse();
    }

    fn rouse(&self) {
        if let Some(operator) = self.operator.borrow().as_ref() {
            operator.activate();
        }
    }

    /// The rows as they come.
    pub(crate) fn rows<'s>(self: &Rc<Self>, scope: Scope<'s, Round>) -> Changing<'s> {
        let feed = Rc::clone(self);
        operator::source::<_, CapacityContainerBuilder<Vec<Change>>, _, _>(
            scope,
            "contributions",
            move |capability, info| {
                feed.operator.replace(Some(scope.activator_for(info.address)));
                let mut kept = Some(capability);
                move |output| {
                    let Some(held) = &kept else { return };
                    let round = held.time() + 1;
                    let ahead = held.delayed(&round);
                    let mut session = output.session(&ahead);
                    let fresh = std::mem::take(&mut *feed.fresh.borrow_mut());
                    session
                        .give_iterator(fresh.into_iter().map(|(row, count)| (row, round, count)));
                    drop(session);
                    let next = held.time() + feed.ended.take();
                    if feed.closed.get() {
                        kept = None;
                    } else if let Some(held) = kept.as_mut().filter(|held| *held.time() < next) {
                        held.downgrade(&next);
                    }
                }
            },
        )
        .as_collection()
    }
}
