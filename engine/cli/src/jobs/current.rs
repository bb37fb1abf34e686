//! The job that this process is: what it has to say, and the thread that writes it down.
//!
//! A process is one job at most, however many runs it makes, so there is one for all of it. Outside
//! of a job, as in a test, everything here does nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use sage_cluster::Launcher;
use sage_core::metrics::Counts;

use super::command;
use super::launch::Noting;
use super::process::{Life, Machine, Process};
use super::record::{Kind, Record, SCHEMA, State, Trials, Worker};
use super::store::Store;
use crate::exit::{Exit, of_error};
use crate::run::{Interrupts, VERSION};

/// Names the job that goes on, in the environment of a command that was given again.
pub(crate) const RESUMED: &str = "SAGE_FLOW_JOB";

/// Between two writes, if only counts have changed.
const REFRESH: Duration = Duration::from_secs(1);
/// Between two looks at what has changed.
const LOOK: Duration = Duration::from_millis(100);
/// Letters of the end of an id: no vowels, which make words, and nothing that looks like another.
const LETTERS: &[u8] = b"23456789bcdfghjkmnpqrstvwxz";

struct Current {
    kind: Kind,
    /// Once it has begun.
    begun: Option<Begun>,
}

struct Begun {
    store: Store,
    record: Record,
    /// Counts of what runs now, by its name.
    counts: BTreeMap<String, Counts>,
    /// Counts of what ran before.
    before: Counts,
    change: Change,
    told: bool,
    /// How it will end, unless something comes in between.
    outcome: Option<Exit>,
}

/// What is not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Change {
    None,
    Counts,
    More,
}

static CURRENT: Mutex<Option<Current>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();
/// Held by who writes, so that no older record follows a newer one.
static WRITER: Mutex<()> = Mutex::new(());

fn current() -> MutexGuard<'static, Option<Current>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Change the job, if there is one that has begun.
fn change(how: Change, change: impl FnOnce(&mut Begun)) {
    if let Some(begun) = current().as_mut().and_then(|current| current.begun.as_mut()) {
        change(begun);
        if how > begun.change {
            begun.change = how;
        }
    }
    if how == Change::More {
        CHANGED.notify_all();
    }
}

/// Run a verb as a job: it is on record from the moment it [`begin`]s, and its exit ends it.
pub(crate) fn tracked(
    kind: Kind,
    verb: impl FnOnce() -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    *current() = Some(Current { kind, begun: None });
    let result = verb();
    let exit = result.as_ref().map_or_else(of_error, |exit| *exit);
    if exit == Exit::Interrupted && kind != Kind::Experiment {
        change(Change::None, |begun| {
            if !command::silent(&begun.record.command) {
                let id = &begun.record.id;
                eprintln!(
                    "job {id}: `sage-flow jobs resume {id}` gives the command again, in its folder"
                );
            }
        });
    }
    end(exit);
    result
}

/// The job has claimed its folders: from now on it is on record. Said again, it adds to what was
/// said. `drain` is what calls in flight are given when it is asked to stop.
pub(crate) fn begin<'b>(
    pipelines: impl IntoIterator<Item = &'b str>,
    folders: impl IntoIterator<Item = &'b Path>,
    drain: Duration,
) {
    let mut locked = current();
    let Some(current) = locked.as_mut() else { return };
    let (mut names, mut places) = match &current.begun {
        Some(begun) => (begun.record.pipelines.clone(), begun.record.folders.clone()),
        None => (Vec::new(), Vec::new()),
    };
    for name in pipelines {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    for folder in folders {
        let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder));
        if let Some(folder) = folder.ok().filter(|folder| !places.contains(folder)) {
            places.push(folder);
        }
    }
    if let Some(begun) = &mut current.begun {
        begun.record.pipelines = names;
        begun.record.folders = places;
        begun.change = Change::More;
        CHANGED.notify_all();
        return;
    }
    let kind = current.kind;
    match start(kind, names, places, drain) {
        Ok(begun) => current.begun = Some(begun),
        // Nothing more is said of this job, and nothing tried.
        Err(error) => {
            *locked = None;
            warn(&error);
        }
    }
}

fn warn(error: &anyhow::Error) {
    eprintln!("warning: `sage-flow jobs` does not know of this one: {error:#}");
}

fn start(
    kind: Kind,
    pipelines: Vec<String>,
    folders: Vec<std::path::PathBuf>,
    drain: Duration,
) -> anyhow::Result<Begun> {
    let store = Store::open()?;
    let refused = |error: std::io::Error| {
        anyhow::anyhow!("`{}`: {error}; {}", store.folder.display(), super::place::ELSEWHERE)
    };
    store.make().map_err(refused)?;
    // An interrupt is noticed by whoever runs; a record needs to know of it, too.
    let interrupts = Interrupts::listen()?;
    let (command, not_again) = command::kept(std::env::args_os().skip(1));
    let supervisor = Process::of(std::process::id())
        .ok_or_else(|| anyhow::anyhow!("/proc does not tell when this process started"))?;
    let mut record = Record {
        schema: SCHEMA,
        id: String::new(),
        kind,
        state: State::Running,
        exit_code: None,
        command,
        not_again,
        directory: std::env::current_dir()?,
        folders,
        started: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        ended: None,
        starts: 1,
        drain_s: drain.as_secs_f64(),
        counts: Counts::default(),
        trials: None,
        machine: Machine::here(),
        supervisor,
        workers: Vec::new(),
        version: VERSION.to_owned(),
        pipelines,
    };
    match resumed(&store, kind) {
        Some(earlier) => {
            record.id = earlier.id;
            record.starts = earlier.starts.saturating_add(1);
            store.write(&record).map_err(refused)?;
        }
        None => claim(&store, &mut record).map_err(refused)?,
    }
    let others = store.clone();
    thread::Builder::new().name("jobs".into()).spawn(move || {
        // Here, because it is no business of the run, and must not delay it.
        let _ = others.prune();
        keep_writing(&interrupts);
    })?;
    let change = Change::None;
    let (counts, before) = (BTreeMap::new(), Counts::default());
    Ok(Begun { store, record, counts, before, change, told: false, outcome: None })
}

/// The job that this process makes go on, if it is one that has ended.
fn resumed(store: &Store, kind: Kind) -> Option<Record> {
    let id = std::env::var(RESUMED).ok()?;
    let record = store.reread(&id)?;
    let ended = !record.state().goes_on() && record.elsewhere().is_none();
    (record.kind == kind && ended).then_some(record)
}

/// Find an id for the job that no other has, and write its record.
fn claim(store: &Store, record: &mut Record) -> std::io::Result<()> {
    let first = record.pipelines.first().map_or("job", String::as_str);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = first.chars().take(24).map(plain).collect();
    for _ in 0..100 {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let end = bytes.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        record.id = format!("{name}-{}", String::from_iter(end));
        if store.claim(record)? {
            return Ok(());
        }
    }
    Err(std::io::Error::other("a hundred ids were taken"))
}

/// What is seen of one run: its counts, and the workers it starts.
pub(crate) struct Watch {
    name: String,
}

/// Watch a run of that name. One that had the name before is over; its counts stay in the sum.
pub(crate) fn watch(name: &str) -> Watch {
    change(Change::None, |begun| {
        let over = begun.counts.remove(name).unwrap_or_default();
        add(&mut begun.before, &over);
        begun
            .record
            .workers
            .retain(|worker| worker.of != name && worker.process.life() != Life::Ended);
    });
    Watch { name: name.to_owned() }
}

impl Watch {
    /// How far it is.
    pub(crate) fn count(&self, counts: &Counts) {
        change(Change::Counts, |begun| {
            begun.counts.insert(self.name.clone(), *counts);
        });
    }

    /// A launcher like this one, whose processes are put down.
    pub(crate) fn noting<'n>(&'n self, launcher: &'n mut dyn Launcher) -> Noting<'n> {
        Noting { launcher, watch: self }
    }

    pub(super) fn worker(&self, index: usize, pid: u32) {
        let Some(process) = Process::of(pid) else { return };
        change(Change::More, |begun| {
            let workers = &mut begun.record.workers;
            workers.retain(|worker| worker.of != self.name || worker.index != index);
            workers.push(Worker { of: self.name.clone(), index, process });
        });
    }
}

fn add(sum: &mut Counts, counts: &Counts) {
    sum.tasks_in += counts.tasks_in;
    sum.tasks_ok += counts.tasks_ok;
    sum.tasks_dead += counts.tasks_dead;
    sum.tasks_late += counts.tasks_late;
    sum.tasks_pending += counts.tasks_pending;
}

/// So many trials of an experiment are done.
pub(crate) fn trials(done: usize, of: usize) {
    change(Change::Counts, |begun| begun.record.trials = Some(Trials { done, of }));
}

/// The work is done, and only to be told.
pub(crate) fn outcome(exit: Exit) {
    change(Change::None, |begun| begun.outcome = Some(exit));
}

/// The process is about to end on the spot: with the outcome that was said, or else with this one.
pub(crate) fn cut_off(exit: Exit) {
    let said = current().as_ref().and_then(|current| current.begun.as_ref()?.outcome);
    end(said.unwrap_or(exit));
}

/// The job has ended; what follows is not its business.
fn end(exit: Exit) {
    change(Change::More, |begun| {
        begun.record.state = exit.into();
        begun.record.exit_code = Some(exit.code());
        begun.record.ended = Some(humantime::format_rfc3339_millis(SystemTime::now()).to_string());
        begun.record.workers.retain(|worker| worker.process.life() != Life::Ended);
    });
    write();
    *current() = None;
    CHANGED.notify_all();
}

/// Writes down what changes, until the job has ended.
fn keep_writing(interrupts: &Interrupts) {
    let mut written = Instant::now();
    loop {
        let mut locked = current();
        let waited = CHANGED.wait_timeout(locked, LOOK).unwrap_or_else(PoisonError::into_inner);
        locked = waited.0;
        let Some(current) = locked.as_mut() else { return };
        // The thread is started before the job has begun.
        let Some(begun) = &mut current.begun else { continue };
        if interrupts.count() > 0 && begun.record.state == State::Running {
            begun.record.state = State::Stopping;
            begun.change = Change::More;
        }
        let due = match begun.change {
            Change::None => false,
            Change::Counts => written.elapsed() >= REFRESH,
            Change::More => true,
        };
        drop(locked);
        if due {
            write();
            written = Instant::now();
        }
    }
}

/// Write the record as it is now. The lock on the job is not held meanwhile: a slow disk must not
/// hold up a run.
fn write() {
    let _writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let (store, record) = {
        let mut locked = current();
        let Some(begun) = locked.as_mut().and_then(|current| current.begun.as_mut()) else {
            return;
        };
        let mut counts = begun.before;
        begun.counts.values().for_each(|more| add(&mut counts, more));
        begun.record.counts = counts;
        begun.change = Change::None;
        (begun.store.clone(), begun.record.clone())
    };
    let Err(error) = store.write(&record) else { return };
    if let Some(begun) = current().as_mut().and_then(|current| current.begun.as_mut())
        && !std::mem::replace(&mut begun.told, true)
    {
        let error = anyhow::Error::new(error).context(format!("`{}`", store.folder.display()));
        eprintln!("warning: `sage-flow jobs` does not hear of this one any more: {error:#}");
    }
}
