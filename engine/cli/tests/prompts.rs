//! Prompts that are given records: what templates see of them, and what `check` says of templates.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{Sage, again};

const HEAD: &str = r#"sage 1
enum Tone { calm, angry }
type Person { name: string, mail: string?, tags: [string] }
type Line { item: string, price: float, within: duration }
type Mail { id: string @key, from: Person, to: [Person], lines: [Line], note: string?, tone: Tone }
type Out { id: string @key, text: string }
endpoint llm { url: "sim:a100/qwen2.5-7b" }
source mails: Mail from jsonl("mails.jsonl")
sink outs: Out to jsonl("outs.jsonl")
"#;

const MAILS: &str = concat!(
    r#"{"id":"a","from":{"name":"Ann","mail":null,"tags":["x","y"]},"to":[{"name":"Bob","tags":[]},"#,
    r#"{"name":"Zoé","mail":"z@x","tags":["q"]}],"lines":[{"item":"nail","price":1.5,"within":"250ms"}],"#,
    r#""note":null,"tone":"calm"}"#,
    "\n",
    r#"{"id":"b","from":{"name":"Eve","mail":"e@x","tags":[]},"to":[],"lines":[],"note":"hey","tone":"angry"}"#,
    "\n"
);

/// A program with `prompts` and the steps that make the column `t`.
fn program(prompts: &str, steps: &str) -> Sage {
    let flow = format!(
        "flow f {{\n  from mails\n{steps}\n  emit Out {{ id: .id, text: t }} into outs\n}}\n"
    );
    let sage = Sage::new().file("mails.jsonl", MAILS);
    sage.file("p.sage", format!("{HEAD}{prompts}\n{flow}"))
}

/// The texts that a program writes, in the order of the keys.
fn texts(prompts: &str, steps: &str) -> Vec<String> {
    let sage = program(prompts, steps);
    let checked = again(&sage, "check p.sage").go();
    assert_eq!(checked.code, Some(0), "{prompts}\n{}{}", checked.stdout, checked.stderr);
    let done = again(&sage, "run p.sage --workers 1 --out out").go();
    assert_eq!(done.code, Some(0), "{prompts}\n{}{}", done.stdout, done.stderr);
    let text = std::fs::read_to_string(sage.folder.path().join("out/outs.jsonl")).unwrap();
    let mut rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.sort_by_key(|row| row["id"].to_string());
    rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn templates_read_records_by_the_names_of_their_fields() {
    let whole = r#"prompt answer(m: Mail) """
  {{ m.from.name }} <{{ m.from.mail or "-" }}> {{ m.tone }}{% for p in m.to %} {{ p.name }}:{{ p.tags | join(",") }}{% endfor %}
  {% for l in m.lines %}{{ loop.index }} {{ l.item }} {{ l.price }} {{ l.within }}{% endfor %}{% if m.note %}{{ m.note }}{% endif %}
""""#;
    let mail = "  stage t = answer(Mail { id: .id, from: .from, to: .to, lines: .lines, note: .note, tone: .tone })";
    let expect = ["Ann <-> calm Bob: Zoé:q\n1 nail 1.5 250ms", "Eve <e@x> angry\nhey"];
    assert_eq!(texts(whole, mail), expect);

    let name = r#"prompt a(p: Person) """{{ p.name }} {{ p["mail"] or "-" }}""""#;
    assert_eq!(texts(name, "  stage t = a(.from)"), ["Ann -", "Eve e@x"]);
    let list = r#"prompt a(p: [Person]) """{% for x in p %}{{ x.name }};{% endfor %}""""#;
    assert_eq!(texts(list, "  stage t = a(.to)"), ["Bob;Zoé;", ""]);
    let perhaps = r#"prompt a(p: Person?) """{% if p %}{{ p.name }}{% else %}nobody{% endif %}""""#;
    assert_eq!(texts(perhaps, "  stage t = a(.to[0])"), ["Bob", "nobody"]);
    let json = r#"prompt a(p: Person) """{{ p }}""""#;
    let expect = [
        r#"{"name":"Ann","mail":null,"tags":["x","y"]}"#,
        r#"{"name":"Eve","mail":"e@x","tags":[]}"#,
    ];
    assert_eq!(texts(json, "  stage t = a(.from)"), expect);
}

#[test]
fn a_structured_answer_is_a_record_for_the_next_prompt() {
    let prompts = r#"type Found { tone: Tone, count: int }
prompt find(x: string) -> Found """Say what {{ x }} is."""
prompt tell(f: Found) """{{ f.tone }}/{{ f.count }}""""#;
    let steps =
        "  stage found = generate(find(.id)) on llm { max_tokens: 30 }\n  stage t = tell(found)";
    for text in texts(prompts, steps) {
        let (tone, count) = text.split_once('/').unwrap();
        assert!(["calm", "angry"].contains(&tone) && count.parse::<i64>().is_ok(), "{text}");
    }
}
