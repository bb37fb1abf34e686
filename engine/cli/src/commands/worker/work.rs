//! One process's part of a run: join, work, leave.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use sage_cluster::{
    ClusterError, Control, ControlMessage, EXIT_LOST, Join, Member, Refusal, Socket, Tls,
    Transport, join as join_cluster,
};
use sage_core::endpoint::{Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass};
use sage_core::index::Index;
use sage_core::service::Service;
use sage_dataflow::{Begin, DataflowError, Outside, Progress, Reporter, WorkerSetup, is_served};
use sage_exec::Programs;
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_retrieval::{LiveIndex, MappedIndex};

use super::keeper::{JOINED, KEPT};
use super::{programs, service};
use crate::exit::{Exit, usage_of};
use crate::run::clocks::shifted;
use crate::run::job::{Job, Order, Usage, Word};
use crate::run::programs::runs_programs;

/// Between two words about what the process uses.
const USAGE: Duration = Duration::from_secs(1);
/// The gateway lives in the supervisor, and a worker without a supervisor ends at once. Its calls,
/// which break in the same moment, must not be taken for failed ones until then.
const WITHOUT_GATEWAY: Duration = Duration::from_secs(5);
/// Exit code of a worker that found nobody at the address (`EX_UNAVAILABLE`).
pub(super) const EXIT_NOBODY: i32 = 69;
/// What a keeper is told of a host whose name cannot be resolved (`EX_NOHOST`).
pub(super) const EXIT_UNKNOWN: i32 = 68;

/// A worker that was started by hand waits this long for a run to need it.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Time for what was said last to leave the host.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// `kept` if somebody sends another worker when this one has to end.
pub(super) fn work(mut join: Join, kept: bool) -> anyhow::Result<Exit> {
    ignore_interrupts()?;
    die_with_peers();
    if kept {
        die_with_keeper();
        join.patience = PATIENCE;
    }
    let tls = match &join.transport {
        Transport::Hmac => None,
        Transport::Tls(tls) => Some(tls.clone()),
    };
    let keeper = kept && std::env::var_os(KEPT).is_some();
    let member = match join_cluster(join) {
        Ok(member) => member,
        Err(error) => {
            let code = worth_another_try(&error).filter(|_| kept);
            let Some(code) = code else { return Err(turned_away(error)) };
            if !keeper {
                eprintln!("error: {:#}", anyhow::Error::new(error));
            }
            std::process::exit(code);
        }
    };
    if keeper {
        // A keeper that is gone takes this process with it.
        let _ = writeln!(std::io::stdout(), "{JOINED}");
    }
    let (control, wire) = (member.control.clone(), member.wire.clone());
    let done = take_part(member, tls.as_ref());
    // An error, too, is only said when it has left.
    control.close();
    wire.finish(LAST_WORDS);
    match done {
        // The supervisor knows better than this worker which process was lost first.
        Ok(None) => std::process::exit(EXIT_LOST),
        Ok(Some(exit)) => Ok(exit),
        Err(error) => Err(error),
    }
}

/// There is no host of that name, or not yet; who has a keeper leaves the words to it.
pub(super) fn found_no_host(said: &str) -> ! {
    if std::env::var_os(KEPT).is_some() {
        std::process::exit(EXIT_UNKNOWN);
    }
    eprintln!("error: {said}");
    std::process::exit(EXIT_NOBODY)
}

/// Why a kept worker could not join, if that may pass: the code that tells its keeper.
fn worth_another_try(error: &ClusterError) -> Option<i32> {
    use Refusal::{Duplicate, Full, Generation};
    match error {
        ClusterError::Dial { .. } => Some(EXIT_NOBODY),
        // Somebody who waits for a place has one to ask.
        ClusterError::Refused { refusal: Full, .. } if std::env::var_os(KEPT).is_none() => {
            Some(EXIT_NOBODY)
        }
        ClusterError::Link { .. }
        | ClusterError::Vanished { .. }
        | ClusterError::MeshDeadline { .. }
        | ClusterError::Refused { refusal: Duplicate | Full | Generation(_), .. } => {
            Some(EXIT_LOST)
        }
        _ => None,
    }
}

/// What is wrong with this process, its place or its credentials was found before any work.
fn turned_away(error: ClusterError) -> anyhow::Error {
    match error {
        ClusterError::Version { .. }
        | ClusterError::Unproven { .. }
        | ClusterError::Foreign { .. }
        | ClusterError::Tls { .. }
        | ClusterError::Certificate { .. }
        | ClusterError::CertificateFile { .. }
        | ClusterError::Nowhere
        | ClusterError::Refused { .. } => usage_of(error),
        error => error.into(),
    }
}

/// The part of a worker that has joined; `None` if it lost its peers.
fn take_part(member: Member, tls: Option<&Tls>) -> anyhow::Result<Option<Exit>> {
    let mut job: Job = serde_json::from_slice(&member.payload).context("the job cannot be read")?;
    if let Some(shared) = &job.shared {
        shared.check()?;
    }
    let shift_ns = job.origin.map_or(0, |origin| origin.shift_ns());
    job.settings.origin_ns = shifted(job.settings.origin_ns, shift_ns);
    let control = member.control.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let begin = job.held.then(Arc::<Begin>::default);
    let asked: Arc<OnceLock<Arc<dyn Endpoint>>> = Arc::default();
    listen(member.messages, Arc::clone(&stop), Arc::clone(&asked), begin.clone(), shift_ns)?;
    tell_usage(ToSupervisor(control.clone()))?;

    let indexes = job.indexes.iter().enumerate().map(|(at, path)| {
        let live = job.plan.indexes.get(at).is_some_and(|index| index.refresh_ns.is_some());
        let index: Arc<dyn Index> = if live {
            Arc::new(LiveIndex::open(path)?)
        } else {
            Arc::new(MappedIndex::open(path)?)
        };
        Ok(index)
    });
    let indexes = indexes.collect::<anyhow::Result<Vec<_>>>()?;
    let mut endpoint = endpoint(&job, member.index, tls)?;
    if runs_programs(&job.plan) {
        let around = programs::around(&job, ToSupervisor(control.clone()), Arc::clone(&stop))?;
        endpoint = Arc::new(Programs::new(endpoint, around)?);
    }
    endpoint = job.web.around(&job.plan, endpoint)?;
    if !is_served(&job.plan) && asked.set(Arc::clone(&endpoint)).is_ok() {
        // It may have been said before there was anybody to hear it.
        if stop.load(Ordering::SeqCst) {
            endpoint.drain();
        }
    }
    let (mask, web) = (job.mask(), job.web.direct(&job.plan, &stop)?);
    let service = service::start(&job, member.index, ToSupervisor(control.clone()))?;
    let setup = WorkerSetup {
        service: service.clone().map(|it| it as Arc<dyn Service>),
        plan: job.plan,
        settings: job.settings,
        index: member.index,
        sockets: member.mesh.into_iter().map(|socket| socket.map(socket_of)).collect(),
        endpoint,
        indexes,
        begin,
        stop,
        reporter: Arc::new(ToSupervisor(control.clone())),
        outside: Outside { mask, web },
    };
    let done = sage_dataflow::run(setup);
    // The last answers leave before anybody says that all is done.
    drop(service);
    match done {
        Ok(outcomes) => {
            control.send(&serde_json::to_vec(&Word::Outcome { outcomes, usage: Usage::own() })?)?;
            control.finished()?;
            Ok(Some(Exit::Complete))
        }
        Err(DataflowError::Broken(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn socket_of(socket: Socket) -> sage_dataflow::Socket {
    match socket {
        Socket::Tcp(socket) => sage_dataflow::Socket::Tcp(socket),
        Socket::Unix(socket) => sage_dataflow::Socket::Unix(socket),
    }
}

/// A worker whose keeper was killed would work on unseen, and nobody could end it.
fn die_with_keeper() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let keeper = std::env::var(KEPT).ok().and_then(|keeper| keeper.parse::<i32>().ok());
        let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
        // It may have gone before the signal was asked for.
        if keeper.is_some() && keeper != parent {
            std::process::exit(EXIT_LOST);
        }
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
    asked: Arc<OnceLock<Arc<dyn Endpoint>>>,
    begin: Option<Arc<Begin>>,
    shift_ns: i64,
) -> anyhow::Result<()> {
    std::thread::Builder::new().name("control".into()).spawn(move || {
        for message in messages {
            match message {
                ControlMessage::Drain => {
                    stop.store(true, Ordering::SeqCst);
                    asked.get().inspect(|endpoint| endpoint.drain());
                }
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

fn endpoint(job: &Job, worker: usize, tls: Option<&Tls>) -> anyhow::Result<Arc<dyn Endpoint>> {
    let Some(gateway) = &job.gateway else { return Ok(Arc::new(NoEndpoint)) };
    let target = |(name, model): &(String, String)| EndpointTarget {
        name: name.clone(),
        model: model.clone(),
    };
    let config = ClientConfig {
        gateway: gateway.clone(),
        tls: tls.map(Tls::client),
        token: job.token.clone(),
        job: job.name.clone(),
        worker: worker as u32,
        endpoints: job.endpoints.iter().map(target).collect(),
        max_in_flight: job.settings.slots_of(worker, &job.plan) as usize * job.settings.threads + 1,
    };
    Ok(Arc::new(Client::patient(config, WITHOUT_GATEWAY)?))
}

pub(super) struct ToSupervisor(Control);

impl ToSupervisor {
    pub(super) fn say(&self, word: &Word) {
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
        // There will be more of it.
        if self.0.is_heard() {
            self.say(&Word::Progress(progress));
        }
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
