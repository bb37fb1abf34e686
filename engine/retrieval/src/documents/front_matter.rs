//! The settings between `---` at the head of a Markdown file, as fields of its passages.
//!
//! Only what fields need is read of YAML: `key: value` at the begin of a line, in quotes or not, and
//! lists, `[a, b]` or a line `- a` each, which become the JSON that types of lists read. What is
//! nested deeper is passed over.

/// Longer texts between the marks are no settings.
const MAX_LINES: usize = 1000;

/// Number of lines of the settings, their marks included; 0 where there are none.
pub(super) fn lines(lines: &[&str]) -> usize {
    if lines.first() != Some(&"---") {
        return 0;
    }
    lines.iter().skip(1).position(|line| *line == "---").map_or(0, |end| end + 2)
}

/// Names and texts of the settings.
pub(super) fn fields(text: &str) -> Vec<(String, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head: Vec<&str> = text.lines().take(MAX_LINES).collect();
    let settings = head.get(1..lines(&head).saturating_sub(1)).unwrap_or(&[]);
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    while let Some(line) = settings.get(at) {
        at += 1;
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.is_empty() || name.starts_with([' ', '\t', '#', '-']) {
            continue;
        }
        let value = value.trim();
        let list = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let text = if let Some(items) = list {
            json(items.split(','))
        } else if value.is_empty() {
            let items =
                settings[at..].iter().map_while(|line| line.trim_start().strip_prefix("- "));
            let items: Vec<&str> = items.collect();
            at += items.len();
            if items.is_empty() { String::new() } else { json(items.into_iter()) }
        } else {
            bare(value).to_owned()
        };
        fields.push((name.trim().to_owned(), text));
    }
    fields
}

/// A value without its quotes, or without the remark behind it.
fn bare(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

fn json<'v>(items: impl Iterator<Item = &'v str>) -> String {
    let items = items.map(bare).filter(|item| !item.is_empty());
    serde_json::Value::from(items.collect::<Vec<_>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_fields() {
        let text = "---\nlang: en\ntitle: \"A: b\"\nyear: 2024 # first print\ntags: [a, 'b c']\n\
                    authors:\n  - Ann\n  - Bob\nempty:\nnested:\n  deeper: 1\n# remark: no\n---\n\
                    Text.\n";
        let fields = fields(text);
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            fields,
            [
                ("lang", "en"),
                ("title", "A: b"),
                ("year", "2024"),
                ("tags", r#"["a","b c"]"#),
                ("authors", r#"["Ann","Bob"]"#),
                ("empty", ""),
                ("nested", ""),
            ]
        );
        assert!(super::fields("no settings\n---\na: b\n---\n").is_empty());
        assert!(super::fields("---\na: b\n").is_empty(), "not closed");
    }
}
