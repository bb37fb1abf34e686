//! Structured output in a plan: whose answers are taken apart, and as what.

mod common;

use common::{compile_with, plain};
use sage_dsl::plan::Plan;
use sage_dsl::schema;
use sage_dsl::types::Type;

fn plan(steps: &str) -> Plan {
    let text = format!(
        r#"sage 1
enum Level {{ simple, hard }}
type Part {{ name: string = "none", size: int? }}
type Facts {{ parts: [Part], level: Level = hard }}
type Row {{ id: string @key, text: string }}
source rows: Row from csv("rows.csv")
sink out to stdout()
endpoint llm {{ url: "sim:a100/qwen2.5-7b" }}
prompt level_of(text: string) -> Level """{{{{ text }}}}"""
prompt facts_of(text: string) -> Facts """{{{{ text }}}}"""
prompt words(text: string) -> string """{{{{ text }}}}"""
flow f {{
  from rows
{steps}
  emit into out
}}
"#
    );
    let compiled = compile_with("x.sage", &text, &[], &[]);
    compiled.plans.first().cloned().unwrap_or_else(|| panic!("{}", plain(&compiled)))
}

fn answers(steps: &str) -> Vec<(String, Option<String>)> {
    let plan = plan(steps);
    let answer = |stage| plan.structured(stage).map(|template| template.name.clone());
    plan.stages().map(|stage| (stage.ty.to_string(), answer(stage))).collect()
}

#[track_caller]
fn check(steps: &str, ty: &str, template: Option<&str>) {
    let found = answers(steps);
    let last = found.last().expect("a stage");
    assert_eq!((last.0.as_str(), last.1.as_deref()), (ty, template), "{steps}");
}

#[test]
fn the_call_of_a_prompt_decides_what_a_stage_answers() {
    check("stage a = generate(level_of(.text)) on llm", "Level", Some("level_of"));
    check("stage a = generate(prompt: (facts_of(.text))) on llm", "Facts", Some("facts_of"));
    check("stage a = generate(facts_of(words(.text))) on llm", "Facts", Some("facts_of"));
    check("stage a = generate(words(level_of(.text))) on llm", "Generation", None);
    check("stage a = generate(\"x\" + level_of(.text)) on llm", "Generation", None);
    check("stage a = generate(.text) on llm", "Generation", None);
    check("stage a = level_of(.text)", "string", None);
    check("stage l = generate(level_of(.text)) on llm\n stage a = l == simple", "bool", None);
    check("stage l = generate(facts_of(.text)) on llm\n stage a = l.parts[0].size", "int?", None);
}

#[test]
fn an_answer_leaves_nothing_out() {
    let plan = plan("stage a = generate(facts_of(.text)) on llm");
    let stage = plan.stages().next().expect("a stage");
    let Type::Record(facts) = &stage.ty else { panic!("{}", stage.ty) };
    assert_eq!(facts.fields[1].default, None);
    let Type::List(part) = &facts.fields[0].ty else { panic!("{}", facts.fields[0].ty) };
    let Type::Record(part) = part.as_ref() else { panic!("{part}") };
    assert_eq!(part.fields[0].default, None);
    let template = plan.structured(stage).expect("structured");
    assert_eq!(template.result, stage.ty);
    assert!(schema::json_schema(&template.result).contains(r#""required":["parts","level"]"#));
}

#[test]
fn one_prompt_among_others_keeps_its_type_when_the_unused_are_dropped() {
    let plan = plan(
        "stage a = generate(words(.text)) on llm\n stage b = generate(level_of(a.text)) on llm",
    );
    let types: Vec<String> = plan.templates.iter().map(|it| it.result.to_string()).collect();
    assert_eq!(types, ["Level", "string"]);
    let structured: Vec<bool> =
        plan.stages().map(|stage| plan.structured(stage).is_some()).collect();
    assert_eq!(structured, [false, true]);
}
