//! The mistakes that a newcomer makes first, each with what the terminal shows of it, word for word.
//!
//! Each is one change of a program that is right. The corpus of `sage-dsl` has further ones; together
//! they show every code.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::{Sage, again};

const RIGHT: &str = "sage 1
param top_k: int = 5
type Question { id: string @key, text: string, priority: int = 0 }
type Doc { id: string @key, title: string, text: string }
type Answer { id: string @key, text: string, tokens: int }
enum Level { low, high }
endpoint llm { url: \"sim:a100/qwen2.5-7b\", concurrency: 8 }
source questions: Question from csv(\"questions.csv\")
index docs: Doc from jsonl(\"docs.jsonl\") { embed: .text, search: bm25 }
sink answers: Answer to jsonl(\"answers.jsonl\")
prompt reply(context: string, question: string) -> string \"\"\"
  {{ context }}
  {{ question }}
\"\"\"
flow ask {
  from questions
  where length(.text) > 0
  stage hits = search(docs, .text, k: top_k)
  stage best = rerank(hits, .text, keep: 2)
  stage answer = generate(reply(join(best.text, \" \"), .text)) on llm { max_tokens: 8, timeout: 30s }
  emit Answer { id: .id, text: answer.text, tokens: answer.tokens } into answers
}
schedule { policy: priority, priority: .priority }
";

/// A name, what is replaced, by what.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("edition_forgotten", "sage 1\n", ""),
    ("import_without_quotes", "sage 1\n", "sage 1\nimport common.sage\n"),
    ("import_of_nothing", "sage 1\n", "sage 1\nimport \"comon.sage\"\n"),
    ("comment_by_hash", "param top_k", "# how many\nparam top_k"),
    ("equals_for_colon", "concurrency: 8", "concurrency = 8"),
    ("colon_forgotten", "search: bm25", "search bm25"),
    ("semicolon", "from questions\n", "from questions;\n"),
    ("single_quotes", "\"questions.csv\"", "'questions.csv'"),
    ("path_without_quotes", "csv(\"questions.csv\")", "csv(questions.csv)"),
    ("bracket_left_open", "keep: 2)", "keep: 2"),
    ("brace_left_open", "priority: .priority }", "priority: .priority"),
    ("string_left_open", "jsonl(\"answers.jsonl\")", "jsonl(\"answers.jsonl)"),
    ("stage_forgotten", "stage hits = ", "hits = "),
    ("assignment_by_let", "stage best", "let best"),
    ("type_of_python", "text: string, priority", "text: str, priority"),
    ("type_misspelt", "sink answers: Answer", "sink answers: Anwser"),
    ("type_in_lower_case", "enum Level", "enum level"),
    ("field_without_dot", "rerank(hits, .text", "rerank(hits, text"),
    ("field_misspelt", "length(.text)", "length(.txt)"),
    (
        "command_computed",
        "  stage best",
        "  stage score = exec(.text, \"python3 score.py\")\n  stage best",
    ),
    ("timeout_of_nothing", "timeout: 30s", "timeout: 0s"),
    ("aggregate_without_group", "  stage best", "  stage n = count()\n  stage best"),
    ("stage_with_dot", "rerank(hits", "rerank(.hits"),
    ("field_of_answer_misspelt", "answer.tokens", "answer.token"),
    ("whole_answer_for_its_text", "text: answer.text", "text: answer"),
    ("field_of_emit_forgotten", ", tokens: answer.tokens", ""),
    ("stage_misspelt", "rerank(", "rerankk("),
    ("option_misspelt", "timeout: 30s", "timout: 30s"),
    ("option_elsewhere", "max_tokens: 8", "slots: 8"),
    ("unit_forgotten", "timeout: 30s", "timeout: 30"),
    ("unit_unknown", "timeout: 30s", "timeout: 30sec"),
    ("endpoint_forgotten", " on llm {", " {"),
    ("endpoint_misspelt", "on llm", "on lmm"),
    ("endpoint_at_a_search", "k: top_k)", "k: top_k) on llm"),
    ("argument_misspelt", "keep: 2", "kep: 2"),
    ("argument_forgotten", "rerank(hits, .text, keep: 2)", "rerank(hits)"),
    ("argument_of_another_type", "k: top_k", "k: \"5\""),
    ("number_for_condition", "where length(.text) > 0", "where length(.text)"),
    ("operators_of_c", "length(.text) > 0", "length(.text) > 0 && .priority > 0"),
    ("one_equals_to_compare", "length(.text) > 0", ".priority = 1"),
    ("variable_of_the_template", "{{ question }}", "{{ query }}"),
    ("source_misspelt", "from questions\n", "from question\n"),
    ("source_forgotten", "  from questions\n", ""),
    ("sink_misspelt", "into answers", "into answer"),
    (
        "emit_forgotten",
        "  emit Answer { id: .id, text: answer.text, tokens: answer.tokens } into answers\n",
        "",
    ),
    ("source_of_another_name", "from csv(", "from file("),
    ("policy_misspelt", "policy: priority,", "policy: prioritty,"),
    ("profile_misspelt", "qwen2.5-7b", "qwen-7b"),
    ("key_in_the_program", "concurrency: 8", "api_key: \"sk-1234567890abcdef\""),
    ("two_keys", "text: string, priority", "text: string @key, priority"),
    ("name_given_twice", "stage best", "stage hits"),
    ("text_and_number", "keep: 2)", "keep: 2 + \"1\")"),
    ("where_behind_emit", "into answers\n", "into answers\n  where .priority > 1\n"),
    ("for_loop", "  where length", "  for q in questions\n  where length"),
    ("file_that_is_not_there", "csv(\"questions.csv\")", "csv(\"question.csv\")"),
    ("type_before_name", "text: string, priority", "string text, priority"),
    ("key_before_field", "type Answer { id: string @key", "type Answer { @key id: string"),
    ("record_for_type", "type Answer", "record Answer"),
    ("list_of_java", "tokens: int }", "tokens: int, all: List<string> }"),
    ("if_as_a_step", "  where length(.text) > 0\n", "  if length(.text) > 0 {\n  }\n"),
    ("sort_as_a_step", "  stage best", "  sort by .priority\n  stage best"),
    ("limit_as_a_step", "  stage best", "  limit 10\n  stage best"),
    ("print_as_a_step", "  stage best", "  print(.text)\n  stage best"),
    ("value_in_a_string", "  stage best", "  stage head = \"Q: {{ .text }}\"\n  stage best"),
    ("method_of_a_text", "length(.text) > 0", ".text.lower() == \"a\""),
    ("power", "length(.text) > 0", ".priority ** 2 > 4"),
    ("operators_of_sql", "length(.text) > 0", ".priority <> 1 AND .text like \"a%\""),
    ("list_in_round_brackets", "length(.text) > 0", ".text in (\"a\", \"b\")"),
    ("part_of_a_time", "length(.text) > 0", "time(.text).year == 2026"),
    ("name_that_is_reserved", "stage best", "stage when"),
    ("endpoint_by_using", "on llm", "using llm"),
    ("emit_to", "into answers", "to answers"),
    ("address_without_quotes", "url: \"sim:a100/qwen2.5-7b\"", "url: http://localhost:8000/v1"),
    ("file_in_another_case", "csv(\"questions.csv\")", "csv(\"Questions.csv\")"),
    ("table_with_tabs", "csv(\"questions.csv\")", "tsv(\"questions.csv\")"),
    ("parameter_not_used", "  {{ context }}\n", ""),
    ("model_not_served", "-7b\", con", "-7b\", model: \"Qwen/Qwen2.5-32B-Instruct\", con"),
    ("null_for_a_number", "tokens: answer.tokens", "tokens: null"),
    ("stage_that_cannot_be", "rerank(hits, .text, keep: 2)", "context(.text)"),
];

fn folder() -> Sage {
    Sage::new()
        .file("right.sage", RIGHT)
        .file("questions.csv", "id,text,priority\nq1,Who?,1\n")
        .file("docs.jsonl", "{\"id\": \"d1\", \"title\": \"Who\", \"text\": \"Tasks.\"}\n")
}

/// Without its edition a program runs, with a warning, and with a parameter too many.
fn code_of(name: &str) -> i32 {
    let warned = ["edition_forgotten", "parameter_not_used", "value_in_a_string"];
    i32::from(!warned.contains(&name))
}

fn wrong(from: &str, to: &str) -> String {
    assert_eq!(RIGHT.matches(from).count(), 1, "`{from}` is to be there once");
    RIGHT.replace(from, to)
}

#[test]
fn every_mistake_is_explained_in_the_terminal() {
    let sage = folder();
    again(&sage, "check right.sage").go().exits(0);
    assert!(MISTAKES.len() >= 50);
    for (name, from, to) in MISTAKES {
        let text = wrong(from, to);
        std::fs::write(sage.folder.path().join("my.sage"), &text).unwrap();
        let done = again(&sage, "check my.sage").go().exits(code_of(name));
        insta::assert_snapshot!(*name, done.stderr);
    }
}

#[test]
fn what_the_terminal_shows_is_in_the_json_as_well() {
    let sage = folder();
    for (name, from, to) in MISTAKES {
        std::fs::write(sage.folder.path().join("my.sage"), wrong(from, to)).unwrap();
        let shown = again(&sage, "check my.sage").go().stderr;
        let json = again(&sage, "check my.sage --format json").go().exits(code_of(name)).stdout;
        let found: Vec<Value> = serde_json::from_str(&json).unwrap();
        assert!(!found.is_empty(), "{name}");
        for found in found {
            for part in ["message", "help"] {
                let text = found[part].as_str().unwrap_or_default();
                let first = text.lines().next().unwrap_or_default();
                assert!(shown.contains(first), "{name}: `{first}` is not in\n{shown}");
            }
            if let (Some(code), Some(line)) = (found["code"].as_str(), found["line"].as_u64()) {
                let place = format!("my.sage:{line}:");
                assert!(shown.contains(code) && shown.contains(&place), "{name}\n{shown}");
            }
        }
    }
}

#[test]
fn a_value_for_no_param_and_a_file_too_large_are_explained() {
    let sage = folder();
    let done = again(&sage, "check right.sage --set topk=3").go().exits(1);
    insta::assert_snapshot!("set_misspelt", done.stderr);
    std::fs::write(sage.folder.path().join("other.sage"), "sage 1\nimport \"my.sage\"\n").unwrap();
    std::fs::write(
        sage.folder.path().join("my.sage"),
        wrong("sage 1\n", "sage 1\nimport \"other.sage\"\n"),
    )
    .unwrap();
    let done = again(&sage, "check my.sage").go().exits(1);
    insta::assert_snapshot!("files_that_import_each_other", done.stderr);
    let measured = format!("{RIGHT}measure to csv(\"m.csv\") every 1s {{ latency }}\n");
    let done = again(&sage.file("m.sage", measured), "check m.sage").go().exits(0);
    assert_eq!(done.stderr.matches("warning").count(), 0, "{}", done.stderr);
    let large = format!("{RIGHT}// {}\n", "x".repeat(1 << 20));
    let done = Sage::new().args("fmt -").stdin(&large[..=(1 << 20)]).go().exits(1);
    assert!(done.stderr.contains("S0115"), "{}", &done.stderr[..200]);
}

/// Codes that no program of today can bring about; they stay because codes are never reused.
const RETIRED: [&str; 2] = ["S0118", "S0313"];

/// Shown by the test above; by `registry.rs` of `sage-dsl`, as no stage that is there reports it; by
/// `program_tests.rs`, as only a run finds it.
const ELSEWHERE: [&str; 3] = ["[S0115]", "[S0411]", "[S0706]"];

#[test]
fn every_code_has_a_page_and_is_shown_in_a_golden_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shown: String = ELSEWHERE.concat();
    for folder in ["tests/snapshots", "../../dsl/tests/corpus/err", "../../dsl/tests/corpus/ok"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "snap") {
                shown += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let page = Sage::new().args("doc --markdown codes").go().exits(0).stdout;
    let codes: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("## ")?.split(':').next()).collect();
    assert!(codes.len() > 90, "{}", codes.len());
    for code in codes {
        let done = Sage::new().args(&format!("explain {code}")).go().exits(0);
        assert!(done.stdout.lines().count() >= 3, "{code} has no page:\n{}", done.stdout);
        let golden = shown.contains(&format!("[{code}]"));
        assert!(golden || RETIRED.contains(&code), "no golden test shows {code}");
    }
}
