//! What a run is of, kept beside its commits: whether a later command goes on with the same run is
//! told by comparing the two, part by part.
//!
//! Only what the rows depend on counts. Where and how they are made (workers, slots, policy, limits
//! and rates of endpoints, batches and timeouts of calls and deliveries, objectives) may change from one
//! attempt to the next.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use sage_core::text::fnv1a;
use sage_dataflow::arrivals::task_size;
use sage_dataflow::commit;
use sage_dataflow::is_served;
use sage_dataflow::sources::is_watched;
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::{Node, Plan, RelationPlan, lookup};
use sage_dsl::types::Value as Constant;
use sage_retrieval::documents::Corpus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{JobRun, VERSION, arrivals, differences};
use crate::exit::usage;
use crate::experiment::checksum;
use crate::regular;

/// Name of the file, in the folder of the commits.
const FILE: &str = "run.json";

/// Options of a stage that say how it calls and not what.
const OF_CALLS: [&str; 5] = ["batch", "batch_tokens", "lane", "linger", "timeout"];

/// Arguments of a source that say when it ends.
const ENDS: [&str; 2] = ["rounds", "until_idle"];

/// Arguments of a source that say how it asks a server, and what it bears.
const OF_READING: [&str; 5] = ["max_page", "pages", "patience", "timeout", "token"];

/// Arguments of a sink that say how rows are delivered.
const OF_DELIVERY: [&str; 6] = ["batch", "header", "max_body", "patience", "timeout", "token"];

/// The parts of a run, by their names for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    parts: BTreeMap<String, Value>,
}

/// As it is written: a change of a byte is damage and no change of the run.
#[derive(Serialize, Deserialize)]
struct Written {
    parts: BTreeMap<String, Value>,
    checksum: String,
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
        // Of a service it says when it ends, and no more.
        let limit = options.limit.filter(|_| !is_served(plan));
        put("--limit".into(), json!(limit));
        let rule = options.arrivals.as_ref();
        put("arrivals".into(), json!(rule.map(arrivals::shown)));
        put("records per task".into(), json!(task_size(plan, rule)));
        put("deadline".into(), json!(plan.schedule.deadline_ns));
        put("name of the flow".into(), json!(plan.name));
        nodes(plan, &mut put)?;
        for sink in &plan.sinks {
            let mut sink = sink.clone();
            sink.args.retain(|(name, _)| !OF_DELIVERY.contains(&name.as_str()));
            put(format!("sink `{}`", sink.name), said(&sink)?);
        }
        for template in &plan.templates {
            put(format!("prompt `{}`", template.name), said(template)?);
        }
        for endpoint in &plan.endpoints {
            let (url, replicas, model) = (&endpoint.url, &endpoint.replicas, &endpoint.model);
            let what = json!({"url": url, "replicas": replicas, "model": model});
            put(format!("endpoint `{}`", endpoint.name), what);
        }
        for (at, index) in plan.indexes.iter().enumerate() {
            put(format!("index `{}`", index.name), said(index)?);
            // The documents of a live index may be others at any time.
            if let (Some(corpus), None) = (corpora.get(at), index.refresh_ns) {
                put(format!("documents of index `{}`", index.name), json!(fingerprint(corpus)));
            }
        }
        // What is looked at again changes; what it gave is kept with the commits.
        let source = plan.source().filter(|source| !is_watched(source));
        let source = source.and_then(|source| lookup(&source.args, "path"));
        if let Some(path) = source.and_then(Constant::as_str) {
            put(format!("file `{path}`"), file(Path::new(path))?);
        }
        for join in plan.relation().into_iter().flat_map(RelationPlan::joined) {
            if let Some(path) = lookup(&join.source.args, "path").and_then(Constant::as_str) {
                put(format!("file `{path}`"), file(Path::new(path))?);
            }
        }
        if let Some(Arrivals::Trace { path }) = rule {
            put(format!("file `{path}`"), file(Path::new(path))?);
        }
        Ok(Identity { parts })
    }

    /// Of the run that is not finished in `out`, if there is one.
    pub(crate) fn read(out: &Path) -> anyhow::Result<Option<Self>> {
        let path = commit::folder(out).join(FILE);
        let Ok(text) = regular::read(&path, regular::DESCRIPTION) else { return Ok(None) };
        let whole = serde_json::from_slice::<Written>(&text)
            .ok()
            .filter(|read| sum(&read.parts).is_ok_and(|checksum| checksum == read.checksum));
        whole.map(|read| Some(Identity { parts: read.parts })).ok_or_else(|| {
            usage(format!(
                "`{}` is damaged, and says which run this is: remove the folder `{}` to do its tasks \
                 again with the answers it has paid for, or give --fresh to pay again",
                path.display(),
                commit::folder(out).display()
            ))
        })
    }

    /// Whether there is one in `out`, whole or damaged.
    pub(crate) fn is_in(out: &Path) -> bool {
        commit::folder(out).join(FILE).exists()
    }

    /// Keep it; from now on `out` holds a run that is not finished.
    pub(crate) fn write(&self, out: &Path) -> anyhow::Result<()> {
        let folder = commit::folder(out);
        let path = folder.join(FILE);
        let beside = path.with_extension("json.tmp");
        let checksum = sum(&self.parts)?;
        let text = serde_json::to_vec(&Written { parts: self.parts.clone(), checksum })?;
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
            (Some(before), Some(after)) => Some(differences::sentence(name, before, after)),
        };
        names.filter_map(change).collect()
    }
}

fn nodes(plan: &Plan, put: &mut impl FnMut(String, Value)) -> anyhow::Result<()> {
    let (mut filters, mut emits) = (0, 0);
    for node in &plan.nodes {
        match node {
            Node::Source(source) => {
                let mut source = source.clone();
                // When it ends is no matter of what it gives.
                let how = |name: &str| ENDS.contains(&name) || OF_READING.contains(&name);
                source.args.retain(|(name, _)| !how(name));
                if is_served(plan) {
                    // Where it listens, for whom, and how much it takes at once.
                    source.args.clear();
                }
                put(format!("source `{}`", source.name), said(&source)?);
            }
            Node::Stage(stage) => put(format!("stage `{}`", stage.name), said(stage)?),
            Node::Filter(filter) => {
                filters += 1;
                put(format!("filter {filters}"), said(&filter.predicate)?);
            }
            Node::Emit(emit) => {
                emits += 1;
                put(format!("emit {emits}"), said(emit)?);
            }
            Node::Relate(relation) => {
                let mut steps = said(relation)?;
                without_lines(&mut steps);
                put("steps over all records".into(), steps);
            }
            // Where it stands follows from the stages.
            Node::Schedule => {}
        }
    }
    Ok(())
}

/// The same without the lines of its parts, which say nothing of what is computed.
fn without_lines(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.shift_remove("line");
            fields.values_mut().for_each(without_lines);
        }
        Value::Array(items) => items.iter_mut().for_each(without_lines),
        _ => {}
    }
}

/// A part of a plan, but for the line it stands in and for how calls are made.
fn said(part: &impl Serialize) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(part)?;
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("line");
        if let Some(options) = fields.get_mut("options").and_then(Value::as_array_mut) {
            options.retain(|option| !OF_CALLS.iter().any(|name| option[0] == *name));
        }
    }
    Ok(value)
}

fn sum(parts: &BTreeMap<String, Value>) -> anyhow::Result<String> {
    Ok(checksum::checksum(&serde_json::to_vec(parts)?))
}

/// What tells that a file is another one now: its bytes, whenever they were written.
fn file(path: &Path) -> anyhow::Result<Value> {
    fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    // In a list, so that it is told as a part that has changed.
    Ok(json!([checksum::of_path(path)]))
}

fn fingerprint(corpus: &Corpus) -> String {
    let mut sum: u64 = 0;
    for (name, text) in corpus.documents.iter().flat_map(|document| &document.fields) {
        let hash = fnv1a(name.as_bytes()) ^ fnv1a(text.as_bytes()).rotate_left(1);
        sum = sum.rotate_left(7).wrapping_mul(0x0100_0000_01b3) ^ hash;
    }
    format!("{} passages, {sum:016x}", corpus.documents.len())
}
