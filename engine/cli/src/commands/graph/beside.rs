//! What stands beside a flow: endpoints and indexes, each with what uses it.

use sage_dsl::plan::Argument;

use super::picture::{Draft, Kind, Way, drawn};

impl Draft<'_> {
    /// Endpoints and indexes with what uses them.
    pub(super) fn beside(&mut self) {
        let plan = self.plan;
        let indexes: Vec<usize> = plan
            .indexes
            .iter()
            .map(|index| {
                let lines = vec![index.name.clone(), format!("index {}", index.kind)];
                self.shape(Kind::Index, lines, &[])
            })
            .collect();
        let endpoints: Vec<usize> = plan
            .endpoints
            .iter()
            .map(|endpoint| {
                let url = endpoint
                    .url
                    .strip_prefix("sim:")
                    .map_or_else(|| endpoint.url.clone(), |profile| format!("simulated {profile}"));
                self.shape(
                    Kind::Endpoint,
                    vec![endpoint.name.clone(), endpoint.model.clone(), url],
                    &[],
                )
            })
            .collect();
        for stage in plan.stages().filter(|stage| drawn(&stage.turns)) {
            let Some(shape) = self.columns.get(&stage.column).copied() else { continue };
            if let Some(endpoint) = stage.endpoint.and_then(|at| endpoints.get(at)) {
                self.line(shape, *endpoint, "", Way::Beside);
            }
            for (_, argument) in &stage.args {
                if let Argument::Index(at) = argument
                    && let Some(index) = indexes.get(*at)
                {
                    self.line(*index, shape, "", Way::Beside);
                }
            }
        }
        for (index, shape) in plan.indexes.iter().zip(&indexes) {
            if let Some(endpoint) = index.embedder.and_then(|at| endpoints.get(at)) {
                self.line(*shape, *endpoint, "vectors", Way::Beside);
            }
        }
    }
}
