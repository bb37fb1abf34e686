//! `markdown(paths...)`: Markdown files or folders of them, one document a section.
//!
//! A section is what stands under one heading, without its subsections. Its `id` is the file's name
//! and the heading as a link would write it, so it stays the same while other sections change; its
//! `title` is the path of headings, so that a passage under "Install" says of what. A section that
//! is too long is cut into parts with `-2`, `-3` behind the id; one that says less than a sentence
//! is added to the passage before it.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use sage_core::text::Fence;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::chunk::{CHUNK, Chunks, OVERLAP, SIZE};
use super::{Document, DocumentSpec, Place, files, front_matter, paths};

pub(super) const SPEC: DocumentSpec = DocumentSpec {
    signature: Signature {
        name: "markdown",
        summary: "sections of Markdown files (.md) with id, title and text",
        params: &[
            Param {
                name: "paths",
                kind: Kind::Paths,
                default: None,
                doc: "files, or folders that are searched for .md files",
            },
            CHUNK,
            SIZE,
            OVERLAP,
        ],
        example: "markdown(\"README.md\", \"docs\")",
        takes_fields: false,
    },
    read: |args| {
        let paths = paths(args, "paths", "markdown")?;
        let remedy = "expected Markdown files (.md) with text below their headings";
        let mut taken = FxHashMap::default();
        let chunks = Chunks::of(args);
        files::read_all(&paths, &["md", "markdown"], remedy, |name, file, text, corpus| {
            corpus.documents.extend(documents(name, file, text, chunks, &mut taken));
        })
    },
};

/// Fewer words than this without an end of sentence are not a passage of their own.
const SENTENCE_WORDS: usize = 5;

/// What stands under one heading.
#[derive(Debug, Default)]
struct Section {
    slug: String,
    /// The headings above it and its own.
    path: Vec<String>,
    /// Number of lines before the body.
    line: u32,
    body: String,
}

fn documents(
    name: &str,
    file: &Arc<Path>,
    text: &str,
    chunks: Chunks,
    taken: &mut FxHashMap<String, u32>,
) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    let settings = front_matter::fields(text);
    for section in sections(text) {
        let title = if section.path.is_empty() { name.into() } else { section.path.join(" > ") };
        let passages = chunks.cut(&section.body);
        if let ([(_, only)], Some(before)) = (&passages[..], documents.last_mut())
            && is_tiny(only)
        {
            let heading = section.path.last().map_or("", String::as_str);
            before.fields[2].1.extend(["\n\n", heading, ": ", only]);
            continue;
        }
        for (line, passage) in passages {
            let id = unique(format!("{name}#{}", section.slug), taken);
            documents.push(Document {
                fields: vec![
                    ("id".into(), id),
                    ("title".into(), title.clone()),
                    ("text".into(), passage),
                    ("path".into(), name.to_owned()),
                ]
                .into_iter()
                .chain(settings.iter().cloned())
                .collect(),
                place: Place { file: Arc::clone(file), line: section.line + line + 1 },
            });
        }
    }
    documents
}

/// `id` itself, or with the first of `-2`, `-3`, ... that makes it new.
fn unique(id: String, taken: &mut FxHashMap<String, u32>) -> String {
    let mut candidate = id.clone();
    while let Some(count) = taken.get(&candidate).copied() {
        let next = taken.get(&id).copied().unwrap_or(count) + 1;
        taken.insert(id.clone(), next);
        candidate = format!("{id}-{next}");
    }
    taken.insert(candidate.clone(), 1);
    candidate
}

fn is_tiny(text: &str) -> bool {
    let ends = text.trim_end().ends_with(['.', '!', '?', ':', '`']);
    !ends && text.split_whitespace().count() < SENTENCE_WORDS
}

fn sections(text: &str) -> Vec<Section> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut at = front_matter::lines(&lines);
    let mut sections = vec![Section { slug: "top".into(), line: at as u32, ..Section::default() }];
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut fence = Fence::default();
    // Only the first line of a paragraph can be underlined; a rule below the last is just a rule.
    let mut first = true;
    while let Some(&line) = lines.get(at) {
        let next = lines.get(at + 1).copied().unwrap_or("");
        let heading = if fence.step(line) {
            None
        } else if let Some(heading) = marked(line) {
            Some((heading, 1))
        } else {
            first.then(|| underlined(line, next)).flatten().map(|heading| (heading, 2))
        };
        first = heading.is_some() || line.trim().is_empty();
        if let Some(((level, heading), lines)) = heading {
            at += lines;
            path.retain(|(above, _)| *above < level);
            path.push((level, heading.clone()));
            sections.push(Section {
                slug: slug(&heading),
                path: path.iter().map(|(_, heading)| heading.clone()).collect(),
                line: at as u32,
                body: String::new(),
            });
        } else {
            if let Some(section) = sections.last_mut() {
                section.body.push_str(line);
                section.body.push('\n');
            }
            at += 1;
        }
    }
    sections
}

/// Level and text of `## heading`.
fn marked(line: &str) -> Option<(usize, String)> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    if !(1..=6).contains(&level) || !rest.starts_with([' ', '\t']) {
        return None;
    }
    let text = plain(rest.trim().trim_end_matches('#'));
    (!text.is_empty()).then_some((level, text))
}

/// Level and text of a heading with a line of `=` or `-` below it.
fn underlined(line: &str, next: &str) -> Option<(usize, String)> {
    let below = next.trim_end();
    let level = match below.chars().next()? {
        '=' => 1,
        '-' => 2,
        _ => return None,
    };
    let mark = if level == 1 { '=' } else { '-' };
    let rule = below.len() >= 3 && below.chars().all(|c| c == mark);
    let text = plain(line);
    let prose = !line.starts_with(['-', '*', '>', '|', ' ', '\t']) && !text.is_empty();
    (rule && prose).then_some((level, text))
}

/// A heading without its marks for code, emphasis and links.
fn plain(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading.trim();
    while let Some(at) = rest.find(['`', '*', '[', ']']) {
        text.push_str(&rest[..at]);
        let mark = rest[at..].chars().next();
        rest = &rest[at + 1..];
        if mark == Some(']') && rest.starts_with('(') {
            rest = rest.find(')').map_or("", |end| &rest[end + 1..]);
        }
    }
    text.push_str(rest);
    text.trim().to_owned()
}

/// A heading as the end of a link: lower case, words joined by `-`.
fn slug(heading: &str) -> String {
    let mut slug = String::new();
    for symbol in heading.chars().flat_map(char::to_lowercase) {
        if symbol.is_alphanumeric() || symbol == '_' {
            slug.push(symbol);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "section".into() } else { slug.into() }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
