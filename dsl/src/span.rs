//! Places in source text.
//!
//! A span is three numbers, so that every node of the tree can carry one; the text itself lives
//! once, in the [`SourceMap`] that travels with the diagnostics.

use serde::{Deserialize, Serialize};

/// A range of bytes in one file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Position of the file in the source map.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
}

impl Span {
    /// The span from the start of `self` to the end of `other`, in the file of `self`.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: other.end.max(self.start) }
    }

    /// An empty span at the end of this one, where something is missing.
    pub(crate) fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// Whether it is a place between two bytes.
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether the two ranges have a byte in common (an empty range counts as one byte).
    pub(crate) fn overlaps(self, other: Span) -> bool {
        self.file == other.file
            && self.start < other.end.max(other.start + 1)
            && other.start < self.end.max(self.start + 1)
    }
}

/// One file of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Path as given or as resolved from an `import`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The files of a program; the first is the main file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMap {
    /// Files by the number used in [`Span::file`].
    pub files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its number.
    pub(crate) fn add(&mut self, path: &str, text: &str) -> u32 {
        self.files.push(SourceFile { path: path.to_owned(), text: text.to_owned() });
        self.files.len() as u32 - 1
    }

    /// Path of the file a span lies in.
    pub fn path(&self, span: Span) -> &str {
        self.files.get(span.file as usize).map_or("", |file| file.path.as_str())
    }

    /// Text of a span; empty when it does not fit the file.
    pub fn text(&self, span: Span) -> &str {
        self.files
            .get(span.file as usize)
            .and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }

    /// 1-based line and column (in characters) of the start of a span.
    pub fn line_column(&self, span: Span) -> (u32, u32) {
        let Some(file) = self.files.get(span.file as usize) else { return (1, 1) };
        let before = file.text.get(..span.start as usize).unwrap_or(&file.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
        (line, column)
    }

    /// 1-based line of the start of a span.
    pub fn line(&self, span: Span) -> u32 {
        self.line_column(span).0
    }
}
