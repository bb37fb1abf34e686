//! The report: everything is on the page, nothing on it comes from elsewhere.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use sage_lab::results::Results;
use sage_lab::{LabError, page, plots};

/// Every shape with its page, made once for all tests.
static PAGES: LazyLock<Vec<(Shape, TempDir, String)>> = LazyLock::new(|| {
    let made = shapes::all().into_iter().map(|shape| {
        let folder = tempfile::tempdir().unwrap();
        for (run, text) in &shape.tasks {
            let run = folder.path().join(run);
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("tasks.csv"), text).unwrap();
        }
        let page = report(&shape.results, folder.path());
        (shape, folder, page)
    });
    made.collect()
});

#[path = "../examples/gallery/shapes/mod.rs"]
mod shapes;

use shapes::Shape;
use tempfile::TempDir;

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;").replace('\u{1}', "\u{fffd}")
}

fn report(results: &Results, folder: &Path) -> String {
    let pictures =
        plots::draw(results, &|run| Some(folder.join(run).join("tasks.csv")), folder).unwrap();
    page::write(results, &pictures, folder).unwrap();
    fs::read_to_string(folder.join(page::REPORT)).unwrap()
}

/// The parts of `text` from `begin` to `end`, both included.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    let starts = text.match_indices(begin).map(|(at, _)| at);
    starts.map(|at| &text[at..at + text[at..].find(end).unwrap() + end.len()]).collect()
}

#[test]
fn everything_the_results_say_is_on_the_page() {
    for (shape, _, page) in PAGES.iter() {
        let results = &shape.results;
        let mut expected = vec![results.experiment.clone(), results.label().to_owned()];
        expected.extend(results.summary.clone());
        expected.extend(results.notes.iter().cloned());
        for claim in &results.claims {
            expected.push(claim.text.clone());
            expected.push(claim.condition.clone());
            expected.extend(claim.detail.iter().cloned());
        }
        for row in &results.rows {
            expected.push(row.job.clone());
            expected.extend(row.point.iter().map(|(_, label)| label.clone()));
        }
        for (trial, reason) in &results.failed {
            expected.extend([trial.clone(), reason.clone()]);
        }
        for text in expected {
            assert!(page.contains(&escaped(&text)), "{}: `{text}` is missing", shape.name);
        }
        assert_eq!(page.contains("figures are simulated"), results.simulated, "{}", shape.name);
        assert_eq!(page.contains("<span>quick run</span>"), results.quick, "{}", shape.name);
        let verdicts = page.matches("<div class=\"claim ").count();
        assert_eq!(verdicts, results.claims.len(), "{}", shape.name);
        let rows = page.matches("<tr>").count() + page.matches("<tr class=\"baseline\">").count();
        let tables = page.matches("<table").count();
        assert_eq!(rows, results.rows.len() + tables, "{}: a row for each", shape.name);
    }
}

#[test]
fn every_row_of_a_table_has_as_many_cells_as_its_head() {
    for (shape, _, page) in PAGES.iter() {
        for table in between(page, "<table", "</table>") {
            let heads = table.matches("<th").count() - table.matches("<thead").count();
            for row in between(table, "<tr", "</tr>").into_iter().skip(1) {
                assert_eq!(row.matches("<td").count(), heads, "{}: {row}", shape.name);
            }
        }
    }
}

#[test]
fn the_page_fetches_nothing_and_its_pictures_are_whole() {
    for (shape, folder, page) in PAGES.iter() {
        for word in ["http://", "https://", "src=", "url(", "@import", "<link", "<img", "<iframe"] {
            assert!(!page.contains(word), "{}: `{word}`", shape.name);
        }
        assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
        for link in between(page, "href=\"", ">") {
            let file = link.trim_start_matches("href=\"").split('"').next().unwrap();
            assert!(folder.path().join(file).is_file(), "{}: {file} is not there", shape.name);
        }
        let pictures = between(page, "<svg ", "</svg>");
        assert_eq!(pictures.len(), page.matches("<figure").count(), "{}", shape.name);
        for svg in pictures {
            roxmltree::Document::parse(svg).unwrap();
        }
    }
}

#[test]
fn text_of_programs_cannot_become_markup() {
    let evil = "</pre></style><script>alert('1')</script><img src=x onerror=\"alert(2)\">";
    let mut shape = shapes::all().into_iter().find(|shape| shape.name == "missing").unwrap();
    let results = &mut shape.results;
    results.experiment = evil.to_owned();
    results.summary = Some(evil.to_owned());
    results.baseline = Some(evil.to_owned());
    results.setup = serde_json::json!({evil: evil, "parameters": {evil: [evil]}});
    results.notes = vec![evil.to_owned()];
    results.failed = vec![(evil.to_owned(), evil.to_owned())];
    results.dimensions = vec![evil.to_owned()];
    for claim in &mut results.claims {
        claim.text = evil.to_owned();
        claim.condition = evil.to_owned();
        claim.detail = vec![evil.to_owned()];
    }
    for row in &mut results.rows {
        row.job = evil.to_owned();
        row.point = vec![(evil.to_owned(), evil.to_owned())];
    }
    let folder = tempfile::tempdir().unwrap();
    let page = report(results, folder.path());
    assert_eq!(page.matches("<script>").count(), 1, "only our own");
    assert_eq!(page.matches("</script>").count(), 1);
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains("<img") && !page.contains("onerror=\""));
    assert!(page.contains(&escaped(evil)));
}

#[test]
fn the_same_results_give_the_same_page() {
    let (shape, _, page) = PAGES.iter().find(|(shape, ..)| shape.name == "missing").unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(report(&shape.results, folder.path()) == *page);
}

#[test]
fn a_picture_that_is_missing_or_not_ours_is_an_error() {
    let shape = shapes::all().into_iter().find(|shape| shape.name == "single").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = || page::write(&shape.results, &["throughput".to_owned()], folder.path());
    assert!(matches!(write(), Err(LabError::File { .. })));
    fs::write(folder.path().join("throughput.svg"), "<html><script></script></html>").unwrap();
    let error = write().unwrap_err();
    assert!(matches!(error, LabError::Content { .. }), "{error}");
    assert!(!folder.path().join(page::REPORT).exists());
}
