//! Sweeps: what is varied, and what each of its points is called.

use std::collections::BTreeMap;

use super::job::JobDraft;
use super::setting::{self, Place, SETTINGS};
use super::{Draft, Placed};
use crate::ast::{self, ExprKind, Part};
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{Point, Setting, Sweep};
use crate::span::Span;
use crate::study::Program;
use crate::types::Value;

/// Sweeps of one experiment.
const MAX_SWEEPS: usize = 16;
/// Longest label; it names a folder.
const MAX_LABEL: usize = 80;
/// The point that stands for all policies.
const ALL: &str = "all";

pub(super) struct SweepDraft {
    pub(super) name: String,
    pub(super) key: Span,
    pub(super) points: Vec<PointDraft>,
    /// A point could not be read.
    pub(super) broken: bool,
}

pub(super) struct PointDraft {
    pub(super) label: String,
    /// The value it stands for, if that is a plain one.
    pub(super) value: Option<Value>,
    pub(super) settings: Vec<Placed>,
}

impl SweepDraft {
    pub(super) fn finish(self) -> Sweep {
        let points = self.points.into_iter().map(|point| Point {
            label: point.label,
            settings: point.settings.into_iter().map(|it| it.setting).collect(),
        });
        Sweep { name: self.name, points: points.collect() }
    }
}

impl Draft {
    /// All settings but those of the quick run.
    pub(super) fn all_settings(&self) -> impl Iterator<Item = &Placed> {
        let points = self.sweeps.iter().flat_map(|sweep| &sweep.points);
        self.settings.iter().chain(points.flat_map(|point| &point.settings))
    }

    /// Whether some setting is one that `test` is true of.
    pub(super) fn sets(&self, test: impl Fn(&Setting) -> bool) -> bool {
        self.all_settings().chain(&self.quick.settings).any(|it| test(&it.setting))
    }
}

impl Checker<'_> {
    pub(super) fn sweeps(
        &mut self,
        parts: &[Part],
        jobs: &[JobDraft],
        programs: &[&Program],
    ) -> Vec<SweepDraft> {
        let mut sweeps: Vec<SweepDraft> = Vec::new();
        for part in parts {
            let Part::Sweep(written) = part else { continue };
            let key = &written.key;
            let name = setting::canonical(&key.text);
            if let Some(before) = sweeps.iter().find(|other| other.name == name) {
                let message = format!("`{name}` is swept twice");
                let diagnostic = Diagnostic::error(codes::TWICE, key.span, message)
                    .also(before.key, "first swept here")
                    .help("write all points into one list");
                self.report(diagnostic);
                continue;
            }
            if sweeps.len() >= MAX_SWEEPS {
                let message = format!("an experiment may have {MAX_SWEEPS} sweeps");
                self.report(Diagnostic::error(codes::TOO_LARGE, key.span, message));
                break;
            }
            sweeps.push(self.sweep(written, name, jobs, programs));
        }
        sweeps
    }

    fn sweep(
        &mut self,
        written: &ast::Sweep,
        name: &str,
        jobs: &[JobDraft],
        programs: &[&Program],
    ) -> SweepDraft {
        let mut draft = SweepDraft {
            name: name.strip_prefix("param.").unwrap_or(name).to_owned(),
            key: written.key.span,
            points: Vec::new(),
            broken: false,
        };
        if !self.in_place(&written.key, name, Place::Point) {
            draft.broken = true;
            return draft;
        }
        let values = written.points.iter().any(|point| matches!(point, ast::Point::Value(_)));
        let known = SETTINGS.contains(&name)
            || programs
                .iter()
                .any(|it| it.incomplete || it.params.iter().any(|(param, _)| *param == draft.name));
        if values && !known {
            draft.broken = true;
            self.unknown_setting(&written.key, Place::Point, programs);
            return draft;
        }
        if let [ast::Point::Value(only)] = written.points.as_slice()
            && only.span == written.span
            && !is_all(name, only)
        {
            draft.broken = true;
            let example = format!("sweep {name} in [first, second]");
            self.not_a_list("a sweep", only, &example);
            return draft;
        }
        if written.points.is_empty() {
            draft.broken = true;
            let message = format!("the sweep of `{name}` has no points");
            self.report(
                Diagnostic::error(codes::NO_POINTS, written.span, message).help(format!(
                    "list what it goes over, as in `sweep {name} in [first, second]`"
                )),
            );
        }
        let mut places: BTreeMap<String, Span> = BTreeMap::new();
        for point in &written.points {
            match point {
                ast::Point::Value(value) if is_all(name, value) => {
                    self.all_policies(&mut draft, &mut places, value);
                }
                ast::Point::Value(value) => {
                    let label = self.label_text(value);
                    let given = self.one_setting(&written.key, value, Place::Point, programs, jobs);
                    let Some(given) = given else {
                        draft.broken = true;
                        continue;
                    };
                    let plain = match &value.kind {
                        ExprKind::Literal(plain) => Some(plain.clone()),
                        _ => None,
                    };
                    let placed = Placed { setting: given, key: value.span, value: value.span };
                    self.add(&mut draft, &mut places, (label, value.span), plain, vec![placed]);
                }
                ast::Point::Group(label, block) => {
                    let settings = self.group(block, jobs, programs);
                    draft.broken |= block.broken || settings.len() < block.entries.len();
                    let label = (label.text.clone(), label.span);
                    self.add(&mut draft, &mut places, label, None, settings);
                }
            }
        }
        draft
    }

    /// Settings under one label.
    fn group(
        &mut self,
        block: &ast::Block,
        jobs: &[JobDraft],
        programs: &[&Program],
    ) -> Vec<Placed> {
        if block.entries.is_empty() && !block.broken {
            let message = "a point without settings changes nothing";
            self.report(Diagnostic::warning(codes::NO_EFFECT, block.span, message));
        }
        let mut settings: Vec<Placed> = Vec::new();
        for entry in &block.entries {
            let found = self.one_setting(&entry.key, &entry.value, Place::Point, programs, jobs);
            let Some(setting) = found else { continue };
            settings.push(Placed { setting, key: entry.key.span, value: entry.value.span });
        }
        settings
    }

    /// Adds a point, if no other has its label.
    fn add(
        &mut self,
        draft: &mut SweepDraft,
        places: &mut BTreeMap<String, Span>,
        (label, span): (String, Span),
        value: Option<Value>,
        settings: Vec<Placed>,
    ) {
        if label.trim().is_empty() || label.len() > MAX_LABEL {
            let message = format!("a label has from 1 to {MAX_LABEL} characters");
            self.report(
                Diagnostic::error(codes::BAD_OPTION, span, message)
                    .help("give the point a name: `short { ... }`"),
            );
            return;
        }
        if let Some(before) = places.get(&label) {
            let message = format!("two points are labelled `{label}`");
            let diagnostic = Diagnostic::error(codes::LABEL_TWICE, span, message)
                .also(*before, "the first")
                .help("results are told apart by their labels");
            self.report(diagnostic);
            return;
        }
        places.insert(label.clone(), span);
        draft.points.push(PointDraft { label, value, settings });
    }

    /// Every registered policy that is not in the list already, with its default arguments.
    fn all_policies(
        &mut self,
        draft: &mut SweepDraft,
        places: &mut BTreeMap<String, Span>,
        written: &ast::Expr,
    ) {
        for signature in self.input.catalog.policies {
            let listed = draft.points.iter().flat_map(|point| &point.settings).any(
                |it| matches!(&it.setting, Setting::Policy { name, .. } if name == signature.name),
            );
            if listed || !signature.params.iter().all(crate::catalog::Param::optional) {
                continue;
            }
            let kind = ExprKind::Name(signature.name.to_owned());
            let named = ast::Expr { kind, span: written.span };
            let Some((name, args)) = self.policy(&named) else { continue };
            let setting = Setting::Policy { name: name.clone(), args };
            let placed = Placed { setting, key: written.span, value: written.span };
            self.add(draft, places, (name, written.span), None, vec![placed]);
        }
    }
}

/// Whether a point of the sweep called `name` stands for all policies.
fn is_all(name: &str, written: &ast::Expr) -> bool {
    name == "policy" && matches!(&written.kind, ExprKind::Name(word) if word == ALL)
}
