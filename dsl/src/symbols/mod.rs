//! What an editor asks of a program: which name stands where, where it is declared, of what type it
//! is.
//!
//! It is read from the tree, so a program with mistakes has symbols as far as it could be read, and
//! names are resolved by the same rules as in the checker: locals, columns of the flow, declarations.
//! **Two places have one symbol when they have one key**: kind of name, what it belongs to, name. A
//! declaration that overrides an imported one is therefore the same symbol, as it should be when it
//! is renamed.

mod experiment;
mod expression;
mod step;
mod test;
mod walk;

use std::collections::HashMap;

use crate::compile::{self, Compiled, Request};
use crate::load;
use crate::span::{SourceMap, Span};
use crate::types::Type;

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// `param`.
    Param,
    /// `type`.
    Type,
    /// `enum`.
    Enum,
    /// A variant of an enum.
    Variant,
    /// A field of a type.
    Field,
    /// `endpoint`.
    Endpoint,
    /// `source`.
    Source,
    /// `sink`.
    Sink,
    /// `index`.
    Index,
    /// `prompt`.
    Prompt,
    /// `fn`.
    Function,
    /// `flow`.
    Flow,
    /// What a step of a flow gives a name to.
    Column,
    /// A parameter of a function or a prompt.
    Local,
}

impl SymbolKind {
    /// The word that declares it, or what it is.
    pub fn word(self) -> &'static str {
        match self {
            SymbolKind::Param => "param",
            SymbolKind::Type => "type",
            SymbolKind::Enum => "enum",
            SymbolKind::Variant => "variant",
            SymbolKind::Field => "field",
            SymbolKind::Endpoint => "endpoint",
            SymbolKind::Source => "source",
            SymbolKind::Sink => "sink",
            SymbolKind::Index => "index",
            SymbolKind::Prompt => "prompt",
            SymbolKind::Function => "fn",
            SymbolKind::Flow => "flow",
            SymbolKind::Column => "stage",
            SymbolKind::Local => "parameter",
        }
    }
}

/// Something that has a name.
#[derive(Debug, Clone)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// The type, enum, flow, function or prompt that it belongs to.
    pub container: Option<String>,
    /// Its type, as far as it is known.
    pub ty: Option<Type>,
    /// The `///` comment above its declaration.
    pub doc: Option<String>,
    /// The line that declares it.
    pub line: Option<String>,
}

/// A place where a symbol stands.
#[derive(Debug, Clone, Copy)]
pub struct Mention {
    /// The name itself.
    pub span: Span,
    /// Position in [`Survey::symbols`].
    pub symbol: usize,
    /// Whether it is declared here.
    pub defines: bool,
}

/// All symbols of a program, and what the compiler says of it.
#[derive(Debug)]
pub struct Survey {
    /// Plans, findings and files.
    pub compiled: Compiled,
    /// Everything with a name.
    pub symbols: Vec<Symbol>,
    /// Where they stand, by place.
    pub mentions: Vec<Mention>,
    types: HashMap<Span, Type>,
}

impl Survey {
    /// What stands at a byte of the main file, or right before it.
    pub fn at(&self, offset: u32) -> Option<&Mention> {
        let inside = |span: Span| span.file == 0 && span.start <= offset && offset <= span.end;
        self.mentions.iter().find(|mention| inside(mention.span))
    }

    /// Where a symbol stands, its declarations among them.
    pub fn mentions_of(&self, symbol: usize) -> impl Iterator<Item = &Mention> {
        self.mentions.iter().filter(move |mention| mention.symbol == symbol)
    }

    /// Type of the longest expression of the main file that ends at a byte.
    pub fn type_ending_at(&self, offset: u32) -> Option<&Type> {
        let ending = self.types.iter().filter(|(span, _)| span.file == 0 && span.end == offset);
        ending.min_by_key(|(span, _)| span.start).map(|(_, ty)| ty)
    }

    /// The record that a flow of the main file begins with.
    pub fn record_of_flow(&self, flow: &str) -> Option<&Type> {
        let from = self.mentions.iter().find(|mention| {
            let symbol = &self.symbols[mention.symbol];
            symbol.kind == SymbolKind::Source
                && !mention.defines
                && self.flow_of(mention.span).is_some_and(|name| name == flow)
        })?;
        self.types.get(&from.span)
    }

    /// Name of the flow that a place of the main file may be in: the last that begins before it.
    pub fn flow_of(&self, span: Span) -> Option<&str> {
        let before = self.mentions.iter().filter(|mention| {
            mention.defines
                && mention.span.file == span.file
                && mention.span.start <= span.start
                && self.symbols[mention.symbol].kind == SymbolKind::Flow
        });
        let last = before.max_by_key(|mention| mention.span.start)?;
        Some(&self.symbols[last.symbol].name)
    }
}

/// The symbols of a tree and where they stand, with the types of its expressions as far as known.
pub(crate) fn of_tree(
    loaded: &load::Loaded,
    sources: &SourceMap,
    types: &HashMap<Span, Type>,
) -> (Vec<Symbol>, Vec<Mention>) {
    walk::symbols(loaded, sources, types)
}

/// Compiles a program and finds its symbols.
pub fn survey(request: Request<'_>) -> Survey {
    let mut sources = SourceMap::default();
    let mut diagnostics = Vec::new();
    let loaded = load::load(&request, &mut sources, &mut diagnostics);
    let mut seen = Vec::new();
    let compiled =
        compile::loaded_program(&request, &loaded, sources, diagnostics, Some(&mut seen));
    // Of the rounds of a loop the first has the types as they are written.
    let mut types: HashMap<Span, Type> = HashMap::with_capacity(seen.len());
    for (span, ty) in seen {
        types.entry(span).or_insert(ty);
    }
    let (symbols, mut mentions) = walk::symbols(&loaded, &compiled.sources, &types);
    mentions.sort_by_key(|mention| (mention.span, !mention.defines));
    mentions.dedup_by_key(|mention| mention.span);
    Survey { compiled, symbols, mentions, types }
}

/// The `///` lines above the line in which `span` begins, and that line itself.
fn declared(sources: &SourceMap, span: Span) -> (Option<String>, Option<String>) {
    let Some(file) = sources.files.get(span.file as usize) else { return (None, None) };
    let start = file
        .text
        .get(..span.start as usize)
        .map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
    let (before, behind) = file.text.split_at(start);
    let mut doc: Vec<&str> = before
        .lines()
        .rev()
        .map_while(|line| line.trim().strip_prefix("///"))
        .map(str::trim)
        .collect();
    doc.reverse();
    let line = behind.lines().next().map(|line| line.trim().to_owned());
    ((!doc.is_empty()).then(|| doc.join("\n")), line)
}
