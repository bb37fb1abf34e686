//! What `explain --verbose` says of the rules, one flow in which each of them finds something to do.

mod common;

use common::{compile_with, plain};

const PROGRAM: &str = r#"sage 1
type Query { id: string @key, text: string, n: int }
endpoint llm { url: "http://127.0.0.1:9", model: "m" }
endpoint idle { url: "http://127.0.0.1:9", model: "m" }
source queries: Query from generate(count: 3, n: 1, text: "q")
sink out to jsonl("out.jsonl")
flow f {
  from queries
  flat_map part = split(.text, "|")
  stage short = slice(part, 0, 80)
  stage low = lower(short)
  stage one = generate(low) on llm
  stage long = length(one.text) > 9
  stage two = generate(part) on llm
  stage three = generate(part) on llm { temperature: 0.0 }
  stage four = generate(part) on llm { temperature: 0.0 }
  where .n > 0
  emit { id: .id, long: long, texts: [one.text, two.text, three.text, four.text] } into out
}
"#;

#[test]
fn every_rule_is_shown_with_the_plan_before_and_after() {
    let compiled = compile_with("f.sage", PROGRAM, &[], &[]);
    assert!(!compiled.failed(), "{}", plain(&compiled));
    let shown = sage_dsl::explain_rewrites(&compiled.written[0]);
    for rule in sage_dsl::rewrite::RULES.iter().filter(|rule| rule.name != "emit last") {
        assert!(shown.contains(&format!("rule \"{}\"", rule.name)), "{}\n{shown}", rule.name);
    }
    insta::assert_snapshot!(shown);
}
