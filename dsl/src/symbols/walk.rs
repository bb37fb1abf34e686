//! From trees to symbols: every name with what it names.

use std::collections::{HashMap, HashSet};

use super::{Mention, Symbol, SymbolKind, declared};
use crate::ast::{self, Item, Step, TyKind};
use crate::check::template_variables;
use crate::load::Loaded;
use crate::span::{SourceMap, Span};
use crate::types::Type;

type Key = (SymbolKind, Option<String>, String);

pub(super) struct Walk<'a> {
    sources: &'a SourceMap,
    pub(super) types: &'a HashMap<Span, Type>,
    /// Declared values, types and enums of all files.
    pub(super) declared: HashMap<&'a str, SymbolKind>,
    /// Names that flows give, each with its flow.
    pub(super) columns: HashSet<(&'a str, &'a str)>,
    /// Names that groups leave, each with where its group begins; behind it `.name` is that.
    pub(super) grouped: HashMap<(&'a str, &'a str), u32>,
    /// Record of a sink, by the name of the sink.
    pub(super) sinks: HashMap<&'a str, &'a str>,
    /// Flows of the main file, which its tests are about.
    pub(super) flows: Vec<&'a ast::Flow>,
    numbers: HashMap<Key, usize>,
    symbols: Vec<Symbol>,
    mentions: Vec<Mention>,
}

/// Where an expression stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'a> {
    pub(super) flow: Option<&'a str>,
    /// Type of `.`.
    pub(super) record: Option<&'a str>,
    /// The function whose parameters are in sight.
    pub(super) function: Option<&'a ast::FnDef>,
}

pub(super) fn symbols(
    loaded: &Loaded,
    sources: &SourceMap,
    types: &HashMap<Span, Type>,
) -> (Vec<Symbol>, Vec<Mention>) {
    let mut walk = Walk {
        sources,
        types,
        declared: HashMap::new(),
        columns: HashSet::new(),
        grouped: HashMap::new(),
        sinks: HashMap::new(),
        flows: Vec::new(),
        numbers: HashMap::new(),
        symbols: Vec::new(),
        mentions: Vec::new(),
    };
    let items = || loaded.files.iter().flat_map(|file| &file.items);
    items().for_each(|item| walk.announce(item));
    // What a test mocks has a type when the flow has been walked, wherever it stands.
    let is_test = |item: &&Item| matches!(item, Item::Test(_));
    items().filter(|item| !is_test(item)).for_each(|item| walk.item(item));
    items().filter(is_test).for_each(|item| walk.item(item));
    (walk.symbols, walk.mentions)
}

impl<'a> Walk<'a> {
    /// Declarations may be used before they are made.
    fn announce(&mut self, item: &'a Item) {
        let (name, kind) = match item {
            Item::Param(it) => (&it.name, SymbolKind::Param),
            Item::Type(it) => (&it.name, SymbolKind::Type),
            Item::Enum(it) => (&it.name, SymbolKind::Enum),
            Item::Endpoint(it) => (&it.name, SymbolKind::Endpoint),
            Item::Source(it) => (&it.name, SymbolKind::Source),
            Item::Sink(it) => {
                if let Some(ty) = &it.ty {
                    self.sinks.entry(&it.name.text).or_insert(&ty.text);
                }
                (&it.name, SymbolKind::Sink)
            }
            Item::Index(it) => (&it.name, SymbolKind::Index),
            Item::Prompt(it) => (&it.name, SymbolKind::Prompt),
            Item::Fn(it) => (&it.name, SymbolKind::Function),
            Item::Flow(it) => {
                self.announce_steps(&it.name.text, &it.steps);
                if it.name.span.file == 0 {
                    self.flows.push(it);
                }
                return;
            }
            Item::Schedule(_)
            | Item::Slo(_)
            | Item::Measure(_)
            | Item::Test(_)
            | Item::Experiment(_) => return,
        };
        self.declared.entry(&name.text).or_insert(kind);
    }

    pub(super) fn note(
        &mut self,
        kind: SymbolKind,
        container: Option<&str>,
        name: &ast::Name,
        defines: bool,
    ) {
        self.note_at(kind, container, &name.text, name.span, defines);
    }

    pub(super) fn note_at(
        &mut self,
        kind: SymbolKind,
        container: Option<&str>,
        name: &str,
        span: Span,
        defines: bool,
    ) {
        let key = (kind, container.map(str::to_owned), name.to_owned());
        let next = self.symbols.len();
        let symbol = *self.numbers.entry(key).or_insert(next);
        if symbol == next {
            self.symbols.push(Symbol {
                name: name.to_owned(),
                kind,
                container: container.map(str::to_owned),
                ty: None,
                doc: None,
                line: None,
            });
        }
        let entry = &mut self.symbols[symbol];
        if entry.ty.is_none() {
            entry.ty = self.types.get(&span).cloned();
        }
        if defines && entry.line.is_none() {
            (entry.doc, entry.line) = declared(self.sources, span);
        }
        self.mentions.push(Mention { span, symbol, defines });
    }

    fn declaration(&mut self, kind: SymbolKind, name: &ast::Name) {
        self.note(kind, None, name, true);
    }

    /// A name that must be that of a declaration of this kind.
    pub(super) fn reference(&mut self, kind: SymbolKind, name: &ast::Name) {
        self.note(kind, None, name, false);
    }

    pub(super) fn type_name(&mut self, name: &str, span: Span) {
        if let Some(kind @ (SymbolKind::Type | SymbolKind::Enum)) = self.declared.get(name) {
            let span = Span { end: span.start + name.len() as u32, ..span };
            self.note_at(*kind, None, name, span, false);
        }
    }

    /// Says of which type a symbol is that has just been noted.
    pub(super) fn know(&mut self, ty: Type) {
        if let Some(mention) = self.mentions.last() {
            self.symbols[mention.symbol].ty.get_or_insert(ty);
        }
    }

    /// The enum that has a variant of this name, of several the first.
    pub(super) fn variant_called(&self, name: &str) -> Option<String> {
        let variant = |it: &&Symbol| it.kind == SymbolKind::Variant && it.name == name;
        self.symbols.iter().find(variant)?.container.clone()
    }

    /// The type of a symbol that has been seen.
    pub(super) fn type_of(&self, kind: SymbolKind, container: &str, name: &str) -> Option<&Type> {
        let key = (kind, Some(container.to_owned()), name.to_owned());
        self.symbols.get(*self.numbers.get(&key)?)?.ty.as_ref()
    }

    pub(super) fn ty(&mut self, ty: &ast::Ty) {
        match &ty.kind {
            TyKind::Name(name) => self.type_name(name, ty.span),
            TyKind::List(item) => self.ty(item),
            TyKind::Vector(_) | TyKind::Bad => {}
        }
    }

    fn item(&mut self, item: &'a Item) {
        let nowhere = Around::default();
        match item {
            Item::Param(it) => {
                self.declaration(SymbolKind::Param, &it.name);
                it.ty.iter().for_each(|ty| self.ty(ty));
                it.default.iter().for_each(|value| self.expr(value, nowhere));
            }
            Item::Type(it) => {
                self.declaration(SymbolKind::Type, &it.name);
                for field in &it.fields {
                    self.note(SymbolKind::Field, Some(&it.name.text), &field.name, true);
                    self.ty(&field.ty);
                    field.default.iter().for_each(|value| self.expr(value, nowhere));
                }
            }
            Item::Enum(it) => {
                self.declaration(SymbolKind::Enum, &it.name);
                for variant in &it.variants {
                    self.note(SymbolKind::Variant, Some(&it.name.text), variant, true);
                }
            }
            Item::Endpoint(it) => {
                self.declaration(SymbolKind::Endpoint, &it.name);
                self.block(&it.block, nowhere);
            }
            Item::Source(it) => self.leaf(SymbolKind::Source, it),
            Item::Sink(it) => self.leaf(SymbolKind::Sink, it),
            Item::Index(it) => self.leaf(SymbolKind::Index, it),
            Item::Prompt(it) => self.prompt(it),
            Item::Fn(it) => {
                self.declaration(SymbolKind::Function, &it.name);
                self.parameters(&it.name.text, &it.params);
                it.result.iter().for_each(|ty| self.ty(ty));
                self.expr(&it.body, Around { function: Some(it), ..nowhere });
            }
            Item::Flow(it) => {
                self.declaration(SymbolKind::Flow, &it.name);
                let record = self.record_of(&it.steps);
                self.steps(&it.steps, Around { flow: Some(&it.name.text), record, function: None });
            }
            Item::Schedule(block) => self.block(block, nowhere),
            Item::Slo(_) => {}
            Item::Measure(it) => it.every.iter().for_each(|expr| self.expr(expr, nowhere)),
            Item::Test(it) => self.test(it),
            Item::Experiment(it) => self.experiment(it),
        }
    }

    /// Name of the type of the records that the steps begin with.
    pub(super) fn record_of(&self, steps: &'a [Step]) -> Option<&'a str> {
        let Some(Step::From(name, _)) = steps.first() else { return None };
        match self.types.get(&name.span)? {
            Type::Record(record) => Some(&record.name),
            _ => None,
        }
    }

    fn leaf(&mut self, kind: SymbolKind, leaf: &'a ast::Leaf) {
        self.declaration(kind, &leaf.name);
        leaf.ty.iter().for_each(|ty| self.type_name(&ty.text, ty.span));
        let record = leaf.ty.as_ref().map(|ty| ty.text.as_str());
        let around = Around { record, ..Around::default() };
        leaf.call.args.iter().for_each(|arg| self.expr(&arg.value, around));
        self.block(&leaf.block, around);
    }

    fn parameters(&mut self, of: &str, params: &[ast::TypedName]) {
        for param in params {
            self.note(SymbolKind::Local, Some(of), &param.name, true);
            self.ty(&param.ty);
        }
    }

    fn prompt(&mut self, prompt: &'a ast::Prompt) {
        self.declaration(SymbolKind::Prompt, &prompt.name);
        self.parameters(&prompt.name.text, &prompt.params);
        prompt.result.iter().for_each(|ty| self.ty(ty));
        let raw = self.sources.text(prompt.raw);
        for (offset, name) in template_variables(raw) {
            if prompt.params.iter().any(|param| param.name.text == name) {
                let start = prompt.raw.start + offset as u32;
                let span = Span { start, end: start + name.len() as u32, ..prompt.raw };
                self.note_at(SymbolKind::Local, Some(&prompt.name.text), &name, span, false);
            }
        }
    }
}
