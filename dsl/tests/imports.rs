//! Imports: what overrides what, what clashes, and what goes round in a circle.

mod common;

use common::{compile_with, plain};
use sage_dsl::Compiled;
use sage_dsl::types::Value;

const BASE: &str = r#"sage 1
param k: int = 3
type Query { id: string @key, text: string }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "base" }
source queries: Query from csv("base.csv")
sink answers: Query to csv("answers.csv")
flow base {
  from queries
  stage answer = generate(.text) on llm { max_tokens: k }
  emit Query { id: .id, text: answer.text } into answers
}
schedule { policy: fifo, slots: 2 }
"#;

fn compile(main: &str, files: &[(&str, &str)]) -> Compiled {
    let mut all = vec![("base.sage", BASE)];
    all.extend(files);
    compile_with("main.sage", &format!("sage 1\n{main}"), &[], &all)
}

#[test]
fn every_kind_of_declaration_of_the_importing_file_overrides() {
    let compiled = compile(
        r#"import "base.sage"
param k: int = 5
endpoint llm { url: "sim:h100/llama3-70b", model: "own" }
source queries: Query from jsonl("own.jsonl")
sink answers: Query to jsonl("own.jsonl")
schedule { policy: priority(aging: 1s), slots: 9, priority: length(.text) }
"#,
        &[],
    );
    assert!(compiled.diagnostics.is_empty(), "{}", plain(&compiled));
    let [plan] = compiled.plans.as_slice() else { panic!("one plan") };
    assert_eq!((plan.name.as_str(), plan.endpoints[0].model.as_str()), ("base", "own"));
    assert_eq!(plan.source().map(|source| source.kind.as_str()), Some("jsonl"));
    assert_eq!(plan.sinks[0].kind, "jsonl");
    assert_eq!((plan.schedule.policy.as_str(), plan.schedule.slots), ("priority", 9));
    let answer = plan.stages().find(|stage| stage.name == "answer").expect("the stage");
    let tokens = answer.options.iter().find(|(name, _)| name == "max_tokens");
    assert_eq!(tokens.map(|(_, value)| value), Some(&Value::Int(5)));
}

#[test]
fn a_diamond_is_one_file_and_no_clash() {
    let left = "sage 1\nimport \"base.sage\"\nfn left(t: string) -> string = t\n";
    let right = "sage 1\nimport \"base.sage\"\nfn right(t: string) -> string = t\n";
    let compiled = compile(
        "import \"left.sage\"\nimport \"right.sage\"\n",
        &[("left.sage", left), ("right.sage", right)],
    );
    assert!(!compiled.failed() && compiled.plans.len() == 1, "{}", plain(&compiled));
}

#[test]
fn a_file_that_overrides_both_sides_of_a_clash_settles_it_wherever_it_is_imported() {
    let (left, right) = ("sage 1\nparam d: int = 1\n", "sage 1\nparam d: int = 2\n");
    let both = "sage 1\nimport \"left.sage\"\nimport \"right.sage\"\nparam d: int = 3\n";
    let files = [("left.sage", left), ("right.sage", right), ("both.sage", both)];
    let order =
        "import \"left.sage\"\nimport \"right.sage\"\nimport \"both.sage\"\nimport \"base.sage\"\n";
    let compiled = compile(order, &files);
    assert!(!compiled.failed(), "{}", plain(&compiled));
    let d = compiled.plans[0].params.iter().find(|(name, _)| name == "d");
    assert_eq!(d.map(|(_, value)| value), Some(&Value::Int(3)));

    let compiled =
        compile("import \"left.sage\"\nimport \"right.sage\"\nimport \"base.sage\"\n", &files);
    let said = plain(&compiled);
    assert!(compiled.failed() && said.contains("S0213") && said.contains("declare `d`"), "{said}");
    let own =
        "import \"left.sage\"\nimport \"right.sage\"\nimport \"base.sage\"\nparam d: int = 4\n";
    assert!(!compile(own, &files).failed());
}

#[test]
fn files_that_import_each_other_are_named() {
    let circle = "sage 1\nimport \"two.sage\"\n";
    let back = "sage 1\nimport \"one.sage\"\n";
    let compiled = compile(
        "import \"base.sage\"\nimport \"one.sage\"\n",
        &[("one.sage", circle), ("two.sage", back)],
    );
    let said = plain(&compiled);
    let round = "`one.sage` imports `two.sage` imports `one.sage`";
    assert!(said.contains("S0217") && said.contains(round), "{said}");
    assert_eq!(said.matches("S0217").count(), 1, "{said}");
    let own = plain(&compile("import \"main.sage\"\nimport \"base.sage\"\n", &[]));
    assert!(own.contains("`main.sage` imports `main.sage`"), "{own}");
}

#[test]
fn of_two_imported_schedules_it_is_said_which_is_taken() {
    let other = "sage 1\nschedule { policy: fifo, slots: 4 }\n";
    let flow = "flow own {\n from queries\n emit Query { id: .id, text: .text } into answers\n}\n";
    let imports = "import \"base.sage\"\nimport \"other.sage\"\n";
    let compiled = compile(&format!("{imports}{flow}"), &[("other.sage", other)]);
    let said = plain(&compiled);
    assert!(!compiled.failed() && said.contains("two imported files have a `schedule`"), "{said}");
    assert_eq!(compiled.plans[0].schedule.slots, 2);
    let settled = format!("{imports}{flow}schedule {{ policy: fifo, slots: 7 }}\n");
    let compiled = compile(&settled, &[("other.sage", other)]);
    assert!(!plain(&compiled).contains("S0213"), "{}", plain(&compiled));
    assert_eq!(compiled.plans[0].schedule.slots, 7);
}

#[test]
fn of_a_file_without_a_flow_all_may_be_used_by_others() {
    let base = BASE.split("flow base").next().expect("the declarations");
    let compiled = compile_with("base.sage", base, &[], &[]);
    let codes: Vec<&str> = compiled.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["S0409"], "{}", plain(&compiled));
}

#[test]
fn explain_names_the_file_of_what_is_imported() {
    let compiled = compile(
        "import \"base.sage\"\nsink own: Query to csv(\"own.csv\")\nflow mine {\n  from queries\n  \
         stage answer = generate(upper(.text) + \"!\") on llm\n  \
         emit Query { id: .id, text: answer.text } into own\n}\n",
        &[],
    );
    let plan = compiled.plans.iter().find(|plan| plan.name == "mine").expect("the flow");
    let text = sage_dsl::explain(plan);
    for part in [
        "(line 5 of base.sage)",
        "(line 4 of base.sage)",
        "(sink on line 3)",
        "generate(prompt: upper(.text) + \"!\")",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}
