//! Wrong input of every kind: a clear error that says what, where and how to mend it, the right
//! exit code, and nothing started.

mod support;

use support::{SLEEPY, Sage};

/// Exit code 1 and these words.
#[track_caller]
fn refused(sage: Sage, words: &[&str]) {
    let done = sage.go().exits(1);
    for word in words {
        assert!(done.stderr.contains(word), "`{word}` is not in\n{}", done.stderr);
    }
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    assert!(!done.out.join("metrics.json").exists(), "nothing was run");
}

fn sleepy() -> Sage {
    Sage::new().file("s.sage", SLEEPY)
}

#[test]
fn options_are_checked() {
    refused(sleepy().args("run s.sage --workers 0"), &["--workers 0", "1"]);
    refused(sleepy().args("run s.sage --workers 10000"), &["--workers 10000", "64"]);
    refused(sleepy().args("run s.sage --workers many"), &["many"]);
    refused(sleepy().args("run s.sage --threads 0"), &["--threads 0"]);
    refused(sleepy().args("run s.sage --tasks 0"), &["--tasks 0"]);
    refused(sleepy().args("run s.sage --slots 0"), &["--slots 0"]);
    refused(sleepy().args("run s.sage --rate fast"), &["--rate fast", "20/s"]);
    refused(sleepy().args("run s.sage --concurrency none"), &["--concurrency none", "auto"]);
    refused(sleepy().args("run s.sage --scheduler load_awre"), &["load_awre", "load_aware"]);
    refused(sleepy().args("run s.sage --set nothing"), &["NAME=VALUE"]);
    refused(sleepy().args("run s.sage --set x=1"), &["x"]);
    refused(sleepy().args("run s.sage --endpoint ftp://x"), &["ftp://x", "sim:PROFILE"]);
    refused(sleepy().args("run s.sage --endpoint sim:h900/x"), &["h900/x", "a100/qwen2.5-7b"]);
    refused(sleepy().args("run s.sage --wrokers 2"), &["--wrokers", "--workers"]);
    refused(sleepy().args("run s.sage --flow other"), &["other", "sleepy"]);
    refused(Sage::new().args("run"), &["FILE"]);
    refused(Sage::new().args("rnu x"), &["rnu"]);
}

#[test]
fn output_folders_are_checked() {
    refused(sleepy().file("taken", "x").args("run s.sage --out taken"), &["--out taken", "file"]);
    refused(sleepy().args("run s.sage --out ."), &["--out .", "something else"]);
    refused(sleepy().args("run s.sage --out /proc/none/x"), &["--out /proc/none/x"]);
}

#[test]
fn programs_that_cannot_be_read_are_named() {
    refused(Sage::new().args("run none.sage"), &["none.sage"]);
    refused(Sage::new().args("run ."), &["folder"]);
    refused(Sage::new().file("b.sage", b"\xff\xfe\x00").args("check b.sage"), &["b.sage", "UTF-8"]);
    refused(Sage::new().file("e.sage", "").args("run e.sage"), &["e.sage"]);
}

fn reads(source: &str) -> String {
    format!(
        r#"sage 1
type Row {{ id: string @key, text: string }}
source rows: Row from {source}
sink outs: Row to jsonl("outs.jsonl")
flow f {{
  from rows
  emit Row {{ id: .id, text: .text }} into outs
}}"#
    )
}

#[test]
fn sources_that_cannot_be_read_are_named_with_line_and_remedy() {
    let missing = Sage::new().file("f.sage", reads("csv(\"none.csv\")")).args("run f.sage");
    refused(missing, &["S0512", "rows", "f.sage:3:27", "none.csv", "relative to the folder"]);
    let column = Sage::new()
        .file("f.sage", reads("csv(\"q.csv\")"))
        .file("q.csv", "id,question\n1,x\n")
        .args("run f.sage");
    refused(column, &["q.csv", "no column `text`", "id, question", "default"]);
    let empty =
        Sage::new().file("f.sage", reads("csv(\"q.csv\")")).file("q.csv", "").args("run f.sage");
    refused(empty, &["q.csv", "empty"]);
    let checked = Sage::new().file("f.sage", reads("jsonl(\"none.jsonl\")")).args("check f.sage");
    refused(checked, &["S0512", "none.jsonl", "f.sage:3:29"]);
}

#[test]
fn a_corpus_that_cannot_be_read_is_named() {
    let program = r#"sage 1
type Q { id: string @key, text: string }
type Doc { id: string @key, title: string, text: string }
source qs: Q from generate(count: 1, text: "x")
index docs: Doc from markdown("nowhere") { search: bm25 }
sink outs: Q to jsonl("outs.jsonl")
flow f {
  from qs
  stage hits = search(docs, .text)
  emit Q { id: .id, text: join(hits.text, " ") } into outs
}"#;
    let sage = Sage::new().file("f.sage", program).args("run f.sage --out out");
    refused(sage, &["S0512", "docs", "f.sage:5:", "nowhere"]);
}

fn writes(sinks: &str, emits: &str) -> Sage {
    let program = format!(
        r"sage 1
type Q {{ id: string @key }}
source qs: Q from generate(count: 1)
{sinks}
flow f {{
  from qs
  {emits}
}}"
    );
    Sage::new().file("f.sage", program).args("run f.sage --out out")
}

#[test]
fn sinks_stay_within_the_folder_of_the_run_and_apart() {
    let emit = "emit Q { id: .id } into a";
    refused(
        writes(r#"sink a: Q to jsonl("../x.jsonl")"#, emit),
        &["S0510", "f.sage:4:20", "../x.jsonl", "within"],
    );
    refused(writes(r#"sink a: Q to jsonl("/tmp/x.jsonl")"#, emit), &["/tmp/x.jsonl", "within"]);
    refused(writes(r#"sink a: Q to csv("metrics.json")"#, emit), &["metrics.json", "another name"]);
    refused(writes(r#"sink a: Q to csv("parts/x")"#, emit), &["parts/x", "another name"]);
    let two = "sink a: Q to csv(\"x.csv\")\nsink b: Q to csv(\"x.csv\")";
    let emits = "emit Q { id: .id } into a\n  emit Q { id: .id } into b";
    refused(writes(two, emits), &["S0511", "sink b", "sink `a` writes `x.csv`"]);
}

#[test]
fn a_prompt_that_cannot_be_rendered_is_named() {
    let program = r#"sage 1
type Q { id: string @key }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "Qwen/Qwen2.5-7B-Instruct" }
source qs: Q from generate(count: 1)
sink outs: Q to jsonl("outs.jsonl")
prompt ask(a: string) -> string """{{ a """
flow f {
  from qs
  stage x = generate(ask(.id)) on llm
  emit Q { id: x.text } into outs
}"#;
    refused(Sage::new().file("f.sage", program).args("run f.sage --out out"), &["ask"]);
    refused(Sage::new().file("f.sage", program).args("check f.sage"), &["ask"]);
}

#[test]
fn a_run_that_did_not_start_can_be_repeated_into_its_folder() {
    let program = r#"sage 1
type Q { id: string @key, text: string }
type Doc { id: string @key, title: string, text: string }
source qs: Q from generate(count: 3, text: "apples")
index docs: Doc from jsonl("docs.jsonl") { search: bm25 }
sink outs: Q to jsonl("outs.jsonl")
flow f {
  from qs
  stage hits = search(docs, .text)
  emit Q { id: .id, text: join(hits.text, " ") } into outs
}"#;
    let sage = Sage::new()
        .file("f.sage", program)
        .file("docs.jsonl", "{\"id\":\"a\"}\n")
        .args("run f.sage --out out");
    sage.go().exits(1).says("docs").says("line 5");
    let sage = sage.file("docs.jsonl", r#"{"id":"a","title":"fruit","text":"apples and pears"}"#);
    let done = sage.go().exits(0);
    assert!(done.read("outs.jsonl").contains("apples and pears"));
}

#[test]
fn endpoints_are_checked_before_anything_starts() {
    let asks = |url: &str, model: &str| {
        format!(
            r#"sage 1
type Q {{ id: string @key, text: string }}
endpoint llm {{ url: "{url}", model: "{model}" }}
source qs: Q from generate(count: 1, text: "x")
sink outs: Q to jsonl("outs.jsonl")
flow f {{
  from qs
  stage a = generate(.text) on llm
  emit Q {{ id: .id, text: a.text }} into outs
}}"#
        )
    };
    let refused_port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{refused_port}");
    let sage = Sage::new().file("f.sage", asks(&url, "m")).args("run f.sage --out out");
    refused(sage, &["llm", &url, "refused", "line 3"]);
    let model = asks("sim:a100/qwen2.5-7b", "Qwen/Qwen2.5-7B-Instrct");
    let sage = Sage::new().file("f.sage", model).args("run f.sage --out out");
    refused(sage, &["Qwen/Qwen2.5-7B-Instrct", "Qwen/Qwen2.5-7B-Instruct", "f.sage:3:51"]);
    let key = asks("sim:a100/qwen2.5-7b", "m\", api_key: \"sk-123");
    let sage = Sage::new().file("f.sage", key).args("run f.sage --out out");
    refused(sage, &["env("]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let simulator = Sage::new().args("simulator --listen").arg(&address);
    refused(simulator, &[&address, "--listen"]);
    let gateway =
        Sage::new().args("gateway --upstream sim:a100/qwen2.5-7b@10 --listen").arg(&address);
    refused(gateway, &[&address, "in use"]);
}

#[test]
fn an_address_that_cannot_be_listened_at_is_refused_before_anything_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for launcher in ["local", "join"] {
        for (address, advice) in
            [(taken.as_str(), "choose another port"), ("192.0.2.1:7000", "an address of this host")]
        {
            let options = format!("run s.sage --launcher {launcher} --bind {address} --out out");
            let sage = sleepy().args(&options);
            let done = sage.go().exits(1).says(&format!("--bind {address} cannot")).says(advice);
            assert!(!done.stderr.contains("running"), "{}", done.stderr);
            assert!(!done.out.exists(), "a folder was claimed");
        }
    }
}

#[test]
fn a_place_for_credentials_that_cannot_be_written_is_refused_with_the_way_to_another() {
    let sage = sleepy().file("occupied", "").env("SAGE_STATE_DIR", "occupied/state");
    let done = sage.args("run s.sage --launcher join --out out").go().exits(1);
    let done = done.says("occupied/state/credentials").says("set SAGE_STATE_DIR to a folder");
    assert!(!done.stderr.contains("running") && !done.out.exists(), "{}", done.stderr);
}

#[test]
fn all_mistakes_of_a_program_are_shown_at_once_with_their_places() {
    let program = r#"sage 1
type Q { id: string @key, text: strin }
source qs: Q from cvs("q.csv")
sink outs: Q to jsonl("outs.jsonl")
flow f {
  from qs
  stage a = generat(.text)
  where .txt == 1
  emit Q { id: .id, text: a } into outs
}
schedule { policy: fifoo, slots: 8 }"#;
    let done = Sage::new().file("f.sage", program).args("check f.sage").go().exits(1);
    for (place, word) in [
        ("f.sage:2:", "string"),
        ("f.sage:3:", "csv"),
        ("f.sage:7:", "generate"),
        ("f.sage:11:", "fifo"),
    ] {
        assert!(done.stderr.contains(place), "{place} in\n{}", done.stderr);
        assert!(done.stderr.contains(word), "{word} in\n{}", done.stderr);
    }
    let json = Sage::new().file("f.sage", program).args("check f.sage --format json").go().exits(1);
    let found: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let found = found.as_array().unwrap();
    assert!(found.len() >= 4);
    assert!(found.iter().all(|one| one["code"].is_string() && one["line"].is_u64()));
}

#[test]
fn an_address_that_holds_a_secret_is_refused_without_showing_it() {
    let llm = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/llm.sage");
    for (url, shown) in [
        ("http://me:hush@127.0.0.1:9", "http://***@127.0.0.1:9"),
        ("http://127.0.0.1:9/v1?api_key=hush", "api_key=***"),
    ] {
        let sage = Sage::new().args("run --out out --endpoint").arg(url).arg(llm);
        let done = sage.go().exits(1).says(shown).says("api_key: env(");
        assert!(!done.stderr.contains("hush"), "{}", done.stderr);
        assert!(!done.out.join("setup.json").exists());
    }
}
