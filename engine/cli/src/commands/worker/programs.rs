//! What a worker gives to the programs that it runs, and what it hears of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sage_cluster::{Secret, Tls};
use sage_dataflow::Reporter;
use sage_exec::{Notice, Surroundings};

use super::work::ToSupervisor;
use crate::commands::exec_guard;
use crate::run::job::{Job, Word};

/// Programs are not told the secrets of the run, end with the worker, and one that never answers
/// ends the run, whose `stop` is said before its records could be taken for failed ones.
pub(super) fn around(
    job: &Job,
    supervisor: ToSupervisor,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Surroundings> {
    let mask = job.mask();
    let notify = move |notice| match notice {
        Notice::Warning(said) => supervisor.say(&Word::Warning(mask.hide(&said).into())),
        Notice::Hopeless(said) => {
            stop.store(true, Ordering::SeqCst);
            supervisor.failure(mask.hide(&said).into());
        }
    };
    Ok(Surroundings {
        hidden: [Secret::VARIABLE, Tls::VARIABLE].map(str::to_owned).to_vec(),
        guard: Some(exec_guard::command()?),
        notify: Arc::new(notify),
    })
}
