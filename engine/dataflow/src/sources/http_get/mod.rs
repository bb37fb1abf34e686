//! `http_get`: records of a document that a server has, in one page or several.
//!
//! A server need not answer the same twice, so each page is on the disk before the dataflow sees a
//! record of it ([`spool`]): a run that goes on reads the pages it has, and asks for those behind them
//! only. What is taken for granted is that the address of the next page, which a page names, still
//! leads to what follows it.

mod document;
mod spool;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sage_core::web::{Asking, HttpCall, HttpMethod};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::Value;

use self::document::Format;
use self::spool::{Page, Spool};
use super::{Batch, Kept, Source, SourceEntry, broken, open_plain};
use crate::error::DataflowError;
use crate::outside::{HEADER, TOKEN, most_bytes, patience, requested, timeout};

/// Most pages that may be allowed.
const MOST_PAGES: i64 = 100_000;
/// Largest page that may be allowed.
const MOST_PAGE: usize = 256 << 20;

pub(crate) const KIND: &str = "http_get";

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: KIND,
        summary: "what a server has, as JSON, JSON lines or CSV, in one page or several; needs \
                  `--allow-http HOST:PORT`",
        params: &[
            Param { name: "url", kind: Kind::Address, default: None, doc: "address of the first page" },
            Param {
                name: "format",
                kind: Kind::Word(&["json", "jsonl", "csv"]),
                default: Some("json"),
                doc: "a document with an array of objects, an object a line, or lines with a header",
            },
            Param {
                name: "rows",
                kind: Kind::String,
                default: Some("\"\""),
                doc: "for `json`: where in the document the array is, as in `\"data.items\"`; the whole \
                      document unless said",
            },
            Param {
                name: "next",
                kind: Kind::String,
                default: Some("\"\""),
                doc: "for `json`: where the address of the next page is, null or missing on the last; \
                      unless said, the field `Link` of the head counts (`rel=\"next\"`)",
            },
            Param {
                name: "pages",
                kind: Kind::Count(1, MOST_PAGES),
                default: Some("1000"),
                doc: "a further page is an error",
            },
            HEADER,
            TOKEN,
            timeout("longest time of a try, until the whole page is there"),
            patience(
                "how long a page is asked for again after failures that may pass, before the run ends",
            ),
            Param {
                name: "max_page",
                kind: Kind::Size,
                default: Some("16MiB"),
                doc: "largest page, up to 256MiB",
            },
        ],
        example: "source items: Item from http_get(\"http://localhost:9000/items\", rows: \"items\", next: \"next\")",
        takes_fields: false,
    },
    open,
};

/// What a program says of it.
#[derive(Debug, Clone)]
struct Options {
    call: HttpCall,
    format: Format,
    rows: String,
    next: String,
    pages: u64,
    patience: Duration,
}

impl Options {
    fn of(plan: &SourcePlan) -> Result<Self, String> {
        let value = |name: &str| lookup(&plan.args, name);
        let text = |name: &str| value(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let format = Format::parse(&text("format"));
        let (rows, next) = (text("rows"), text("next"));
        if format != Format::Json && !(rows.is_empty() && next.is_empty()) {
            return Err("`rows` and `next` are fields of a document: `format: json`".to_owned());
        }
        let most = most_bytes(value("max_page"), "max_page", 16 << 20, MOST_PAGE)?;
        let (call, patience) = requested(&plan.args, HttpMethod::Get, most)?;
        let pages = value("pages").and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
        Ok(Options {
            call,
            format,
            rows,
            next,
            pages: pages.unwrap_or(1_000).max(1),
            patience,
        })
    }
}

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let options = Options::of(plan).map_err(|message| broken(plan, message))?;
    Ok(Box::new(Pages {
        plan: plan.clone(),
        next: Some(options.call.url.clone()),
        options,
        asking: None,
        spool: None,
        seen: HashSet::new(),
        current: None,
        number: 0,
        tasks: 0,
        bad: 0,
    }))
}

/// The source.
struct Pages {
    plan: SourcePlan,
    options: Options,
    asking: Option<Box<dyn Asking>>,
    /// `None` outside of a run.
    spool: Option<Spool>,
    /// Address of the page that is opened next; `None` behind the last.
    next: Option<String>,
    /// Addresses so far.
    seen: HashSet<String>,
    current: Option<Current>,
    /// Pages so far.
    number: u64,
    /// Batches with rows so far, and rows that are no records.
    tasks: u64,
    bad: u64,
}

/// A page that is being read.
struct Current {
    rows: Box<dyn Source>,
    /// Its file, as the reader names it.
    file: String,
    address: String,
}

impl Pages {
    fn failed(&self, message: impl std::fmt::Display) -> DataflowError {
        broken(&self.plan, message.to_string())
    }

    /// Open the page at `address`: the one that is there, or the one that the server gives.
    fn turn(&mut self, address: String) -> Result<(), DataflowError> {
        let Some(spool) = &self.spool else {
            return Err(self.failed(
                "what a server answers is asked for in a run only; give it as a file to look at the rest",
            ));
        };
        if self.number >= self.options.pages {
            return Err(self.failed(format!(
                "it has more than {} pages (`pages`); the next one is `{address}`",
                self.options.pages
            )));
        }
        if !self.seen.insert(address.clone()) {
            return Err(self.failed(format!("its pages go in a circle: `{address}` comes again")));
        }
        let page = if let Some(page) = spool.there(self.number, &address)? {
            page
        } else {
            spool.complete(self.tasks, self.bad, self.number)?;
            let fetched = self.fetch(&address)?;
            let Some(spool) = &self.spool else { return Ok(()) };
            spool.keep(self.number, &address, fetched.next, fetched.lines.as_bytes())?
        };
        self.number += 1;
        self.next.clone_from(&page.next);
        self.current = Some(self.read_page(&page, address)?);
        Ok(())
    }

    fn fetch(&mut self, address: &str) -> Result<document::Fetched, DataflowError> {
        let Options { call, format, rows, next, patience, .. } = &self.options;
        let asked = match &mut self.asking {
            Some(asking) => asking
                .ask(address, None, "", *patience)
                .map_err(|unanswered| unanswered.error.message),
            None => Err("there is nobody who could ask".to_owned()),
        };
        let fetched = asked.and_then(|answer| {
            format
                .fetched(answer, rows, next, &call.url)
                .map_err(|why| format!("page {} (`{address}`): {why}", self.number + 1))
        });
        fetched.map_err(|message| self.failed(message))
    }

    fn read_page(&self, page: &Page, address: String) -> Result<Current, DataflowError> {
        let file = page.path.display().to_string();
        let mut plan = self.plan.clone();
        self.options.format.reader().clone_into(&mut plan.kind);
        plan.args = vec![("path".to_owned(), Value::String(file.clone()))];
        // It is known over all pages, if at all.
        plan.distinct = None;
        let rows = open_plain(&plan)
            .map_err(|error| self.failed(error.to_string().replace(&file, &address)))?;
        Ok(Current { rows, file, address })
    }
}

impl Source for Pages {
    fn keep(&mut self, kept: &Kept) -> Result<(), DataflowError> {
        self.spool = Some(Spool::begin(kept)?);
        if let Some(web) = &kept.web {
            let asking = web.open(Arc::new(self.options.call.clone()));
            self.asking = Some(asking.map_err(|message| self.failed(message))?);
        }
        Ok(())
    }

    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        loop {
            let Some(current) = &mut self.current else {
                match self.next.take() {
                    Some(address) => self.turn(address)?,
                    None => return Ok(false),
                }
                continue;
            };
            let more = current.rows.read(batch, rows)?;
            for bad in &mut batch.bad {
                bad.place = bad.place.replace(&current.file, &current.address);
            }
            if !more {
                self.current = None;
            }
            if !batch.rows.is_empty() || !batch.bad.is_empty() {
                self.tasks += u64::from(!batch.rows.is_empty());
                self.bad += batch.bad.len() as u64;
                return Ok(true);
            }
        }
    }
}

/// Whether a run has pages.
pub(super) fn has_begun(out: &std::path::Path) -> bool {
    Spool::has_begun(out)
}
