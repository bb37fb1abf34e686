//! What a run is of, kept beside its commits: whether a later command goes on with the same run is
//! told by comparing the two, part by part.
//!
//! Only what the rows depend on counts. Where and how they are made (workers, slots, policy, limits
//! and rates of endpoints, objectives) may change from one attempt to the next.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use sage_core::text::fnv1a;
use sage_dataflow::arrivals::task_size;
use sage_dataflow::commit;
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::{Node, Plan, lookup};
use sage_dsl::types::Value as Constant;
use sage_retrieval::documents::Corpus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{JobRun, VERSION, arrivals};
use crate::exit::usage;

/// Name of the file, in the folder of the commits.
const FILE: &str = "run.json";

/// The parts of a run, by their names for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    parts: BTreeMap<String, Value>,
}

impl Identity {
    /// Of a job; `corpora` are the documents of its indexes, as far as they are read anew.
    pub(crate) fn of(job: &JobRun, corpora: &[Corpus]) -> anyhow::Result<Self> {
        let (plan, options) = (&job.plan, &job.options);
        let mut parts = BTreeMap::new();
        let mut put = |name: String, value: Value| drop(parts.insert(name, value));
        put("version of sage-flow".into(), json!(VERSION));
        put("--seed".into(), json!(options.seed));
        put("--tasks".into(), json!(options.tasks));
        put("--limit".into(), json!(options.limit));
        let rule = options.arrivals.as_ref();
        put("arrivals".into(), json!(rule.map(arrivals::shown)));
        put("records per task".into(), json!(task_size(plan, rule)));
        put("deadline".into(), json!(plan.schedule.deadline_ns));
        put("name of the flow".into(), json!(plan.name));
        nodes(plan, &mut put)?;
        for sink in &plan.sinks {
            put(format!("sink `{}`", sink.name), said(sink)?);
        }
        for template in &plan.templates {
            put(format!("prompt `{}`", template.name), said(template)?);
        }
        for endpoint in &plan.endpoints {
            let what = json!([endpoint.url, endpoint.replicas, endpoint.model]);
            put(format!("endpoint `{}`", endpoint.name), what);
        }
        for (at, index) in plan.indexes.iter().enumerate() {
            put(format!("index `{}`", index.name), said(index)?);
            if let Some(corpus) = corpora.get(at) {
                put(format!("documents of index `{}`", index.name), json!(fingerprint(corpus)));
            }
        }
        let source = plan.source().and_then(|source| lookup(&source.args, "path"));
        if let Some(path) = source.and_then(Constant::as_str) {
            put(format!("file `{path}`"), file(Path::new(path))?);
        }
        if let Some(Arrivals::Trace { path }) = rule {
            put(format!("file `{path}`"), file(Path::new(path))?);
        }
        Ok(Identity { parts })
    }

    /// Of the run that is not finished in `out`, if there is one.
    pub(crate) fn read(out: &Path) -> anyhow::Result<Option<Self>> {
        let path = commit::folder(out).join(FILE);
        let Ok(text) = fs::read(&path) else { return Ok(None) };
        let read = serde_json::from_slice(&text);
        read.map(Some).map_err(|_| {
            usage(format!("`{}` is damaged; start the run over with --fresh", path.display()))
        })
    }

    /// Keep it; from now on `out` holds a run that is not finished.
    pub(crate) fn write(&self, out: &Path) -> anyhow::Result<()> {
        let folder = commit::folder(out);
        let path = folder.join(FILE);
        let beside = path.with_extension("json.tmp");
        let text = serde_json::to_vec(self)?;
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&folder)?.sync_all()
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Names of the parts that are not the same in both, with the values where they are short.
    pub(crate) fn changes(&self, now: &Identity) -> Vec<String> {
        let names =
            self.parts.keys().chain(now.parts.keys().filter(|n| !self.parts.contains_key(*n)));
        let change = |name: &String| match (self.parts.get(name), now.parts.get(name)) {
            (before, after) if before == after => None,
            (Some(_), None) => Some(format!("{name} is not there any more")),
            (None, _) => Some(format!("{name} is new")),
            (Some(before), Some(after)) => match (short(before), short(after)) {
                (Some(before), Some(after)) => {
                    Some(format!("{name}: {before} before, {after} now"))
                }
                _ => Some(format!("{name} has changed")),
            },
        };
        names.filter_map(change).collect()
    }
}

fn nodes(plan: &Plan, put: &mut impl FnMut(String, Value)) -> anyhow::Result<()> {
    let (mut filters, mut emits) = (0, 0);
    for node in &plan.nodes {
        match node {
            Node::Source(source) => put(format!("source `{}`", source.name), said(source)?),
            Node::Stage(stage) => put(format!("stage `{}`", stage.name), said(stage)?),
            Node::Filter(filter) => {
                filters += 1;
                put(format!("filter {filters}"), said(&filter.predicate)?);
            }
            Node::Emit(emit) => {
                emits += 1;
                put(format!("emit {emits}"), said(emit)?);
            }
            // Where it stands follows from the stages.
            Node::Schedule => {}
        }
    }
    Ok(())
}

/// A part of a plan, but for the line it stands in.
fn said(part: &impl Serialize) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(part)?;
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("line");
    }
    Ok(value)
}

fn short(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("none".into()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if text.len() <= 40 => Some(text.clone()),
        _ => None,
    }
}

/// What tells that a file is another one now.
fn file(path: &Path) -> anyhow::Result<Value> {
    let there = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let modified = there.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(json!({ "bytes": there.len(), "modified_ns": modified.map(|at| at.as_nanos() as u64) }))
}

fn fingerprint(corpus: &Corpus) -> String {
    let mut sum: u64 = 0;
    for (name, text) in corpus.documents.iter().flat_map(|document| &document.fields) {
        let hash = fnv1a(name.as_bytes()) ^ fnv1a(text.as_bytes()).rotate_left(1);
        sum = sum.rotate_left(7).wrapping_mul(0x0100_0000_01b3) ^ hash;
    }
    format!("{} passages, {sum:016x}", corpus.documents.len())
}
