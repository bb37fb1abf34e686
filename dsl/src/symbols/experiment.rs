//! Names in an `experiment`: flows, params, and what values are made of.

use super::SymbolKind;
use super::walk::{Around, Walk};
use crate::ast::{self, Part, Point};

impl<'a> Walk<'a> {
    pub(super) fn experiment(&mut self, experiment: &'a ast::Experiment) {
        let nowhere = Around::default();
        for part in &experiment.parts {
            match part {
                Part::Jobs(_, jobs) => {
                    for job in jobs {
                        self.reference(SymbolKind::Flow, &job.flow);
                        self.settings(&job.block);
                    }
                }
                Part::Setting(entry) => self.setting(entry),
                Part::Sweep(sweep) => {
                    self.param_key(&sweep.key);
                    for point in &sweep.points {
                        match point {
                            Point::Value(value) => self.expr(value, nowhere),
                            Point::Group(_, block) => self.settings(block),
                        }
                    }
                }
                Part::Claim(_) => {}
                Part::Quick(_, block) => self.settings(block),
            }
        }
    }

    fn settings(&mut self, block: &'a ast::Block) {
        block.entries.iter().for_each(|entry| self.setting(entry));
    }

    fn setting(&mut self, entry: &'a ast::Entry) {
        self.param_key(&entry.key);
        self.expr(&entry.value, Around::default());
    }

    fn param_key(&mut self, key: &ast::Name) {
        if self.declared.get(key.text.as_str()) == Some(&SymbolKind::Param) {
            self.reference(SymbolKind::Param, key);
        }
    }
}
