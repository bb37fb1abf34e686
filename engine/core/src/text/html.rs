//! What a reader sees of an HTML page: its title and its text, a line for what stands on a line.
//!
//! Pages of the wild are seldom well formed, so there is no tree: tags are stepped over one by one,
//! and of their names only this is known: whether they hold text at all, and whether they begin a
//! new line or a new paragraph. Scripts run nowhere, so what they would write is not there.

use super::entity;

/// Title and text of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What `<title>` says, else the first `<h1>`; empty if there is neither.
    pub title: String,
    /// Paragraphs with an empty line between them, without tags.
    pub text: String,
}

/// Elements that hold no text for readers.
const SILENT: &[&str] = &["script", "style", "template", "noscript", "svg", "math", "iframe"];
/// Elements that stand apart from what is around them.
const PARAGRAPHS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "details",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "ul",
];
/// Elements that begin a line.
const LINES: &[&str] =
    &["br", "caption", "dd", "dt", "figcaption", "legend", "li", "option", "summary", "tr"];
/// Elements that are parted from the one before by a space.
const CELLS: &[&str] = &["button", "label", "td", "th"];

/// Read a page.
pub fn page(html: &str) -> Page {
    let mut text = Written::default();
    let (mut title, mut heading) = (String::new(), None);
    // Where the first heading begins in the text.
    let mut begun = None;
    let mut rest = html.strip_prefix('\u{feff}').unwrap_or(html);
    while let Some(at) = rest.find('<') {
        text.push_encoded(&rest[..at]);
        rest = &rest[at..];
        let Some((tag, behind)) = Tag::read(rest) else {
            text.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = behind;
        let name = tag.name.as_str();
        if !tag.closes && !tag.empty && (name == "title" || SILENT.contains(&name)) {
            let (inner, behind) = until_closed(rest, name);
            if name == "title" && title.is_empty() {
                let mut found = Written::default();
                found.push_encoded(inner);
                title = found.text;
            }
            rest = behind;
            continue;
        }
        if PARAGRAPHS.contains(&name) {
            text.part(Gap::Paragraph);
        } else if LINES.contains(&name) {
            text.part(Gap::Line);
        } else if CELLS.contains(&name) {
            text.part(Gap::Space);
        }
        if name == "pre" {
            text.kept = !tag.closes;
        }
        if name == "h1" {
            match begun {
                None if !tag.closes => begun = Some(text.text.len()),
                Some(from) if heading.is_none() => heading = Some(text.text[from..].trim().into()),
                _ => {}
            }
        }
    }
    text.push_encoded(rest);
    let text = text.text.trim_end().to_owned();
    let title = if title.is_empty() { heading.unwrap_or_default() } else { title };
    Page { title, text }
}

/// What is inside of an element whose text holds no tags, and what follows it.
fn until_closed<'h>(html: &'h str, name: &str) -> (&'h str, &'h str) {
    let mut from = 0;
    while let Some(at) = html[from..].find("</").map(|at| from + at) {
        let behind = &html[at + 2..];
        if behind.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            let end = behind.find('>').map_or("", |end| &behind[end + 1..]);
            return (&html[..at], end);
        }
        from = at + 2;
    }
    (html, "")
}

struct Tag {
    /// In lower case; of a comment or a declaration it is empty.
    name: String,
    closes: bool,
    /// `<br/>`.
    empty: bool,
}

impl Tag {
    /// The tag at the head of `html`, and what follows it; `None` if this is a mere `<`.
    fn read(html: &str) -> Option<(Tag, &str)> {
        let other = Tag { name: String::new(), closes: false, empty: false };
        let inner = html.strip_prefix('<')?;
        if let Some(comment) = inner.strip_prefix("!--") {
            let end = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            return Some((other, end));
        }
        if inner.starts_with(['!', '?']) {
            return Some((other, inner.find('>').map_or("", |end| &inner[end + 1..])));
        }
        let closes = inner.starts_with('/');
        let inner = inner.strip_prefix('/').unwrap_or(inner);
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let length = inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
        let name = inner[..length].to_ascii_lowercase();
        let mut quote = None;
        let mut end = inner.len();
        for (at, byte) in inner.bytes().enumerate().skip(length) {
            match (quote, byte) {
                (None, b'>') => {
                    end = at;
                    break;
                }
                // A quote that is no value's is none: `<p title=5">`.
                (None, b'"' | b'\'') if inner[..at].trim_end().ends_with('=') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
        }
        let empty = inner[..end].ends_with('/');
        Some((Tag { name, closes, empty }, inner.get(end + 1..).unwrap_or("")))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

/// Text that grows.
#[derive(Default)]
struct Written {
    text: String,
    /// What is due before the next word.
    gap: Gap,
    /// Spaces and ends of lines are kept as they are.
    kept: bool,
}

impl Written {
    fn part(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn push(&mut self, symbol: char) {
        if symbol.is_whitespace() && !(self.kept && self.gap == Gap::None) {
            // The first end of line within `<pre>` is none.
            return self.part(Gap::Space);
        }
        if !self.text.is_empty() {
            match self.gap {
                Gap::None => {}
                Gap::Space => self.text.push(' '),
                Gap::Line => self.text.push('\n'),
                Gap::Paragraph => self.text.push_str("\n\n"),
            }
        }
        self.gap = Gap::None;
        self.text.push(symbol);
    }

    /// Append text with entities in it.
    fn push_encoded(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            rest[..at].chars().for_each(|symbol| self.push(symbol));
            rest = &rest[at..];
            let (symbol, length) = entity::read(rest).unwrap_or(('&', 1));
            self.push(symbol);
            rest = &rest[length..];
        }
        rest.chars().for_each(|symbol| self.push(symbol));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, title: &str, text: &str) {
        assert_eq!(page(html), Page { title: title.into(), text: text.into() }, "{html}");
    }

    #[test]
    fn paragraphs_lines_and_entities_are_those_that_a_reader_sees() {
        check(
            "<!DOCTYPE html><html><head><title>Notes &amp;\n more</title><style>p > a {}</style>\
             <script>if (a < b) { document.write('<p>no</p>') }</script></head>\n<body>\
             <h1>First</h1><p>One\n  two <b>thr</b>ee&nbsp;&#52;&#x35; &unknown; a &lt; b</p>\
             <ul><li>x</li><li>y<br>z</ul><table><tr><td>1</td><td>2</td></tr></table>",
            "Notes & more",
            "First\n\nOne two three 45 &unknown; a < b\n\nx\ny\nz\n\n1 2",
        );
    }

    #[test]
    fn a_page_without_a_title_is_called_by_its_first_heading() {
        check("<h1>One <i>two</i></h1>text<h1>Other</h1>", "One two", "One two\n\ntext\n\nOther");
        check("plain text", "", "plain text");
        check("", "", "");
    }

    #[test]
    fn lines_within_pre_are_kept() {
        check("<p>a<pre>\n  b\n\n    c</pre> d", "", "a\n\nb\n\n    c\n\nd");
    }

    #[test]
    fn what_is_not_well_formed_is_read_as_far_as_it_goes() {
        check("1 < 2 <3 </ x <", "", "1 < 2 <3 </ x <");
        check("<p title=\"a > b\" x='>'>in</p", "", "in");
        check("a<!-- <p>hidden</p> -->b<!-- open", "", "ab");
        check("<title>open <b>&amp;", "open <b>&", "");
        check("<script>x</SCRIPT>seen<script>open", "", "seen");
        check("a<br/>b<div / >c", "", "a\nb\n\nc");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_page(html in "(<|>|/|&|;|#|\"|'|=|!|-|p|pre|h1|title|script|li|x|é| |\n){0,60}") {
            let Page { text, .. } = page(&html);
            proptest::prop_assert_eq!(text.trim(), &text);
            proptest::prop_assert!(text.len() <= 3 * html.len());
        }
    }
}
