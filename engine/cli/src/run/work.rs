//! One job on its way: its indexes, its workers, and what follows when one of them is lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context;
use sage_cluster::{Cluster, ClusterError, Lost};
use sage_dataflow::arrivals::Schedule;
use sage_dataflow::commit::Commit;
use sage_dataflow::{RunClock, RunSettings, is_served, seeded};
use sage_dsl::plan::Plan;
use sage_retrieval::documents::Corpus;

use super::clocks::Origin;
use super::execute::{Stopped, reads_stdin};
use super::follow::{Course, Follower, Hold, lost_message, unreported};
use super::generations::Generations;
use super::indexes::{self, Built};
use super::interrupt::Interrupts;
use super::job::Job;
use super::launch::Place;
use super::live::{Following, Stop};
use super::loss::{self, Gone, Restart};
use super::progress::{Display, expected};
use super::report::{Folder, Report};
use super::services::Access;
use super::serving::Served;
use super::shared_folder::{Mark, SharedFolder};
use super::unanswered;
use super::vanished;
use super::web::Web;
use super::{JobRun, RunResult};
use crate::exit::usage;
use crate::jobs::Watch;

/// Workers that are done have this long to go.
const LEAVE: Duration = Duration::from_secs(5);
/// Those whose tasks did not end in their time are ended, once what they know is written.
const OUTSTAYED: Duration = Duration::from_millis(300);

/// One job on its way.
pub(super) struct Work<'w> {
    pub(super) job: &'w JobRun,
    pub(super) report: Report<'w>,
    pub(super) access: Option<&'w Access>,
    pub(super) display: Display,
    pub(super) origin_ns: u64,
    /// Of its policy and its arrivals.
    pub(super) seed: u64,
    pub(super) built: Vec<Built>,
    /// What is committed, before the workers begin.
    pub(super) earlier: Commit,
    pub(super) generations: Generations<'w>,
}

impl Work<'_> {
    /// Build the indexes, unless they were built before.
    pub(super) fn build(
        &mut self,
        corpora: Vec<Corpus>,
        interrupts: &Interrupts,
    ) -> anyhow::Result<()> {
        if let Some(built) = &self.job.indexes {
            self.built.clone_from(built);
            return Ok(());
        }
        let folder = self.report.out.join("index");
        let (plan, fresh) = (&self.job.plan, self.job.options.fresh);
        self.built = match indexes::build(plan, corpora, &folder, self.access, fresh, interrupts) {
            Err(_) if interrupts.count() > 0 => return Err(Stopped.into()),
            built => built?,
        };
        Ok(())
    }

    /// Say what is run.
    pub(super) fn announce(&self, folder: &Folder, paid: u64) {
        if self.job.options.quiet {
            return;
        }
        let out = self.report.out.display();
        if folder.earlier.is_some() {
            self.display.say(&format!("resuming the run in {out}: {}", self.done()));
        }
        if folder.replaced {
            let reuse = match paid {
                0 => String::new(),
                paid => format!("; its {paid} paid answers are used again (--fresh pays again)"),
            };
            self.display.say(&format!("replacing the earlier run in {out}{reuse}"));
        }
        self.display.say(&self.headline());
        self.built.iter().flat_map(|index| &index.notes).for_each(|note| self.display.say(note));
    }

    fn headline(&self) -> String {
        let endpoint = self.access.map_or_else(String::new, |access| format!(", {}", access.label));
        format!(
            "running {} on {} worker(s) with {} slots, scheduler {}{endpoint} -> {}",
            self.job.plan.name,
            self.job.options.workers,
            self.job.plan.schedule.slots,
            self.report.scheduler(),
            self.report.out.display()
        )
    }

    /// Run it to its end, while its live indexes are followed.
    pub(super) fn run(
        self,
        hold: Option<Hold<'_>>,
        interrupts: &Interrupts,
    ) -> anyhow::Result<RunResult> {
        let voice = self.display.voice();
        let (job, access) = (self.job, self.access);
        let followed = job.plan.indexes.iter().zip(self.built.clone());
        let followed = followed.filter_map(|(index, built)| {
            let (plan, path, known) = (&job.plan, built.path, built.known?);
            Some(Following { plan, index, path, known, access, interrupts })
        });
        let followed: Vec<Following<'_>> = followed.collect();
        let (stop, voice, quiet) = (AtomicBool::new(false), &voice, job.options.quiet);
        std::thread::scope(|scope| {
            for following in followed {
                let stop = &stop;
                let say = move |text: &str| {
                    if !quiet {
                        voice.say(text);
                    }
                };
                scope.spawn(move || following.run(stop, say));
            }
            let _stop = Stop(&stop);
            self.run_alone(hold, interrupts)
        })
    }

    /// Run it to its end, whatever is lost on the way.
    fn run_alone(
        mut self,
        hold: Option<Hold<'_>>,
        interrupts: &Interrupts,
    ) -> anyhow::Result<RunResult> {
        let watch = crate::jobs::watch(&self.job.name);
        let start_ns = hold.as_ref().map_or(0, |hold| hold.start_ns);
        let resumed = self.earlier.outcomes.total();
        let mut crew =
            Crew { generation: self.earlier.generation + 1, workers: self.job.options.workers };
        let (mut hold, mut began_ns) = (hold, None);
        let (mut restarts, mut gone): (Vec<Restart>, Vec<Gone>) = Default::default();
        let mut avoid = BTreeSet::new();
        // Records that came in: of workers that never began nothing is heard.
        let mut tasks_in = 0;
        let course = loop {
            let places = self.job.options.launch.places(crew.workers, &avoid)?;
            let mut course =
                self.attempt(crew, &places, hold.take(), &mut restarts, interrupts, &watch)?;
            vanished::check(self.report.out)?;
            began_ns = began_ns.or(course.began_ns);
            course.earlier = self.earlier.outcomes;
            course.places = places;
            let counts = &mut course.progress.counts;
            tasks_in = tasks_in.max(counts.tasks_in);
            counts.tasks_in = tasks_in;
            let Some(lost) = course.lost.take() else { break course };
            if course.failure.is_some() {
                // It was ending already.
                break course;
            }
            let now = Instant::now();
            match self.after(&lost, course.never_began, crew.workers, &restarts, interrupts, now) {
                Err(why) => {
                    let goes_on = !reads_stdin(&self.job.plan);
                    let host = course.places.get(lost.worker).and_then(|place| place.host.as_ref());
                    let host = host.map(|(_, name)| name.as_str());
                    course.failure = Some(lost_message(&lost, host, &why, goes_on));
                    break course;
                }
                Ok(workers) => {
                    let generation = crew.generation;
                    gone.extend(course.usage.iter().map(|(worker, usage)| Gone {
                        generation,
                        worker: *worker,
                        usage: *usage,
                    }));
                    let (earlier, requests) =
                        unanswered::recover(&self.job.plan, self.report.out, tasks_in)?;
                    self.earlier = earlier;
                    crew = Crew { generation: self.earlier.generation + 1, workers };
                    let restart = self.restart(&lost, crew, &course, now).with(requests);
                    let host = course.places.get(lost.worker).and_then(|place| place.host.clone());
                    let on = host.as_ref().map(|(_, name)| format!(" on {name}"));
                    self.display.say(&format!(
                        "worker {}{} was lost: {}; going on with {workers} worker(s), {}",
                        lost.worker,
                        on.unwrap_or_default(),
                        restart.cause,
                        self.done()
                    ));
                    let gone = host.filter(|_| loss::unreachable(lost.cause));
                    avoid.extend(gone.map(|(number, _)| number));
                    restarts.push(restart);
                }
            }
        };
        self.display.finish();
        let generation = crew.generation;
        let course = Course { generation, gone, began_ns, resumed, restarts, ..course };
        // A job that begins later is not slower for it.
        let wall_ns = RunClock::host_ns().saturating_sub(self.origin_ns).saturating_sub(start_ns);
        let wall = Duration::from_nanos(wall_ns);
        let result =
            self.report.finish(&course, wall).map_err(|error| unreported(error, &course))?;
        watch.count(&result.counts);
        Ok(result)
    }

    /// One set of workers, from their start to their end.
    fn attempt(
        &mut self,
        crew: Crew,
        places: &[Place],
        hold: Option<Hold<'_>>,
        restarts: &mut [Restart],
        interrupts: &Interrupts,
        watch: &Watch,
    ) -> anyhow::Result<Course> {
        let mark = self.mark()?;
        let shared = mark.as_ref().map(|(shared, _)| shared.clone());
        let first = crew.generation == 1;
        let cluster = match self.start(crew, places, shared, hold.is_some(), watch) {
            Ok(cluster) => cluster,
            Err(error) => match error.downcast_ref() {
                Some(ClusterError::LostAtStart(lost)) => {
                    let lost = Some(lost.clone());
                    return Ok(Course { lost, never_began: true, ..Course::default() });
                }
                Some(ClusterError::GivenUp) => {
                    return Ok(Course { interrupted: true, ..Course::default() });
                }
                // Nothing was started, so nothing has to be told of it.
                Some(ClusterError::Launch { worker: 0, .. } | ClusterError::Bind { .. })
                    if first =>
                {
                    return Err(usage(format!("{error:#}")));
                }
                // What was done before is there, and is told as after any other end.
                Some(ClusterError::StartDeadline { .. }) if crew.generation > 1 => {
                    let failure = format!(
                        "{error:#}\nwhat is done is kept, and the same command goes on from there"
                    );
                    return Ok(Course { failure: Some(failure), ..Course::default() });
                }
                _ => return Err(error),
            },
        };
        if let Some(restart) = restarts.last_mut() {
            restart.took = restart.at.elapsed();
        }
        let options = &self.job.options;
        let mut follower = Follower {
            cluster: &cluster,
            out: self.report.out,
            interrupts,
            display: &mut self.display,
            workers: crew.workers,
            threads: options.threads,
            slots: most_slots(places, &self.job.plan),
            served: is_served(&self.job.plan),
            drain: options.drain,
            watch,
        };
        let course = follower.follow(hold);
        let broken = course.failure.is_some() || course.lost.is_some();
        let grace = match broken || interrupts.count() > 1 {
            true => Duration::ZERO,
            false if course.outstayed => OUTSTAYED,
            false => LEAVE,
        };
        // Calls in flight of workers that are ended go on at the gateway, into the journal.
        drop(cluster.shutdown(grace));
        Ok(course)
    }

    /// With how many workers it goes on after a loss, or why it does not.
    fn after(
        &self,
        lost: &Lost,
        never_began: bool,
        workers: usize,
        restarts: &[Restart],
        interrupts: &Interrupts,
        now: Instant,
    ) -> Result<usize, String> {
        if interrupts.count() > 0 {
            return Err("it was interrupted".into());
        }
        if reads_stdin(&self.job.plan) {
            return Err("its source is the standard input, which cannot be read twice".into());
        }
        loss::after(lost, never_began, self.job.options.on_loss, workers, restarts, now)
    }

    fn restart(&self, lost: &Lost, crew: Crew, course: &Course, now: Instant) -> Restart {
        let counts = course.progress.counts;
        let reported = counts.tasks_ok + counts.tasks_dead + counts.tasks_late;
        let in_flight: u64 = course.progress.in_flight.iter().sum();
        Restart {
            generation: crew.generation,
            worker: lost.worker,
            cause: loss::cause(lost),
            detection: loss::detection(lost),
            at: lost.at.min(now),
            took: Duration::ZERO,
            workers: crew.workers,
            again: reported.saturating_sub(self.earlier.outcomes.total()) + in_flight,
            requests: None,
        }
    }

    /// How many tasks are done, in words.
    fn done(&self) -> String {
        let done = self.earlier.outcomes.total();
        match expected(&self.job.plan, &self.job.options) {
            Some(expected) => format!("{done} of {expected} tasks are done"),
            None => format!("{done} tasks are done"),
        }
    }

    /// What shows workers on other hosts that they see the run's folder.
    fn mark(&self) -> anyhow::Result<Option<(SharedFolder, Mark)>> {
        let remote = self.job.options.launch.remote();
        remote.then(|| SharedFolder::mark(&absolute(self.report.out)?)).transpose()
    }

    fn start(
        &mut self,
        crew: Crew,
        places: &[Place],
        shared: Option<SharedFolder>,
        held: bool,
        watch: &Watch,
    ) -> anyhow::Result<Cluster> {
        let options = &self.job.options;
        // The run's seed, whatever the job's number: what was paid for it is found again by the job
        // alone.
        let plan = seeded(&self.job.plan, options.seed);
        let rule = options.arrivals.clone();
        let access = self.access;
        let job = Job {
            name: self.job.name.clone(),
            plan,
            settings: RunSettings {
                out: absolute(self.report.out)?,
                generation: crew.generation,
                origin_ns: self.origin_ns,
                seed: self.seed,
                threads: options.threads,
                tasks: options.tasks,
                limit: options.limit,
                arrivals: rule.map(|rule| Schedule { rule, seed: self.seed }),
                nodes: places.iter().map(|place| place.node.clone()).collect(),
            },
            gateway: access.map(|access| access.gateway.clone()),
            token: access.map(|access| access.token.clone()).unwrap_or_default(),
            endpoints: access.map(|access| access.endpoints.clone()).unwrap_or_default(),
            indexes: self
                .built
                .iter()
                .map(|index| absolute(&index.path))
                .collect::<Result<_, _>>()?,
            served: Served::of(&self.job.plan, &self.job.options)?,
            web: Web::of(&self.job.plan, &self.job.options)?,
            held,
            shared,
            origin: options.launch.remote().then(|| Origin::new(self.origin_ns)),
        };
        let payload = serde_json::to_vec(&job)?;
        self.generations.start(crew.generation, places, payload, watch)
    }
}

/// Tasks at once of the node that takes most.
fn most_slots(places: &[Place], plan: &Plan) -> u32 {
    let slots = |place: &Place| place.node.slots.unwrap_or(plan.schedule.slots);
    places.iter().map(slots).max().unwrap_or(plan.schedule.slots)
}

/// One set of workers of a job.
#[derive(Debug, Clone, Copy)]
struct Crew {
    generation: u32,
    workers: usize,
}

fn absolute(path: &Path) -> anyhow::Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| format!("`{}` has no absolute path", path.display()))
}
