//! Measures retrieval on a judged set: `bench FOLDER [--model DIR] [--kept DIR] [--share X]
//! [--json FILE]`.
//!
//! The folder has `docs.jsonl` (id, title, text), `queries.csv` (id, text) and `qrels.csv`
//! (query_id, doc_id). For each way to search it prints how often a passage that answers is first or
//! among the first ten, the mean reciprocal rank within ten, and the time of a query. All goes through
//! the same `IndexBuilder` and `MappedIndex` as a run. With `--model` the ways that use vectors of a
//! model in this process are measured, too; `--kept` is where its vectors are kept between runs, and
//! `--share` the share of the vectors in the fusion.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sage_core::index::{Hit, Index, Query};
use sage_core::text::{hashed_vector, rerank_score};
use sage_retrieval::{BuildOptions, IndexBuilder, LocalEmbedder, MappedIndex, SearchMode};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Length of hashed vectors, as in a run.
const HASHED: usize = 384;
/// Hits that are reranked.
const CANDIDATES: usize = 20;
/// Times that each question is asked for its latency.
const ROUNDS: usize = 5;

struct Arguments {
    folder: PathBuf,
    model: Option<PathBuf>,
    kept: Option<PathBuf>,
    json: Option<PathBuf>,
    share: f64,
}

struct Document {
    id: String,
    text: String,
}

struct Question {
    text: String,
    gold: HashSet<String>,
    vector: Vec<f32>,
}

/// One way to search.
struct Way {
    name: String,
    mode: SearchMode,
    rerank: bool,
}

fn main() -> Outcome<()> {
    let arguments = arguments()?;
    let documents = documents(&arguments.folder)?;
    let mut questions = questions(&arguments.folder)?;
    let place = tempfile::tempdir()?;

    let started = Instant::now();
    let file = place.path().join("hashed.index");
    let index = build(&file, &documents, None)?;
    let mut indexes = vec![size("hashed vectors", &file, started.elapsed(), documents.len())?];
    let measured = ways("", 0.5).into_iter().map(|way| measure(&index, &way, &questions));
    let mut rows: Vec<Value> = measured.collect();
    if let Some(model) = &arguments.model {
        let started = Instant::now();
        let mut embedder = LocalEmbedder::open(model, arguments.kept.as_deref())?;
        eprintln!("model loaded in {:.1?}, {} vectors kept", started.elapsed(), embedder.kept());
        let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
        let vectors = embedder.embed(&texts, said(started))?;
        let embedded = started.elapsed();
        for question in &mut questions {
            question.vector = embedder.embed(&[&question.text], |_, _| true)?.remove(0);
        }
        let started = Instant::now();
        let file = place.path().join("model.index");
        let index = build(&file, &documents, Some(vectors))?;
        let mut built = size("vectors of the model", &file, started.elapsed(), documents.len())?;
        built["embedding_s"] = json!(embedded.as_secs_f64());
        indexes.push(built);
        let ways = ways("model: ", arguments.share).into_iter().skip(1);
        rows.extend(ways.map(|way| measure(&index, &way, &questions)));
    }
    table(&rows, &indexes);
    if let Some(path) = &arguments.json {
        let all = json!({ "questions": questions.len(), "indexes": indexes, "ways": rows });
        std::fs::write(path, format!("{all:#}\n"))?;
    }
    Ok(())
}

fn arguments() -> Outcome<Arguments> {
    const USAGE: &str = "usage: bench FOLDER [--model DIR] [--kept DIR] [--share X] [--json FILE]";
    let mut given = std::env::args().skip(1);
    let mut found =
        Arguments { folder: PathBuf::new(), model: None, kept: None, json: None, share: 0.9 };
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(USAGE);
        match argument.as_str() {
            "--model" => found.model = Some(value()?.into()),
            "--kept" => found.kept = Some(value()?.into()),
            "--json" => found.json = Some(value()?.into()),
            "--share" => found.share = value()?.parse()?,
            folder if !folder.starts_with('-') => found.folder = folder.into(),
            _ => return Err(USAGE.into()),
        }
    }
    if found.folder.as_os_str().is_empty() { Err(USAGE.into()) } else { Ok(found) }
}

fn ways(prefix: &str, share: f64) -> Vec<Way> {
    let weighted = SearchMode::Weighted(share);
    let way = |name: String, mode, rerank| Way { name, mode, rerank };
    vec![
        way("bm25".into(), SearchMode::Bm25, false),
        way(format!("{prefix}vector"), SearchMode::Vector, false),
        way(format!("{prefix}hybrid(weight: {share})"), weighted, false),
        way(format!("{prefix}hybrid(fuse: rrf)"), SearchMode::Rrf, false),
        way(format!("{prefix}hybrid(weight: {share}) + rerank"), weighted, true),
    ]
}

/// Says now and then how far embedding is.
fn said(started: Instant) -> impl FnMut(usize, usize) -> bool {
    let mut last = started;
    move |done, all| {
        if last.elapsed() > Duration::from_secs(10) {
            last = Instant::now();
            eprintln!("{done} of {all} texts embedded after {:.0?}", started.elapsed());
        }
        true
    }
}

fn build(
    file: &Path,
    documents: &[Document],
    vectors: Option<Vec<Vec<f32>>>,
) -> Outcome<MappedIndex> {
    let dims = vectors.as_ref().and_then(|vectors| vectors.first()).map_or(HASHED, Vec::len);
    let options = BuildOptions { search: SearchMode::Weighted(0.5), dims };
    let mut builder = IndexBuilder::new(options)?;
    let mut vectors = vectors.map(Vec::into_iter);
    for document in documents {
        let vector = vectors.as_mut().and_then(Iterator::next);
        builder.push(&document.id, &document.text, document.text.as_bytes(), vector)?;
    }
    builder.build_to(file)?;
    Ok(MappedIndex::open(file)?)
}

fn size(name: &str, file: &Path, built: Duration, documents: usize) -> Outcome<Value> {
    let bytes = std::fs::metadata(file)?.len();
    let build_s = built.as_secs_f64();
    Ok(json!({ "index": name, "documents": documents, "build_s": build_s, "bytes": bytes }))
}

fn measure(index: &MappedIndex, way: &Way, questions: &[Question]) -> Value {
    let (mut first, mut ten, mut reciprocal) = (0.0, 0.0, 0.0);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        for question in questions {
            let started = Instant::now();
            let hits = search(index, way, question);
            times.push(started.elapsed());
            let key = |hit: &Hit| index.key(hit.document);
            let right = |hit: &Hit| key(hit).is_some_and(|key| question.gold.contains(key));
            if let (0, Some(rank)) = (round, hits.iter().position(right)) {
                first += f64::from(u8::from(rank == 0));
                ten += 1.0;
                reciprocal += 1.0 / (rank as f64 + 1.0);
            }
        }
    }
    times.sort_unstable();
    let micros = |share: f64| {
        let at = (times.len().saturating_sub(1) as f64 * share).round() as usize;
        times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    let count = questions.len().max(1) as f64;
    json!({
        "way": way.name,
        "hit_1": first / count,
        "hit_10": ten / count,
        "mrr_10": reciprocal / count,
        "p50_us": micros(0.5),
        "p99_us": micros(0.99),
    })
}

fn search(index: &MappedIndex, way: &Way, question: &Question) -> Vec<Hit> {
    let query = Query { text: Some(&question.text), vector: Some(&question.vector) };
    if !way.rerank {
        return index.search_by(way.mode, query, 10);
    }
    let mut hits = index.search_by(way.mode, query, CANDIDATES);
    for (rank, hit) in hits.iter_mut().enumerate() {
        let text = std::str::from_utf8(index.document(hit.document).unwrap_or(&[])).unwrap_or("");
        hit.score = rerank_score(&question.text, text, rank);
    }
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    hits.truncate(10);
    hits
}

fn table(rows: &[Value], indexes: &[Value]) {
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    for index in indexes {
        eprintln!(
            "index with {}: {} passages, built in {:.2} s, {:.1} MB",
            index["index"].as_str().unwrap_or(""),
            index["documents"],
            number(index, "build_s"),
            number(index, "bytes") / 1e6
        );
    }
    eprintln!(
        "| search | hit@1 | hit@10 | MRR@10 | p50, us | p99, us |\n|---|---|---|---|---|---|"
    );
    for row in rows {
        eprintln!(
            "| {} | {:.3} | {:.3} | {:.3} | {:.0} | {:.0} |",
            row["way"].as_str().unwrap_or(""),
            number(row, "hit_1"),
            number(row, "hit_10"),
            number(row, "mrr_10"),
            number(row, "p50_us"),
            number(row, "p99_us")
        );
    }
}

fn documents(folder: &Path) -> Outcome<Vec<Document>> {
    let mut documents = Vec::new();
    for line in std::fs::read_to_string(folder.join("docs.jsonl"))?.lines() {
        let row: HashMap<String, String> = serde_json::from_str(line)?;
        // What an index searches when it is not told.
        let text = format!("{}\n{}", row["title"], row["text"]);
        documents.push(Document { id: row["id"].clone(), text });
    }
    Ok(documents)
}

fn questions(folder: &Path) -> Outcome<Vec<Question>> {
    let mut gold: HashMap<String, HashSet<String>> = HashMap::new();
    for (question, document) in pairs(&folder.join("qrels.csv"))? {
        gold.entry(question).or_default().insert(document);
    }
    let question = |(id, text): (String, String)| {
        let vector = hashed_vector(&text, HASHED);
        Question { gold: gold.remove(&id).unwrap_or_default(), vector, text }
    };
    Ok(pairs(&folder.join("queries.csv"))?.into_iter().map(question).collect())
}

/// The first two columns of a CSV file with a header.
fn pairs(path: &Path) -> Outcome<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for row in csv::Reader::from_path(path)?.into_records() {
        let row = row?;
        pairs.push((row[0].to_owned(), row[1].to_owned()));
    }
    Ok(pairs)
}
