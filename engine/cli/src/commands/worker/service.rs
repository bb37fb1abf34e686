//! The service of a plan that serves: the first worker has it, where the source is.

use std::sync::Arc;
use std::time::Duration;

use sage_http::{Server, ServiceConfig};

use super::work::ToSupervisor;
use crate::run::job::{Job, Word};

/// Start it, if this is the worker, and say where it is.
pub(super) fn start(
    job: &Job,
    worker: usize,
    supervisor: &ToSupervisor,
) -> anyhow::Result<Option<Arc<Server>>> {
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
    })?;
    supervisor.say(&Word::Serving(format!("http://{}{}", server.address(), serving.path)));
    Ok(Some(Arc::new(server)))
}
