//! `sage-flow test`: tests of programs pass when they should, fail when they should, and say why.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every program that is shipped.
fn shipped() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("pipelines")).unwrap();
    let mut files: Vec<PathBuf> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sage"))
        .collect();
    files.sort();
    assert!(files.len() >= 7, "{files:?}");
    files
}

fn sage_flow(arguments: &[&str], files: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sage-flow"))
        .arg("test")
        .args(arguments)
        .args(files)
        .env_remove("SAGE_LLM_URL")
        .output()
        .unwrap()
}

fn json(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"))
}

fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("program.sage");
    std::fs::write(&path, text).unwrap();
    path
}

const PROGRAM: &str = r#"sage 1
type Query { id: string @key, text: string }
type Answer { id: string, text: string, tokens: int }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "Qwen/Qwen2.5-7B-Instruct" }
source queries: Query from csv("queries.csv")
sink answers: Answer to csv("answers.csv")
flow ask {
  from queries
  where length(.text) > 2
  stage answer = generate(.text) on llm { max_tokens: 16, timeout: 30s }
  stage pause = sleep(2s)
  emit Answer { id: .id, text: answer.text, tokens: answer.tokens } into answers
}
"#;

/// The program with `tests` behind it and a table of three questions beside it.
fn program(tests: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let rows = "id,text\nq1,What is a slot?\nq2,\nq3,What is a worker?\n";
    std::fs::write(folder.path().join("queries.csv"), rows).unwrap();
    let path = written(folder.path(), &format!("{PROGRAM}{tests}"));
    (folder, path)
}

#[test]
fn the_tests_of_all_shipped_programs_pass() {
    let files = shipped();
    let output = sage_flow(&["--json"], &files);
    let results = json(&output);
    let failed: Vec<_> = results.iter().filter(|it| it["outcome"] != "passed").collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}");
    for file in files {
        let of_file = |it: &&Value| it["file"].as_str() == Some(&file.to_string_lossy());
        assert!(results.iter().any(|it| of_file(&it)), "{} has no test", file.display());
    }
}

#[test]
fn every_expectation_of_a_shipped_program_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    let pipelines = folder.path().join("pipelines");
    let mut negated = Vec::new();
    std::fs::create_dir_all(pipelines.join("data")).unwrap();
    std::os::unix::fs::symlink(root().join("docs"), folder.path().join("docs")).unwrap();
    for entry in std::fs::read_dir(root().join("pipelines/data")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), pipelines.join("data").join(entry.file_name())).unwrap();
    }
    for file in shipped() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().map(|line| match line.strip_prefix("  expect ") {
            Some(condition) => format!("  expect not ({condition})\n"),
            None => format!("{line}\n"),
        });
        let path = pipelines.join(file.file_name().unwrap());
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        negated.push(path);
    }
    let output = sage_flow(&["--json"], &negated);
    assert_eq!(output.status.code(), Some(2));
    for result in json(&output) {
        assert_eq!(result["outcome"], "failed", "{result:#}");
        for expectation in result["expectations"].as_array().unwrap() {
            assert_eq!(expectation["holds"], false, "{} in {}", expectation, result["test"]);
        }
    }
}

#[test]
fn a_test_comes_out_the_same_every_time() {
    let files = [root().join("pipelines/rag.sage"), root().join("pipelines/llm.sage")];
    let run = || {
        let mut results = json(&sage_flow(&["--json"], &files));
        for result in &mut results {
            result.as_object_mut().unwrap().remove("wall_s").expect("a wall time");
        }
        results
    };
    assert_eq!(run(), run());
}

#[test]
fn a_failed_expectation_is_shown_with_its_values_and_its_place() {
    let (_folder, path) = program(
        r#"test "counts" {
  given 3 of queries
  expect answers.count == 3
  expect p99(latency) < 1s and answers.id contains "q1"
}
"#,
    );
    let output = sage_flow(&[], &[path]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    for part in
        ["answers.count == 3", "S0706", "program.sage:16:10", "this is 2", "[\"q1\",\"q3\"]"]
    {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(said.contains("p99(latency) < 1s") && said.contains("this is 2s"), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("0 passed, 1 failed"));
}

#[test]
fn mistakes_are_errors_and_nothing_is_run() {
    let (_folder, path) =
        program("test \"none\" { given 3 of querys  expect answers.count == 1 }\n");
    let output = sage_flow(&[], &[path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `queries`?"));
}

#[test]
fn tests_are_chosen_by_their_names() {
    let (_folder, path) = program(
        r#"test "first" { given 1 of queries  expect answers.count == 1 }
test "second" { given 1 of queries  expect answers.count == 7 }
"#,
    );
    let of = |filter: &str| sage_flow(&["--json", "--filter", filter], std::slice::from_ref(&path));
    let first = of("fir");
    assert!(first.status.success());
    assert_eq!(json(&first).len(), 1);
    assert_eq!(of("second").status.code(), Some(2));
    let none = of("third");
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("none of the 2 tests"));
}

#[test]
fn half_a_minute_of_silence_is_no_time_at_all() {
    let (_folder, path) = program(
        r#"test "silence" {
  given 6 of queries
  fault llm { stall: 100% }
  expect dead_letters.count == 4 and answers.count == 0
  expect dead_letters.class contains "timeout" and dead_letters[0].stage == "answer"
  expect dead_letters[0].record.text == "What is a slot?"
  expect makespan >= 30s and makespan < 31s
}
test "the time of a wait is exact" {
  given Query { id: "a", text: "long enough" }
  mock answer.text = "short"
  expect latency_max >= 2s and latency_max < 2001ms
  expect answers[0].tokens == count_tokens("short") and llm.calls == 0
}
"#,
    );
    let output = sage_flow(&["--json"], &[path]);
    let results = json(&output);
    assert!(output.status.success(), "{results:#?}");
    assert!(results[0]["virtual_s"].as_f64().unwrap() >= 30.0, "{}", results[0]);
}

#[test]
fn each_fault_leads_to_what_it_leads_to_in_a_run() {
    let cases: BTreeMap<&str, &str> = [
        ("status_400: 100%", "dead_letters.class contains \"rejected\" and llm.retries == 0"),
        ("status_429: 100%", "dead_letters.class contains \"throttled\" and llm.retries > 0"),
        ("status_500: 100%", "dead_letters.class contains \"server\" and llm.retries > 0"),
        ("drop: 100%", "dead_letters.class contains \"server\" and llm.retries > 0"),
        ("malformed: 100%", "dead_letters.class contains \"protocol\" and llm.retries > 0"),
        ("slow_start: 4s", "dead_letters.count == 0 and llm.retries > 0 and latency_max > 4s"),
        ("latency: 5s", "dead_letters.count == 0 and llm.retries == 0 and latency_p50 > 5s"),
        ("outage: { at: 0s, for: 300ms }", "dead_letters.count == 0 and latency_max > 300ms"),
        (
            "outage: { for: 1h }",
            "dead_letters.class contains \"unreachable\" and answers.count == 0",
        ),
        (
            "outage: { at: 10min, for: 1min, every: 20min }",
            "dead_letters.count == 0 and llm.retries == 0",
        ),
    ]
    .into();
    for (fault, expected) in cases {
        let (_folder, path) = program(&format!(
            "test \"{}\" {{\n  given 3 of queries\n  fault llm {{ {fault} }}\n  expect {expected}\n}}\n",
            fault.replace('%', " percent")
        ));
        let output = sage_flow(&[], &[path]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{fault}: {said}");
    }
}

const STRUCTURED: &str = r#"sage 1
type Note { id: string @key, text: string }
type Facts { subject: string, words: [string] }
type Row { id: string @key, subject: string }
endpoint llm { url: "sim:a100/qwen2.5-7b" }
source notes: Note from generate(count: 40, text: "note {{ n }}")
sink rows: Row to jsonl("rows.jsonl")
prompt facts_of(text: string) -> Facts """{{ text }}"""
flow extract {
  from notes
  stage facts = generate(facts_of(.text)) on llm { max_tokens: 400, repair: 2 }
  emit Row { id: .id, subject: facts.subject } into rows
}
"#;

#[test]
fn answers_that_miss_their_schema_are_asked_for_again_and_at_last_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let tests = r#"
test "none misses" {
  given 40 of notes
  expect rows.count == 40 and llm.calls == 40
}
test "some miss" {
  given 40 of notes
  fault llm { wrong_schema: 30%, seed: 5 }
  expect llm.calls > 40 and rows.count > 30 and llm.retries == 0
}
test "all miss" {
  given 40 of notes
  fault llm { wrong_schema: 100% }
  expect dead_letters.count > 20 and rows.count + dead_letters.count == 40 and llm.calls > 80
  expect dead_letters[0].class == "invalid_output"
}
"#;
    let path = written(folder.path(), &format!("{STRUCTURED}{tests}"));
    let output = sage_flow(&["--format", "json"], &[path]);
    let results = json(&output);
    assert!(output.status.success() && results.len() == 3, "{results:#?}");
}

#[test]
fn a_failed_test_shows_the_difference_and_its_dead_letters() {
    let (_folder, path) = program(
        r#"test "lists" {
  given 3 of queries
  mock answer = error("no such model")
  expect answers.id == ["q1", "q2"]
}
test "rows" {
  given 3 of queries
  expect answers.id == ["q1", "q2", "q3"]
}
"#,
    );
    let output = sage_flow(&[], std::slice::from_ref(&path));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    for part in [
        "answers.id == [\"q1\", \"q2\"]\n  - expected\n  + got\n  - \"q1\"\n  - \"q2\"\n",
        "    \"q1\"\n  - \"q2\"\n    \"q3\"\n",
        "2 dead letters:\n  stage `answer`, rejected, 1 attempt: no such model\n    of {\"id\":\"q1\"",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let results = json(&sage_flow(&["--json"], &[path]));
    let differences = &results[1]["expectations"][0]["differences"];
    assert_eq!(differences[0]["expected"], serde_json::json!(["q1", "q2", "q3"]));
    assert_eq!(differences[0]["got"], serde_json::json!(["q1", "q3"]));
    assert_eq!(results[0]["dead_letters"].as_array().unwrap().len(), 2);
    assert_eq!(results[0]["dead"], 2);
}

#[test]
fn nothing_to_test_is_said_and_is_no_success() {
    let (_folder, path) = program("");
    let output = sage_flow(&[], std::slice::from_ref(&path));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("it has no test") && said.contains("there was nothing to test"),
        "{said}"
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("passed"));
    // Beside one that has tests it is only said.
    let (_other, tested) =
        program("test \"a\" { given 1 of queries  expect answers.count == 1 }\n");
    let both = sage_flow(&[], &[path.clone(), tested.clone()]);
    assert!(both.status.success());
    assert!(String::from_utf8_lossy(&both.stderr).contains("it has no test"));
    assert!(String::from_utf8_lossy(&both.stdout).contains("1 passed, 0 failed"));
    // What has mistakes is not tested, and what else there is is.
    let (_third, wrong) = program("test \"a\" { given 1 of querys  expect answers.count == 1 }\n");
    let mixed = sage_flow(&[], &[wrong.clone(), tested]);
    assert_eq!(mixed.status.code(), Some(1));
    let out = String::from_utf8_lossy(&mixed.stdout).into_owned();
    assert!(
        out.contains("not tested, it has 1 mistake") && out.contains("1 passed, 0 failed"),
        "{out}"
    );
    assert!(String::from_utf8_lossy(&mixed.stderr).contains("not tested: "));
    let told = sage_flow(&["--format", "json"], std::slice::from_ref(&wrong));
    assert_eq!(told.status.code(), Some(1));
    let results = json(&told);
    assert_eq!(results[0]["outcome"], "not tested");
    assert_eq!(results[0]["mistakes"], 1);
    // The findings are those of the other verb, and said once.
    let check = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
    let checked = { check }.args(["check", "--format", "json"]).arg(&wrong).output().unwrap();
    assert_eq!(results[0]["diagnostics"].as_array(), Some(&json(&checked)));
    assert!(results[0]["diagnostics"][0]["line"].as_u64() > Some(1), "{results:?}");
    let aside = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!aside.contains("querys") && aside.contains("not tested"), "{aside}");
}

#[test]
fn what_dedup_leaves_out_is_counted() {
    let text = "test \"a\" {
  given [Query { id: \"a\", text: \"one two\" }, Query { id: \"b\", text: \"three\" }, Query { id: \"c\", text: \"one two\" }]
  expect left_out == 1 and answers.count == 2
  expect left_out == 0
}
";
    let (_folder, path) = program(text);
    let written = std::fs::read_to_string(&path).unwrap();
    let written = written.replacen("from queries\n", "from queries\n  dedup by .text\n", 1);
    std::fs::write(&path, written).unwrap();
    let output = sage_flow(&["--json"], &[path]);
    let results = json(&output);
    let expectations = &results[0]["expectations"];
    assert_eq!(expectations[0]["holds"], true, "{results:?}");
    assert_eq!(expectations[1]["holds"], false, "{results:?}");
    assert_eq!(expectations[1]["values"]["left_out"], "1.0", "{results:?}");
}

#[test]
fn mocks_reach_what_is_done_while_the_source_is_read() {
    let program = r#"sage 1
type Doc { id: string @key, text: string }
endpoint llm { url: "sim:a100/qwen2.5-7b" }
source docs: Doc from csv("docs.csv")
sink rows to csv("rows.csv")
flow f {
  from docs
  stage kind = lower(.text)
  dedup by kind
  stage parts = chunk(.text, size: 1)
  flat_map part = parts
  stage answer = generate(part) on llm
  emit { id: .id, part: part, text: answer.text } into rows
}
test "pieces" {
  given [Doc { id: "a", text: "one two" }, Doc { id: "b", text: "ONE TWO" }]
  mock answer.text = .id + part
  expect left_out == 1 and rows.text == ["aone", "atwo"]
}
test "mocked" {
  given [Doc { id: "a", text: "one two" }, Doc { id: "b", text: "ONE TWO" }]
  mock kind = .id
  mock parts = [.id, .text]
  mock answer.text = part
  expect left_out == 0 and rows.text == ["a", "one two", "b", "ONE TWO"]
}
"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("docs.csv"), "id,text\n").unwrap();
    let path = written(folder.path(), program);
    let output = sage_flow(&["--json"], &[path]);
    let results = json(&output);
    assert!(output.status.success(), "{results:#?}");
    let wrong = program.replace("mock parts = [.id, .text]", "mock part = .id");
    let output = sage_flow(&[], &[written(folder.path(), &wrong)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("`part` is an element of a list, and no stage"), "{said}");
}

#[test]
fn a_run_that_cannot_be_made_is_a_failed_test() {
    let (folder, path) = program("test \"a\" { given 1 of queries  expect answers.count == 1 }\n");
    std::fs::remove_file(folder.path().join("queries.csv")).unwrap();
    let output = sage_flow(&[], &[path]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("queries.csv") && said.contains("could not be run"), "{said}");
}

const ELEMENTS: &str = r#"sage 1
type Doc { id: string @key, text: string }
type Part { doc: string, size: int, part: string }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "Qwen/Qwen2.5-7B-Instruct" }
source docs: Doc from jsonl("docs.jsonl")
sink parts: Part to jsonl("parts.jsonl")
flow f {
  from docs
  stage loud = upper(.text)
  flat_map p = split(loud, ";")
  stage t = generate("Tone of " + p) on llm
  emit Part { doc: .id, size: 2, part: t.text } into parts
}
"#;

#[test]
fn a_dead_element_is_a_record_without_what_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let tests = r#"test "a call fails" {
  given Doc { id: "a", text: "x;y" }
  mock t = error("no")
  expect dead_letters.count == 2 and dead_letters[1].record.p == "Y"
  expect dead_letters[0].record.id == "a"
}
test "the server fails" {
  given Doc { id: "a", text: "x;y" }
  fault llm { status_500: 100% }
  expect dead_letters.count == 2 and length(parts) == 0
}
test "a mock reads the element, and one in front of it counts" {
  given Doc { id: "a", text: "x;y" }
  mock loud = "v;w"
  mock t.text = p + .id
  expect parts.part == ["va", "wa"] and parts.count == 2 and parts.size == [2, 2]
}
"#;
    let path = written(folder.path(), &format!("{ELEMENTS}{tests}"));
    let output = sage_flow(&["--json"], &[path]);
    let results = json(&output);
    let failed: Vec<_> = results.iter().filter(|it| it["outcome"] != "passed").collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}");
    assert_eq!(results.len(), 3);

    let wrong = r#"test "a field is called so" {
  given Doc { id: "a", text: "x" }
  mock p = "x"
  expect parts.count == 1
}
"#;
    let counted = ELEMENTS.replace("size", "count");
    let path = written(folder.path(), &format!("{counted}{wrong}"));
    let said = String::from_utf8_lossy(&sage_flow(&[], &[path]).stderr).into_owned();
    assert!(said.contains("how many rows there are is `length(parts)`"), "{said}");
    assert!(said.contains("`p` is an element of a list, and no stage"), "{said}");
}

const JOINED: &str = r#"sage 1
type Order { id: int @key, by: string }
type User { name: string @key, city: string }
source orders: Order from jsonl("orders.jsonl")
source users: User from jsonl("users.jsonl")
sink out to jsonl("out.jsonl")
flow f {
  from orders
  join users on .by == users.name
  emit { id: .id, city: users.city } into out
}
"#;

#[test]
fn a_joined_source_has_the_records_that_a_test_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let beside = "{\"name\":\"a\",\"city\":\"from the file\"}\n";
    std::fs::write(folder.path().join("users.jsonl"), beside).unwrap();
    let tests = r#"test "given" {
  given [Order { id: 1, by: "a" }, Order { id: 2, by: "b" }] of orders
  given [User { name: "b", city: "Bonn" }] of users
  expect out.id == [2] and out[0].city == "Bonn"
}
test "read" {
  given Order { id: 1, by: "a" }
  expect out[0].city == "from the file"
}
"#;
    let path = written(folder.path(), &format!("{JOINED}{tests}"));
    let output = sage_flow(&["--json"], &[path]);
    let results = json(&output);
    let failed: Vec<_> = results.iter().filter(|it| it["outcome"] != "passed").collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}");

    for (given, said) in [
        ("given [User { name: \"b\", city: \"\" }]", "given [...] of users"),
        ("given [User { name: \"b\", city: \"\" }] of users", "no records of `orders`"),
        ("given 3 of users", "a joined source is read as a whole"),
        ("given [User { name: \"b\", city: \"\" }] of usres", "did you mean `users`"),
    ] {
        let test = format!("test \"t\" {{\n  {given}\n  expect out.count == 0\n}}\n");
        let path = written(folder.path(), &format!("{JOINED}{test}"));
        let errors = String::from_utf8_lossy(&sage_flow(&[], &[path]).stderr).into_owned();
        assert!(errors.contains(said), "{given}: {errors}");
    }
}

#[test]
fn a_failed_row_of_a_group_has_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let program = r#"sage 1
type Hit { id: int @key, text: string, n: int }
source hits: Hit from jsonl("hits.jsonl")
sink out to jsonl("out.jsonl")
flow f {
  from hits
  group by .text { n: sum(.n) }
  stage share = 6 / .n
  emit { text: .text, share: share } into out
}
test "a row fails" {
  given [Hit { id: 1, text: "a", n: 0 }, Hit { id: 2, text: "b", n: 3 }]
  expect out.share == [2] and dead_letters.count == 1
  expect dead_letters[0].columns.text == "a" and dead_letters[0].columns.n == 0
}
"#;
    let path = written(folder.path(), program);
    let output = sage_flow(&["--json"], &[path]);
    let results = json(&output);
    assert!(output.status.success(), "{results:#?}");
}
