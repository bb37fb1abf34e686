//! The quick run: fewer tasks, fewer repeats, fewer points.
//!
//! A list under the name of a sweep says which of its points are kept; so the labels that claims
//! name stay what they are.

use super::setting::{Place, canonical};
use super::sweep::SweepDraft;
use super::{Draft, Labels, MAX_REPEAT, Placed};
use crate::ast::{self, ExprKind, Part};
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::study::Program;

#[derive(Default)]
pub(super) struct Quick {
    pub(super) settings: Vec<Placed>,
    pub(super) repeat: Option<u32>,
    pub(super) points: Vec<(String, Vec<String>)>,
}

impl Checker<'_> {
    pub(super) fn quick(&mut self, parts: &[Part], draft: &Draft, programs: &[&Program]) -> Quick {
        let mut blocks = parts.iter().filter_map(|part| match part {
            Part::Quick(word, block) => Some((word, block)),
            _ => None,
        });
        let mut quick = Quick::default();
        let Some((word, block)) = blocks.next() else { return quick };
        if let Some((second, _)) = blocks.next() {
            let message = "`quick` is given twice";
            let diagnostic = Diagnostic::error(codes::TWICE, second.span, message)
                .also(word.span, "first given here");
            self.report(diagnostic);
        }
        for entry in &block.entries {
            let (key, value) = (&entry.key, &entry.value);
            let name = canonical(&key.text);
            if name == "repeat" {
                quick.repeat = self.count("repeat", value, 1, MAX_REPEAT);
            } else if let Some(sweep) = draft.sweeps.iter().find(|sweep| sweep.name == name) {
                quick.points.extend(self.kept(sweep, value));
            } else {
                let found = self.one_setting(key, value, Place::Quick, programs, &draft.jobs);
                let Some(setting) = found else { continue };
                quick.settings.push(Placed { setting, key: key.span, value: value.span });
            }
        }
        quick
    }

    /// Points of a sweep that a quick run keeps.
    fn kept(&mut self, sweep: &SweepDraft, written: &ast::Expr) -> Option<(String, Vec<String>)> {
        let name = &sweep.name;
        let items = match &written.kind {
            ExprKind::List(items) if !items.is_empty() => items,
            ExprKind::Bad => return None,
            _ => {
                let message = format!("`{name}` is swept; a quick run keeps a list of its points");
                let example = sweep.points.first().map_or("first", |point| point.label.as_str());
                self.report(
                    Diagnostic::error(codes::BAD_OPTION, written.span, message)
                        .help(format!("as in `{name}: [{example}]`")),
                );
                return None;
            }
        };
        let labels = Labels::of_sweep(sweep);
        let mut kept: Vec<String> = Vec::new();
        for item in items {
            let (_, label) = self.label_of_point(item, &labels)?;
            if kept.contains(&label) {
                let message = format!("`{label}` is given twice");
                self.report(Diagnostic::error(codes::TWICE, item.span, message));
            } else {
                kept.push(label);
            }
        }
        Some((name.clone(), kept))
    }
}
