//! `run` as a user meets it: results, figures, exit codes, disturbances.

mod support;

use std::time::Instant;

use support::{SLEEPY, Sage, ended, send, wait_until, workers_of};

fn pipelines(name: &str) -> String {
    format!("{}/../../pipelines/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_main_job_answers_every_question() {
    let done = Sage::new()
        .args("run --workers 4 --out out --tasks 100 --endpoint sim:a100/qwen2.5-7b@50")
        .arg(&pipelines("rag.sage"))
        .go()
        .exits(0)
        .says("simulated endpoint a100/qwen2.5-7b at speed 50")
        .says("in 100 = ok 100 + dead 0 + late 0 + pending 0");
    let answers = done.lines("answers.jsonl");
    assert_eq!(answers.len(), 100);
    let cited = answers.iter().filter(|line| line.contains('[') && line.contains(".md#"));
    assert!(cited.count() > 60, "answers are drawn from the context and cite it");
    let metrics = done.metrics();
    assert_eq!(metrics["backend"], "sim");
    assert!(metrics["endpoint"].as_str().unwrap().contains("simulated"));
    assert_eq!(metrics["tasks_ok"], 100);
    assert_eq!(metrics["workers"], 4);
    let nodes = metrics["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| node["tasks"].as_u64().unwrap()).sum::<u64>(), 100);
    let calls = metrics["endpoint_stats"].as_array().unwrap();
    let llm = calls.iter().find(|endpoint| endpoint["name"] == "llm").unwrap();
    assert_eq!(llm["calls"], 100);
    assert!(llm["max_in_flight"].as_u64().unwrap() <= 32, "four workers have eight slots each");
    for file in ["summary.txt", "tasks.csv", "decisions.csv", "timeline.csv", "plan.json"] {
        assert!(!done.read(file).is_empty(), "{file}");
    }
    assert_eq!(done.read("dead_letters.jsonl"), "");
    assert!(!done.out.join("parts").exists());
}

#[test]
fn every_shipped_pipeline_runs() {
    for (name, tasks) in [
        ("compute.sage", 50),
        ("llm.sage", 40),
        ("mixed.sage", 20),
        ("extract.sage", 30),
        ("classify.sage", 60),
        ("adaptive_rag.sage", 30),
        ("eval.sage", 24),
    ] {
        let done = Sage::new()
            .args(&format!("run --workers 2 --out out --tasks {tasks} --json --quiet"))
            .args("--endpoint sim:a100/qwen2.5-7b@50")
            .arg(&pipelines(name))
            .go()
            .exits(0);
        let printed: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(printed, done.metrics(), "--json prints metrics.json");
        assert_eq!(printed["tasks_ok"], tasks, "{name}");
        assert_eq!(done.stderr, "", "--quiet");
    }
}

#[test]
fn any_number_of_processes_gives_the_same_rows() {
    let rows = |workers: usize, scheduler: &str| {
        Sage::new()
            .args(&format!("run --workers {workers} --out out --quiet --set load=light"))
            .arg("--scheduler")
            .arg(scheduler)
            .arg(&pipelines("compute.sage"))
            .go()
            .exits(0)
            .lines("digests.csv")
    };
    let one = rows(1, "fifo");
    assert_eq!(one.len(), 2001);
    assert_eq!(one, rows(2, "power_of_two"));
    assert_eq!(one, rows(4, "load_aware(balanced)"));
}

#[test]
fn the_standard_streams_make_a_filter() {
    let program = r#"sage 1
type Line { id: int @key, text: string }
source lines: Line from stdin(format: lines)
sink shown: Line to stdout()
flow f {
  from lines
  where .text contains "a"
  emit Line { id: .id, text: upper(.text) } into shown
}"#;
    let done = Sage::new()
        .file("f.sage", program)
        .args("run f.sage --workers 3 --out out --quiet")
        .stdin("ab\nxx\nca\n")
        .go()
        .exits(0);
    let mut lines: Vec<&str> = done.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [r#"{"id":1,"text":"AB"}"#, r#"{"id":3,"text":"CA"}"#]);
}

#[test]
fn a_line_of_the_standard_input_that_is_too_long_is_a_bad_row_and_those_behind_it_are_read() {
    let program = "sage 1
type Line { id: int @key, text: string }
source lines: Line from stdin(format: lines)
sink shown: Line to stdout()
flow f {
  from lines
  emit Line { id: .id, text: .text } into shown
}";
    let done = Sage::new()
        .file("f.sage", program)
        .args("run f.sage --workers 1 --out out --quiet")
        .stdin(&format!("ab\n{}\nca\n", "x".repeat((16 << 20) + 70_000)))
        .go()
        .exits(3);
    let mut lines: Vec<&str> = done.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [r#"{"id":1,"text":"ab"}"#, r#"{"id":3,"text":"ca"}"#]);
    let letter = done.read("dead_letters.jsonl");
    assert!(letter.contains("standard input:2") && letter.contains("longer than 16777216 bytes"));
    assert!(letter.lines().count() == 1 && letter.len() < 20_000);
}

#[test]
fn rows_from_a_pipe_do_not_wait_for_its_end() {
    use std::io::{BufRead, BufReader, Write};
    for (format, row) in
        [("lines", "ab\n"), ("jsonl", "{\"text\":\"ab\"}\n"), ("csv", "text\nab\n")]
    {
        let program = format!(
            r"sage 1
type Line {{ text: string }}
source lines: Line from stdin(format: {format})
sink shown: Line to stdout()
flow f {{
  from lines
  emit Line {{ text: .text }} into shown
}}"
        );
        let sage = Sage::new().file("f.sage", program).args("run f.sage --workers 2 --out out -q");
        let mut child = sage
            .command()
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(row.as_bytes()).unwrap();
        let mut line = String::new();
        // The pipe is still open: this blocks for ever if the row waits for more.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "{\"text\":\"ab\"}\n", "{format}");
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn bad_rows_do_not_stop_a_run_but_show_in_its_exit_code() {
    let program = r#"sage 1
type Row { id: string @key, n: int }
source rows: Row from csv("rows.csv")
sink outs: Row to csv("outs.csv")
flow f {
  from rows
  emit Row { id: .id, n: .n + 1 } into outs
}"#;
    let done = Sage::new()
        .file("f.sage", program)
        .file("rows.csv", b"id,n\na,1\nb,two\n\xff,3\nd,4\n")
        .args("run f.sage --workers 2 --out out")
        .go()
        .exits(3)
        .says("in 4 = ok 2 + dead 2 + late 0 + pending 0")
        .says("dead_letters.jsonl");
    assert_eq!(done.lines("outs.csv"), ["a,2", "d,5", "id,n"]);
    let dead = done.read("dead_letters.jsonl");
    assert!(dead.contains("rows.csv:3") && dead.contains("expected a whole number, found `two`"));
    assert!(dead.contains("rows.csv:4") && dead.contains("not UTF-8"));
}

#[test]
fn a_killed_worker_ends_the_run_with_a_clear_word_and_no_orphan() {
    for (signal, word) in [("-KILL", "signal 9"), ("-STOP", "no sign of life")] {
        let sage = Sage::new()
            .file("s.sage", SLEEPY)
            .args("run s.sage --workers 4 --out out --on-loss fail");
        let child = sage.start();
        let pid = child.id();
        let outs = sage.folder.path().join("out/parts");
        wait_until(|| outs.exists() && workers_of(pid).len() == 4);
        std::thread::sleep(std::time::Duration::from_millis(400));
        let workers = workers_of(pid);
        send(signal, workers[2]);
        let killed = Instant::now();
        let done = sage.done(child.wait_with_output().unwrap()).exits(2);
        println!("{signal}: ended after {:?}", killed.elapsed());
        assert!(done.stderr.contains("was lost"), "{}", done.stderr);
        assert!(done.stderr.to_lowercase().contains(word), "{word}: {}", done.stderr);
        wait_until(|| workers.iter().all(|worker| ended(*worker)));
        assert_eq!(done.metrics()["status"], "failed");
        let rows = done.read("outs.jsonl");
        assert!(rows.is_empty() || rows.ends_with('\n'), "no half row");
        assert_eq!(rows.lines().count() as u64, done.metrics()["tasks_ok"].as_u64().unwrap());
    }
}

#[test]
fn a_folder_belongs_to_one_run_at_a_time() {
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage --workers 2 --out out");
    let mut first = sage.start();
    let setup = sage.folder.path().join("out/setup.json");
    wait_until(|| setup.exists());
    sage.go().exits(1).says("still going");
    send("-INT", first.id());
    assert_eq!(first.wait().unwrap().code(), Some(130));

    let program = SLEEPY.replace("count: 2000", "count: 50").replace("30ms", "1ms");
    let sage = Sage::new().file("s.sage", &program).args("run s.sage --workers 1 --quiet");
    let children: Vec<_> = (0..4).map(|_| sage.start()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let runs = std::fs::read_dir(sage.folder.path().join("results/runs")).unwrap();
    let rows: Vec<usize> = runs
        .map(|run| std::fs::read_to_string(run.unwrap().path().join("outs.jsonl")).unwrap())
        .map(|text| text.lines().count())
        .collect();
    assert_eq!(rows, [50; 4], "four runs, four folders, all rows");
}

#[test]
fn fewer_records_than_asked_for_show_in_the_exit_code() {
    let program = SLEEPY.replace("generate(count: 2000)", "csv(\"q.csv\")");
    Sage::new()
        .file("s.sage", &program)
        .file("q.csv", "id\n")
        .args("run s.sage --workers 1 --out out --tasks 10")
        .go()
        .exits(3)
        .says("the source gave 0 records");
}

#[test]
fn workers_do_not_outlive_their_supervisor() {
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage --workers 3 --out out");
    let mut child = sage.start();
    wait_until(|| workers_of(child.id()).len() == 3);
    let workers = workers_of(child.id());
    send("-KILL", child.id());
    child.wait().unwrap();
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
}

#[test]
fn an_interrupt_drains_and_the_partial_summary_adds_up() {
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage --workers 2 --out out");
    let child = sage.start();
    wait_until(|| workers_of(child.id()).len() == 2);
    std::thread::sleep(std::time::Duration::from_millis(500));
    send("-INT", child.id());
    let done = sage.done(child.wait_with_output().unwrap()).exits(130);
    let metrics = done.metrics();
    let count = |name: &str| metrics[name].as_u64().unwrap();
    assert!(count("tasks_ok") > 0 && count("tasks_pending") > 0, "{}", done.stderr);
    assert_eq!(
        count("tasks_in"),
        count("tasks_ok") + count("tasks_dead") + count("tasks_late") + count("tasks_pending")
    );
    assert_eq!(done.lines("outs.jsonl").len() as u64, count("tasks_ok"));
}

/// A program in the language of the shell, for each line: its length, as JSON.
const COUNTING: &str = r#"sage 1
type Row { id: int @key, text: string }
type Told { length: int, worker: string? }
type Done { id: int @key, length: int, said: string }
source rows: Row from generate(count: 60, text: "row {{ n }}")
sink lengths: Done to csv("lengths.csv")
flow counting {
  from rows
  stage told: Told = exec("sh count.sh", Row { id: .id, text: .text }) { processes: 2, timeout: 20s }
  stage said = exec("cat", .text)
  emit Done { id: .id, length: told.length, said: said } into lengths
}
schedule { policy: fifo, slots: 4 }
"#;
const COUNT: &str = r#"while read -r line; do
  id=${line#*:}; id=${id%%,*}; value=${line#*\"value\":}; value=${value%?}; length=${#value}
  if [ -n "$SAGE_FLOW_SECRET$SAGE_FLOW_TLS" ]; then length=-1; fi
  case $value in *'"id":7,'*) echo 'seven is no number' >&2; exit 9;; esac
  printf '{"id":%s,"value":{"length":%s}}\n' "$id" "$length"
done
"#;

#[test]
fn programs_run_with_permission_and_fail_only_their_own_records() {
    let sage = || Sage::new().file("a.sage", COUNTING).file("count.sh", COUNT);
    sage()
        .args("run a.sage --out out")
        .go()
        .exits(1)
        .says("stage `told` (line 9) runs a program of this machine: `sh count.sh`")
        .says("--allow-exec");
    let done = sage().args("run a.sage --workers 2 --out out --allow-exec").go().exits(3);
    let mut lines = done.lines("lengths.csv");
    lines.sort();
    assert_eq!(lines.len(), 60, "a header and all rows but one");
    assert!(lines.contains(&"12,25,row 12".to_owned()), "{lines:?}");
    let letters = done.read("dead_letters.jsonl");
    for part in ["\"told\"", "exit status: 9", "seven is no number"] {
        assert!(letters.contains(part), "{letters}");
    }
    sage().args("simulate a.sage --tasks 5").go().exits(1).says("cannot be foretold");
    let missing = COUNTING.replace("\"cat\"", "\"no-such-cat\"");
    Sage::new()
        .file("a.sage", missing)
        .args("run a.sage --out out --allow-exec")
        .go()
        .exits(1)
        .says("there is no program `no-such-cat`; it is in none of the folders of PATH");
}

#[test]
fn files_are_packed_by_their_names_and_unpacked_by_their_content() {
    let program = |source: &str, sink: &str| {
        format!(
            "sage 1\ntype Row {{ id: int @key, text: string }}\n\
             source rows: Row from {source}\nsink copies: Row to {sink}\n\
             flow copy {{ from rows\n  emit Row {{ id: .id, text: .text }} into copies }}\n"
        )
    };
    let made = program("generate(count: 3000, text: \"row {{ n }}\")", "csv(\"rows.csv.gz\")");
    let made = Sage::new().file("a.sage", made).args("run a.sage --workers 2 --out out");
    let packed = std::fs::read(made.go().exits(0).out.join("rows.csv.gz")).unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < 3000 * 10, "{}", packed.len());

    // The content decides, not the name.
    let read = Sage::new()
        .file("rows.txt", &packed)
        .file("b.sage", program("csv(\"rows.txt\")", "jsonl(\"rows.jsonl.zst\")"))
        .args("run b.sage --workers 2 --out out");
    let done = read.go().exits(0).says("in 3000 = ok 3000");
    let zstandard = std::fs::read(done.out.join("rows.jsonl.zst")).unwrap();
    assert!(zstandard.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));

    let plain = Sage::new()
        .file("rows.jsonl.zst", &zstandard)
        .file("c.sage", program("jsonl(\"rows.jsonl.zst\")", "jsonl(\"rows.jsonl\")"))
        .args("run c.sage --out out");
    let lines = plain.go().exits(0).lines("rows.jsonl");
    assert_eq!(lines.len(), 3000);

    // A file that was cut ends the run with a word, and nothing is taken for its end.
    Sage::new()
        .file("rows.txt", &packed[..packed.len() - 9])
        .file("b.sage", program("csv(\"rows.txt\")", "jsonl(\"rows.jsonl\")"))
        .args("run b.sage --workers 2 --out out")
        .go()
        .exits(2)
        .says("cannot read")
        .says("rows.txt");
}

#[test]
fn a_passage_too_long_for_the_embedding_model_is_found_by_its_beginning() {
    // A block of code stays whole.
    let code = "let a = b(c, d);\n".repeat(200);
    let long = format!("# Long\n\n## Code\n\nThis is an example.\n\n```\n{code}```\n");
    let short = "# Short\n\n## Whales\n\nWhales are large animals that live in the sea.\n";
    let program = r#"sage 1
type Query { id: string @key, text: string }
type Doc { id: string @key, title: string, text: string }
type Found { id: string @key, first: [string] }
endpoint embedder { url: "sim:a100/qwen2.5-7b@100", model: "BAAI/bge-small-en-v1.5" }
source queries: Query from jsonl("queries.jsonl")
index docs: Doc from markdown("long.md", "short.md") { embed: .text, with: embedder, search: vector }
sink found: Found to jsonl("found.jsonl")
flow find {
  from queries
  stage q = embed(.text) on embedder
  stage hits = retrieve(docs, q, k: 2)
  emit Found { id: .id, first: hits.id } into found
}
"#;
    let done = Sage::new()
        .file("long.md", long)
        .file("short.md", short)
        .file("queries.jsonl", "{\"id\":\"q\",\"text\":\"animals of the sea\"}\n")
        .file("a.sage", program)
        .args("run a.sage --out out")
        .go()
        .exits(0)
        .says("passages are too long for the model of endpoint `embedder`");
    assert!(done.read("found.jsonl").contains("short.md#whales"));
}
