//! From an experiment to its trials: the cross product of its sweeps, repeat by repeat.
//!
//! Jobs in turn are a dimension, `job`, that varies slowest. Jobs together make one trial of a
//! point; so that it can be said what company costs, each of them also runs alone, once for all
//! points that differ only in what means nothing to a job alone (stagger, fairness, shares).

use sage_dsl::experiment::{Experiment, JobRef, Point, Setting, Sweep};
use serde::{Deserialize, Serialize};

use super::label::Names;
use super::settings::{self, Settings, is_of_company, same_alone, same_kind};
use super::{Trial, TrialJob};
use crate::LabError;
use crate::results::ALL;

/// Nodes of a job when neither the experiment nor the command line says how many.
pub const DEFAULT_NODES: u32 = settings::NODES;
/// Most trials of an experiment.
pub const MOST_TRIALS: usize = 100_000;

/// What the command line puts in the place of what the experiment says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Overrides {
    /// By the name of the dimension: points to vary it over. They take the place of a sweep of this
    /// name; else one point holds for all trials, and several are a sweep more.
    pub vary: Vec<Sweep>,
    /// Runs of every combination.
    pub repeat: Option<u32>,
    /// Seed of the first repeat.
    pub seed: Option<u64>,
    /// Only trials whose id matches; `*` stands for any characters.
    pub only: Option<String>,
    /// Cores of the one machine on which the twin puts all nodes; each has its own without it.
    pub cores: Option<f64>,
    /// Profile that stands in on the twin for servers that are not simulated ones.
    #[serde(default)]
    pub profile: Option<String>,
}

impl Overrides {
    /// What was changed, as the options that say it; `None` if nothing was.
    pub fn words(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        for vary in &self.vary {
            let option = if vary.name == "policy" { "scheduler" } else { &vary.name };
            let labels: Vec<&str> = vary.points.iter().map(|point| point.label.as_str()).collect();
            words.push(format!("--{option} {}", labels.join(",")));
        }
        words.extend(self.repeat.map(|repeat| format!("--repeat {repeat}")));
        words.extend(self.seed.map(|seed| format!("--seed {seed}")));
        words.extend(self.only.as_ref().map(|only| format!("--only {only}")));
        words.extend(self.cores.map(|cores| format!("--cores {cores}")));
        words.extend(self.profile.as_ref().map(|profile| format!("--profile {profile}")));
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// The trials of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// Names of the dimensions, in order.
    pub dimensions: Vec<String>,
    /// The trials, repeat by repeat, each time in the order of the sweeps.
    pub trials: Vec<Trial>,
    /// What the user should know of it.
    pub notes: Vec<String>,
}

/// A sweep, and whether its settings win over those of jobs and of quick runs.
struct Axis {
    sweep: Sweep,
    forced: bool,
}

/// All trials of `experiment`, or of its quick form.
pub fn expand(
    experiment: &Experiment,
    quick: bool,
    overrides: &Overrides,
) -> Result<Design, LabError> {
    let wrong = |reason: String| LabError::Design { experiment: experiment.name.clone(), reason };
    if experiment.jobs.iter().any(|job| job.name == ALL) {
        return Err(wrong(format!("a job cannot be called `{ALL}`: that is all of them together")));
    }
    let mut notes = Vec::new();
    let mut inner: Vec<Setting> = Vec::new();
    if quick {
        inner.extend(experiment.quick.iter().cloned());
        if experiment.quick.is_empty()
            && experiment.quick_repeat.is_none()
            && experiment.quick_points.is_empty()
        {
            notes.push("it says nothing about a quick run: this is the whole of it".into());
        }
    }
    let repeat = overrides.repeat.unwrap_or(experiment.repeats(quick)).max(1);
    let axes = axes(experiment, quick, overrides, &mut inner, &mut notes);
    let sizes = axes.iter().map(|axis| axis.sweep.points.len().max(1));
    let count = sizes
        .chain([repeat as usize, 2 * experiment.jobs.len()])
        .try_fold(1_usize, usize::checked_mul);
    if count.is_none_or(|count| count > MOST_TRIALS) {
        return Err(wrong(format!(
            "more than {MOST_TRIALS} trials; sweep over fewer points or repeat them less often"
        )));
    }
    let expansion = Expansion { experiment, axes, inner };
    let points = expansion.points();
    for points in &points {
        let mix = expansion.trial_settings(points).jobs;
        let unknown =
            mix.iter().flatten().find(|name| !experiment.jobs.iter().any(|job| job.name == **name));
        if let Some(name) = unknown {
            return Err(wrong(format!("it has no job `{name}`")));
        }
    }
    let in_turn = points.iter().all(|point| !expansion.trial_settings(point).together());
    let with_job = in_turn && experiment.jobs.len() > 1;
    let mut dimensions: Vec<String> = Vec::new();
    dimensions.extend(with_job.then(|| "job".to_owned()));
    dimensions.extend(expansion.axes.iter().map(|axis| axis.sweep.name.clone()));

    let mut names = Names::default();
    let mut trials = Vec::new();
    for number in 0..repeat {
        let seed = overrides.seed.unwrap_or(experiment.seed).wrapping_add(u64::from(number));
        let mut round = Vec::new();
        for job in &experiment.jobs {
            round.extend(points.iter().filter_map(|point| expansion.in_turn(job, point, with_job)));
        }
        round.extend(points.iter().filter_map(|point| expansion.together(point)));
        let solos = expansion.solos(&points, &round);
        round.extend(solos);
        for mut trial in round {
            let job = match &trial.jobs[..] {
                [only] => Some(only.name.as_str()),
                _ => None,
            };
            trial.id = names.name(trial.solo, &trial.point, job, number);
            trials.push(Trial { repeat: number, seed, ..trial });
        }
    }
    if let Some(pattern) = &overrides.only {
        trials.retain(|trial| matches(pattern, &trial.id));
    }
    if trials.is_empty() {
        let only = overrides.only.as_ref().map_or(String::new(), |only| {
            format!(" that matches `{only}`; `--dry-run` shows their names")
        });
        return Err(wrong(format!("there is no trial{only}")));
    }
    Ok(Design { dimensions, trials, notes })
}

/// The sweeps as they are run. What holds for all trials goes into `inner`.
fn axes(
    experiment: &Experiment,
    quick: bool,
    overrides: &Overrides,
    inner: &mut Vec<Setting>,
    notes: &mut Vec<String>,
) -> Vec<Axis> {
    let own = |name: &str| experiment.sweeps.iter().any(|sweep| sweep.name == name);
    for vary in overrides.vary.iter().filter(|vary| !own(&vary.name)) {
        if let [only] = &vary.points[..] {
            inner.extend(only.settings.iter().cloned());
        }
    }
    let mut axes = Vec::new();
    for sweep in &experiment.sweeps {
        if let Some(other) = overrides.vary.iter().find(|vary| vary.name == sweep.name) {
            axes.push(Axis { sweep: other.clone(), forced: true });
            continue;
        }
        let mut settings = sweep.points.iter().flat_map(|point| &point.settings);
        if settings.all(|setting| inner.iter().any(|other| same_kind(other, setting))) {
            // Its labels would name what is not so.
            notes.push(format!("`{}` is not varied: it is set for all trials", sweep.name));
            continue;
        }
        let points = experiment.points(sweep, quick).into_iter().cloned().collect();
        axes.push(Axis { sweep: Sweep { name: sweep.name.clone(), points }, forced: false });
    }
    let more = overrides.vary.iter().filter(|vary| !own(&vary.name) && vary.points.len() > 1);
    axes.extend(more.map(|vary| Axis { sweep: vary.clone(), forced: true }));
    axes
}

struct Expansion<'e> {
    experiment: &'e Experiment,
    axes: Vec<Axis>,
    /// Settings of a quick run and of the command line.
    inner: Vec<Setting>,
}

impl Expansion<'_> {
    /// Every combination of points, the first sweep varying slowest.
    fn points(&self) -> Vec<Vec<&Point>> {
        let mut points = vec![Vec::new()];
        for axis in &self.axes {
            points = points
                .iter()
                .flat_map(|point: &Vec<&Point>| {
                    axis.sweep.points.iter().map(|next| {
                        let mut longer = point.clone();
                        longer.push(next);
                        longer
                    })
                })
                .collect();
        }
        points
    }

    fn settings(&self, job: &[Setting], points: &[&Point]) -> Settings {
        let of = |forced: bool| {
            let pairs = self.axes.iter().zip(points).filter(move |(axis, _)| axis.forced == forced);
            pairs.map(|(_, point)| point.settings.as_slice()).collect::<Vec<_>>()
        };
        let mut layers = vec![self.experiment.settings.as_slice()];
        layers.extend(of(false));
        layers.push(job);
        layers.push(&self.inner);
        layers.extend(of(true));
        Settings::of(layers)
    }

    /// What holds for the trial as a whole.
    fn trial_settings(&self, points: &[&Point]) -> Settings {
        self.settings(&[], points)
    }

    fn labels(&self, points: &[&Point]) -> Vec<(String, String)> {
        let labels = self.axes.iter().zip(points);
        labels.map(|(axis, point)| (axis.sweep.name.clone(), point.label.clone())).collect()
    }

    fn trial(&self, points: &[&Point], jobs: Vec<TrialJob>) -> Trial {
        let settings = self.trial_settings(points);
        Trial {
            id: String::new(),
            experiment: self.experiment.name.clone(),
            point: self.labels(points),
            repeat: 0,
            seed: 0,
            jobs,
            fair: settings.fair(),
            speeds: settings.speeds,
            failures: settings.failures,
            solo: false,
        }
    }

    /// `job` at a point where the jobs run in turn and it is among them.
    fn in_turn(&self, job: &JobRef, points: &[&Point], with_job: bool) -> Option<Trial> {
        let whole = self.trial_settings(points);
        let among = whole.jobs.as_ref().is_none_or(|jobs| jobs.contains(&job.name));
        if whole.together() || !among {
            return None;
        }
        let job = self.settings(&job.settings, points).job(job, 0);
        let name = job.name.clone();
        let mut trial = self.trial(points, vec![job]);
        if with_job {
            trial.point.insert(0, ("job".into(), name));
        }
        Some(trial)
    }

    /// All jobs of a point where they run together.
    fn together(&self, points: &[&Point]) -> Option<Trial> {
        let whole = self.trial_settings(points);
        if !whole.together() {
            return None;
        }
        let among = |job: &&JobRef| whole.jobs.as_ref().is_none_or(|jobs| jobs.contains(&job.name));
        let jobs = self.experiment.jobs.iter().filter(among).zip(0_u64..);
        let jobs = jobs.map(|(job, number)| {
            let start_ns = whole.stagger_ns().saturating_mul(number);
            self.settings(&job.settings, points).job(job, start_ns)
        });
        Some(self.trial(points, jobs.collect()))
    }

    /// The jobs of `round` that run with others, each alone.
    fn solos(&self, points: &[Vec<&Point>], round: &[Trial]) -> Vec<Trial> {
        let mut solos: Vec<Trial> = Vec::new();
        for trial in round.iter().filter(|trial| trial.jobs.len() > 1) {
            let Some(point) = points.iter().find(|point| self.labels(point) == trial.point) else {
                continue;
            };
            for job in &trial.jobs {
                let known = solos.iter().any(|solo| {
                    same_alone(&solo.jobs[0], job)
                        && solo.speeds == trial.speeds
                        && solo.failures == trial.failures
                });
                if !known {
                    let job = TrialJob { start_ns: 0, share: 1.0, ..job.clone() };
                    let point = self.matters_alone(point);
                    solos.push(Trial {
                        solo: true,
                        fair: true,
                        jobs: vec![job],
                        point,
                        ..trial.clone()
                    });
                }
            }
        }
        solos
    }

    /// Labels of the dimensions that mean something to a job that runs alone.
    fn matters_alone(&self, points: &[&Point]) -> Vec<(String, String)> {
        let labels = self.axes.iter().zip(points).filter(|(axis, _)| {
            let mut settings = axis.sweep.points.iter().flat_map(|point| &point.settings);
            !settings.all(is_of_company)
        });
        labels.map(|(axis, point)| (axis.sweep.name.clone(), point.label.clone())).collect()
    }
}

/// Whether `text` is like `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| matches(rest, &text[at..]))
        }),
    }
}
