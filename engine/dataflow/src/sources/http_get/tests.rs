//! A server that never answers the same twice, and runs that are broken off at any time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use roaring::RoaringTreemap;
use sage_core::endpoint::{CallError, ErrorClass};
use sage_core::record::{Items, write_json_object};
use sage_core::web::{Asking, HttpCall, Unanswered, Web, WebAnswer};
use sage_dsl::plan::{BadRows, SourcePlan};
use sage_dsl::types::{Field, RecordType, Type, Value};

use super::super::{Batch, Kept, open};
use crate::commit::folder;

/// Pages of so many rows; each answer says which one it is.
#[derive(Debug, Clone)]
struct Server {
    pages: Vec<u8>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web for Server {
    fn open(&self, _call: Arc<HttpCall>) -> Result<Box<dyn Asking>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Asking for Server {
    fn ask(
        &mut self,
        url: &str,
        _body: Option<String>,
        _identity: &str,
        _patience: Duration,
    ) -> Result<WebAnswer, Unanswered> {
        let mut asked = self.asked.lock().unwrap();
        let number: usize = url.rsplit('/').next().unwrap().parse().unwrap();
        let Some(rows) = self.pages.get(number) else {
            let error = CallError::new(ErrorClass::Rejected, "HTTP 404");
            return Err(Unanswered { error, untaken: true });
        };
        let row = |row| match row % 5 {
            4 => format!("{{\"id\": {row}}}"),
            _ => format!("{{\"id\": \"{number}.{row}\", \"said\": {}}}", asked.len()),
        };
        let rows: Vec<String> = (0..*rows).map(row).collect();
        let next = (number + 1 < self.pages.len()).then(|| format!("\"/{}\"", number + 1));
        let next = next.unwrap_or_else(|| "null".to_owned());
        let body = format!("{{\"rows\": [{}], \"next\": {next}}}", rows.join(","));
        asked.push(url.to_owned());
        Ok(WebAnswer { body, url: url.to_owned(), next: None })
    }
}

fn server(pages: Vec<u8>) -> Server {
    Server { pages, asked: Arc::default() }
}

fn plan(extra: &[(&str, Value)]) -> SourcePlan {
    let field = |name: &str, ty| Field { key: false, name: name.into(), ty, default: None };
    let text = |text: &str| Value::String(text.to_owned());
    let args = [("url", text("http://h/0")), ("rows", text("rows")), ("next", text("next"))];
    let args = args.into_iter().chain(extra.iter().cloned());
    SourcePlan {
        name: "items".into(),
        kind: super::KIND.into(),
        args: args.map(|(name, value)| (name.to_owned(), value)).collect(),
        fields: Vec::new(),
        record: RecordType {
            name: "Item".into(),
            fields: vec![field("id", Type::String), field("said", Type::Int)],
        },
        key: None,
        bad_rows: BadRows::DeadLetter,
        changes: None,
        distinct: None,
        expand: None,
        watermark: None,
        line: 3,
    }
}

fn kept(out: &Path, generation: u32, done: &RoaringTreemap, buried: u64, server: &Server) -> Kept {
    let web: Option<Arc<dyn Web>> = Some(Arc::new(server.clone()));
    let done = Arc::new(done.clone());
    Kept { out: out.to_owned(), generation, done, buried, most: u64::MAX, round: 0, web }
}

/// Rows of the tasks, as far as it is read, and rows that are none.
fn read(
    plan: &SourcePlan,
    kept: &Kept,
    rows: usize,
    batches: usize,
) -> Result<(Vec<String>, Vec<String>), String> {
    let mut source = open(plan).map_err(|error| error.to_string())?;
    source.keep(kept).map_err(|error| error.to_string())?;
    let (mut tasks, mut bad) = (Vec::new(), Vec::new());
    for _ in 0..batches {
        let mut batch = Batch::default();
        let more = source.read(&mut batch, rows).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        for row in batch.rows.iter() {
            write_json_object(&mut text, &plan.record, Items::new(row));
        }
        if !batch.rows.is_empty() {
            tasks.push(String::from_utf8(text).unwrap());
        }
        bad.extend(batch.bad.into_iter().map(|bad| format!("{}: {}", bad.place, bad.text)));
        if !more {
            break;
        }
    }
    Ok((tasks, bad))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_generation_has_the_same_tasks_though_the_server_never_says_the_same(
        pages in prop::collection::vec(0_u8..9, 1..6),
        size in 1_usize..5,
        broken in prop::collection::vec((0_usize..12, any::<u64>()), 0..5),
    ) {
        let out = tempfile::tempdir().unwrap();
        let (server, plan) = (server(pages.clone()), plan(&[]));
        let mut seen: BTreeMap<usize, String> = BTreeMap::new();
        let (mut done, mut buried): (RoaringTreemap, u64) = Default::default();
        for (generation, (batches, ended)) in (1..).zip(broken.into_iter().chain([(usize::MAX, 0)])) {
            let kept = kept(out.path(), generation, &done, buried, &server);
            let (tasks, bad) = read(&plan, &kept, size, batches).unwrap();
            for (number, task) in tasks.into_iter().enumerate() {
                let before = seen.entry(number).or_insert_with(|| task.clone()).clone();
                prop_assert_eq!(before, task);
                if ended >> (number % 64) & 1 == 1 {
                    done.insert(number as u64);
                }
            }
            buried = buried.max(bad.len() as u64);
        }
        // No page was asked for twice, and none is missing.
        let mut asked = server.asked.lock().unwrap().clone();
        let wanted: Vec<String> = (0..pages.len()).map(|page| format!("http://h/{page}")).collect();
        asked.sort();
        prop_assert_eq!(asked, wanted);
        let rows: usize = seen.values().map(|task| task.matches("\"id\"").count()).sum();
        let all: usize = pages.iter().map(|rows| (0..*rows).filter(|row| row % 5 != 4).count()).sum();
        prop_assert_eq!(rows, all);
    }
}

#[test]
fn bounds_circles_and_pages_that_are_gone_are_told() {
    let none = RoaringTreemap::new();
    let out = tempfile::tempdir().unwrap();
    let few = plan(&[("pages", Value::Int(2))]);
    let three = server(vec![2, 2, 2]);
    let error = read(&few, &kept(out.path(), 1, &none, 0, &three), 9, 9).unwrap_err();
    assert!(error.contains("more than 2 pages") && error.contains("http://h/2"), "{error}");

    let place = |bad: &str| bad.starts_with("http://h/0:5: ");
    let out = tempfile::tempdir().unwrap();
    let one = server(vec![6]);
    let (_, bad) = read(&plan(&[]), &kept(out.path(), 1, &none, 0, &one), 9, 9).unwrap();
    assert!(bad.len() == 1 && place(&bad[0]), "{bad:?}");

    // Somebody removes or changes what was worked on.
    let path = folder(out.path()).join("page-000000.000001");
    std::fs::write(&path, "{}").unwrap();
    let done: RoaringTreemap = [0].into_iter().collect();
    let again = kept(out.path(), 2, &done, 1, &one);
    let error = read(&plan(&[]), &again, 9, 9).unwrap_err();
    assert!(error.contains("page-000000.000001") && error.contains("not what"), "{error}");
    std::fs::remove_file(folder(out.path()).join("page-000000.000001.said")).unwrap();
    let error = read(&plan(&[]), &again, 9, 9).unwrap_err();
    assert!(error.contains("were worked on") && error.contains("--fresh"), "{error}");
    assert_eq!(one.asked.lock().unwrap().len(), 1);

    // Outside of a run nobody is asked.
    let mut source = open(&plan(&[])).unwrap();
    let error = source.read(&mut Batch::default(), 1).unwrap_err().to_string();
    assert!(error.contains("in a run only"), "{error}");
    for (name, value, part) in [
        ("timeout", Value::Duration(0), "`timeout` must be above 0"),
        ("max_page", Value::Int(1 << 40), "`max_page` is 1B to 256MiB"),
        ("header", Value::String("x".into()), "is one field"),
        ("header", Value::String("Authorization: Bearer x".into()), "does not belong"),
        ("format", Value::String("csv".into()), "`rows` and `next`"),
    ] {
        let error = open(&plan(&[(name, value)])).map(drop).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
}
