//! The service of a plan that serves: the first worker has it, where the source is.

use std::sync::Arc;
use std::time::Duration;

use sage_core::service::{Next, Opening, Reply, Service};
use sage_http::{Server, ServiceConfig};

use super::work::ToSupervisor;
use crate::run::job::{Job, Word};

/// A service that says where it is as soon as it takes requests.
pub(super) struct Announced {
    server: Server,
    url: String,
    supervisor: ToSupervisor,
}

/// Listen, if this is the worker.
pub(super) fn start(
    job: &Job,
    worker: usize,
    supervisor: ToSupervisor,
) -> anyhow::Result<Option<Arc<Announced>>> {
    let (Some(served), Some(source)) = (&job.served, job.plan.source()) else { return Ok(None) };
    let Some(serving) = sage_dataflow::serving(source).filter(|_| worker == 0) else {
        return Ok(None);
    };
    let server = Server::start(ServiceConfig {
        listen: served.listen.clone(),
        path: serving.path.clone(),
        record: source.record.clone(),
        token: served.token.clone(),
        capacity: serving.max_requests,
        max_body: serving.max_body,
        deadline: Duration::from_nanos(serving.deadline_ns),
        drain: served.drain,
    })?;
    let url = format!("http://{}{}", server.address(), serving.path);
    Ok(Some(Arc::new(Announced { server, url, supervisor })))
}

impl Service for Announced {
    fn open(&self, opening: Opening) {
        self.server.open(opening);
        self.supervisor.say(&Word::Serving(self.url.clone()));
    }

    fn next(&self) -> Next {
        self.server.next()
    }

    fn answer(&self, number: u64, reply: Reply) {
        self.server.answer(number, reply);
    }

    fn close(&self) {
        self.server.close();
    }
}
