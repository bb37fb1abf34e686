//! From what a server answered to lines of records, and the address of what follows.

use serde_json::Value;
use serde_json::value::RawValue;

use sage_core::web::WebAnswer;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Lines,
    Csv,
}

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    /// As its reader takes them.
    pub(super) lines: String,
    /// Address of the next page.
    pub(super) next: Option<String>,
}

impl Format {
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "jsonl" => Format::Lines,
            "csv" => Format::Csv,
            _ => Format::Json,
        }
    }

    /// The source that reads the lines.
    pub(super) fn reader(self) -> &'static str {
        match self {
            Format::Json | Format::Lines => "jsonl",
            Format::Csv => "csv",
        }
    }

    /// Take an answer apart; `first` is the address of the first page.
    pub(super) fn fetched(
        self,
        answer: WebAnswer,
        rows: &str,
        next: &str,
        first: &str,
    ) -> Result<Fetched, String> {
        // Some put a mark in front that says how their text is written.
        let body = answer.body.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(answer.body);
        let answer = WebAnswer { body, ..answer };
        if self != Format::Json {
            return Ok(Fetched { lines: answer.body, next: answer.next });
        }
        let lines = lines(within(&answer.body, rows)?, rows)?;
        if next.is_empty() {
            return Ok(Fetched { lines, next: answer.next });
        }
        let next = match following(&answer.body, next)? {
            Some(text) => Some(resolve(&answer.url, &text).ok_or_else(|| {
                format!("its `{next}` is `{text}`, which is no address within that of `{first}`")
            })?),
            None => None,
        };
        Ok(Fetched { lines, next })
    }
}

/// The part of a document behind a path of names.
fn within<'d>(document: &'d str, path: &str) -> Result<&'d RawValue, String> {
    let mut part: &RawValue =
        serde_json::from_str(document).map_err(|error| format!("it is not JSON: {error}"))?;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let fields: std::collections::HashMap<&str, &RawValue> = match fields(part) {
            Some(fields) => fields,
            None => return Err(format!("it has no `{name}` (of `{path}`)")),
        };
        part = fields.get(name).copied().ok_or_else(|| {
            let mut names: Vec<&str> = fields.keys().copied().take(20).collect();
            names.sort_unstable();
            format!("it has no `{name}` (of `{path}`); it has {}", names.join(", "))
        })?;
    }
    Ok(part)
}

fn fields(part: &RawValue) -> Option<std::collections::HashMap<&str, &RawValue>> {
    serde_json::from_str(part.get()).ok()
}

/// The elements of an array, one a line. Numbers stay as they are written.
fn lines(array: &RawValue, path: &str) -> Result<String, String> {
    let elements: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(|_| {
        let what = if path.is_empty() { "it".to_owned() } else { format!("its `{path}`") };
        format!("{what} is no array of records; `rows` says where that is, as in `rows: \"items\"`")
    })?;
    let mut lines = String::with_capacity(array.get().len());
    for element in elements {
        // Outside of texts a line break is a space, and within them there is none.
        lines.extend(element.get().chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
        lines.push('\n');
    }
    Ok(lines)
}

/// What a document says of the next page.
fn following(document: &str, path: &str) -> Result<Option<String>, String> {
    let document: Value =
        serde_json::from_str(document).map_err(|error| format!("it is not JSON: {error}"))?;
    let mut part = &document;
    for name in path.split('.') {
        part = &part[name];
    }
    match part {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(format!("its `{path}` is {other}, not the address of a page")),
    }
}

/// An address as a page at `base` names it: whole, from the root, or a query alone.
fn resolve(base: &str, text: &str) -> Option<String> {
    if text.contains("://") {
        return Some(text.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    if text.starts_with('/') && !text.starts_with("//") {
        return Some(format!("{scheme}://{host}{text}"));
    }
    if text.starts_with('?') {
        let path = base.split(['?', '#']).next()?;
        return Some(format!("{path}{text}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(body: &str, rows: &str, next: &str) -> Result<Fetched, String> {
        let answer = WebAnswer {
            body: body.to_owned(),
            url: "http://h:1/a/b?page=1".to_owned(),
            next: Some("http://h:1/link".to_owned()),
        };
        Format::Json.fetched(answer, rows, next, "http://h:1/a/b")
    }

    #[test]
    fn the_elements_of_an_array_are_lines_that_say_the_same() {
        let body = "{\"d\": {\"items\": [{\"n\": 12345678901234567890123,\n \"t\": \"a\\nb\"}, 7]}, \"m\": {\"next\": \"?page=2\"}}";
        let page = fetched(body, "d.items", "m.next").unwrap();
        assert_eq!(page.lines, "{\"n\": 12345678901234567890123,  \"t\": \"a\\nb\"}\n7\n");
        assert_eq!(page.next.as_deref(), Some("http://h:1/a/b?page=2"));
        let page = fetched("[]", "", "").unwrap();
        assert_eq!((page.lines.as_str(), page.next.as_deref()), ("", Some("http://h:1/link")));
    }

    #[test]
    fn the_next_page_is_named_in_one_of_several_ways_or_not_at_all() {
        let next = |text: &str| fetched(&format!("{{\"r\":[],\"next\":{text}}}"), "r", "next");
        for (text, wanted) in [
            ("null", None),
            ("\"\"", None),
            ("\"/c?x\"", Some("http://h:1/c?x")),
            ("\"?p=2\"", Some("http://h:1/a/b?p=2")),
            ("\"https://other/\"", Some("https://other/")),
        ] {
            assert_eq!(next(text).unwrap().next.as_deref(), wanted, "{text}");
        }
        assert_eq!(fetched("{\"r\":[]}", "r", "next").unwrap().next, None);
        assert!(next("3").unwrap_err().contains("not the address"));
        assert!(next("\"//evil/x\"").is_err() && next("\"b\"").is_err());
    }

    #[test]
    fn what_is_no_such_document_is_told() {
        for (body, rows, part) in [
            ("<html>", "", "not JSON"),
            ("{\"items\": []}", "", "`rows` says where"),
            ("{\"items\": {}}", "items", "its `items` is no array"),
            ("{\"other\": []}", "items", "it has other"),
            ("[]", "items", "it has no `items`"),
        ] {
            let error = fetched(body, rows, "").unwrap_err();
            assert!(error.contains(part), "{body}: {error}");
        }
    }
}
