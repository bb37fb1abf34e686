//! `report.html`: everything an experiment says on one page that needs nothing else.
//!
//! It opens without a network, a server or the files beside it: pictures stand in it as SVG, style
//! and script too, and a policy in its head forbids the browser to fetch anything. Text of programs
//! and machines is escaped wherever it stands.

mod claims;
mod pictures;
mod setup;
mod tables;

use std::path::Path;

use crate::LabError;
use crate::files;
use crate::plots::escape;
use crate::results::Results;

/// Name of the page's file.
pub const REPORT: &str = "report.html";

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("sort.js");

/// Write `report.html` into `folder`, with the pictures that [`draw`](crate::plots::draw) left
/// there under these names.
///
/// # Errors
/// A picture that cannot be read or is none of ours, or a page that cannot be written.
pub fn write(results: &Results, pictures: &[String], folder: &Path) -> Result<(), LabError> {
    let title = escape(&results.experiment);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{title} ({})</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        escape(results.label()),
    );
    page.push_str(&head(results));
    page.push_str(&claims::section(results));
    page.push_str(&tables::section(results));
    page.push_str(&pictures::section(pictures, folder)?);
    page.push_str(&failed(results));
    page.push_str(&notes(results));
    page.push_str(&setup::section(results));
    page.push_str(&tables::glossary(results));
    page.push_str(&format!("<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    files::write(&folder.join(REPORT), page.as_bytes())
}

fn head(results: &Results) -> String {
    let mut text = format!("<h1>{}</h1>\n", escape(&results.experiment));
    if let Some(question) = &results.summary {
        text.push_str(&format!("<p class=\"question\">{}</p>\n", escape(question)));
    }
    text.push_str(&format!(
        "<p class=\"labels\"><span class=\"kind\">{}</span>",
        escape(results.label())
    ));
    if results.simulated {
        text.push_str("<span>figures are simulated</span>");
    }
    if results.quick {
        text.push_str("<span>quick run</span>");
    }
    if let Some(changed) = &results.changed {
        text.push_str(&format!("<span>changed: {}</span>", escape(changed)));
    }
    if let Some(baseline) = &results.baseline {
        text.push_str(&format!("<span>baseline: {}</span>", escape(baseline)));
    }
    text.push_str("</p>\n");
    text
}

fn failed(results: &Results) -> String {
    if results.failed.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "<h2>Trials without a result</h2>\n<p>{} of the trials have none; nothing here stands in \
         for them.</p>\n<dl>\n",
        results.failed.len()
    );
    for (trial, reason) in &results.failed {
        text.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(trial), escape(reason)));
    }
    text.push_str("</dl>\n");
    text
}

fn notes(results: &Results) -> String {
    if results.notes.is_empty() {
        return String::new();
    }
    let notes: String =
        results.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    format!("<h2>How to read the figures</h2>\n<ul>\n{notes}</ul>\n")
}
