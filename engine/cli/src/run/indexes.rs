//! Builds the plan's indexes before any worker starts: once for all workers of the host.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use sage_core::endpoint::{Answer, Call, CallError, Completion, Endpoint, ErrorClass, Request};
use sage_core::expr::{Program, Templates};
use sage_core::record::{Datum, Items, pack, pack_value, parse_text};
use sage_core::text::fnv1a;
use sage_dsl::plan::{IndexPlan, Plan, SearchPlan};
use sage_dsl::types::Type;
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_retrieval::documents::{self, Corpus, Document};
use sage_retrieval::{BuildOptions, IndexBuilder, IndexInfo};

use super::interrupt::Interrupts;
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

/// Longest time for one call; a small server may take minutes over a batch.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How often an interrupt is looked for meanwhile.
const LISTEN: Duration = Duration::from_millis(100);

/// Texts sent to an embedding endpoint in one call.
const BATCH: usize = 64;

/// Bytes of a text below which it is not its length that a server refuses.
const SHORTEST: usize = 256;

/// Build every index of `plan`, from the documents that [`read`] found, into `folder`.
pub(crate) fn build(
    plan: &Plan,
    corpora: Vec<Corpus>,
    folder: &Path,
    access: Option<&Access>,
    interrupts: &Interrupts,
) -> anyhow::Result<Vec<Built>> {
    plan.indexes
        .iter()
        .zip(corpora)
        .map(|(index, corpus)| {
            let embed =
                |endpoint: usize, texts: &[&str]| embed(plan, endpoint, texts, access, interrupts);
            assemble(index, &corpus, folder, embed)
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

/// Build one index into `folder`; `embed` gives the vectors of texts by the endpoint of the plan at a
/// position.
pub(crate) fn assemble(
    index: &IndexPlan,
    corpus: &Corpus,
    folder: &Path,
    embed: impl FnOnce(usize, &[&str]) -> anyhow::Result<Vec<Vec<f32>>>,
) -> anyhow::Result<Built> {
    let (prepared, mut bad) = prepare_all(index, corpus)?;
    let vectors = match embedder(index) {
        None => None,
        Some(endpoint) => {
            let texts: Vec<&str> = prepared.iter().map(|one| one.text.as_str()).collect();
            Some(embed(endpoint, &texts)?)
        }
    };
    std::fs::create_dir_all(folder)?;
    let path = live::file(folder, &index.name);
    let (info, refused) = write(index, &prepared, vectors, &path)?;
    bad.extend(refused);
    let mut notes = vec![format!("index {}: {} passages", index.name, info.documents)];
    if !bad.is_empty() {
        notes.push(format!(
            "index {}: {} passages left out, first: {}",
            index.name,
            bad.len(),
            bad[0]
        ));
    }
    let known = index.refresh_ns.map(|_| live::known(&prepared));
    Ok(Built { path, notes, known })
}

/// The endpoint that makes its vectors, if it has any of an endpoint.
pub(super) fn embedder(index: &IndexPlan) -> Option<usize> {
    index.embedder.filter(|_| index.search != SearchPlan::Bm25)
}

/// The documents that can be used, and why others cannot; at least one can.
pub(super) fn prepare_all(
    index: &IndexPlan,
    corpus: &Corpus,
) -> anyhow::Result<(Vec<Prepared>, Vec<String>)> {
    let text = Program::compile(&index.text)?;
    let mut bad: Vec<String> = corpus.bad_rows.iter().map(ToString::to_string).collect();
    let mut prepared = Vec::with_capacity(corpus.documents.len());
    for document in &corpus.documents {
        match prepare(index, &text, document) {
            Ok(one) => prepared.push(one),
            Err(reason) => bad.push(format!("{}: {reason}", document.place)),
        }
    }
    if prepared.is_empty() {
        let first = bad.first().map_or("there are none", String::as_str);
        return Err(usage(format!("no document can be used: {first}")));
    }
    Ok((prepared, bad))
}

/// Write the documents with their vectors to `path`; also tells which the index did not take.
pub(super) fn write(
    index: &IndexPlan,
    prepared: &[Prepared],
    vectors: Option<Vec<Vec<f32>>>,
    path: &Path,
) -> anyhow::Result<(IndexInfo, Vec<String>)> {
    let dims = match (&vectors, index.search) {
        (Some(vectors), _) => vectors.first().map_or(0, Vec::len),
        (None, SearchPlan::Bm25) => 0,
        (None, _) => sage_dataflow::stages::HASHED_DIMENSIONS,
    };
    let mut builder = IndexBuilder::new(BuildOptions { search: index.search.into(), dims })?;
    let mut vectors = vectors.map(Vec::into_iter);
    let mut refused = Vec::new();
    for one in prepared {
        let vector = vectors.as_mut().and_then(Iterator::next);
        if let Err(error) = builder.push(&one.key, &one.text, &one.row, vector) {
            refused.push(error.to_string());
        }
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

/// Vectors of all texts, by an endpoint of the plan.
pub(super) fn embed(
    plan: &Plan,
    endpoint: usize,
    texts: &[&str],
    access: Option<&Access>,
    interrupts: &Interrupts,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let access = access.context("the endpoint that makes its vectors was not started")?;
    let client = client(access)?;
    let name = plan.endpoints.get(endpoint).map_or("", |endpoint| endpoint.name.as_str());
    let mut vectors = vec![Vec::new(); texts.len()];
    // A model pads the texts of a call to the length of the longest.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| texts[*at].len());
    let ask = |texts: Vec<String>| asked(&client, endpoint, texts, interrupts);
    let failed = |error: CallError| anyhow!("endpoint `{name}` cannot make the vectors: {error}");
    let mut shortened = 0;
    for places in order.chunks(BATCH) {
        match ask(places.iter().map(|at| texts[*at].to_owned()).collect())? {
            Ok(more) => places.iter().zip(more).for_each(|(at, vector)| vectors[*at] = vector),
            // One that is too long for the model makes a server refuse the whole call.
            Err(error) if is_of_its_content(&error) => {
                for at in places {
                    let (vector, whole) = beginning(texts[*at], &ask)?.map_err(failed)?;
                    vectors[*at] = vector;
                    shortened += usize::from(!whole);
                }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    if shortened > 0 {
        eprintln!(
            "warning: {shortened} of {} passages are too long for the model of endpoint `{name}`; \
             only their beginning can be found by its vectors",
            texts.len()
        );
    }
    Ok(vectors)
}

/// Vectors, or why there are none.
pub(crate) type Asked = Result<Vec<Vec<f32>>, CallError>;

/// The vector of a text, or of as much of its beginning as the model takes; and whether that is all
/// of it.
pub(crate) fn beginning(
    text: &str,
    ask: &impl Fn(Vec<String>) -> anyhow::Result<Asked>,
) -> anyhow::Result<Result<(Vec<f32>, bool), CallError>> {
    let mut length = text.len();
    loop {
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        match ask(vec![text[..length].to_owned()])? {
            Ok(vectors) => {
                let vector = vectors.into_iter().next().unwrap_or_default();
                return Ok(Ok((vector, length == text.len())));
            }
            Err(error) if is_of_its_content(&error) && length > SHORTEST => length = length * 3 / 4,
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Whether a server refused a call for what is in it.
fn is_of_its_content(error: &CallError) -> bool {
    error.class == ErrorClass::Rejected && matches!(error.status, Some(400 | 413 | 422))
}

/// The vectors of a few texts.
fn asked(
    client: &Client,
    endpoint: usize,
    texts: Vec<String>,
    interrupts: &Interrupts,
) -> anyhow::Result<Asked> {
    let count = texts.len();
    // A passage is known by its text, so an unchanged corpus is not paid for again.
    let records = texts.iter().map(|text| fnv1a(text.as_bytes())).collect();
    let (sender, receiver) = mpsc::channel();
    let request = Request::Embed { texts };
    let call = Call {
        stage: usize::MAX,
        records,
        ..Call::new(endpoint, request, TIMEOUT.as_nanos() as u64)
    };
    let completion = Completion::new(move |outcome| {
        let _ = sender.send(outcome);
    });
    client.submit(call, completion);
    // The call has its own time limit; the user may have less.
    let outcome = loop {
        match receiver.recv_timeout(LISTEN) {
            Ok(outcome) => break outcome,
            Err(RecvTimeoutError::Timeout) if interrupts.count() == 0 => {}
            Err(_) => bail!("interrupted"),
        }
    };
    Ok(match outcome.result {
        Ok(Answer::Embedded { vectors, .. }) if vectors.len() == count => Ok(vectors),
        Ok(_) => {
            let what = "it answered with something else than vectors";
            Err(CallError::new(ErrorClass::Protocol, what))
        }
        Err(error) => Err(error),
    })
}

/// A client of the run's gateway.
fn client(access: &Access) -> anyhow::Result<Client> {
    let target = |(name, model): &(String, String)| EndpointTarget {
        name: name.clone(),
        model: model.clone(),
    };
    Ok(Client::new(ClientConfig {
        gateway: access.gateway.clone(),
        tls: access.tls.as_ref().map(sage_cluster::Tls::client),
        token: access.token.clone(),
        job: "index".into(),
        worker: u32::MAX,
        endpoints: access.endpoints.iter().map(target).collect(),
        max_in_flight: 4,
    })?)
}
