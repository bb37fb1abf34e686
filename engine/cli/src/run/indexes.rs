//! Builds the plan's indexes before any worker starts: once for all workers of the host.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sage_core::expr::{Program, Templates};
use sage_core::index::Index;
use sage_core::record::{Datum, Items, pack, pack_value, parse_text};
use sage_dsl::plan::{IndexPlan, Plan, SearchPlan};
use sage_dsl::types::Type;
use sage_retrieval::documents::{self, Corpus, Document};
use sage_retrieval::{
    BuildOptions, IndexBuilder, IndexInfo, KeptVector, RetrievalError, Taken, TextHash, text_hash,
};

use super::embedding::embed;
use super::interrupt::Interrupts;
use super::kept_indexes::{Identity, Reuse};
use super::live::{self, Known};
use super::services::Access;
use crate::exit::{usage, usage_of};

/// One index, built.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) path: PathBuf,
    /// For people: what was read and what was not.
    pub(crate) notes: Vec<String>,
    /// What is in it, where its documents are followed.
    pub(crate) known: Option<Known>,
}

/// A document as the index takes it.
pub(super) struct Prepared {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) row: Vec<u8>,
}

/// Build every index of `plan`, from the documents that [`read`] found, into `folder`; `fresh` takes
/// none from earlier runs.
pub(crate) fn build(
    plan: &Plan,
    corpora: Vec<Corpus>,
    folder: &Path,
    access: Option<&Access>,
    fresh: bool,
    interrupts: &Interrupts,
) -> anyhow::Result<Vec<Built>> {
    let reuse = Reuse::of_user(fresh);
    plan.indexes
        .iter()
        .zip(corpora)
        .map(|(index, corpus)| {
            let embed =
                |endpoint: usize, texts: &[&str]| embed(plan, endpoint, texts, access, interrupts);
            assemble(plan, index, &corpus, folder, &reuse, embed)
                .with_context(|| format!("index `{}` (line {})", index.name, index.line))
        })
        .collect()
}

/// Read the documents of every index, in order: before anything is started, since they may not be
/// there, and once.
pub(crate) fn read(plan: &Plan) -> anyhow::Result<Vec<Corpus>> {
    let read = |index: &IndexPlan| {
        read_one(index).with_context(|| format!("index `{}` (line {})", index.name, index.line))
    };
    plan.indexes.iter().map(read).collect()
}

/// Read the documents of one index.
pub(crate) fn read_one(index: &IndexPlan) -> anyhow::Result<Corpus> {
    let Some(spec) = documents::find(&index.kind) else {
        bail!("there is no document source `{}`", index.kind);
    };
    (spec.read)(&index.args).map_err(usage_of)
}

/// Read the documents of an index that is followed: by now there may be none.
pub(super) fn read_again(index: &IndexPlan) -> anyhow::Result<Corpus> {
    let Some(spec) = documents::find(&index.kind) else {
        bail!("there is no document source `{}`", index.kind);
    };
    match (spec.read)(&index.args) {
        Err(RetrievalError::NoDocuments { .. }) => Ok(Corpus::default()),
        corpus => corpus.map_err(usage_of),
    }
}

/// Build one index into `folder`, or take it from an earlier run; `embed` gives the vectors of texts
/// by the endpoint of the plan at a position.
pub(crate) fn assemble(
    plan: &Plan,
    index: &IndexPlan,
    corpus: &Corpus,
    folder: &Path,
    reuse: &Reuse,
    embed: impl FnOnce(usize, &[&str]) -> anyhow::Result<Vec<Vec<f32>>>,
) -> anyhow::Result<Built> {
    let (prepared, mut bad) = prepare_some(index, corpus)?;
    std::fs::create_dir_all(folder)?;
    let path = live::file(folder, &index.name);
    let identity = Identity::of(plan, index, &prepared)?;
    let mut notes = Vec::new();
    let mut note = |what: String| notes.push(format!("index {}: {what}", index.name));
    match reuse.take(&identity, &path) {
        Taken::Whole(kept) => {
            note(format!("{} passages, as an earlier run has built them", kept.len()));
        }
        taken => {
            if let Taken::Broken(why) = taken {
                note(format!("the one of an earlier run is not used, {why}; it is built anew"));
            }
            let (mut vectors, mut earlier) = (None, String::new());
            if let Some(endpoint) = embedder(index) {
                let kept = reuse.vectors(&identity, &prepared);
                let made = vectors_of(&prepared, &kept, |texts| embed(endpoint, texts))?;
                let old = made.iter().filter(|one| matches!(one, Vector::Kept(_))).count();
                if old > 0 {
                    earlier = format!(", {old} of them with vectors of an earlier run");
                }
                vectors = Some(made);
            }
            let (info, refused) = write(index, &prepared, vectors, &identity, &path)?;
            note(format!("{} passages{earlier}", info.documents));
            if refused.is_empty() {
                reuse.keep(&identity, &path).into_iter().for_each(&mut note);
            }
            bad.extend(refused);
        }
    }
    if let Some(first) = bad.first() {
        note(format!("{} passages left out, first: {first}", bad.len()));
    }
    let known = index.refresh_ns.map(|_| live::known(&prepared));
    Ok(Built { path, notes, known })
}

/// The vector of a document.
pub(super) enum Vector {
    Made(Vec<f32>),
    /// Of an earlier index.
    Kept(KeptVector),
}

/// Vectors of all documents; those of texts that are not in `kept` are made.
pub(super) fn vectors_of(
    documents: &[Prepared],
    kept: &HashMap<TextHash, KeptVector>,
    embed: impl FnOnce(&[&str]) -> anyhow::Result<Vec<Vec<f32>>>,
) -> anyhow::Result<Vec<Vector>> {
    let kept = documents.iter().map(|one| kept.get(&text_hash(&one.text)).cloned());
    let kept: Vec<Option<KeptVector>> = kept.collect();
    let new = documents.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
    let texts: Vec<&str> = new.map(|(one, _)| one.text.as_str()).collect();
    let mut made = if texts.is_empty() { Vec::new() } else { embed(&texts)? }.into_iter();
    let vector =
        |kept: Option<KeptVector>| kept.map(Vector::Kept).or_else(|| made.next().map(Vector::Made));
    kept.into_iter().map(vector).collect::<Option<_>>().context("a vector is missing")
}

/// The endpoint that makes its vectors, if it has any of an endpoint.
pub(super) fn embedder(index: &IndexPlan) -> Option<usize> {
    index.embedder.filter(|_| index.search != SearchPlan::Bm25)
}

/// The documents that can be used, and why others cannot; at least one can.
fn prepare_some(
    index: &IndexPlan,
    corpus: &Corpus,
) -> anyhow::Result<(Vec<Prepared>, Vec<String>)> {
    let (prepared, bad) = prepare_all(index, corpus)?;
    if prepared.is_empty() {
        let first = bad.first().map_or("there are none", String::as_str);
        return Err(usage(format!("no document can be used: {first}")));
    }
    Ok((prepared, bad))
}

/// The documents that can be used, and why others cannot.
pub(super) fn prepare_all(
    index: &IndexPlan,
    corpus: &Corpus,
) -> anyhow::Result<(Vec<Prepared>, Vec<String>)> {
    let text = Program::compile(&index.text)?;
    let mut bad: Vec<String> = corpus.bad_rows.iter().map(ToString::to_string).collect();
    let mut prepared = Vec::with_capacity(corpus.documents.len());
    let mut keys = HashSet::new();
    for document in &corpus.documents {
        match prepare(index, &text, document) {
            // Of two the first counts; no vector is made for the other.
            Ok(one) if !keys.insert(one.key.clone()) => {
                bad.push(RetrievalError::DuplicateKey(one.key).to_string());
            }
            Ok(one) => prepared.push(one),
            Err(reason) => bad.push(format!("{}: {reason}", document.place)),
        }
    }
    Ok((prepared, bad))
}

/// Write the documents with their vectors to `path`; also tells which the index did not take.
pub(super) fn write(
    index: &IndexPlan,
    prepared: &[Prepared],
    vectors: Option<Vec<Vector>>,
    identity: &Identity,
    path: &Path,
) -> anyhow::Result<(IndexInfo, Vec<String>)> {
    let dims = match (&vectors, index.search) {
        (Some(vectors), _) => match vectors.first() {
            Some(Vector::Made(vector)) => vector.len(),
            Some(Vector::Kept(vector)) => vector.dimensions(),
            None => 0,
        },
        (None, SearchPlan::Bm25) => 0,
        (None, _) => sage_dataflow::stages::HASHED_DIMENSIONS,
    };
    let builder = IndexBuilder::new(BuildOptions { search: index.search.into(), dims })?;
    let builder = builder.nearest_by(index.vectors);
    let mut builder = builder.named(identity.index, identity.maker);
    let mut vectors = vectors.map(Vec::into_iter);
    let mut refused = Vec::new();
    for Prepared { key, text, row } in prepared {
        let taken = match vectors.as_mut().and_then(Iterator::next) {
            Some(Vector::Kept(vector)) => builder.push_kept(key, text, row, &vector),
            Some(Vector::Made(vector)) => builder.push(key, text, row, Some(vector)),
            None => builder.push(key, text, row, None),
        };
        refused.extend(taken.err().map(|error| error.to_string()));
    }
    Ok((builder.build_to(path)?, refused))
}

/// A document's fields as columns of the declared record.
fn prepare(index: &IndexPlan, text: &Program, document: &Document) -> Result<Prepared, String> {
    let mut row = Vec::new();
    for field in &index.record.fields {
        match document.field(&field.name) {
            Some(text) => parse_text(&mut row, &field.ty, text)
                .map_err(|reason| format!("field `{}`: {reason}", field.name))?,
            None => match (&field.default, &field.ty) {
                (Some(default), _) => pack_value(&mut row, default),
                (None, Type::Optional(_)) => pack(&mut row, Datum::Null),
                _ => {
                    let names: Vec<_> =
                        document.fields.iter().map(|(name, _)| name.as_str()).collect();
                    return Err(format!(
                        "field `{}` is missing; there are {}",
                        field.name,
                        names.join(", ")
                    ));
                }
            },
        }
    }
    let columns: Vec<Datum<'_>> = Items::new(&row).collect();
    let (templates, arena) = (Templates::default(), bumpalo::Bump::new());
    let value = text.evaluate(&columns, &templates, &arena).map_err(|error| error.to_string())?;
    let text = value.as_str().unwrap_or("").to_owned();
    let key = match columns.get(index.key) {
        Some(Datum::Str(key)) => (*key).to_owned(),
        Some(Datum::Int(key)) => key.to_string(),
        _ => return Err("its key is neither text nor a whole number".into()),
    };
    drop(columns);
    Ok(Prepared { key, text, row })
}
