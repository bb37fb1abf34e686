//! The stage `http` in trouble: a server that says secrets back, one that asks to be left alone for
//! long, and a run that is to stop meanwhile.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::stub::{Stub, answer, with};
use crate::support::{Sage, again, send, wait_until};

const TOKEN: &str = "open:sesame/7+x";
/// The same in base64, and in an address.
const FORMS: [&str; 3] = [TOKEN, "b3BlbjpzZXNhbWUvNyt4", "open%3Asesame%2F7%2Bx"];

fn program(url: &str, options: &str) -> String {
    format!(
        r#"sage 1
type Query {{ id: string @key, text: string }}
type Answer {{ id: string, got: string }}
source queries: Query from jsonl("q.jsonl")
sink answers: Answer to jsonl("answers.jsonl")
flow ask {{
  from queries
  stage got = http("{url}", .text) {{ {options} }}
  emit Answer {{ id: .id, got: got }} into answers
}}
schedule {{ policy: fifo, slots: 4 }}
"#
    )
}

const QUERIES: &str = "{\"id\":\"a\",\"text\":\"one\"}\n{\"id\":\"b\",\"text\":\"two\"}\n{\"id\":\"c\",\"text\":\"three\"}\n";

/// Every file under a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            found.push((entry.path().display().to_string(), bytes));
        }
    }
    found
}

#[track_caller]
fn nowhere(folder: &Path, said: &[&String]) {
    for form in FORMS {
        for said in said {
            assert!(!said.contains(form), "{form} is in {said}");
        }
        for (name, bytes) in files(folder) {
            assert!(!String::from_utf8_lossy(&bytes).contains(form), "{form} is in {name}");
        }
    }
}

#[test]
fn a_token_that_a_server_says_back_stands_in_nothing_that_is_left() {
    let stub = Stub::start(|came, _| {
        assert_eq!(came.head["authorization"], format!("Bearer {TOKEN}"));
        let said = format!("refused: {FORMS:?}, {}", came.head["authorization"]);
        match came.body.as_str() {
            "\"one\"" => answer(403, &said),
            // Cut off within it.
            "\"two\"" => answer(400, &("x".repeat(294) + TOKEN)),
            _ => answer(200, &format!("{{\"no\": {said:?}}}")),
        }
    });
    let text =
        program(&format!("http://{}/", stub.address), "token: env(\"STUB_TOKEN\"), retries: 0")
            .replace("stage got =", "stage got: int =")
            .replace("got: string", "got: int");
    let sage = Sage::new().file("p.sage", text).file("q.jsonl", QUERIES).env("STUB_TOKEN", TOKEN);
    let command = format!("run p.sage --out out --workers 1 --allow-http {}", stub.address);
    let sage = sage.args(&command);
    let done = sage.go().exits(3);
    let letters = done.lines("dead_letters.jsonl");
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.contains("***")), "{letters:?}");
    assert!(letters.iter().any(|letter| letter.contains("refused: ")), "{letters:?}");
    nowhere(sage.folder.path(), &[&done.stderr, &done.stdout]);
}

#[test]
fn nor_does_the_key_of_an_endpoint() {
    let broken = Arc::new(AtomicBool::new(false));
    let probe = Arc::clone(&broken);
    let stub = Stub::start(move |came, before| {
        if came.line.contains("/models") && !probe.load(Ordering::SeqCst) {
            return answer(200, "{\"data\":[{\"id\":\"m\"}]}");
        }
        let said =
            format!("{{\"error\":{{\"message\":\"your key is {FORMS:?}\"}}}}").replace('"', "'");
        match before % 3 {
            0 => answer(401, &format!("{{\"error\":{{\"message\":\"the key {TOKEN}\"}}}}")),
            1 => answer(200, &said),
            _ => answer(500, &said),
        }
    });
    let text = format!(
        r#"sage 1
type Query {{ id: string @key, text: string }}
type Answer {{ id: string, got: string }}
endpoint llm {{ url: "http://{}/v1", model: "m", api_key: env("STUB_TOKEN"), concurrency: 1, retry: backoff(max: 1, base: 1ms, cap: 2ms) }}
source queries: Query from jsonl("q.jsonl")
sink answers: Answer to jsonl("answers.jsonl")
prompt say(text: string) -> string """Say {{{{ text }}}}"""
flow ask {{
  from queries
  stage got = generate(say(.text)) on llm {{ max_tokens: 8, timeout: 20s }}
  emit Answer {{ id: .id, got: got.text }} into answers
}}
schedule {{ policy: fifo, slots: 4 }}
"#,
        stub.address
    );
    let sage = Sage::new().file("p.sage", text).file("q.jsonl", QUERIES).env("STUB_TOKEN", TOKEN);
    let sage = sage.args("run p.sage --out out --workers 1");
    let done = sage.go().exits(3);
    let letters = done.lines("dead_letters.jsonl");
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert!(letters.iter().any(|letter| letter.contains("***")), "{letters:?}");
    nowhere(sage.folder.path(), &[&done.stderr, &done.stdout]);
    // The same before anything has begun.
    broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = again(&sage, "run p.sage --out other --workers 1").env("STUB_TOKEN", TOKEN);
        let refused = refused.go().exits(1);
        nowhere(sage.folder.path(), &[&refused.stderr, &refused.stdout]);
    }
}

#[test]
fn a_wait_that_is_longer_than_a_try_may_take_is_not_waited() {
    let stub = Stub::start(|_, _| with(429, "retry-after: 3600\r\n", "{}"));
    let text = program(&format!("http://{}/", stub.address), "timeout: 20s");
    let sage = Sage::new().file("p.sage", text).file("q.jsonl", QUERIES);
    let command = format!("run p.sage --out out --workers 1 --allow-http {}", stub.address);
    let done = sage.args(&command).go().exits(3);
    let letters = done.lines("dead_letters.jsonl");
    assert_eq!((letters.len(), stub.came().len()), (3, 3));
    assert!(
        letters[0].contains("it asks to wait 3600 s, longer than the `timeout`"),
        "{letters:?}"
    );
    assert!(letters[0].contains("\"throttled\""), "{letters:?}");
}

#[test]
fn who_waits_for_a_server_does_not_hold_a_run_that_is_to_stop_and_is_asked_again_later() {
    let open = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&open);
    let stub = Stub::start(move |came, _| match came.body.as_str() {
        "\"two\"" => answer(200, "\"at once\""),
        _ if now.load(Ordering::SeqCst) => answer(200, "\"later\""),
        _ => with(503, "retry-after: 500\r\n", "{}"),
    });
    // One place: the last record waits for the ones before.
    for (workers, places) in [(1, 1), (2, 4)] {
        open.store(false, Ordering::SeqCst);
        let before = stub.came().len();
        let text = program(
            &format!("http://{}/", stub.address),
            &format!("timeout: 1h, concurrency: {places}"),
        );
        let queries = "{\"id\":\"b\",\"text\":\"two\"}\n".to_owned()
            + &QUERIES.replace("{\"id\":\"b\",\"text\":\"two\"}\n", "");
        let sage = Sage::new().file("p.sage", text).file("q.jsonl", queries);
        let command = format!(
            "run p.sage --out out --workers {workers} --drain 1h --allow-http {}",
            stub.address
        );
        let sage = sage.args(&command);
        let child = sage.start();
        let answered = || stub.came()[before..].iter().any(|came| came.body == "\"two\"");
        wait_until(|| stub.came().len() >= before + 2 && answered());
        send("-TERM", child.id());
        let done = sage.done(child.wait_with_output().unwrap()).exits(130);
        let metrics = done.metrics();
        assert_eq!(
            (&metrics["tasks_ok"], &metrics["tasks_dead"], &metrics["tasks_pending"]),
            (&1.into(), &0.into(), &2.into()),
            "{}",
            done.stderr
        );
        open.store(true, Ordering::SeqCst);
        let done = again(&sage, &command).go().exits(0).says("resuming the run");
        assert_eq!(
            done.lines("answers.jsonl"),
            [
                r#"{"id":"a","got":"later"}"#,
                r#"{"id":"b","got":"at once"}"#,
                r#"{"id":"c","got":"later"}"#
            ]
        );
        let of_b = stub.came()[before..].iter().filter(|came| came.body == "\"two\"").count();
        assert_eq!(of_b, 1);
    }
}

#[test]
fn trials_speak_to_the_hosts_that_are_named_and_to_no_others() {
    let stub = Stub::start(|came, _| answer(200, &came.body));
    let text = format!(
        r#"sage 1
type Row {{ id: string @key, text: string }}
type Out {{ id: string @key, said: string }}
source rows: Row from generate(count: 3, text: "row {{{{ n }}}}")
sink outs: Out to csv("outs.csv")
sink posted: Out to http_post("http://{0}/rows")
flow says {{
  from rows
  stage said = http("http://{0}/say", .text)
  emit Out {{ id: .id, said: said }} into outs
  emit Out {{ id: .id, said: said }} into posted
}}
experiment once {{
  jobs: [says], nodes: 1
}}
"#,
        stub.address
    );
    let sage = Sage::new().file("says.sage", text);
    let command = "experiment run says.sage --on sim --no-pictures --out out";
    let add = format!("add --allow-http {}", stub.address);
    again(&sage, command).go().exits(2).says(&add);
    again(&sage, &format!("{command} --fresh --allow-http example.com")).go().exits(2).says(&add);
    assert!(stub.came().is_empty());
    let allowed = format!("{command} --fresh --allow-http {}", stub.address);
    again(&sage, &allowed).go().exits(0);
    let lines: Vec<String> = stub.came().into_iter().map(|came| came.line).collect();
    assert_eq!(lines.iter().filter(|line| line.contains("/say")).count(), 3, "{lines:?}");
    // What a trial makes is not meant for others.
    assert!(!lines.iter().any(|line| line.contains("POST /rows")), "{lines:?}");
}
