//! Prompts whose templates are wrong, and those that only look so.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

const HEAD: &str = r#"sage 1
type Person { name: string, mail: string?, tags: [string] }
type Line { item: string, price: float }
type Mail { id: string @key, from: Person, to: [Person], lines: [Line], note: string?, text: string }
type Out { id: string @key, text: string }
source mails: Mail from jsonl("mails.jsonl")
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from mails
  emit Out { id: .id, text: .text } into outs
}
"#;

/// What is said of a prompt: the message, the words that it points at, and whether there is a fix.
fn said(prompt: &str) -> Vec<(String, String, bool)> {
    let text = format!("{HEAD}{prompt}\n");
    let compiled = common::compile_with("x.sage", &text, &[], &[]);
    let found = compiled.diagnostics.iter().filter(|it| !it.message.contains("unused"));
    let at = |span: sage_dsl::Span| text[span.start as usize..span.end as usize].to_owned();
    found
        .map(|it| (it.message.clone(), it.span().map_or(String::new(), at), it.fix.is_some()))
        .collect()
}

fn of_mail(text: &str) -> Vec<(String, String, bool)> {
    said(&format!("prompt p(m: Mail) \"\"\"\n  A letter.\n  {text}\n\"\"\""))
}

#[test]
fn fields_that_are_not_there_are_found_behind_indices_names_and_filters() {
    for (text, field) in [
        ("{{ m.to[0].nme }}", "nme"),
        ("{{ m['from'].nam }}", "nam"),
        ("{{ m.lines[0].prise }}", "prise"),
        ("{% set q = m.from %}{{ q.nam }}", "nam"),
        ("{{ m.lines | map(attribute=\"prise\") | join }}", "prise"),
        ("{% if m.note %}x{% else %}{{ m['frm'] }}{% endif %}", "frm"),
        ("{{ (m.to | first).nme }}", "nme"),
    ] {
        let found = of_mail(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].0.ends_with(&format!("has no field `{field}`")), "{found:?}");
        assert_eq!(found[0].1, field, "{text}");
    }
}

#[test]
fn filters_and_tests_that_templates_do_not_have_are_errors() {
    for (text, name) in [
        ("{{ m.from.tags | jion(\",\") }}", "jion"),
        ("{% if m.note is definde %}x{% endif %}", "definde"),
        ("{% if false %}{{ m.text|uper }}{% endif %}", "uper"),
    ] {
        let found = of_mail(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].0.contains(&format!("`{name}`")), "{found:?}");
        assert_eq!(found[0].1, name, "{text}");
    }
}

#[test]
fn a_template_that_cannot_be_read_is_shown_at_its_tag() {
    for (text, tag) in [
        ("a {{ m..text }} b", "{{ m..text }}"),
        ("{% if m.text %}x", "{% if m.text %}"),
        ("{% fro x in m.to %}{% endfor %}", "{% fro x in m.to %}"),
    ] {
        let found = of_mail(text);
        assert!(
            found.iter().any(|it| it.0.starts_with("the template is wrong")),
            "{text}: {found:?}"
        );
        if !text.ends_with('x') {
            assert_eq!(found.last().unwrap().1, tag);
        }
    }
}

#[test]
fn right_templates_are_right() {
    for text in [
        "{{ m.to[1].name }} {{ m.to[7].name }} {{ m.to[-1].name }}",
        "{{ (m.text | split(\",\"))[3] }} {{ m.note | default(\"none\") | upper }}",
        "{% for l in m.lines if l.price > 2 %}{{ loop.index }}. {{ l.item }}{% endfor %}",
        "{% for l in m.lines %}{{ l.item | lower }}{% else %}nothing | else is fine{% endfor %}",
        "{% if m.note is not none and m.text is string %}{{ m.note | trim | replace(\"|x\", \"y\") }}{% endif %}",
        "{{ m.lines | map(attribute=\"item\") | join(\", \") }} {{ m.lines | sum(attribute=\"price\") }}",
        "{% for i in range(3) %}{{ i }}{% endfor %}{{ m }} {% raw %}{{ m.nme | jion }}{% endraw %}",
        "{# {{ m.nme | jion }} #}{{ 10 / (m.text | length) }} {{ m.from | items | list }}",
        "{% set n = m.lines | length %}{{ n }} a | b is c {{ m.text ~ \" | is x\" }}",
    ] {
        assert_eq!(of_mail(text), [], "{text}");
    }
}

#[test]
fn words_of_tags_are_names_of_parameters_and_braces_in_tags_are_none() {
    for name in [
        "filter",
        "set",
        "block",
        "raw",
        "range",
        "with",
        "macro",
        "elif",
        "endif",
        "recursive",
        "endfor",
        "autoescape",
    ] {
        let prompt =
            format!("prompt say({name}: string) \"\"\"A {{{{ {name} }}}} B {{{{{name}}}}}\"\"\"");
        assert_eq!(said(&prompt), [], "{prompt}");
    }
    for name in ["none", "false", "is"] {
        let found = said(&format!("prompt say({name}: string) \"\"\"A {{{{ {name} }}}} B\"\"\""));
        assert!(!found.is_empty(), "{name}");
        assert!(!found.iter().any(|it| it.2), "{found:?}");
    }
    let found = said("prompt say(text: string) \"\"\"Name it {text}.\"\"\"");
    assert!(found.len() == 1 && found[0].2, "{found:?}");
    let found = said("prompt say(text: string) \"\"\"Name it \\emph{text}.\"\"\"");
    assert!(found.len() == 1 && !found[0].2, "{found:?}");
}

#[test]
fn a_word_of_the_language_is_no_parameter() {
    for (item, word) in [
        ("prompt p(if: string) \"\"\"{{ x }}\"\"\"", "if"),
        ("prompt p(a: string, match: string) \"\"\"{{ a }}\"\"\"", "match"),
        ("fn g(not: int) = 1", "not"),
    ] {
        let found = said(item);
        assert_eq!(found[0].0, format!("`{word}` is a word of the language and cannot be a name"));
        assert_eq!(found[0].1, word);
    }
}
