//! Objectives: what one run of a program has to reach.

use std::collections::BTreeMap;

use super::Checker;
use crate::experiment::Claim;
use crate::span::Span;

impl Checker<'_> {
    /// The objectives of every `slo` block, by its place.
    pub(crate) fn check_slos(&mut self) -> BTreeMap<Span, Vec<Claim>> {
        let blocks = self.names.slos.clone();
        let mut checked = BTreeMap::new();
        for (_, slo) in blocks {
            let objectives =
                slo.objectives.iter().filter_map(|written| self.claimed(None, written, None));
            checked.insert(slo.span, objectives.collect());
        }
        checked
    }
}
