//! What a text is made of: its declarations, each with its fields, entries or steps.
//!
//! It is read from the words and not from the tree, so that a half-written program has an outline as
//! well, and a place that the parser leaves out keeps its line.

use lsp_types::{
    DocumentSymbol, FoldingRange, FoldingRangeKind, Location, OneOf, SymbolKind, WorkspaceSymbol,
};
use sage_dsl::Span;

use super::documents::Documents;
use super::token::{Kind, Token, tokens};
use super::{position, uri};

/// Words that begin a declaration, each with what an editor shows it as.
const DECLARATIONS: &[(&str, SymbolKind)] = &[
    ("import", SymbolKind::PACKAGE),
    ("param", SymbolKind::CONSTANT),
    ("type", SymbolKind::STRUCT),
    ("enum", SymbolKind::ENUM),
    ("endpoint", SymbolKind::INTERFACE),
    ("source", SymbolKind::FILE),
    ("sink", SymbolKind::FILE),
    ("index", SymbolKind::FILE),
    ("prompt", SymbolKind::FUNCTION),
    ("fn", SymbolKind::FUNCTION),
    ("flow", SymbolKind::CLASS),
    ("schedule", SymbolKind::OBJECT),
    ("slo", SymbolKind::OBJECT),
    ("measure", SymbolKind::OBJECT),
    ("test", SymbolKind::METHOD),
    ("experiment", SymbolKind::NAMESPACE),
];

/// Words that begin a step of a flow.
const STEPS: &[&str] = &[
    "from", "where", "stage", "route", "loop", "carry", "group", "join", "dedup", "flat_map",
    "emit",
];

/// Characters of the text of a declaration that are shown behind its name.
const SHOWN: usize = 60;
/// Steps within steps; what lies deeper has no line of its own.
const DEEPEST: usize = 16;

/// The outline of a text.
pub(super) fn outline(text: &str) -> Vec<DocumentSymbol> {
    let all = tokens(text);
    let known: Vec<Token<'_>> = all.into_iter().filter(|it| it.kind != Kind::Comment).collect();
    let outline = Outline { text };
    outline.declarations(&known)
}

/// Declarations of all open texts whose names contain `query`, however it is capitalized.
pub(super) fn declared(documents: &Documents, query: &str) -> Vec<WorkspaceSymbol> {
    let query = query.to_lowercase();
    let mut paths = documents.paths();
    paths.sort();
    let of_path = |path: String| -> Option<Vec<WorkspaceSymbol>> {
        let uri = uri::of_path(&path)?;
        let symbols = outline(&documents.get(&path)?.text).into_iter();
        let symbols = symbols.filter(|it| it.name.to_lowercase().contains(&query));
        let location = |range| OneOf::Left(Location { uri: uri.clone(), range });
        let symbol = |it: DocumentSymbol| WorkspaceSymbol {
            name: it.name,
            kind: it.kind,
            tags: None,
            container_name: it.detail,
            location: location(it.selection_range),
            data: None,
        };
        Some(symbols.map(symbol).collect())
    };
    paths.into_iter().filter_map(of_path).flatten().collect()
}

/// What can be folded: brackets over several lines, and comments that follow each other.
pub(super) fn folds(text: &str) -> Vec<FoldingRange> {
    let line = |at: usize| position::of(text, at as u32).line;
    let (mut open, mut found) = (Vec::new(), Vec::new());
    let mut comment: Option<(u32, u32)> = None;
    let fold = |start: u32, end: u32, kind| FoldingRange {
        start_line: start,
        end_line: end,
        kind: Some(kind),
        ..FoldingRange::default()
    };
    for token in tokens(text) {
        match token.text {
            "{" | "(" | "[" if token.kind == Kind::Sign => open.push(line(token.start)),
            "}" | ")" | "]" if token.kind == Kind::Sign => {
                let end = line(token.start);
                // The closing bracket stays in sight.
                if let Some(start) = open.pop().filter(|start| *start + 1 < end) {
                    found.push(fold(start, end - 1, FoldingRangeKind::Region));
                }
            }
            _ if token.kind == Kind::Text && token.text.contains('\n') => {
                let (start, end) = (line(token.start), line(token.end()));
                if start + 1 < end {
                    found.push(fold(start, end - 1, FoldingRangeKind::Region));
                }
            }
            _ => {}
        }
        if token.kind == Kind::Comment && token.first_of_line {
            let at = line(token.start);
            comment = match comment {
                Some((start, end)) if end + 1 == at => Some((start, at)),
                before => {
                    found.extend(comment_fold(before, &fold));
                    Some((at, at))
                }
            };
        }
    }
    found.extend(comment_fold(comment, &fold));
    found.sort_by_key(|it| (it.start_line, it.end_line));
    found.dedup_by_key(|it| it.start_line);
    found
}

fn comment_fold(
    lines: Option<(u32, u32)>,
    fold: &dyn Fn(u32, u32, FoldingRangeKind) -> FoldingRange,
) -> Option<FoldingRange> {
    let (start, end) = lines.filter(|(start, end)| start < end)?;
    Some(fold(start, end, FoldingRangeKind::Comment))
}

struct Outline<'t> {
    text: &'t str,
}

impl<'t> Outline<'t> {
    fn declarations(&self, all: &[Token<'t>]) -> Vec<DocumentSymbol> {
        let mut depth = 0_usize;
        let mut starts = Vec::new();
        for (at, token) in all.iter().enumerate() {
            let column_0 = token.start == 0 || self.text[..token.start].ends_with('\n');
            // At the margin a declaration begins, whatever was left open before it.
            if token.first_of_line && (depth == 0 || column_0) && declares(token, all.get(at + 1)) {
                starts.push(at);
                depth = 0;
            }
            step_depth(token, &mut depth);
        }
        let ends = starts.iter().skip(1).copied().chain([all.len()]);
        let pieces = starts.iter().zip(ends).map(|(start, end)| &all[*start..end]);
        pieces.filter_map(|piece| self.declaration(piece)).collect()
    }

    fn declaration(&self, piece: &[Token<'t>]) -> Option<DocumentSymbol> {
        let word = piece.first()?;
        let (_, kind) = DECLARATIONS.iter().find(|(name, _)| *name == word.text)?;
        let named = !matches!(word.text, "schedule" | "slo" | "measure");
        let name = piece.get(1).filter(|_| named).unwrap_or(word);
        let body = body(piece);
        let entries = |kind| pieces(body, is_entry, |piece| self.entry(piece, kind));
        let children = match word.text {
            "type" => entries(SymbolKind::FIELD),
            "enum" => pieces(
                body,
                |_, it, _| it.kind == Kind::Word,
                |piece| self.symbol(SymbolKind::ENUM_MEMBER, piece, piece.first()?, None),
            ),
            "endpoint" | "schedule" | "source" | "sink" | "index" => entries(SymbolKind::PROPERTY),
            "flow" => self.steps(body, DEEPEST),
            "test" => pieces(body, is_part_of_test, |piece| self.line(piece, SymbolKind::EVENT)),
            "experiment" => {
                pieces(body, is_part_of_experiment, |piece| match piece.first()?.text {
                    "sweep" | "claim" => {
                        self.symbol(SymbolKind::EVENT, piece, piece.get(1)?, Some(piece.first()?))
                    }
                    _ => self.entry(piece, SymbolKind::PROPERTY),
                })
            }
            _ => Vec::new(),
        };
        let symbol = self.symbol(*kind, piece, name, named.then_some(word))?;
        Some(DocumentSymbol { children: Some(children).filter(|it| !it.is_empty()), ..symbol })
    }

    fn steps(&self, body: &[Token<'t>], deepest: usize) -> Vec<DocumentSymbol> {
        if deepest == 0 {
            return Vec::new();
        }
        pieces(body, is_step, |piece| {
            let word = piece.first()?;
            let children = match word.text {
                "loop" => self.steps(inner(piece), deepest - 1),
                "route" => pieces(inner(piece), is_arm, |arm| {
                    let children = self.steps(inner(arm), deepest - 1);
                    let line = self.line(arm, SymbolKind::ENUM_MEMBER)?;
                    Some(DocumentSymbol { children: Some(children), ..line })
                }),
                _ => Vec::new(),
            };
            let named = matches!(word.text, "stage" | "carry" | "flat_map");
            let symbol = match piece.get(1).filter(|_| named) {
                Some(name) => self.symbol(SymbolKind::VARIABLE, piece, name, Some(word)),
                None => self.line(piece, SymbolKind::OPERATOR),
            };
            Some(DocumentSymbol { children: Some(children).filter(|it| !it.is_empty()), ..symbol? })
        })
    }

    /// `name: value`, the value beside it.
    fn entry(&self, piece: &[Token<'t>], kind: SymbolKind) -> Option<DocumentSymbol> {
        let symbol = self.symbol(kind, piece, piece.first()?, None)?;
        let value = piece.get(2..).and_then(|value| self.shown(value));
        Some(DocumentSymbol { detail: value, ..symbol })
    }

    /// What has no name is called by its first line.
    fn line(&self, piece: &[Token<'t>], kind: SymbolKind) -> Option<DocumentSymbol> {
        let mut symbol = self.symbol(kind, piece, piece.first()?, None)?;
        symbol.name = self.shown(piece)?;
        Some(symbol)
    }

    /// The text of a piece up to its body or the end of its line.
    fn shown(&self, piece: &[Token<'t>]) -> Option<String> {
        let (start, end) = (piece.first()?.start, piece.last()?.end());
        let line = self.text.get(start..end)?.lines().next()?.trim_end_matches([' ', '{', ',']);
        Some(match line.char_indices().nth(SHOWN) {
            Some((cut, _)) => format!("{}...", &line[..cut]),
            None => line.to_owned(),
        })
    }

    fn symbol(
        &self,
        kind: SymbolKind,
        piece: &[Token<'t>],
        name: &Token<'t>,
        word: Option<&Token<'t>>,
    ) -> Option<DocumentSymbol> {
        let range = |start: usize, end: usize| {
            position::range(self.text, Span { file: 0, start: start as u32, end: end as u32 })
        };
        // A comma behind an entry does not belong to it.
        let last = piece.iter().rev().find(|it| !it.is(","))?;
        let shown = name.text.trim_matches('"');
        #[allow(
            deprecated,
            reason = "the field has to be there; nothing of the language is deprecated"
        )]
        Some(DocumentSymbol {
            name: if shown.is_empty() { name.text } else { shown }.to_owned(),
            detail: word.map(|word| word.text.to_owned()),
            kind,
            tags: None,
            deprecated: None,
            range: range(piece.first()?.start, last.end()),
            selection_range: range(name.start, name.end()),
            children: None,
        })
    }
}

/// The pieces of a body, each from a token that begins one to the next.
fn pieces<'t>(
    body: &[Token<'t>],
    begins: impl Fn(Option<&Token<'t>>, &Token<'t>, Option<&Token<'t>>) -> bool,
    make: impl Fn(&[Token<'t>]) -> Option<DocumentSymbol>,
) -> Vec<DocumentSymbol> {
    let mut depth = 0;
    let mut starts = Vec::new();
    for (at, token) in body.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &body[at]);
        if depth == 0 && begins(before, token, body.get(at + 1)) {
            starts.push(at);
        }
        step_depth(token, &mut depth);
    }
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| make(&body[*start..end])).collect()
}

fn step_depth(token: &Token<'_>, depth: &mut usize) {
    match token.text {
        "{" | "(" | "[" if token.kind == Kind::Sign => *depth += 1,
        "}" | ")" | "]" if token.kind == Kind::Sign => *depth = depth.saturating_sub(1),
        _ => {}
    }
}

/// What stands between the first `{` outside of other brackets and its `}`.
fn body<'a, 't>(piece: &'a [Token<'t>]) -> &'a [Token<'t>] {
    let mut depth = 0;
    let mut start = None;
    for (at, token) in piece.iter().enumerate() {
        if depth == 0 && token.is("{") && start.is_none() {
            start = Some(at + 1);
        }
        step_depth(token, &mut depth);
        if depth == 0
            && let Some(start) = start
        {
            return &piece[start..at];
        }
    }
    start.map_or(&[], |start| &piece[start..])
}

/// The same of the last such bracket: `match x { ... } {` has two.
fn inner<'a, 't>(piece: &'a [Token<'t>]) -> &'a [Token<'t>] {
    let (mut depth, mut last) = (0, 0);
    for (at, token) in piece.iter().enumerate() {
        if depth == 0 && token.is("{") {
            last = at;
        }
        step_depth(token, &mut depth);
    }
    body(&piece[last..])
}

fn declares(token: &Token<'_>, next: Option<&Token<'_>>) -> bool {
    let known = DECLARATIONS.iter().any(|(word, _)| token.is(word));
    known && next.is_none_or(|next| ![":", "=", "(", ".", ","].contains(&next.text))
}

fn is_entry(_: Option<&Token<'_>>, token: &Token<'_>, next: Option<&Token<'_>>) -> bool {
    token.kind == Kind::Word && next.is_some_and(|next| next.is(":"))
}

fn is_step(before: Option<&Token<'_>>, token: &Token<'_>, next: Option<&Token<'_>>) -> bool {
    let part = before.is_some_and(|before| before.is(".") && before.end() == token.start);
    let other = next.is_some_and(|next| next.is(":") || token.is("join") && next.is("("));
    STEPS.iter().any(|word| token.is(word)) && !part && !other
}

fn is_arm(_: Option<&Token<'_>>, token: &Token<'_>, _: Option<&Token<'_>>) -> bool {
    token.is("when") || token.is("else")
}

fn is_part_of_test(before: Option<&Token<'_>>, token: &Token<'_>, _: Option<&Token<'_>>) -> bool {
    let part = before.is_some_and(|before| before.is("."));
    !part && ["given", "mock", "fault", "expect"].iter().any(|word| token.is(word))
}

fn is_part_of_experiment(
    before: Option<&Token<'_>>,
    token: &Token<'_>,
    next: Option<&Token<'_>>,
) -> bool {
    let entry = is_entry(before, token, next);
    let flag = token.first_of_line && (token.is("together") || token.is("fair"));
    entry || flag || token.is("sweep") || token.is("claim") || token.is("quick")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names with those in them, and the text of each.
    fn lines(text: &str) -> Vec<String> {
        fn walk(symbols: &[DocumentSymbol], depth: usize, text: &str, out: &mut Vec<String>) {
            for it in symbols {
                let at = |position| position::byte(text, position) as usize;
                let whole = &text[at(it.range.start)..at(it.range.end)];
                let name = &text[at(it.selection_range.start)..at(it.selection_range.end)];
                assert!(whole.contains(name), "{name} is not in {whole}");
                out.push(format!(
                    "{}{} <{}>",
                    "  ".repeat(depth),
                    it.name,
                    whole.replace('\n', "/")
                ));
                walk(it.children.as_deref().unwrap_or_default(), depth + 1, text, out);
            }
        }
        let mut out = Vec::new();
        walk(&outline(text), 0, text, &mut out);
        out
    }

    #[test]
    fn pieces_are_whole_and_lie_in_each_other() {
        let text = "sage 1\n/// Doc.\ntype A { id: string @key, n: [int] = [1, 2] }\n\
            enum E { a, b }\n\
            source s: A from csv(\"s.csv\", watch: 1s) { bad_rows: fail }\n\
            flow f {\n  from s\n  stage x = join(.n, \"\")\n\
            \x20 route .e {\n    when a => { stage y = 1 }\n    else => { carry z = 2 }\n  }\n\
            \x20 emit A { id: .id } into out\n}\n\
            measure to stdout { calls by stage }\n\
            test \"t\" { given 1 of s expect out.count == 1 }\n\
            experiment e {\n  jobs: [f], repeat: 2\n  sweep n in [1, 2]\n  claim \"c\" { n[1] > 2 }\n}\n";
        let wanted = [
            "A <type A { id: string @key, n: [int] = [1, 2] }>",
            "  id <id: string @key>",
            "  n <n: [int] = [1, 2]>",
            "E <enum E { a, b }>",
            "  a <a>",
            "  b <b>",
            "s <source s: A from csv(\"s.csv\", watch: 1s) { bad_rows: fail }>",
            "  bad_rows <bad_rows: fail>",
            "f <flow f {/  from s/  stage x = join(.n, \"\")/  route .e {/    when a => { stage y = 1 }/    else => { carry z = 2 }/  }/  emit A { id: .id } into out/}>",
            "  from s <from s>",
            "  x <stage x = join(.n, \"\")>",
            "  route .e <route .e {/    when a => { stage y = 1 }/    else => { carry z = 2 }/  }>",
            "    when a => { stage y = 1 } <when a => { stage y = 1 }>",
            "      y <stage y = 1>",
            "    else => { carry z = 2 } <else => { carry z = 2 }>",
            "      z <carry z = 2>",
            "  emit A { id: .id } into out <emit A { id: .id } into out>",
            "measure <measure to stdout { calls by stage }>",
            "t <test \"t\" { given 1 of s expect out.count == 1 }>",
            "  given 1 of s <given 1 of s>",
            "  expect out.count == 1 <expect out.count == 1>",
            "e <experiment e {/  jobs: [f], repeat: 2/  sweep n in [1, 2]/  claim \"c\" { n[1] > 2 }/}>",
            "  jobs <jobs: [f]>",
            "  repeat <repeat: 2>",
            "  n <sweep n in [1, 2]>",
            "  c <claim \"c\" { n[1] > 2 }>",
        ];
        let found = lines(text);
        for (found, wanted) in found.iter().zip(wanted) {
            assert_eq!(found, wanted);
        }
        assert_eq!(found.len(), wanted.len());
    }

    #[test]
    fn a_half_written_text_has_an_outline_and_folds() {
        let text = "flow f {\n  stage x = foo(\n\ntype A { id: string\nflow g { from\n";
        let names: Vec<String> = outline(text).into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["f", "A", "g"]);
        let whole = "// a\n// b\nflow f {\n  from s\n  emit A {\n    id: .id\n  } into out\n}\n";
        let folds: Vec<(u32, u32)> =
            folds(whole).iter().map(|it| (it.start_line, it.end_line)).collect();
        assert_eq!(folds, [(0, 1), (2, 6), (4, 5)]);
        for end in 0..text.len() {
            outline(&text[..end]);
            super::folds(&text[..end]);
        }
    }
}
