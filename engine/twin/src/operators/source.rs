//! `source`: records arrive, are made into tasks, and enter; on the first node only.
//!
//! Times are those of `sage_core::arrivals`, drawn as they are needed. A task is let in when its last
//! record is there and the queue has room; it *arrived* when its first record did, however long it
//! was kept out, so that the figures of an overloaded run hold the waiting that the overload causes.

use sage_core::arrivals::Times;
use sage_core::event::{Event, Kind};

use super::{Cx, Flow};
use crate::model::Job;

/// Tasks handed on in one activation; then other operators get their turn.
const BURST: usize = 256;

/// A task on its way here.
#[derive(Debug)]
struct Planned {
    records: u32,
    arrives_ns: u64,
    complete_ns: u64,
}

#[derive(Debug)]
pub(crate) struct Source {
    times: Times,
    planned: Option<Planned>,
    next_record: u64,
}

impl Source {
    pub(super) fn new(job: &Job, seed: u64) -> Self {
        Source { times: Times::new(&job.arrivals, &job.trace, seed), planned: None, next_record: 0 }
    }

    /// The next task; `None` when no more arrive.
    fn plan(&mut self, job: &Job) -> Option<Planned> {
        let left = job.records - self.next_record;
        let records = left.min(u64::from(job.morsel)) as u32;
        let mut times = self.times.by_ref().take(records as usize);
        let first = times.next()?;
        let last = times.last().unwrap_or(first);
        Some(Planned {
            records,
            arrives_ns: job.start_ns.saturating_add(first),
            complete_ns: job.start_ns.saturating_add(last),
        })
    }

    pub(super) fn turn(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        for given in 0.. {
            if given == BURST {
                cx.rouse(cx.operator);
                break;
            }
            if cx.coordinator.ended || cx.coordinator.full {
                break;
            }
            let Some(planned) = self.planned.take().or_else(|| self.plan(cx.layout.job)) else {
                cx.coordinator.ended = true;
                break;
            };
            if planned.complete_ns > cx.now {
                *cx.alarm_ns = Some(planned.complete_ns);
                self.planned = Some(planned);
                break;
            }
            self.enter(&planned, cx);
        }
        Flow::Over
    }

    fn enter(&mut self, planned: &Planned, cx: &mut Cx<'_, '_, '_>) {
        let &Planned { records, arrives_ns, .. } = planned;
        let id = cx.coordinator.tasks;
        let task = cx.tasks.open(id, self.next_record, records, arrives_ns);
        cx.note(Kind::Arrived, id, |event| {
            *event = Event { at_ns: arrives_ns, records, ..*event };
        });
        self.next_record += u64::from(records);
        cx.coordinator.tasks += 1;
        cx.coordinator.open += 1;
        cx.out.push(task);
    }
}
