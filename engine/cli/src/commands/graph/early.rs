//! What is decided about a record while the source is read: a `flat_map` or `dedup` in front of the
//! calls, with the steps that stand before it.
//!
//! These steps are no nodes of the plan, since they are done before there is a task.

use sage_dsl::plan::{DistinctPlan, EarlyStep, SourcePlan};

use super::picture::{Draft, Kind};

impl Draft<'_> {
    /// Draws them behind the source, each in a row.
    pub(super) fn early(&mut self, source: &SourcePlan) {
        self.dedup(source.distinct.as_ref());
        let Some(expand) = &source.expand else { return };
        for step in &expand.before {
            match step {
                EarlyStep::Filter { text, .. } => {
                    self.next(Kind::Filter, vec!["where".to_owned(), text.clone()]);
                }
                EarlyStep::Compute { column, text, .. } => {
                    let ty = self.plan.columns.get(*column);
                    let ty = ty.map_or(String::new(), |column| format!("map: {}", column.ty));
                    let shape = self.next(Kind::Cheap, vec![text.clone(), ty]);
                    self.columns.insert(*column, shape);
                }
            }
        }
        let shape = self.next(Kind::Group, vec!["flat_map".to_owned(), expand.text.clone()]);
        self.columns.insert(expand.column, shape);
        self.dedup(expand.distinct.as_ref());
    }

    fn dedup(&mut self, distinct: Option<&DistinctPlan>) {
        if let Some(distinct) = distinct {
            self.next(Kind::Group, vec![distinct.text.clone()]);
        }
    }
}
