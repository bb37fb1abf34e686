//! Suites that go on, and those that must not; results that are gone; what is said of experiments
//! beside running them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it must not go on")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Done, Sage};

/// Reads a table, a folder of documents and a variable of the environment.
const FINDS: &str = r#"sage 1
type Query { id: string @key, text: string }
type Doc { id: string @key, title: string, text: string }
type Out { id: string @key, best: string, answer: string }
param url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
endpoint llm { url: url, model: "Qwen/Qwen2.5-7B-Instruct" }
endpoint embedder { url: "sim:a100/qwen2.5-7b", model: "BAAI/bge-small-en-v1.5" }
source queries: Query from csv("q.csv")
index docs: Doc from markdown("notes") { embed: .text, with: embedder, search: vector }
sink outs: Out to jsonl("outs.jsonl")
flow find {
  from queries
  stage asked = embed(.text) on embedder
  stage hits = retrieve(docs, asked, k: 1)
  stage answer = generate(.text) on llm { max_tokens: 8 }
  emit Out { id: .id, best: join(hits.id, " "), answer: answer.text } into outs
}
experiment finds {
  jobs: [find], nodes: 1
  sweep slots in [1, 2]
  repeat: 2
  claim "more slots are faster" { throughput[2] > throughput[1] }
  claim "all is found" { success >= 100% and throughput > 1/s }
}
"#;

const QUESTIONS: &str = "id,text\n1,where do otters live\n2,what do bees make\n";

fn finds() -> Sage {
    let sage = Sage::new().file("finds.sage", FINDS).file("q.csv", QUESTIONS);
    let notes = sage.folder.path().join("notes");
    fs::create_dir(&notes).unwrap();
    fs::write(notes.join("a.md"), "# Otters\n\nOtters live in rivers.\n").unwrap();
    fs::write(notes.join("b.md"), "# Bees\n\nBees make honey.\n").unwrap();
    sage
}

/// Another command in the same folder.
fn beside(sage: &Sage, arguments: &str) -> Sage {
    let mut other = Sage::new();
    other.folder = sage.folder.clone();
    other.args(arguments)
}

fn go(sage: &Sage, arguments: &str) -> Done {
    beside(sage, arguments).go()
}

const RUN: &str = "experiment run finds.sage --on twin --no-pictures";

fn folders(sage: &Sage) -> Vec<PathBuf> {
    let entries = fs::read_dir(sage.folder.path().join("results/finds")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort_by_key(|folder| folder.join("suite.json").metadata().unwrap().modified().unwrap());
    folders
}

/// As if the process had been killed in the middle of the last trial of the newest suite.
fn cut_off(sage: &Sage) -> String {
    let folder = folders(sage).pop().unwrap();
    fs::remove_file(folder.join("runs/slots-2.find.r1/ended.json")).unwrap();
    folder.strip_prefix(sage.folder.path()).unwrap().display().to_string()
}

#[test]
fn a_stopped_suite_goes_on_only_with_what_it_began_with() {
    let sage = finds();
    go(&sage, RUN).exits(0);
    let first = cut_off(&sage);
    let text = fs::read_to_string(sage.folder.path().join(&first).join("setup.json")).unwrap();
    let setup: Value = serde_json::from_str(&text).unwrap();
    let inputs: Vec<&String> = setup["inputs"].as_object().unwrap().keys().collect();
    assert_eq!(inputs, ["file notes", "file q.csv", "flow find of finds.sage"]);

    // All as it was: it goes on.
    let again =
        go(&sage, RUN).exits(0).says("going on with finds on twin: 4 trials, 3 of them done");
    assert!(!again.stderr.contains("not going on"), "{}", again.stderr);
    assert_eq!(folders(&sage).len(), 1);

    // Another endpoint, by the environment alone.
    let stopped = cut_off(&sage);
    let other = || beside(&sage, RUN).env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b@2");
    other().go().exits(0).says(&format!("not going on with {stopped}"));
    assert_eq!(folders(&sage).len(), 2);

    // Another table, another document.
    let folder = sage.folder.path().to_owned();
    for (file, text) in [("q.csv", "id,text\n1,where do otters live\n"), ("notes/b.md", "# Bees\n")]
    {
        let (before, stopped) = (folders(&sage).len(), cut_off(&sage));
        fs::write(folder.join(file), text).unwrap();
        other().go().exits(0).says(&format!("not going on with {stopped}"));
        assert_eq!(folders(&sage).len(), before + 1, "{file}");
    }
    // With a folder of its own it is refused.
    let named = format!("{RUN} --out out -q");
    go(&sage, &named).exits(0);
    fs::write(folder.join("q.csv"), QUESTIONS).unwrap();
    go(&sage, &named).exits(1).says("a file that it reads, or a variable of the environment");
}

#[test]
fn a_result_that_is_gone_is_named_and_made_again() {
    let sage = finds();
    let named = format!("{RUN} --out out");
    go(&sage, &named).exits(0);
    go(&sage, "experiment report out").exits(0);
    let out = sage.folder.path().join("out");
    let trial = out.join("runs/slots-1.find.r1");
    for (text, why) in
        [("{}", "`schema`"), ("{\"tasks_in\": 1", "metrics.json"), ("", "metrics.json")]
    {
        fs::write(trial.join("find/metrics.json"), text).unwrap();
        let report = go(&sage, "experiment report out -q").exits(2);
        report.says("slots-1.find.r1: its result cannot be read").says(why);
        go(&sage, "experiment compare out out").exits(2).says("slots-1.find.r1");
        go(&sage, &named).exits(0).says("slots-1.find.r1 was run again").says("3 of them done");
        go(&sage, "experiment report out -q").exits(0);
    }
    fs::remove_dir_all(&trial).unwrap();
    for command in ["experiment report out -q", "experiment compare out out"] {
        go(&sage, command)
            .exits(2)
            .says("slots-1.find.r1: it was not run, or its folder was removed");
    }
    go(&sage, &named).exits(0);
    go(&sage, "experiment report out -q").exits(0);
}

#[test]
fn a_trace_that_cannot_be_read_is_told_once_and_before_anything_is_run() {
    let sage = finds();
    let traced = FINDS.replace("nodes: 1\n", "nodes: 1, arrivals: trace(\"times.txt\")\n");
    fs::write(sage.folder.path().join("finds.sage"), traced).unwrap();
    let missing = go(&sage, RUN).exits(1).says("arrivals of job `find`").says("times.txt");
    assert_eq!(missing.stderr.matches("times.txt").count(), 1, "{}", missing.stderr);
    fs::write(sage.folder.path().join("times.txt"), "0\nsoon\n").unwrap();
    go(&sage, RUN).exits(1).says("found `soon`");
    assert!(!sage.folder.path().join("results").exists());
    fs::write(sage.folder.path().join("times.txt"), "0\n1\n").unwrap();
    go(&sage, RUN).exits(0);
}

#[test]
fn a_profile_stands_in_for_a_real_server_on_the_twin() {
    let sage = finds();
    let run = |more: &str| {
        beside(&sage, &format!("{RUN} {more}")).env("SAGE_LLM_URL", "http://gpu:8000").go()
    };
    run("").exits(2).says("--profile PROFILE to stand in for it");
    run("--profile no/such").exits(1).says("--profile no/such");
    run("--profile a100/qwen2.5-7b --out out").exits(0);
    let text = fs::read_to_string(sage.folder.path().join("out/suite.json")).unwrap();
    let suite: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(suite["overrides"]["profile"], "a100/qwen2.5-7b");
}

#[test]
fn check_run_and_doc_know_of_experiments() {
    let sage = finds();
    let check = go(&sage, "check finds.sage").exits(0);
    let line = "finds.sage: experiment finds is right: 4 trials, 2 claims";
    assert!(check.stdout.contains(line), "{}", check.stdout);
    let alone = "sage 1\nimport \"finds.sage\"\nexperiment again { jobs: [find], nodes: 1 }\n";
    fs::write(sage.folder.path().join("alone.sage"), alone).unwrap();
    let hint = "such as `again`, are run by `sage-flow experiment run alone.sage`";
    go(&sage, "run alone.sage").exits(0).says(hint);
    for (name, words) in [
        ("experiment", &["sweep policy in", "repeated over the nodes", "baseline"][..]),
        ("claim", &["isolation_spread", "balance[fifo]"]),
        ("speeds", &["repeated over the nodes"]),
    ] {
        let page = go(&sage, &format!("doc {name}")).exits(0).stdout;
        words.iter().for_each(|word| assert!(page.contains(word), "`{word}` is not in\n{page}"));
    }
}

/// The script that builds and runs everything, with a build that is none and a program that says how
/// it was called.
fn script(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let stub = |path: PathBuf, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    fs::create_dir(at("release")).unwrap();
    stub(at("cargo"), "#!/bin/sh\n");
    stub(at("release/sage-flow"), "#!/bin/sh\necho \"$@\"\n");
    let paths = std::env::var("PATH").unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new("bash")
        .arg(root.join("sage_experiment.sh"))
        .args(arguments)
        .env("PATH", format!("{}:{paths}", folder.path().display()))
        .env("CARGO_TARGET_DIR", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_script_takes_names_anywhere() {
    for (arguments, called) in [
        (&["--on", "twin", "exp2b"][..], "experiment run --on twin exp2b"),
        (
            &["exp1", "--quick", "exp2b", "--on", "sim"],
            "experiment run exp1 --quick exp2b --on sim",
        ),
        (&["--quick", "--nodes", "1,2"], "experiment run all --quick --nodes 1,2"),
        (&["--on=twin"], "experiment run all --on=twin"),
        (&["-q", "exp3"], "experiment run -q exp3"),
        (&[], "experiment run all"),
    ] {
        assert_eq!(script(arguments), called, "{arguments:?}");
    }
    // It knows which options take a value.
    let help = Sage::new().args("experiment run --help").go().exits(0).stdout;
    let mut count = 0;
    for line in help.lines().map(str::trim_start).filter(|line| line.contains(" <")) {
        let Some(option) = line.split_whitespace().find(|word| word.starts_with("--")) else {
            continue;
        };
        count += 1;
        assert_eq!(script(&[option, "x"]), format!("experiment run all {option} x"));
    }
    assert!(count >= 13, "{count}");
}

const RUNS: &str = r#"sage 1
type Row { id: string @key, text: string }
type Out { id: string @key, said: string }
source rows: Row from generate(count: 3, text: "row {{ n }}")
sink outs: Out to csv("outs.csv")
flow says {
  from rows
  stage said = exec("cat", .text)
  emit Out { id: .id, said: said } into outs
}
experiment policies {
  jobs: [says], nodes: 1
  sweep policy in [fifo, edf, weighted_fair]
}
"#;

#[test]
fn a_suite_warns_of_policies_that_nothing_is_said_for() {
    let sage = Sage::new().file("says.sage", RUNS);
    let dry = "experiment run says.sage --on sim --dry-run";
    let wet = "experiment run says.sage --on sim --allow-exec --no-pictures --only *edf*";
    let edf = "warning: flow says: `edf` goes by `due`";
    let fair = "warning: flow says: `weighted_fair` goes by `fair`";
    for (command, warnings) in [(dry, &[edf, fair][..]), (wet, &[edf])] {
        let said = go(&sage, command).exits(0).stderr;
        for warning in warnings {
            assert_eq!(said.matches(warning).count(), 1, "{command}: {said}");
        }
        assert_eq!(said.matches("warning:").count(), warnings.len(), "{command}: {said}");
    }
}

#[test]
fn a_suite_runs_programs_with_permission_only() {
    let sage = Sage::new().file("says.sage", RUNS);
    let command = "experiment run says.sage --on sim --no-pictures --only *fifo* --out out";
    go(&sage, command).exits(2).says("--allow-exec");
    go(&sage, &format!("{command} --fresh --allow-exec")).exits(0);
}
