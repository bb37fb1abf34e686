//! A cluster within the test process: each "process" is a thread, joined by real sockets, running
//! the same code as a worker process. Endpoints are scripted.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_range_loop,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sage_core::endpoint::{
    Answer, Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass, Generation, Request,
};
use sage_core::index::Index;
use sage_core::metrics::Summary;
use sage_dataflow::arrivals::Schedule;
use sage_dataflow::sinks::{file_name, header, join_parts};
use sage_dataflow::{
    Begin, DEAD_LETTERS, Outside, Progress, Reporter, RunClock, RunSettings, Socket, WorkerSetup,
    commit,
};
use sage_dsl::catalog::Catalog;
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::Plan;

/// Compile a program that has one flow.
pub fn plan(program: &str) -> Plan {
    let catalog = Catalog {
        stages: sage_dataflow::stages::SPECS,
        sources: sage_dataflow::sources::SIGNATURES,
        documents: &[],
        sinks: sage_dataflow::sinks::SIGNATURES,
        policies: sage_core::policies::signatures(),
        profiles: &["a100/qwen2.5-7b"],
        models: &[],
        columns: &[],
        own_files: &[],
    };
    let mut compiled = sage_dsl::compile(sage_dsl::Request {
        path: "test.sage",
        text: program,
        overrides: &[],
        env: &|_| None,
        load: &|path| Err(format!("no file {path}")),
        catalog: &catalog,
    });
    let errors: Vec<_> = compiled.diagnostics.iter().filter(|found| found.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    compiled.plans.pop().expect("the program has a flow")
}

/// Seed of all runs.
pub const SEED: u64 = 7;

/// How a run is to be made.
pub struct Run {
    pub plan: Plan,
    pub workers: usize,
    pub threads: usize,
    pub tasks: Option<u64>,
    pub limit: Option<u64>,
    pub arrivals: Option<Arrivals>,
    /// Let records in this long after the start of the run.
    pub held: Option<Duration>,
    pub endpoint: Arc<dyn Endpoint>,
    pub indexes: Vec<Arc<dyn Index>>,
    /// Ask for a graceful stop after this.
    pub stop_after: Option<Duration>,
    /// Of a run that this one goes on with.
    pub folder: Option<tempfile::TempDir>,
}

/// What a run left behind.
#[allow(clippy::struct_field_names, reason = "the name that the record has in the report")]
pub struct Left {
    pub folder: tempfile::TempDir,
    pub summary: Summary,
    pub given_back: u64,
    pub failure: Option<String>,
    /// Rows of the steps over all records in the dead letters.
    pub dead_rows: u64,
    /// Records that the source left out.
    pub left_out: u64,
    files: BTreeMap<String, String>,
}

impl Run {
    pub fn new(program: &str) -> Self {
        Run {
            plan: plan(program),
            workers: 1,
            threads: 1,
            tasks: None,
            limit: None,
            arrivals: None,
            held: None,
            endpoint: Arc::new(Scripted::echo()),
            indexes: Vec::new(),
            stop_after: None,
            folder: None,
        }
    }

    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    pub fn endpoint(mut self, endpoint: impl Endpoint + 'static) -> Self {
        self.endpoint = Arc::new(endpoint);
        self
    }

    pub fn go(self) -> Left {
        let folder = self.folder.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let earlier = commit::recover(folder.path()).unwrap();
        let settings = RunSettings {
            out: folder.path().to_owned(),
            generation: earlier.generation + 1,
            nodes: Vec::new(),
            origin_ns: RunClock::host_ns(),
            seed: SEED,
            threads: self.threads,
            tasks: self.tasks,
            limit: self.limit,
            arrivals: self.arrivals.map(|rule| Schedule { rule, seed: SEED }),
        };
        let stop = Arc::new(AtomicBool::new(false));
        if let Some(after) = self.stop_after {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                std::thread::sleep(after);
                stop.store(true, Ordering::Relaxed);
            });
        }
        let begin = self.held.map(|after| {
            let begin = Arc::new(Begin::default());
            begin.at(settings.origin_ns + after.as_nanos() as u64);
            begin
        });
        let mut threads = Vec::new();
        for (index, sockets) in mesh(self.workers).into_iter().enumerate() {
            let setup = WorkerSetup {
                plan: self.plan.clone(),
                settings: settings.clone(),
                index,
                sockets,
                service: None,
                endpoint: Arc::clone(&self.endpoint),
                indexes: self.indexes.clone(),
                begin: begin.clone(),
                stop: Arc::clone(&stop),
                reporter: Arc::new(Silent),
                outside: Outside::default(),
            };
            threads.push(std::thread::spawn(move || sage_dataflow::run(setup)));
        }
        let mut outcomes = Vec::new();
        for thread in threads {
            outcomes.extend(thread.join().expect("a worker panicked").expect("a worker failed"));
        }
        let commit = commit::read(folder.path()).unwrap();
        let mut files = BTreeMap::new();
        for sink in &self.plan.sinks {
            if let Some(name) = file_name(sink) {
                join_parts(folder.path(), &name, &header(sink), &commit, true).unwrap();
                let text = std::fs::read_to_string(folder.path().join(&name)).unwrap();
                files.insert(name, text);
            }
        }
        join_parts(folder.path(), DEAD_LETTERS, b"", &commit, true).unwrap();
        let summary = outcomes.iter().find_map(|outcome| outcome.summary.clone()).unwrap();
        let counts = summary.counts;
        assert_eq!(
            counts.tasks_in,
            counts.tasks_ok + counts.tasks_dead + counts.tasks_late + counts.tasks_pending,
            "the summary must add up"
        );
        let outcomes_of = commit.outcomes;
        assert_eq!(
            (counts.tasks_ok, counts.tasks_dead, counts.tasks_late),
            (outcomes_of.ok, outcomes_of.dead + outcomes_of.unreadable, outcomes_of.late),
            "what was committed is what was measured"
        );
        Left {
            summary,
            dead_rows: commit.dead_rows(),
            left_out: outcomes.iter().map(|outcome| outcome.left_out).sum(),
            given_back: outcomes.iter().map(|outcome| outcome.given_back).sum(),
            failure: outcomes.iter().find_map(|outcome| outcome.failure.clone()),
            files,
            folder,
        }
    }
}

impl Left {
    /// Lines of an output file, sorted: the order of completion is nobody's promise.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.files[name].lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    pub fn dead(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join(DEAD_LETTERS)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

/// A program with its data file beside it.
pub fn with_file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

pub fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

struct Silent;

impl Reporter for Silent {
    fn progress(&self, progress: Progress) {
        let counts = progress.counts;
        // The invariant holds at every moment, not only at the end.
        assert_eq!(
            counts.tasks_in,
            counts.tasks_ok + counts.tasks_dead + counts.tasks_late + counts.tasks_pending
        );
    }
    fn failure(&self, _message: String) {}
}

/// Sockets between every two of `n`.
fn mesh(n: usize) -> Vec<Vec<Option<Socket>>> {
    let mut sockets: Vec<Vec<Option<Socket>>> =
        (0..n).map(|_| (0..n).map(|_| None).collect()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for low in 0..n {
        for high in low + 1..n {
            let dialled = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            dialled.set_nodelay(true).unwrap();
            accepted.set_nodelay(true).unwrap();
            sockets[low][high] = Some(Socket::Tcp(dialled));
            sockets[high][low] = Some(Socket::Tcp(accepted));
        }
    }
    sockets
}

/// What a scripted endpoint does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Answer,
    Fail(ErrorClass),
    /// Drop the completion without an answer.
    Drop,
    /// Answer with one item too few.
    Short,
}

type Script = dyn Fn(u64, &Call) -> (Act, Duration) + Send + Sync;

/// Answers `echo: PROMPT`, or as its script says; from threads of its own.
pub struct Scripted {
    script: Box<Script>,
    calls: AtomicU64,
    /// Items of each call.
    pub sizes: Arc<Mutex<Vec<usize>>>,
    /// Most calls at once.
    pub in_flight: Arc<(AtomicU64, AtomicU64)>,
}

impl Scripted {
    pub fn echo() -> Self {
        Scripted::new(|_, _| (Act::Answer, Duration::ZERO))
    }

    pub fn new(script: impl Fn(u64, &Call) -> (Act, Duration) + Send + Sync + 'static) -> Self {
        Scripted {
            script: Box::new(script),
            calls: AtomicU64::new(0),
            sizes: Arc::default(),
            in_flight: Arc::default(),
        }
    }
}

impl Endpoint for Scripted {
    fn submit(&self, call: Call, completion: Completion) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        self.sizes.lock().unwrap().push(call.request.len());
        let (act, delay) = (self.script)(number, &call);
        let counters = Arc::clone(&self.in_flight);
        let now = counters.0.fetch_add(1, Ordering::SeqCst) + 1;
        counters.1.fetch_max(now, Ordering::SeqCst);
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            counters.0.fetch_sub(1, Ordering::SeqCst);
            let result = match act {
                Act::Drop => return drop(completion),
                Act::Fail(class) => Err(CallError::new(class, "scripted")),
                Act::Answer => Ok(answer(&call.request, 0)),
                Act::Short => Ok(answer(&call.request, 1)),
            };
            completion.complete(CallOutcome { result, attempts: 1, first_token_ns: None });
        });
    }
}

type Reply = dyn Fn(u64, &Call) -> CallOutcome + Send + Sync;

/// Answers each call as its script says, from threads of its own, and keeps what it was asked.
pub struct Replying {
    reply: Arc<Reply>,
    calls: AtomicU64,
    pub seen: Arc<Mutex<Vec<Call>>>,
}

impl Replying {
    pub fn new(reply: impl Fn(u64, &Call) -> CallOutcome + Send + Sync + 'static) -> Self {
        Replying { reply: Arc::new(reply), calls: AtomicU64::new(0), seen: Arc::default() }
    }
}

impl Endpoint for Replying {
    fn submit(&self, call: Call, completion: Completion) {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(call.clone());
        let reply = Arc::clone(&self.reply);
        std::thread::spawn(move || completion.complete(reply(number, &call)));
    }
}

/// Prompts or texts of a call.
pub fn texts(call: &Call) -> &[String] {
    match &call.request {
        Request::Generate { prompts, .. } => prompts,
        Request::Embed { texts }
        | Request::Exec { lines: texts, .. }
        | Request::Http { bodies: texts, .. } => texts,
    }
}

/// One try, every text answered by `text`.
pub fn generated(call: &Call, text: impl Fn(&str) -> String) -> CallOutcome {
    let generation = |prompt: &String| Generation {
        text: text(prompt),
        prompt_tokens: 10,
        completion_tokens: 4,
        finish: "stop".into(),
        cached: false,
    };
    let result = Ok(Answer::Generated(texts(call).iter().map(generation).collect()));
    CallOutcome { result, attempts: 1, first_token_ns: None }
}

/// One try, refused with this status.
pub fn refused(status: u16) -> CallOutcome {
    let error = CallError {
        status: Some(status),
        ..CallError::new(ErrorClass::Rejected, "this prompt is too long")
    };
    CallOutcome::failed(error, 1)
}

fn answer(request: &Request, missing: usize) -> Answer {
    let generation = |prompt: &String| Generation {
        text: format!("echo: {prompt}"),
        prompt_tokens: 3,
        completion_tokens: 2,
        finish: "stop".into(),
        cached: false,
    };
    match request {
        Request::Generate { prompts, .. }
        | Request::Exec { lines: prompts, .. }
        | Request::Http { bodies: prompts, .. } => {
            let keep = prompts.len() - missing.min(prompts.len());
            Answer::Generated(prompts.iter().take(keep).map(generation).collect())
        }
        Request::Embed { texts } => Answer::Embedded {
            vectors: texts.iter().skip(missing).map(|text| vec![text.len() as f32, 1.0]).collect(),
            tokens: texts.len() as u64,
        },
    }
}
