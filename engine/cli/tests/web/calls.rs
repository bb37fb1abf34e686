//! The stage `http`: requests to hosts that the command line allows, and what becomes of their
//! answers, true and false ones.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::BTreeSet;

use crate::stub::{Stub, answer, with};
use crate::support::{Done, Sage};
use serde_json::Value;

fn program(ty: &str, call: &str, options: &str) -> String {
    format!(
        r#"sage 1
type Query {{ id: string @key, text: string }}
type Answer {{ id: string, got: {ty} }}
source queries: Query from jsonl("q.jsonl")
sink answers: Answer to jsonl("answers.jsonl")
flow ask {{
  from queries
  stage got: {ty} = http({call}) {{ {options} }}
  emit Answer {{ id: .id, got: got }} into answers
}}
schedule {{ policy: fifo, slots: 4 }}
"#
    )
}

const QUERIES: &str = "{\"id\":\"a\",\"text\":\"one\"}\n{\"id\":\"b\",\"text\":\"two & more\"}\n";

fn run(program: &str, arguments: &str) -> Done {
    let sage = Sage::new().file("p.sage", program).file("q.jsonl", QUERIES);
    sage.env("STUB_TOKEN", "open-sesame").args(&format!("run p.sage --out out {arguments}")).go()
}

fn letters(done: &Done) -> Vec<Value> {
    let text = done.read("dead_letters.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_record_is_a_request_and_its_answer_a_value_of_the_type() {
    let stub = Stub::start(|came, _| {
        answer(200, &format!("{{\"said\": {}, \"n\": {}}}", came.body, came.body.len()))
    });
    let (at, host) = (format!("http://{}/score?v=1", stub.address), stub.address);
    let text = program(
        "Said",
        &format!("{at:?}, .text"),
        "token: env(\"STUB_TOKEN\"), header: \"X-Team: a\"",
    )
    .replace("type Answer", "type Said { said: string, n: int }\ntype Answer");
    let done = run(&text, &format!("--workers 2 --allow-http {host}")).exits(0);
    assert_eq!(
        done.lines("answers.jsonl"),
        [
            r#"{"id":"a","got":{"said":"one","n":5}}"#,
            r#"{"id":"b","got":{"said":"two & more","n":12}}"#
        ]
    );
    let came = stub.came();
    assert_eq!(came.len(), 2);
    for request in &came {
        assert_eq!(request.line, "POST /score?v=1 HTTP/1.1");
        assert_eq!(request.head["authorization"], "Bearer open-sesame");
        assert_eq!(request.head["x-team"], "a");
        assert_eq!(request.head["content-type"], "application/json");
    }
    let keys: BTreeSet<_> = came.iter().map(|it| it.head["idempotency-key"].clone()).collect();
    assert_eq!(keys.len(), 2);
    assert!(!done.read("plan.json").contains("open-sesame"));
}

#[test]
fn a_host_that_was_not_named_is_not_called_and_no_redirect_leads_there() {
    let secret = Stub::start(|_, _| answer(200, "\"secret\""));
    let elsewhere = secret.address;
    let stub = Stub::start(move |came, _| match came.line.contains("/there") {
        true => answer(200, "\"here\""),
        false if came.line.contains("/within") => with(302, "location: /there\r\n", ""),
        false => with(302, &format!("location: http://{elsewhere}/secret\r\n"), ""),
    });
    let host = stub.address;
    let get =
        |path: &str, options: &str| program("string", &format!("\"http://{host}{path}\""), options);
    let out = get("/out", "method: get, retries: 0");
    run(&out, "").exits(1).says(&format!("add --allow-http {host}"));
    run(&out, "--allow-http localhost").exits(1).says("--allow-http");
    run(&out, "--allow-http http://x").exits(1).says("HOST:PORT");
    assert!(stub.came().is_empty());

    let done = run(&out, &format!("--workers 1 --allow-http {host}")).exits(3);
    let first = &letters(&done)[0];
    assert!(
        first["message"].as_str().unwrap().contains("which --allow-http does not name"),
        "{first}"
    );
    assert!(secret.came().is_empty());

    let done =
        run(&get("/within", "method: get"), &format!("--workers 1 --allow-http {host}")).exits(0);
    assert_eq!(done.lines("answers.jsonl").len(), 2);
    // What is not only read is not sent to another place.
    let done =
        run(&get("/within", "method: post"), &format!("--workers 1 --allow-http {host}")).exits(3);
    assert!(letters(&done)[0]["message"].as_str().unwrap().contains("followed for `get` only"));
    // Nor is a program's own word enough where the check has no address: a token in it is refused.
    run(&get("/within", "").replace("http://", "http://u:p@"), "").exits(1).says("env(");
}

#[test]
fn a_record_whose_request_fails_is_dead_with_the_status_and_the_words_of_the_server() {
    let stub = Stub::start(|came, _| {
        if came.body.contains("one") {
            answer(404, "{\"detail\": \"no such thing\"}")
        } else {
            answer(200, "3")
        }
    });
    let text = program("int", &format!("\"http://{}/\", .text", stub.address), "");
    let done = run(&text, &format!("--workers 1 --allow-http {}", stub.address)).exits(3);
    assert_eq!(done.lines("answers.jsonl"), [r#"{"id":"b","got":3}"#]);
    let letter = &letters(&done)[0];
    assert_eq!(
        (&letter["status"], &letter["class"]),
        (&404.into(), &"rejected".into()),
        "{letter}"
    );
    assert!(letter["message"].as_str().unwrap().contains("no such thing"), "{letter}");
    // What would fail again is not tried again.
    assert_eq!(stub.came().len(), 2);
}

#[test]
fn what_may_pass_is_tried_again_and_no_more_often_than_was_said() {
    let stub = Stub::start(|_, before| match before {
        0 => answer(500, "oh"),
        1 => with(429, "retry-after: 0\r\n", ""),
        _ => answer(200, "\"well\""),
    });
    let text = program("string", &format!("\"http://{}/\", .text", stub.address), "concurrency: 1");
    let arguments = format!("--workers 1 --limit 1 --allow-http {}", stub.address);
    let done = run(&text, &arguments).exits(0);
    assert_eq!(done.lines("answers.jsonl"), [r#"{"id":"a","got":"well"}"#]);
    let came = stub.came();
    assert_eq!(came.len(), 3);
    assert_eq!(came[0].head["idempotency-key"], came[2].head["idempotency-key"]);

    let down = Stub::start(|_, _| answer(503, "busy"));
    let text = program("string", &format!("\"http://{}/\", .text", down.address), "retries: 1");
    let done = run(&text, &format!("--workers 1 --limit 1 --allow-http {}", down.address)).exits(3);
    assert_eq!((down.came().len(), &letters(&done)[0]["attempts"]), (2, &2.into()));
}

#[test]
fn a_server_that_lies_or_is_silent_costs_no_more_than_its_record() {
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 15, "x".repeat(1 << 15));
    let lies: Vec<(&str, String)> = vec![
        ("invalid_output", answer(200, "{\"not\": \"an int\"}")),
        ("invalid_output", answer(200, "<html>")),
        ("server", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n12".to_owned()),
        ("server", "\0\0\0 nonsense\r\n\r\n".to_owned()),
        (
            "protocol",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\u{ff}".replace('\u{ff}', "\u{80}"),
        ),
        ("rejected", answer(200, &"9".repeat(2 << 20))),
        (
            "rejected",
            format!("ENDLESS HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"),
        ),
        ("timeout", "SILENT".to_owned()),
        ("timeout", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nkeep-alive".to_owned()),
    ];
    for (class, lie) in lies {
        let shown: String = lie.chars().take(60).collect();
        let stub = Stub::start(move |_, _| lie.clone());
        let text =
            program("int", &format!("\"http://{}/\"", stub.address), "timeout: 1s, retries: 0");
        let done =
            run(&text, &format!("--workers 1 --limit 1 --allow-http {}", stub.address)).exits(3);
        let letter = &letters(&done)[0];
        // Text of another alphabet is text; only its type is wrong.
        let class = if class == "protocol" { "invalid_output" } else { class };
        assert_eq!(letter["class"], class, "{shown:?}: {letter}");
        assert!(letter.to_string().len() < 4_000, "{shown:?}");
    }
}

#[test]
fn fields_of_a_record_are_the_query_of_a_get_and_a_test_asks_nobody() {
    let stub = Stub::start(|_, _| answer(200, "1"));
    let text = program(
        "int",
        &format!("\"http://{}/f\", Ask {{ q: .text, n: 2 }}", stub.address),
        "method: get",
    )
    .replace("type Answer", "type Ask { q: string, n: int }\ntype Answer");
    run(&text, &format!("--workers 1 --allow-http {}", stub.address)).exits(0);
    let mut lines: Vec<String> = stub.came().into_iter().map(|came| came.line).collect();
    lines.sort();
    assert_eq!(lines, ["GET /f?q=one&n=2 HTTP/1.1", "GET /f?q=two+%26+more&n=2 HTTP/1.1"]);

    let asked = stub.came().len();
    let tests = "test \"mocked\" {\n  given Query { id: \"q\", text: \"t\" }\n  mock got = 7\n  expect answers[0].got == 7\n}\n";
    Sage::new().file("p.sage", format!("{text}{tests}")).args("test p.sage").go().exits(0);
    let bare = "test \"bare\" {\n  given Query { id: \"q\", text: \"t\" }\n  expect dead_letters.count == 1\n  expect dead_letters[0].message contains \"asks no server\"\n}\n";
    Sage::new().file("p.sage", format!("{text}{bare}")).args("test p.sage").go().exits(0);
    let sage = Sage::new().file("p.sage", &text).file("q.jsonl", QUERIES);
    sage.args("simulate p.sage").go().exits(1).says("cannot be foretold");
    assert_eq!(stub.came().len(), asked);
}
