//! `worker`: join a run and do this process's part of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use sage_cluster::{Control, ControlMessage, EXIT_LOST, Join, join as join_cluster};
use sage_core::endpoint::{Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass};
use sage_core::index::Index;
use sage_dataflow::{Begin, DataflowError, Progress, Reporter, WorkerSetup};
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_retrieval::MappedIndex;

use crate::exit::Exit;
use crate::run::VERSION;
use crate::run::clocks::shifted;
use crate::run::job::{Job, Order, Usage, Word};

/// Between two words about what the process uses.
const USAGE: Duration = Duration::from_secs(1);

/// The gateway lives in the supervisor, and a worker without a supervisor ends at once. Its calls,
/// which break in the same moment, must not be taken for failed ones until then.
const WITHOUT_GATEWAY: Duration = Duration::from_secs(5);

pub(crate) fn worker(address: SocketAddr) -> anyhow::Result<Exit> {
    ignore_interrupts()?;
    die_with_peers();
    let member = join_cluster(Join::from_env(address, VERSION)?)?;
    let mut job: Job = serde_json::from_slice(&member.payload).context("the job cannot be read")?;
    if let Some(shared) = &job.shared {
        shared.check()?;
    }
    let shift_ns = job.origin.map_or(0, |origin| origin.shift_ns());
    job.settings.origin_ns = shifted(job.settings.origin_ns, shift_ns);
    let control = member.control.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let begin = job.held.then(Arc::<Begin>::default);
    listen(member.messages, Arc::clone(&stop), begin.clone(), shift_ns)?;
    tell_usage(ToSupervisor(control.clone()))?;

    let indexes = job.indexes.iter().map(|path| {
        let index = MappedIndex::open(path)?;
        Ok(Arc::new(index) as Arc<dyn Index>)
    });
    let indexes = indexes.collect::<anyhow::Result<Vec<_>>>()?;
    let endpoint = endpoint(&job, member.index)?;
    let setup = WorkerSetup {
        plan: job.plan,
        settings: job.settings,
        index: member.index,
        sockets: member.mesh,
        endpoint,
        indexes,
        begin,
        stop,
        reporter: Arc::new(ToSupervisor(control.clone())),
    };
    match sage_dataflow::run(setup) {
        Ok(outcomes) => {
            control.send(&serde_json::to_vec(&Word::Outcome { outcomes, usage: Usage::own() })?)?;
            control.finished()?;
            Ok(Exit::Complete)
        }
        // The supervisor knows better than this worker which process was lost first.
        Err(DataflowError::Broken(_)) => std::process::exit(EXIT_LOST),
        Err(error) => Err(error.into()),
    }
}

/// The supervisor says when to stop; an interrupt at the terminal reaches it too, and so does the
/// SIGTERM that a service manager or a batch system sends to all processes of a run.
fn ignore_interrupts() -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    Ok(())
}

/// Timely's threads panic when a peer is gone. One line is enough, and the exit code says that the
/// cause lies elsewhere.
fn die_with_peers() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let communication = thread.name().is_some_and(|name| name.starts_with("timely:"));
        if communication {
            eprintln!("a connection to another worker was lost");
            std::process::exit(EXIT_LOST);
        }
        default(panic);
        // A broken operator cannot be repaired; the supervisor ends the run.
        std::process::exit(101);
    }));
}

fn listen(
    messages: std::sync::mpsc::Receiver<ControlMessage>,
    stop: Arc<AtomicBool>,
    begin: Option<Arc<Begin>>,
    shift_ns: i64,
) -> anyhow::Result<()> {
    std::thread::Builder::new().name("control".into()).spawn(move || {
        for message in messages {
            match message {
                ControlMessage::Drain => stop.store(true, Ordering::Relaxed),
                ControlMessage::Message(bytes) => {
                    if let (Ok(Order::Begin { at_ns }), Some(begin)) =
                        (serde_json::from_slice(&bytes), &begin)
                    {
                        begin.at(shifted(at_ns, shift_ns));
                    }
                }
            }
        }
    })?;
    Ok(())
}

/// A worker that is killed cannot say any more what it used, so it says so all along.
fn tell_usage(supervisor: ToSupervisor) -> anyhow::Result<()> {
    std::thread::Builder::new().name("usage".into()).spawn(move || {
        loop {
            supervisor.say(&Word::Usage(Usage::own()));
            std::thread::sleep(USAGE);
        }
    })?;
    Ok(())
}

fn endpoint(job: &Job, worker: usize) -> anyhow::Result<Arc<dyn Endpoint>> {
    let Some(gateway) = &job.gateway else { return Ok(Arc::new(NoEndpoint)) };
    let target = |(name, model): &(String, String)| EndpointTarget {
        name: name.clone(),
        model: model.clone(),
    };
    let config = ClientConfig {
        gateway: gateway.clone(),
        token: job.token.clone(),
        job: job.name.clone(),
        worker: worker as u32,
        endpoints: job.endpoints.iter().map(target).collect(),
        max_in_flight: job.settings.slots_of(worker, &job.plan) as usize * job.settings.threads + 1,
    };
    Ok(Arc::new(Client::patient(config, WITHOUT_GATEWAY)?))
}

struct ToSupervisor(Control);

impl ToSupervisor {
    fn say(&self, word: &Word) {
        // A supervisor that is gone ends this process by itself.
        if let Ok(bytes) = serde_json::to_vec(word) {
            let _ = self.0.send(&bytes);
        }
    }
}

impl Reporter for ToSupervisor {
    fn ready(&self) {
        self.say(&Word::Ready);
    }

    fn progress(&self, progress: Progress) {
        self.say(&Word::Progress(progress));
    }

    fn failure(&self, message: String) {
        self.say(&Word::Failure(message));
    }

    fn stranded(&self, message: String) {
        eprintln!("error: {message}");
        self.say(&Word::Failure(message));
        std::process::exit(i32::from(Exit::Failed.code()));
    }
}

/// For plans that call nothing.
struct NoEndpoint;

impl Endpoint for NoEndpoint {
    fn submit(&self, _call: Call, completion: Completion) {
        let error = CallError::new(ErrorClass::Rejected, "the plan has no endpoint");
        completion.complete(CallOutcome::failed(error, 0));
    }
}
