//! Jobs of an experiment: which flow each runs, and from which program it comes.

use super::setting::Place;
use super::{Placed, setting};
use crate::ast::{self, ExprKind, Part, Point};
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::JobRef;
use crate::span::Span;
use crate::study::Program;
use crate::suggest::{self, did_you_mean};

/// Row of jobs that ran together.
pub(super) const ALL: &str = "all";

/// A job as far as it is checked.
pub(super) struct JobDraft {
    pub(super) name: ast::Name,
    pub(super) flow: String,
    file: String,
    /// Position of its program; `None` when that was not found and was reported.
    pub(super) program: Option<usize>,
    pub(super) settings: Vec<Placed>,
}

impl JobDraft {
    pub(super) fn finish(self) -> JobRef {
        JobRef {
            name: self.name.text,
            flow: self.flow,
            file: self.file,
            settings: self.settings.into_iter().map(|it| it.setting).collect(),
        }
    }
}

impl Checker<'_> {
    pub(super) fn jobs(
        &mut self,
        experiment: &ast::Experiment,
        programs: &[&Program],
    ) -> Vec<JobDraft> {
        let mut lists = experiment.parts.iter().filter_map(|part| match part {
            Part::Jobs(word, jobs) => Some((word, jobs.as_slice())),
            _ => None,
        });
        let first = lists.next();
        if let (Some((before, _)), Some((second, _))) = (first, lists.next()) {
            let message = "`jobs` is given twice";
            let diagnostic = Diagnostic::error(codes::TWICE, second.span, message)
                .also(before.span, "first given here");
            self.report(diagnostic);
        }
        if let Some((word, jobs)) = first {
            if jobs.is_empty() {
                self.no_jobs(word.span, "the list of jobs is empty");
            }
            return self.named_jobs(jobs, programs);
        }
        if let Some(entry) = unread_jobs(&experiment.parts) {
            self.not_a_list("`jobs`", &entry.value, "jobs: [rag, bulk = llm { tasks: 500 }]");
            return self.implied(&entry.value.names(), entry.value.span, programs);
        }
        // A sweep over workload mixes says which jobs there are.
        let mut names: Vec<&str> = Vec::new();
        let mut span = None;
        for part in &experiment.parts {
            let Part::Sweep(sweep) = part else { continue };
            if sweep.key.text != "jobs" {
                continue;
            }
            span.get_or_insert(sweep.span);
            for point in &sweep.points {
                if let Point::Value(value) = point {
                    for name in value.names() {
                        if !names.contains(&name) {
                            names.push(name);
                        }
                    }
                }
            }
        }
        if let Some(span) = span.filter(|_| !names.is_empty()) {
            return self.implied(&names, span, programs);
        }
        if !experiment.broken {
            let message = format!("experiment `{}` has no jobs", experiment.name.text);
            self.no_jobs(experiment.name.span, &message);
        }
        Vec::new()
    }

    fn no_jobs(&mut self, span: Span, message: &str) {
        self.report(
            Diagnostic::error(codes::NO_JOBS, span, message)
                .help("say which flows it runs: `jobs: [rag]`"),
        );
    }

    fn implied(&mut self, names: &[&str], span: Span, programs: &[&Program]) -> Vec<JobDraft> {
        let jobs: Vec<ast::Job> = names
            .iter()
            .map(|name| {
                let name = ast::Name { text: (*name).to_owned(), span };
                let block = ast::Block { entries: Vec::new(), broken: false, span };
                ast::Job { name: name.clone(), flow: name, block }
            })
            .collect();
        self.named_jobs(&jobs, programs)
    }

    fn named_jobs(&mut self, jobs: &[ast::Job], programs: &[&Program]) -> Vec<JobDraft> {
        let mut drafts: Vec<JobDraft> = Vec::new();
        for job in jobs {
            let name = &job.name;
            if let Some(before) = drafts.iter().find(|other| other.name.text == name.text) {
                let message = format!("two jobs are called `{}`", name.text);
                let diagnostic = Diagnostic::error(codes::TWICE, name.span, message)
                    .also(before.name.span, "the first")
                    .help(format!("give it a name of its own: `other = {}`", job.flow.text));
                self.report(diagnostic);
                continue;
            }
            if name.text == ALL {
                let message = "a job cannot be called `all`: the row of all jobs has this name";
                self.report(
                    Diagnostic::error(codes::BAD_OPTION, name.span, message)
                        .help(format!("give it a name of its own: `other = {}`", job.flow.text)),
                );
            }
            let program = self.program_of(&job.flow, programs);
            let used: Vec<&Program> =
                program.and_then(|at| programs.get(at)).into_iter().copied().collect();
            let settings = job
                .block
                .entries
                .iter()
                .filter_map(|entry| self.placed(entry, Place::Job, &used))
                .collect();
            let file = program.and_then(|at| programs.get(at)).map(|it| it.path.clone());
            drafts.push(JobDraft {
                name: name.clone(),
                flow: job.flow.text.clone(),
                file: file.unwrap_or_default(),
                program,
                settings,
            });
        }
        drafts
    }

    /// Position of the program that a flow is run from: the file itself, else the one import that
    /// has it, else the one file that an import imports.
    fn program_of(&mut self, flow: &ast::Name, programs: &[&Program]) -> Option<usize> {
        let having = |direct: bool| {
            let with = programs.iter().enumerate().filter(|(_, program)| {
                program.direct == direct && program.flows.contains(&flow.text)
            });
            with.map(|(at, _)| at).collect::<Vec<usize>>()
        };
        let mut found = having(true);
        if found.is_empty() {
            found = having(false);
        }
        let own = found.first().filter(|at| programs[**at].path == self.main_path());
        if let Some(own) = own {
            return Some(*own);
        }
        match found[..] {
            [only] => return Some(only),
            [] => {}
            [one, other, ..] => {
                let (one, other) = (&programs[one].path, &programs[other].path);
                let message = format!("`{}` is a flow of two imports", flow.text);
                self.report(
                    Diagnostic::error(codes::TWO_FLOWS, flow.span, message)
                        .label(format!("in `{one}` and in `{other}`"))
                        .help("rename one of them"),
                );
                return None;
            }
        }
        if programs.iter().any(|it| it.incomplete) || self.names.is_poisoned(&flow.text) {
            return None;
        }
        let mut known: Vec<&str> =
            programs.iter().flat_map(|it| &it.flows).map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let help = did_you_mean(&flow.text, known.iter().copied()).unwrap_or_else(|| {
            if known.is_empty() {
                "import the file that declares it, as in `import \"rag.sage\"`".to_owned()
            } else {
                format!("there are {}", suggest::list(known.iter().copied()))
            }
        });
        let message = format!("unknown flow `{}`", flow.text);
        self.report(Diagnostic::error(codes::UNKNOWN_FLOW, flow.span, message).help(help));
        None
    }

    /// Names of jobs, `[rag, compute]`, as the value of a setting.
    pub(super) fn job_names(
        &mut self,
        written: &ast::Expr,
        jobs: &[JobDraft],
    ) -> Option<Vec<String>> {
        let ExprKind::List(items) = &written.kind else {
            self.not_a_list("`jobs`", written, "jobs: [rag]");
            return None;
        };
        if items.is_empty() {
            self.not_a_list("`jobs`", written, "jobs: [rag]");
            return None;
        }
        let mut names = Vec::new();
        for item in items {
            let known = || jobs.iter().map(|job| job.name.text.as_str());
            match &item.kind {
                ExprKind::Name(name) if names.contains(name) => {
                    let message = format!("`{name}` is given twice");
                    self.report(Diagnostic::error(codes::TWICE, item.span, message));
                    return None;
                }
                ExprKind::Name(name) if known().any(|job| job == name) => names.push(name.clone()),
                ExprKind::Name(name) => {
                    let message = format!("there is no job `{name}`");
                    let help = did_you_mean(name, known())
                        .unwrap_or_else(|| format!("jobs are {}", suggest::list(known())));
                    self.report(
                        Diagnostic::error(codes::UNKNOWN_FLOW, item.span, message).help(help),
                    );
                    return None;
                }
                ExprKind::Bad => return None,
                _ => {
                    let message = "a workload mix is a list of names of jobs";
                    self.report(Diagnostic::error(codes::BAD_OPTION, item.span, message));
                    return None;
                }
            }
        }
        Some(names)
    }
}

/// `jobs: ...` whose value is no list of jobs.
fn unread_jobs(parts: &[Part]) -> Option<&ast::Entry> {
    parts.iter().find_map(|part| match part {
        Part::Setting(entry) if setting::canonical(&entry.key.text) == "jobs" => Some(entry),
        _ => None,
    })
}
