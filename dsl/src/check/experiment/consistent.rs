//! What settings, sweeps and jobs of an experiment say together.

use super::setting::{canonical, kind};
use super::{Draft, Placed};
use crate::ast;
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{Backend, Setting};

/// Most runs of an experiment.
const MAX_RUNS: u64 = 100_000;

impl Checker<'_> {
    pub(super) fn consistent(&mut self, name: &ast::Name, draft: &Draft) {
        self.set_twice(draft);
        self.overruled(draft);
        self.at_once(draft);
        self.nodes_exist(draft);
        self.twin_only(draft);
        let points = draft.sweeps.iter().map(|sweep| sweep.points.len() as u64);
        let runs = points
            .chain([u64::from(draft.repeat), draft.jobs.len() as u64])
            .fold(1, u64::saturating_mul);
        if runs > MAX_RUNS {
            let message = format!("the experiment has {runs} runs");
            self.report(
                Diagnostic::error(codes::TOO_MANY_RUNS, name.span, message)
                    .help(format!("at most {MAX_RUNS}: make a sweep shorter, or repeat less")),
            );
        }
    }

    /// Two sweeps, or two entries of one point, that set the same.
    fn set_twice(&mut self, draft: &Draft) {
        let mut seen: Vec<(&str, usize, &Placed)> = Vec::new();
        for (number, sweep) in draft.sweeps.iter().enumerate() {
            for point in &sweep.points {
                for it in &point.settings {
                    let what = kind(&it.setting);
                    let before = seen.iter().find(|(other, ..)| *other == what);
                    let Some((_, of, before)) = before else {
                        seen.push((what, number, it));
                        continue;
                    };
                    if *of == number {
                        continue;
                    }
                    let other = &draft.sweeps[*of].name;
                    let message = format!("the sweep of `{other}` sets `{what}` as well");
                    let diagnostic = Diagnostic::error(codes::SWEPT_TWICE, it.key, message)
                        .also(before.key, "set here");
                    self.report(diagnostic);
                    return;
                }
            }
        }
    }

    /// Settings that something inner always takes the place of.
    fn overruled(&mut self, draft: &Draft) {
        for it in &draft.settings {
            let what = kind(&it.setting);
            let swept = draft.sweeps.iter().find(|sweep| {
                !sweep.points.is_empty()
                    && sweep.points.iter().all(|point| sets(&point.settings, what))
            });
            let Some(sweep) = swept else { continue };
            let message = format!("`{what}` has no effect: the sweep of `{}` sets it", sweep.name);
            self.report(Diagnostic::warning(codes::NO_EFFECT, it.key, message));
        }
        for sweep in &draft.sweeps {
            let all = !draft.jobs.is_empty()
                && draft.jobs.iter().all(|job| sets(&job.settings, &sweep.name));
            if all {
                let name = &sweep.name;
                let message = format!("the sweep has no effect: each job sets `{name}` itself");
                self.report(Diagnostic::warning(codes::NO_EFFECT, sweep.key, message));
            }
        }
    }

    /// What has a meaning only for jobs that run at the same time.
    fn at_once(&mut self, draft: &Draft) {
        let together = draft.sets(|setting| *setting == Setting::Together(true));
        if !together && !draft.broken {
            for it in draft.all_settings().chain(&draft.quick.settings) {
                if matches!(it.setting, Setting::StaggerNs(_)) {
                    let message =
                        "`stagger` is the time between the starts of jobs that run together";
                    self.report(
                        Diagnostic::error(codes::NOT_TOGETHER, it.key, message)
                            .help("add `together`"),
                    );
                    break;
                }
            }
            let shares = draft.jobs.iter().flat_map(|job| &job.settings);
            for it in draft.all_settings().chain(shares) {
                if matches!(it.setting, Setting::Fair(_) | Setting::Share(_)) {
                    let what = kind(&it.setting);
                    let message =
                        format!("`{what}` has no effect on jobs that run one after the other");
                    self.report(
                        Diagnostic::warning(codes::NO_EFFECT, it.key, message)
                            .help("add `together`"),
                    );
                    break;
                }
            }
        }
        if together && draft.jobs.len() == 1 && !draft.failed {
            let placed = draft.all_settings().find(|it| it.setting == Setting::Together(true));
            if let Some(it) = placed {
                let message = "there is one job, so nothing runs together with it";
                self.report(
                    Diagnostic::warning(codes::NO_EFFECT, it.key, message)
                        .help("the same flow twice is `jobs: [rag, second = rag]`"),
                );
            }
        }
    }

    /// Nodes that fail are nodes of every run they fail in.
    fn nodes_exist(&mut self, draft: &Draft) {
        let general = nodes(&draft.settings);
        // The fewest nodes with which a failure may be combined.
        let fewest = {
            let swept = draft.sweeps.iter().flat_map(|sweep| &sweep.points);
            let least = swept.filter_map(|point| nodes(&point.settings)).min();
            let own = draft.jobs.iter().filter_map(|job| nodes(&job.settings)).min();
            [least.or(general), own, nodes(&draft.quick.settings)].into_iter().flatten().min()
        };
        let points = draft.sweeps.iter().flat_map(|sweep| &sweep.points);
        let groups = points.map(|point| (&point.settings, nodes(&point.settings).or(fewest)));
        let all = groups.chain([(&draft.settings, fewest), (&draft.quick.settings, fewest)]);
        for (settings, count) in all {
            let Some(count) = count else { continue };
            for it in settings {
                let Setting::Failures(failures) = &it.setting else { continue };
                let Some(lost) = failures.iter().find(|failure| failure.node >= count) else {
                    continue;
                };
                let message =
                    format!("node {} is lost, but there may be only {count} nodes", lost.node);
                self.report(
                    Diagnostic::error(codes::NO_SUCH_NODE, it.value, message)
                        .help(format!("they are numbered from 0 to {}", count - 1)),
                );
            }
        }
    }

    fn twin_only(&mut self, draft: &Draft) {
        if draft.backends == [Backend::Twin] {
            return;
        }
        let only = draft.all_settings().find(|it| match &it.setting {
            Setting::Failures(failures) => !failures.is_empty(),
            Setting::Speeds(speeds) => speeds.iter().any(|speed| speed.to_bits() != 1f64.to_bits()),
            _ => false,
        });
        if let Some(it) = only {
            let message = format!("`{}` exists in the twin only", kind(&it.setting));
            self.report(
                Diagnostic::warning(codes::TWIN_ONLY, it.key, message)
                    .help("say so: `backends: [twin]`"),
            );
        }
    }
}

fn sets(settings: &[Placed], what: &str) -> bool {
    settings.iter().any(|it| kind(&it.setting) == canonical(what))
}

/// The number of nodes among settings.
fn nodes(settings: &[Placed]) -> Option<u32> {
    settings.iter().find_map(|it| match it.setting {
        Setting::Nodes(count) => Some(count),
        _ => None,
    })
}
