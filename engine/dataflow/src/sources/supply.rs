//! Where the tasks of a flow come from: a source that is read, or a service that is asked.

use std::sync::Arc;

use sage_core::record::Rows;
use sage_core::service::{Asked, Next, Opening, Service};
use sage_dsl::plan::SourcePlan;
use timely::scheduling::SyncActivator;

use super::{Fed, FeedSettings, Feeder, Fresh};

/// See the module.
pub(crate) enum Supply {
    /// A thread reads a source.
    Read(Feeder),
    /// Clients ask.
    Served(Arc<dyn Service>),
}

impl Supply {
    /// Begin. `wake` is activated when something is there.
    pub(crate) fn start(
        plan: SourcePlan,
        settings: FeedSettings,
        service: Option<Arc<dyn Service>>,
        wake: SyncActivator,
    ) -> Self {
        let Some(service) = service else {
            return Supply::Read(Feeder::start(plan, settings, wake));
        };
        service.open(Opening {
            // The numbers of requests that broke off with a worker are not given again: they were
            // settled as done. Their clients ask again and get new ones.
            first: settings.done.max().map_or(0, |last| last + 1),
            most: settings.limit.map(|limit| limit.saturating_sub(settings.done.len())),
            note: match settings.came {
                Some(came) => Box::new(move |count| came.note(count)),
                None => Box::new(|_| Ok(())),
            },
            // Nobody needs to be roused when the dataflow is gone.
            wake: Box::new(move || {
                let _ = wake.activate();
            }),
        });
        Supply::Served(service)
    }

    /// The next item, if one is there.
    pub(crate) fn next(&mut self) -> Option<Fed> {
        match self {
            Supply::Read(feeder) => feeder.next(),
            Supply::Served(service) => match service.next() {
                Next::Request(asked) => Some(Fed::Task(task(&asked))),
                Next::Nothing => None,
                Next::Ended => Some(Fed::End(Ok(()))),
            },
        }
    }

    /// The next item, however long it takes; a service is not waited for.
    pub(crate) fn wait(&mut self) -> Option<Fed> {
        match self {
            Supply::Read(feeder) => Some(feeder.wait()),
            Supply::Served(_) => self.next(),
        }
    }

    /// The run is asked to stop. `true` if that is the end of it; a service gives out what it has
    /// taken in, and then says that it has ended.
    pub(crate) fn stop(&mut self) -> bool {
        match self {
            Supply::Read(_) => true,
            Supply::Served(service) => {
                service.close();
                false
            }
        }
    }
}

fn task(asked: &Asked) -> Fresh {
    let mut rows = Rows::with_capacity(1, asked.row.len());
    rows.push(|out| out.extend_from_slice(&asked.row));
    Fresh { id: asked.number, rows, round: 0, skipped: 0, late: false }
}
