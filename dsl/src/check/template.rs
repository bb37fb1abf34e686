//! What a template reads: variables, and what of them.
//!
//! A full template engine is not needed to tell that a name is misspelt, and here the place of each
//! name is known.

use std::collections::{BTreeMap, BTreeSet};

/// Words of expressions that are no variables. Those that begin a tag stand nowhere else.
const WORDS: &[&str] = &[
    "if", "else", "in", "not", "and", "or", "is", "true", "false", "none", "True", "False", "None",
];

/// A name where a template reads it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    pub(crate) name: String,
    /// Where it stands in the text.
    pub(crate) offset: usize,
    /// What of it is read, `text` of `{{ doc.text }}`, and where that stands.
    pub(crate) path: Vec<(usize, String)>,
    /// Whether the last of it is called.
    pub(crate) called: bool,
}

/// What a template reads.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Of what it is given.
    pub(crate) reads: Vec<Read>,
    /// Of names that it gives itself.
    pub(crate) own: Vec<Read>,
    /// Of which list such a name is an element, as a path from a variable; nothing where it has several
    /// meanings or one that cannot be told.
    pub(crate) elements: BTreeMap<String, Option<Vec<String>>>,
}

/// Variables a template reads, with their offsets.
pub(crate) fn variables(text: &str) -> Vec<(usize, String)> {
    scan(text).reads.into_iter().map(|read| (read.offset, read.name)).collect()
}

/// What a template reads, and of what.
pub(super) fn scan(text: &str) -> Scan {
    let mut found = Vec::new();
    let mut bound: BTreeSet<String> = BTreeSet::new();
    let mut elements: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|n| at + n) {
        let (close, code) = match text.as_bytes().get(open + 1) {
            Some(b'{') => ("}}", true),
            Some(b'%') => ("%}", true),
            Some(b'#') => ("#}", false),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let end = text[open + 2..].find(close).map_or(text.len(), |n| open + 2 + n);
        if code {
            let inner = &text[open + 2..end];
            let statement = close == "%}";
            let tag = if statement { inner.trim_matches(['-', '+', ' ', '\n', '\t']) } else { "" };
            if tag == "raw" {
                at = text[end..].find("endraw").map_or(text.len(), |n| end + n);
                continue;
            }
            let binds =
                tag.starts_with("for ") || tag.starts_with("set ") || tag.starts_with("with ");
            let mut binds_here = BTreeSet::new();
            // `for` and its like are kept where they bind names.
            let skipped = if statement && !binds { statement_end(inner) } else { 0 };
            names(&inner[skipped..], open + 2 + skipped, binds, &mut binds_here, &mut found);
            if tag.starts_with("for ") {
                bound.insert("loop".to_owned());
                if tag.ends_with(" recursive") {
                    found.pop_if(|read| read.name == "recursive");
                }
            }
            for name in &binds_here {
                let list = list_of(tag, name);
                let known = elements.entry(name.clone()).or_insert_with(|| list.clone());
                if *known != list {
                    *known = None;
                }
            }
            bound.append(&mut binds_here);
        }
        at = (end + 2).min(text.len());
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    let (own, reads) = found.into_iter().partition(|read: &Read| bound.contains(&read.name));
    Scan { reads, own, elements }
}

/// Where the word that begins a tag ends.
fn statement_end(inner: &str) -> usize {
    let start = inner.len() - inner.trim_start_matches(['-', '+', ' ', '\n', '\t', '\r']).len();
    let word = inner[start..].bytes().take_while(|it| it.is_ascii_alphanumeric() || *it == b'_');
    start + word.count()
}

/// `text` with blanks for all that belongs to tags, of the same length.
pub(super) fn plain_text(text: &str) -> String {
    let mut plain = text.as_bytes().to_vec();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|n| at + n) {
        let close = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = open + 1;
                continue;
            }
        };
        at = text[open + 2..].find(close).map_or(text.len(), |n| open + 4 + n);
        plain[open..at].fill(b' ');
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Words behind `|` and `is`, with their places.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) filters: Vec<(usize, String)>,
    pub(super) tests: Vec<(usize, String)>,
}

/// The filters and tests that a template names.
pub(super) fn calls(text: &str) -> Calls {
    let mut calls = Calls::default();
    let plain = plain_text(text);
    let (bytes, outside) = (text.as_bytes(), plain.as_bytes());
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut raw = false;
    let mut before = "";
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let start = at;
        at += 1;
        // What stands outside of tags is the same in both.
        if !byte.is_ascii_whitespace() && outside[start] == byte {
            before = "";
        } else if bytes[start..].starts_with(b"{#") {
            at = text[start..].find("#}").map_or(bytes.len(), |n| start + n + 2);
        } else if byte == b'"' || byte == b'\'' {
            while at < bytes.len() && bytes[at] != byte {
                at += 1 + usize::from(bytes[at] == b'\\');
            }
            at += 1;
            before = "";
        } else if letter(byte) && outside[start] == b' ' {
            while at < bytes.len() && letter(bytes[at]) {
                at += 1;
            }
            let word = &text[start..at];
            match (before, word) {
                ("%", "raw") => raw = true,
                ("%", "endraw") => raw = false,
                ("is", "not") => continue,
                ("|", _) if !raw => calls.filters.push((start, word.to_owned())),
                ("is", _) if !raw => calls.tests.push((start, word.to_owned())),
                _ => {}
            }
            before = if before == "." { "" } else { word };
        } else if !byte.is_ascii_whitespace() && !matches!(byte, b'-' | b'+') {
            before = text.get(start..at).unwrap_or("");
        }
    }
    calls
}

/// The list of `for name in list`, where that is a variable or a part of one.
fn list_of(tag: &str, name: &str) -> Option<Vec<String>> {
    let mut words = tag.split_whitespace();
    let form =
        words.next() == Some("for") && words.next() == Some(name) && words.next() == Some("in");
    let list = words.next().filter(|_| form)?;
    let plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let ends = words.next().is_none_or(|word| matches!(word, "if" | "recursive"));
    let path: Vec<String> = list.split('.').map(str::to_owned).collect();
    (ends && path.iter().all(|word| plain(word))).then_some(path)
}

/// Names in the code of one tag.
fn names(
    code: &str,
    base: usize,
    binds: bool,
    bound: &mut BTreeSet<String>,
    found: &mut Vec<Read>,
) {
    let bytes = code.as_bytes();
    let mut at = 0;
    let mut binding = false;
    let mut test = false;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'"' || byte == b'\'' {
            at += 1;
            while at < bytes.len() && bytes[at] != byte {
                at += 1 + usize::from(bytes[at] == b'\\');
            }
            at += 1;
            continue;
        }
        if !byte.is_ascii_alphabetic() && byte != b'_' {
            if byte == b'=' {
                binding = false;
            }
            at += 1;
            if byte.is_ascii_digit() {
                while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
                    at += 1;
                }
            }
            continue;
        }
        let start = at;
        while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
            at += 1;
        }
        let name = &code[start..at];
        let before = code[..start].trim_end();
        let after = code[at..].trim_start();
        let attribute = before.ends_with('.') || before.ends_with('|');
        let keyword_argument = after.starts_with('=') && !after.starts_with("==") && !binding;
        match name {
            "for" | "set" | "with" if binds => binding = true,
            "in" => binding = false,
            "is" => test = true,
            "not" => {}
            _ if test => test = false,
            _ if binding => {
                bound.insert(name.to_owned());
            }
            _ if attribute || keyword_argument || WORDS.contains(&name) => {}
            _ if after.starts_with('(') => {}
            _ => {
                let mut path = Vec::new();
                while let Some(length) = attribute_at(&code[at..]) {
                    path.push((base + at + 1, code[at + 1..at + length].to_owned()));
                    at += length;
                }
                let called = !path.is_empty() && code[at..].starts_with('(');
                found.push(Read { name: name.to_owned(), offset: base + start, path, called });
            }
        }
    }
}

/// Length of `.name` where code begins with that.
fn attribute_at(code: &str) -> Option<usize> {
    let rest = code.strip_prefix('.')?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let length = rest.bytes().take_while(|byte| letter(*byte)).count();
    let number = rest.as_bytes().first().is_some_and(u8::is_ascii_digit);
    (length > 0 && !number).then_some(length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<String> = variables(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn variables_are_found_in_tags_only() {
        check("plain { x } text", &[]);
        check("{{ a }} and {{ b.c | upper }}", &["a", "b"]);
        check("{% for d in docs %}{{ d.text }}{{ loop.index }}{% endfor %}", &["docs"]);
        check("{% if q is defined and not r %}{{ \"s\" }}{% endif %}", &["q", "r"]);
        check("{# {{ no }} #}{{ join(xs, sep='x') }}{{ 3e5 }}", &["xs"]);
        check("{{ open", &["open"]);
        check("{%- set y = x -%}{{ y }}", &["x"]);
        check("{{ \"unclosed", &[]);
    }

    #[test]
    fn what_is_read_of_a_variable_is_found() {
        let paths = |reads: &[Read]| -> Vec<String> {
            let path =
                |read: &Read| read.path.iter().map(|(_, it)| format!(".{it}")).collect::<String>();
            let call = |read: &Read| if read.called { "()" } else { "" };
            reads.iter().map(|it| format!("{}{}{}", it.name, path(it), call(it))).collect()
        };
        let text = "{{ a.b.c | upper }} {% for d in a.docs if d.ok %}{{ d.text }} {{ d.0 }}{% endfor %}\
                    {{ t.upper() }}{% for e in f(a) %}{{ e.x }}{% endfor %}{% set z = a %}{{ z.q }}";
        let scan = scan(text);
        assert_eq!(paths(&scan.reads), ["a.b.c", "a.docs", "t.upper()", "a", "a"]);
        assert_eq!(paths(&scan.own), ["d.ok", "d.text", "d", "e.x", "z.q"]);
        let list: Vec<String> = vec!["a".into(), "docs".into()];
        assert_eq!(scan.elements["d"], Some(list));
        assert_eq!((&scan.elements["e"], &scan.elements["z"]), (&None, &None));
        let at = scan.reads[0].path[1].0;
        assert_eq!(&text[at..=at], "c");
    }
}
