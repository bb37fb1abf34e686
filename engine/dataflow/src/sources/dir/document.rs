//! A file as a document: what it is called, what is in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sage_core::text::page;

use super::super::opened::Opened;

/// Endings of files that are packed.
const PACKED: [&str; 2] = ["gz", "zst"];

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) format: Format,
    /// In bytes, unpacked.
    pub(super) size: u64,
}

/// How a file is called ends in this, packed or not, in small letters.
pub(super) fn ending(path: &Path) -> Option<OsString> {
    let last = path.extension().map(OsStr::to_ascii_lowercase)?;
    if PACKED.iter().any(|packed| last == *packed) {
        return Path::new(path.file_stem()?).extension().map(OsStr::to_ascii_lowercase);
    }
    Some(last)
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Html,
    Markdown,
    Text,
}

impl Format {
    /// All of them, as a field says them.
    pub(super) const WORDS: [&'static str; 3] = ["html", "md", "txt"];

    fn of(path: &Path) -> Self {
        let ending = ending(path);
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("html" | "htm" | "xhtml") => Format::Html,
            Some("md" | "markdown") => Format::Markdown,
            _ => Format::Text,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Markdown => "md",
            Format::Text => "txt",
        }
    }
}

/// Read a file of at most `largest` bytes, as what is packed in it.
pub(super) fn read(path: &Path, largest: u64) -> Result<Document, String> {
    let unread = |error: io::Error| format!("the file cannot be read: {error}");
    let file = File::open(path).and_then(Opened::new).map_err(unread)?;
    let mut bytes = Vec::new();
    // It may grow while it is read, and what is packed may be a thousand times as long.
    file.take(largest.saturating_add(1)).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > largest {
        return Err(format!("the file has more than {largest} bytes, unpacked (`largest`)"));
    }
    let size = bytes.len() as u64;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        format!("line {line} is not UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let format = Format::of(path);
    let (title, text) = match format {
        Format::Html => {
            let page = page(text);
            (page.title, page.text)
        }
        Format::Markdown => (heading(text).unwrap_or_default(), text.to_owned()),
        Format::Text => (String::new(), text.to_owned()),
    };
    let title = if title.is_empty() { own_name(path) } else { title };
    Ok(Document { title, text, format, size })
}

fn own_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The first heading `# ...` outside of code and of the settings at the head of a file.
fn heading(text: &str) -> Option<String> {
    let mut fence = None;
    let mut settings = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line == "---" && (number == 0 || settings) {
            settings = number == 0;
            continue;
        }
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        if mark.is_some() && (fence.is_none() || fence == mark) {
            fence = if fence.is_none() { mark } else { None };
        }
        let rest = line.trim_start_matches('#');
        let level = line.len() - rest.len();
        let marked = (1..=6).contains(&level) && rest.starts_with([' ', '\t']);
        if marked && fence.is_none() && !settings {
            let title = rest.trim().trim_end_matches('#').trim();
            if !title.is_empty() {
                return Some(title.to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_within_code_or_settings_is_none() {
        let found = |text: &str| heading(text);
        assert_eq!(found("text\n\n## Two ##\n# One"), Some("Two".into()));
        assert_eq!(found("---\n# a comment\n---\n# One"), Some("One".into()));
        assert_eq!(found("```sh\n# install\n```\n# One"), Some("One".into()));
        assert_eq!(found("~~~\n```\n# in code\n~~~\n# One"), Some("One".into()));
        assert_eq!(found("#tag\n####### seven\n#\n"), None);
        assert_eq!(found("text\n---\n# One"), Some("One".into()));
    }
}
