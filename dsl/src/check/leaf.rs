//! Sources, sinks and indexes: what lies outside, checked against the catalog.

use super::endpoint::EndpointRef;
use super::names::Decl;
use super::search::Searched;
use super::{Checker, Place, Scope};
use crate::ast;
use crate::catalog::{self, Kind, Param, Signature};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BadRows, BinaryOp, Expr, IndexPlan, SinkPlan, SourcePlan, columns_of};
use crate::suggest::{self, did_you_mean};
use crate::types::{RecordType, Type, Value};

/// Options of a `source` block.
pub const SOURCE_OPTIONS: &[Param] = &[
    Param {
        name: "bad_rows",
        kind: Kind::Word(&["dead_letter", "fail"]),
        default: Some("dead_letter"),
        doc: "what to do with a row that cannot be read",
    },
    Param {
        name: "changes",
        kind: Kind::String,
        default: Some("\"\""),
        doc: "field that says what became of the record with this key; `delete` is a deletion",
    },
];

/// Options of a `sink` block.
pub const SINK_OPTIONS: &[Param] = &[Param {
    name: "mode",
    kind: Kind::Word(&["final", "changes"]),
    default: Some("final"),
    doc: "what is left at the end, or every change with 1 or -1 in a last column",
}];

/// Options of an `index` block.
pub(crate) const INDEX_OPTIONS: &[&str] = &["embed", "text", "with", "search", "refresh"];

impl<'a> Checker<'a> {
    fn leaves(&self, wanted: impl Fn(Decl<'a>) -> Option<&'a ast::Leaf>) -> Vec<&'a ast::Leaf> {
        self.names.values.values().filter_map(|(_, decl)| wanted(*decl)).collect()
    }

    /// The catalog's entry for a call, or a message that there is none.
    pub(super) fn signature(
        &mut self,
        call: &ast::Call,
        known: &[&'static Signature],
        what: &str,
    ) -> Option<&'static Signature> {
        let name = call.name.text.as_str();
        if let Some(found) = catalog::find(known, name) {
            return Some(found);
        }
        let message = format!("unknown {what} `{name}`");
        if name == "tsv"
            && let Some(table) = catalog::find(known, "csv")
            && table.params.iter().any(|param| param.name == "delimiter")
        {
            let mut found = Diagnostic::error(codes::UNKNOWN_LEAF, call.name.span, message).help(
                "tabs are the delimiter of a table: `csv(\"table.tsv\", delimiter: \"\\t\")`",
            );
            let written = self.input.sources.text(call.span);
            if let Some(inside) = written.strip_prefix("tsv(").and_then(|it| it.strip_suffix(')')) {
                found = found.fix(call.span, format!("csv({inside}, delimiter: \"\\t\")"));
            }
            self.report(found);
            return None;
        }
        let names = || known.iter().map(|signature| signature.name);
        let help = did_you_mean(name, names())
            .unwrap_or_else(|| format!("there are {}", suggest::list(names())));
        self.report(Diagnostic::error(codes::UNKNOWN_LEAF, call.name.span, message).help(help));
        None
    }

    fn record_of(&mut self, leaf: &ast::Leaf, what: &str) -> Option<RecordType> {
        let Some(name) = &leaf.ty else {
            let message = format!("{what} `{}` has no type", leaf.name.text);
            self.report(
                Diagnostic::error(codes::PARAM_VALUE, leaf.name.span, message)
                    .help(format!("write `{what} {}: Type from ...`", leaf.name.text)),
            );
            return None;
        };
        self.record_named(name)
    }

    pub(crate) fn check_sources(&mut self) {
        let leaves =
            self.leaves(|decl| if let Decl::Source(leaf) = decl { Some(leaf) } else { None });
        for leaf in leaves {
            let plan = self.source(leaf);
            self.streams.insert(leaf.name.text.clone(), plan);
        }
    }

    fn source(&mut self, leaf: &'a ast::Leaf) -> Option<SourcePlan> {
        let record = self.record_of(leaf, "source");
        let signature = self.signature(&leaf.call, self.input.catalog.sources, "source");
        let options = self.options(&leaf.block, SOURCE_OPTIONS, "a source");
        let (record, signature) = (record?, signature?);
        let fields: Vec<(&str, Type)> =
            record.fields.iter().map(|field| (field.name.as_str(), field.ty.clone())).collect();
        let (args, filled) = self.settings(&leaf.call, signature, &fields, true)?;
        let bad_rows = match crate::plan::lookup(&options, "bad_rows").and_then(Value::as_str) {
            Some("fail") => BadRows::Fail,
            _ => BadRows::DeadLetter,
        };
        let changes = self.changes_of(leaf, &record);
        Some(SourcePlan {
            changes,
            distinct: None,
            expand: None,
            watermark: None,
            name: leaf.name.text.clone(),
            kind: signature.name.to_owned(),
            args,
            fields: filled,
            key: record.key(),
            record,
            bad_rows,
            line: self.line(leaf.name.span),
        })
    }

    pub(crate) fn check_sinks(&mut self) {
        let leaves =
            self.leaves(|decl| if let Decl::Sink(leaf) = decl { Some(leaf) } else { None });
        for leaf in leaves {
            let record = match &leaf.ty {
                Some(name) => self.record_named(name),
                None => None,
            };
            let signature = self.signature(&leaf.call, self.input.catalog.sinks, "sink");
            let args = signature.and_then(|found| self.settings(&leaf.call, found, &[], false));
            let options = self.options(&leaf.block, SINK_OPTIONS, "a sink");
            let mode = crate::plan::lookup(&options, "mode").and_then(Value::as_str);
            let unnamed = RecordType { name: String::new(), fields: Vec::new() };
            self.sink_known.push(leaf.ty.is_some());
            self.sinks.push(SinkPlan {
                name: leaf.name.text.clone(),
                kind: leaf.call.name.text.clone(),
                args: args.map(|(values, _)| values).unwrap_or_default(),
                record: record.unwrap_or(unnamed),
                changes: mode == Some("changes"),
                line: self.line(leaf.name.span),
            });
        }
    }

    pub(crate) fn check_indexes(&mut self) {
        let leaves =
            self.leaves(|decl| if let Decl::Index(leaf) = decl { Some(leaf) } else { None });
        for leaf in leaves {
            let plan = self.index(leaf);
            self.index_names.push(leaf.name.text.clone());
            self.indexes.push(plan);
        }
    }

    fn index(&mut self, leaf: &'a ast::Leaf) -> Option<IndexPlan> {
        let record = self.record_of(leaf, "index");
        let signature =
            self.signature(&leaf.call, self.input.catalog.documents, "source of documents");
        let before = self.diagnostics.len();
        let mut embedder = None;
        let mut search = Searched::default();
        let mut text = None;
        let mut refresh_ns = None;
        for entry in &leaf.block.entries {
            match entry.key.text.as_str() {
                "embed" | "text" => {
                    if let Some(record) = &record {
                        text = self.document_text(&entry.value, record);
                    }
                }
                "with" => embedder = self.endpoint_named(&entry.value),
                "search" => search = self.search(&entry.value).unwrap_or_default(),
                "refresh" => refresh_ns = self.refresh(&entry.value),
                _ => self.unknown_option(&entry.key, INDEX_OPTIONS, "an index"),
            }
        }
        let (record, signature) = (record?, signature?);
        let key = record.key().or_else(|| record.field("id").map(|(at, _)| at));
        if key.is_none() {
            let message = format!("documents of `{}` have no key", leaf.name.text);
            self.report(
                Diagnostic::error(codes::NO_KEY, leaf.name.span, message)
                    .help(format!("mark the field that identifies a {} by `@key`", record.name)),
            );
        }
        let key = key?;
        let given =
            leaf.block.entries.iter().any(|e| matches!(e.key.text.as_str(), "embed" | "text"));
        if !given {
            text = default_text(&record, key);
            if text.is_none() {
                let message = format!("{} has no string field to search in", record.name);
                self.report(
                    Diagnostic::error(codes::NO_TEXT, leaf.name.span, message)
                        .help("say what the text is by `{ embed: ... }`"),
                );
            }
        }
        let settings = self.settings(&leaf.call, signature, &[], true);
        if let Some((values, _)) = &settings {
            self.passages(&leaf.call, values);
        }
        if self.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        Some(IndexPlan {
            name: leaf.name.text.clone(),
            kind: signature.name.to_owned(),
            args: settings?.0,
            record,
            key,
            text: text?,
            search: search.plan(embedder.is_some()),
            vectors: search.vectors,
            embedder: embedder.and_then(|EndpointRef(at)| at),
            refresh_ns,
            line: self.line(leaf.name.span),
        })
    }

    fn document_text(&mut self, written: &ast::Expr, record: &RecordType) -> Option<Expr> {
        let columns = columns_of(&record.fields);
        let scope = Scope {
            columns: &columns,
            own: columns.len(),
            place: Place::Document,
            ..Scope::constant()
        };
        self.slots = 0;
        let typed = self.want(written, &scope, &Type::String);
        (!typed.is_poison()).then_some(typed.expr)
    }
}

/// The title and text of a document, or all its strings but the key.
fn default_text(record: &RecordType, key: usize) -> Option<Expr> {
    let usual = ["title", "text", "body", "content", "abstract", "summary"];
    let strings: Vec<usize> = (0..record.fields.len())
        .filter(|at| *at != key && record.fields[*at].ty == Type::String)
        .collect();
    let named: Vec<usize> = strings
        .iter()
        .copied()
        .filter(|at| usual.contains(&record.fields[*at].name.as_str()))
        .collect();
    let chosen = if named.is_empty() { strings } else { named };
    // More than a few would make a deep tree; and nobody means thirty fields by "the text".
    chosen.into_iter().take(12).map(Expr::Column).reduce(|left, right| {
        let line = Expr::Literal(Value::String("\n".to_owned()));
        let left = Expr::Binary(BinaryOp::Add, Box::new(left), Box::new(line));
        Expr::Binary(BinaryOp::Add, Box::new(left), Box::new(right))
    })
}
