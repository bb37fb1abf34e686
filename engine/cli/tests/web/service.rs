//! A flow as a service: what clients get, whatever they, the workers or the user do.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use crate::client::{Sent, ask, get, post, raw, text};
use crate::support::{Sage, ended, send, wait_until, worker};
use serde_json::Value;

const PROGRAM: &str = r#"sage 1
param nap: duration = 1ms
param most: int = 64
param patience: duration = 60s
type Query { id: string @key, text: string, n: int = 1 }
type Answer { id: string, text: string, n: int }
source questions: Query from http(max_requests: 4, max_body: 4MiB, deadline: patience)
sink replies: Answer to http_reply()
sink log: Answer to jsonl("log.jsonl")
flow ask {
  from questions
  where .text != "drop"
  stage pause = sleep(if .text == "slow" then 60s else nap)
  stage part = 100 / .n
  emit Answer { id: .id, text: .text, n: part } into replies
  emit Answer { id: .id, text: "", n: part } into log
}
schedule { policy: fifo, slots: 4 }
"#;

/// A service that runs; killed when dropped.
struct Service {
    sage: Sage,
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
}

impl Service {
    fn of(program: &str, arguments: &str, variables: &[(&str, &str)]) -> Self {
        let mut sage = Sage::new().file("ask.sage", program);
        for (name, value) in variables {
            sage = sage.env(name, value);
        }
        Self::with(sage, arguments)
    }

    /// Once more in the folder of one before.
    fn again(folder: &Arc<tempfile::TempDir>, arguments: &str) -> Self {
        let mut sage = Sage::new();
        sage.folder = Arc::clone(folder);
        Self::with(sage, arguments)
    }

    fn with(sage: Sage, arguments: &str) -> Self {
        // The port is free again at once, and the next generation gets the same.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sage = sage.args(&format!("run ask.sage --out out --listen {address} {arguments}"));
        let mut child = sage.start();
        let said: Arc<Mutex<String>> = Arc::default();
        let stderr = child.stderr.take().unwrap();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                heard.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let service = Service { sage, child, address, said };
        service.ready();
        service
    }

    fn start(arguments: &str) -> Self {
        Self::of(PROGRAM, arguments, &[])
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Wait until it takes requests.
    fn ready(&self) {
        for _ in 0..12 {
            let open = || get(self.address, "/health").is_ok_and(|got| got.status == 200);
            if std::panic::catch_unwind(|| wait_until(open)).is_ok() {
                return;
            }
        }
        panic!("it does not serve:\n{}", self.said());
    }

    /// Wait until so many requests are in the pipeline.
    fn holds(&self, requests: u64) {
        wait_until(|| get(self.address, "/health").unwrap().json()["requests"] == requests);
    }

    fn stop(&self) {
        send("-TERM", self.child.id());
    }

    /// Its end: exit code, `metrics.json`, and rows of its log.
    fn end(mut self) -> (Option<i32>, Value, u64) {
        let code = self.child.wait().unwrap().code();
        let text = std::fs::read_to_string(self.sage.folder.path().join("out/metrics.json"));
        let text = text.unwrap_or_else(|error| panic!("{error}:\n{}", self.said()));
        (code, serde_json::from_str(&text).unwrap(), self.log())
    }

    fn log(&self) -> u64 {
        let log = std::fs::read_to_string(self.sage.folder.path().join("out/log.jsonl"));
        log.unwrap_or_default().lines().count() as u64
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// ok, dead, late, pending, of a run whose books balance.
fn counts(metrics: &Value) -> [u64; 4] {
    let count = |name: &str| metrics[name].as_u64().unwrap_or_else(|| panic!("{metrics:#}"));
    let parts = ["tasks_ok", "tasks_dead", "tasks_late", "tasks_pending"].map(count);
    assert_eq!(count("tasks_in"), parts.iter().sum::<u64>());
    parts
}

#[test]
fn a_client_is_told_what_became_of_its_record() {
    let service = Service::start("--workers 4");
    let at = service.address;
    let good = ask(at, r#"{"id":"a","text":"hello","n":4}"#);
    assert_eq!(good.status, 200, "{good:?}");
    assert_eq!(good.json(), serde_json::json!({"id": "a", "text": "hello", "n": 25}));
    // Several at once, on whatever workers, each with its own answer.
    let sent: Vec<Sent> =
        (1..=4).map(|n| post(at, &format!(r#"{{"text":"t{n}","n":{n}}}"#)).unwrap()).collect();
    for (n, sent) in (1..).zip(sent) {
        let got = sent.answer().unwrap();
        assert_eq!((got.status, &got.json()["n"]), (200, &Value::from(100 / n)), "{got:?}");
        assert_eq!(got.json()["text"], format!("t{n}"));
        assert!(got.json()["id"].as_str().unwrap().starts_with("request-"));
    }
    let dropped = ask(at, r#"{"text":"drop"}"#);
    assert_eq!((dropped.status, dropped.class().as_str()), (422, "dropped"));
    let failed = ask(at, r#"{"text":"x","n":0}"#);
    assert_eq!((failed.status, failed.class().as_str()), (422, "expression"), "{failed:?}");
    assert_eq!(failed.json()["error"]["stage"], "part");
    for (body, part) in [
        (r#"{"n":1}"#, "field `text` is missing"),
        (r#"{"text":"x","n":"many"}"#, "field `n`"),
        (r#"{"text":"x""#, "not valid JSON"),
        ("", "not valid JSON"),
        ("[]", "Query"),
    ] {
        let got = ask(at, body);
        assert!(got.status == 400 && got.message().contains(part), "{body}: {got:?}");
    }
    let other = |method: &str, path: &str| {
        raw(at, &text(method, path, "", "")).unwrap().answer().unwrap().status
    };
    assert_eq!((other("GET", "/"), other("POST", "/other")), (405, 404));
    let browser = raw(at, &text("POST", "/", "origin: http://evil\r\n", "{}")).unwrap();
    assert_eq!(browser.answer().unwrap().status, 403);
    let huge = format!(r#"{{"text":"{}"}}"#, "x".repeat(5 << 20));
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", huge.len());
    let large = raw(at, head.as_bytes()).unwrap();
    // The rest need not be sent to be refused.
    let mut status = [0; 12];
    (&large.0).read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");

    service.stop();
    let (code, metrics, log) = service.end();
    assert_eq!(code, Some(0));
    // The dropped one is done, too, and left no row.
    assert_eq!((counts(&metrics), log), ([6, 1, 0, 0], 5));
}

#[test]
fn a_client_that_looks_for_its_answer_only_when_it_has_sent_all_gets_it() {
    let service = Service::start("--workers 1");
    let body = "x".repeat(12 << 20);
    for (path, head, status) in [
        ("/", "", 413),
        ("/", "transfer-encoding: chunked\r\n", 413),
        ("/other", "", 404),
        ("/", "origin: http://evil\r\n", 403),
    ] {
        let request = if head.contains("chunked") {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}");
            format!("{head}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes()
        } else {
            text("POST", path, head, &body)
        };
        let got = raw(service.address, &request).unwrap().answer().unwrap();
        assert_eq!(got.status, status, "{path} {head}");
    }
    service.stop();
    assert_eq!(service.end().0, Some(0));
}

#[test]
fn more_requests_than_it_takes_are_told_to_come_again_and_those_inside_are_answered() {
    let service = Service::start("--workers 2 --set nap=4s");
    let at = service.address;
    let inside: Vec<Sent> = (0..4).map(|_| post(at, r#"{"text":"x"}"#).unwrap()).collect();
    service.holds(4);
    let refused = ask(at, r#"{"text":"one too many"}"#);
    assert_eq!((refused.status, refused.class().as_str()), (429, "full"));
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    // The port closes at once, and whoever is inside is answered.
    service.stop();
    wait_until(|| get(at, "/health").is_err());
    for sent in inside {
        assert_eq!(sent.answer().unwrap().status, 200);
    }
    let (code, metrics, _) = service.end();
    assert_eq!((code, counts(&metrics)), (Some(0), [4, 0, 0, 0]));
}

#[test]
fn a_client_without_an_answer_in_time_is_told_so_and_its_place_is_free_only_when_its_record_ends() {
    let service = Service::start("--workers 1 --set nap=2s --set patience=300ms --limit 3");
    let at = service.address;
    let late = ask(at, r#"{"text":"x"}"#);
    assert_eq!((late.status, late.class().as_str()), (504, "deadline"));
    // One that leaves takes no other's place, either.
    drop(post(at, r#"{"text":"x"}"#).unwrap());
    service.holds(0);
    assert_eq!(ask(at, r#"{"text":"x"}"#).status, 504);
    // After the third it ends by itself.
    let (code, metrics, _) = service.end();
    assert_eq!((code, counts(&metrics)), (Some(0), [3, 0, 0, 0]));
}

#[test]
fn slow_half_open_and_lying_clients_hold_up_nobody() {
    let service = Service::start("--workers 2");
    let at = service.address;
    let mut held = Vec::new();
    for _ in 0..50 {
        for bytes in [
            String::new(),
            "POST / HT".to_owned(),
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"te".to_owned(),
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"tex"
                .to_owned(),
        ] {
            held.push(raw(at, bytes.as_bytes()).unwrap());
        }
    }
    assert_eq!(ask(at, r#"{"text":"good"}"#).status, 200);
    // Half of the connection is closed, and the answer comes through the other.
    let half = post(at, r#"{"text":"half"}"#).unwrap();
    half.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(half.answer().unwrap().status, 200);
    // Less than was promised, and then the end.
    let short =
        raw(at, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"text\":\"x\"}")
            .unwrap();
    short.0.shutdown(std::net::Shutdown::Write).unwrap();
    let got = short.answer();
    assert!(got.is_err() || got.is_ok_and(|got| got.status == 400));
    for junk in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n"] {
        let got = raw(at, junk.as_bytes()).unwrap().answer();
        assert!(got.is_err() || got.is_ok_and(|got| got.status >= 400));
    }
    // A body without an end is cut off at its bound.
    let mut endless =
        raw(at, b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let piece = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
    let cut = (0..1000).any(|_| endless.0.write_all(piece.as_bytes()).is_err());
    assert!(cut, "it took 64 MiB of a body");
    assert_eq!(ask(at, r#"{"text":"good"}"#).status, 200);
    drop(held);
    service.stop();
    let (code, metrics, _) = service.end();
    assert_eq!((code, counts(&metrics)), (Some(0), [3, 0, 0, 0]));
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
}

#[test]
fn memory_stays_flat_when_nobody_reads_the_answers() {
    let service = Service::start("--workers 1");
    let at = service.address;
    let pid = worker(service.child.id(), 0);
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(2 << 20));
    let request = text("POST", "/", "", &body);
    let round = || -> Vec<Sent> {
        (0..20)
            .map(|_| {
                let sent = raw(at, &request).unwrap();
                // The answer is there, and nobody takes it.
                sent.0.peek(&mut [0]).unwrap();
                sent
            })
            .collect()
    };
    let unread = round();
    let after_one = resident_mib(pid);
    drop(unread);
    for _ in 0..4 {
        drop(round());
    }
    let after_five = resident_mib(pid);
    assert!(after_five < after_one + 60, "{after_one} MiB, then {after_five} MiB");
    service.stop();
    let (code, metrics, _) = service.end();
    assert_eq!((code, counts(&metrics)), (Some(0), [100, 0, 0, 0]));
}

#[test]
fn after_a_worker_was_killed_clients_ask_again_and_the_books_balance() {
    let service = Service::start("--workers 3 --set nap=300ms");
    let at = service.address;
    let mut good = 0;
    for victim in [1, 0] {
        let pid = worker(service.child.id(), victim);
        assert_eq!(ask(at, r#"{"text":"before"}"#).status, 200);
        good += 1;
        let inside: Vec<Sent> = (0..3).map(|_| post(at, r#"{"text":"x"}"#).unwrap()).collect();
        service.holds(3);
        send("-KILL", pid);
        for sent in inside {
            // An answer that was on its way is one; no client waits for ever.
            match sent.answer() {
                Ok(got) if got.status == 200 => good += 1,
                Ok(got) => assert_eq!(got.status, 503, "{got:?}"),
                Err(_) => {}
            }
        }
        wait_until(|| ended(pid));
        service.ready();
    }
    assert_eq!(ask(at, r#"{"text":"after"}"#).status, 200);
    good += 1;
    service.stop();
    let said = service.said();
    assert!(said.contains("worker 1 was lost") && said.contains("worker 0 was lost"), "{said}");
    let folder = Arc::clone(&service.sage.folder);
    let (code, metrics, log) = service.end();
    let [ok, dead, late, pending] = counts(&metrics);
    // All that was taken in has ended, if only with its worker.
    assert_eq!((code, late, pending), (Some(0), 0, 0), "{metrics:#}");
    // What was answered and not committed yet went with the worker.
    assert!(ok <= good && ok >= 1 && log == ok, "{metrics:#}");
    let out = folder.path().join("out");
    let letters = std::fs::read_to_string(out.join("dead_letters.jsonl")).unwrap();
    let lost = letters.lines().filter(|line| line.contains(r#""class":"lost""#)).count() as u64;
    assert_eq!((lost, letters.lines().count() as u64), (dead, dead), "{letters}");
    let summary = std::fs::read_to_string(out.join("summary.txt")).unwrap();
    assert!(summary.contains("requests were lost with it"), "{summary}");
    assert!(!summary.contains("run again") && !summary.contains("interrupted"), "{summary}");
}

/// Three answers that are on the disk, and a request inside; then it is ended by this.
fn broken_off(arguments: &str, end: impl Fn(&Service)) -> Arc<tempfile::TempDir> {
    let service = Service::start(&format!("--workers 1 {arguments}"));
    for n in 1..=3 {
        assert_eq!(ask(service.address, &format!(r#"{{"text":"t","n":{n}}}"#)).status, 200);
    }
    let inside = post(service.address, r#"{"text":"slow"}"#).unwrap();
    service.holds(1);
    let folder = Arc::clone(&service.sage.folder);
    // The supervisor has heard of it.
    wait_until(|| {
        let mut sage = Sage::new();
        sage.folder = Arc::clone(&folder);
        sage.args("jobs status out --json").go().stdout.contains("\"tasks_in\": 4")
    });
    end(&service);
    let (code, metrics, log) = service.end();
    assert_eq!((code, log, counts(&metrics)), (Some(130), 3, [3, 0, 0, 1]), "{metrics:#}");
    drop(inside);
    folder
}

fn twice(service: &Service) {
    service.stop();
    wait_until(|| service.said().contains("stopping"));
    service.stop();
}

#[test]
fn a_service_that_was_ended_at_once_goes_on_and_keeps_its_rows() {
    for (arguments, end) in
        [("", &twice as &dyn Fn(&Service)), ("--drain 100ms", &|service: &Service| service.stop())]
    {
        let folder = broken_off(arguments, end);
        let service = Service::again(&folder, "--workers 2");
        assert_eq!(ask(service.address, r#"{"text":"t"}"#).status, 200);
        let said = service.said();
        assert!(said.contains("resuming the run in out: 4 tasks are done"), "{said}");
        service.stop();
        let (code, metrics, log) = service.end();
        // The request that was inside ended with its process.
        assert_eq!((code, log, counts(&metrics)), (Some(0), 4, [4, 1, 0, 0]), "{metrics:#}");
        // Also after an end in order nothing is taken away.
        let service = Service::again(&folder, "--workers 1 --quiet");
        assert_eq!(service.log(), 4);
        assert_eq!(ask(service.address, r#"{"text":"t"}"#).status, 200);
        service.stop();
        let (code, metrics, log) = service.end();
        assert_eq!((code, log, counts(&metrics)), (Some(0), 5, [5, 1, 0, 0]), "{metrics:#}");
    }
}

#[test]
fn a_job_of_a_service_is_resumed_with_its_rows() {
    let folder = broken_off("", twice);
    let mut sage = Sage::new();
    sage.folder = Arc::clone(&folder);
    let mut child = Killed(sage.args("jobs resume out").start());
    let said = BufReader::new(child.0.stderr.take().unwrap());
    let mut said = said.lines().map_while(Result::ok);
    let resumed = said.find(|line| line.starts_with("resuming"));
    assert_eq!(resumed.as_deref(), Some("resuming the run in out: 4 tasks are done"));
    let serving = said.find(|line| line.starts_with("serving ")).unwrap();
    let address = serving.strip_prefix("serving http://").unwrap().trim_end_matches('/');
    assert_eq!(ask(address.parse().unwrap(), r#"{"text":"t"}"#).status, 200);
    send("-TERM", child.0.id());
    let last: Vec<String> = said.collect();
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{last:#?}");
    let log = std::fs::read_to_string(folder.path().join("out/log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 4);
}

#[test]
fn a_limit_counts_over_all_commands_and_fresh_gives_up_what_was() {
    let service = Service::start("--workers 1 --limit 1");
    let folder = Arc::clone(&service.sage.folder);
    assert_eq!(ask(service.address, r#"{"text":"t"}"#).status, 200);
    assert_eq!(service.end().2, 1);
    let service = Service::again(&folder, "--workers 1 --limit 2");
    assert_eq!(ask(service.address, r#"{"text":"t"}"#).status, 200);
    let (code, metrics, log) = service.end();
    assert_eq!((code, log, counts(&metrics)), (Some(0), 2, [2, 0, 0, 0]));
    let service = Service::again(&folder, "--workers 1 --limit 1 --fresh");
    assert_eq!(ask(service.address, r#"{"text":"t"}"#).status, 200);
    assert_eq!(service.end().2, 1);
}

#[test]
fn clients_beyond_the_limit_are_told_so_while_the_last_one_is_answered() {
    let service = Service::start("--workers 1 --limit 2 --set nap=4s");
    let at = service.address;
    let inside: Vec<Sent> = (0..2).map(|_| post(at, r#"{"text":"x"}"#).unwrap()).collect();
    service.holds(2);
    let late: Vec<Sent> = (0..3).map(|_| post(at, r#"{"text":"x"}"#).unwrap()).collect();
    for sent in late {
        let got = sent.answer().unwrap();
        assert_eq!((got.status, got.class().as_str()), (503, "closed"), "{got:?}");
    }
    assert_eq!(get(at, "/health").unwrap().status, 503);
    for sent in inside {
        assert_eq!(sent.answer().unwrap().status, 200);
    }
    let (code, metrics, _) = service.end();
    assert_eq!((code, counts(&metrics)), (Some(0), [2, 0, 0, 0]));
}

#[test]
fn who_is_inside_when_the_time_is_up_is_told_so() {
    let service = Service::start("--workers 1 --drain 500ms");
    let inside = post(service.address, r#"{"text":"slow"}"#).unwrap();
    service.holds(1);
    service.stop();
    let got = inside.answer().unwrap();
    assert_eq!((got.status, got.class().as_str()), (503, "ended"), "{got:?}");
    assert_eq!(service.end().0, Some(130));
}

#[test]
fn failed_requests_are_retried_into_a_file() {
    let service = Service::start("--workers 1");
    let folder = Arc::clone(&service.sage.folder);
    for body in [r#"{"id":"a","text":"x","n":0}"#, r#"{"id":"b","text":"x","n":0}"#] {
        assert_eq!(ask(service.address, body).status, 422);
    }
    service.stop();
    assert_eq!(service.end().0, Some(0));
    let mended = PROGRAM.replace("100 / .n", "100 / (.n + 1)");
    std::fs::write(folder.path().join("mended.sage"), mended).unwrap();
    let again = |arguments: &str| {
        let mut sage = Sage::new();
        sage.folder = Arc::clone(&folder);
        sage.args(arguments).go()
    };
    again("retry out").exits(3).says("0 of 2 failed records succeeded");
    let done = again("retry out --program mended.sage").exits(0).says("answers.jsonl");
    done.says("2 of 2 failed records succeeded");
    let rows = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join("out/retry-2").join(name)).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let wanted = ["a", "b"].map(|id| format!(r#"{{"id":"{id}","text":"x","n":100}}"#));
    assert_eq!(rows("answers.jsonl"), wanted);
    assert_eq!(rows("log.jsonl").len(), 2);
}

#[test]
fn who_has_not_the_token_is_turned_away_and_no_worker_has_it_in_its_environment() {
    let program = PROGRAM.replace("max_requests: 4", "token: env(\"ASK_TOKEN\"), max_requests: 4");
    let service = Service::of(&program, "--workers 2", &[("ASK_TOKEN", "open-sesame")]);
    let at = service.address;
    let with = |head: &str| raw(at, &text("POST", "/", head, r#"{"text":"x"}"#)).unwrap().answer();
    for head in ["", "authorization: Bearer open\r\n", "authorization: open-sesame\r\n"] {
        let got = with(head).unwrap();
        assert_eq!(got.status, 401, "{got:?}");
        assert!(got.head.contains("www-authenticate: bearer"), "{got:?}");
    }
    assert_eq!(with("Authorization: bearer open-sesame\r\n").unwrap().status, 200);
    assert_eq!(with("authorization: Bearer open-sesame\r\norigin: x\r\n").unwrap().status, 200);
    for index in 0..2 {
        let pid = worker(service.child.id(), index);
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains("open-sesame"));
    }
    let plan = std::fs::read_to_string(service.sage.folder.path().join("out/plan.json")).unwrap();
    assert!(plan.contains("ASK_TOKEN") && !plan.contains("open-sesame"));
    service.stop();
    assert_eq!(service.end().0, Some(0));

    let done = Sage::new().file("ask.sage", program).args("run ask.sage --out out").go().exits(1);
    done.says("`ASK_TOKEN` holds the token");
}

#[test]
fn a_live_index_follows_its_documents_while_clients_ask() {
    let program = r#"sage 1
type Query  { id: string @key, text: string }
type Doc    { id: string @key, title: string, text: string }
type Answer { id: string @key, found: [string] }
source queries: Query from http()
index docs: Doc from markdown("notes") { search: hybrid(weight: 0.5), refresh: live(every: 50ms) }
sink answers: Answer to http_reply()
flow look {
  from queries
  stage hits = search(docs, .text, k: 1)
  emit Answer { id: .id, found: hits.id } into answers
}
"#;
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("a.md"), "# Apples\n\nApples are kept in the cellar.\n").unwrap();
    let program = program.replace("\"notes\"", &format!("{:?}", notes.display().to_string()));
    let service = Service::of(&program, "--workers 2", &[]);
    let found = || ask(service.address, r#"{"text":"where do cherries grow"}"#).body;
    assert!(!found().contains("b.md"));
    let beside = folder.path().join("beside");
    std::fs::write(&beside, "# Cherries\n\nCherries grow behind the house.\n").unwrap();
    std::fs::rename(beside, notes.join("b.md")).unwrap();
    wait_until(|| found().contains("b.md#cherries"));
    service.stop();
    assert_eq!(service.end().0, Some(0));
}

#[test]
fn what_cannot_be_served_is_said_before_anything_starts() {
    let refused = |program: &str, arguments: &str, part: &str| {
        let sage = Sage::new().file("ask.sage", program).file("q.jsonl", "");
        sage.args(&format!("run ask.sage --out out {arguments}")).go().exits(1).says(part);
    };
    let free = PROGRAM.replace("max_requests: 4", "listen: \"127.0.0.1:0\", max_requests: 4");
    refused(&free, "--rate 5/s", "--rate and --arrivals");
    refused(&free, "--tasks 5", "--limit N");
    refused(&free.replace("127.0.0.1:0", "0.0.0.0:0"), "", "say so by --listen 0.0.0.0:0");
    refused(&free.replace("127.0.0.1:0", "nowhere"), "", "is no address");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    refused(&free, &format!("--listen {address}"), "cannot listen at");
    refused(
        &free.replace("http_reply()", "jsonl(\"r.jsonl\")"),
        "",
        "nothing answers its requests",
    );
    let two = free.replace("jsonl(\"log.jsonl\")", "http_reply()");
    refused(&two, "", "one sink is `http_reply`");
    let file = free.replace(
        "http(listen: \"127.0.0.1:0\", max_requests: 4, max_body: 4MiB, deadline: patience)",
        "jsonl(\"q.jsonl\")",
    );
    refused(&file, "", "read `from http(...)`");
    let written = free.replace("max_requests: 4", "token: \"open-sesame\", max_requests: 4");
    refused(&written, "", "does not belong in a program");
    let plain = Sage::new().file("ask.sage", &free).args("simulate ask.sage").go().exits(1);
    plain.says("cannot be foretold");
    let tests =
        format!("{free}\ntest \"t\" {{ given 3 of questions expect replies.count == 3 }}\n");
    let checked = Sage::new().file("ask.sage", tests).args("check ask.sage").go().exits(1);
    assert!(format!("{}{}", checked.stdout, checked.stderr).contains("nobody asks"));
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The blocks of a page that are marked as shell.
fn commands(page: &str) -> Vec<String> {
    page.split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_commands_of_the_page_about_services_do_what_it_says() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/service.md")).unwrap();
    let commands = commands(&page);
    let [start, curl] = commands.as_slice() else { panic!("{commands:?}") };
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let sage = Sage::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let arguments = start.trim().strip_prefix("sage-flow ").unwrap();
    let program = root.join("pipelines/rag_service.sage").display().to_string();
    let arguments = arguments.replace("pipelines/rag_service.sage", &program);
    let sage = sage.args(&format!("{arguments} --out out --listen {address}"));
    let mut child = sage.command();
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = Killed(child);
    let said = BufReader::new(child.0.stderr.take().unwrap());
    let mut said = said.lines().map_while(Result::ok);
    let serving = said.find(|line| line.starts_with("serving "));
    assert_eq!(serving, Some(format!("serving http://{address}/ask")));
    let curl = curl.replace("127.0.0.1:8088", &address.to_string());
    let output = std::process::Command::new("sh").args(["-c", &curl]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["sources"].as_array().map(Vec::len), Some(2), "{answer}");
    send("-TERM", child.0.id());
    let last: Vec<String> = said.collect();
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{last:#?}");
}

#[test]
fn a_request_that_is_late_by_the_schedule_is_told_so_and_counted() {
    let program = PROGRAM
        .replace("max_requests: 4", "max_requests: 16")
        .replace("slots: 4 }", "slots: 1, deadline: 300ms }");
    let service = Service::of(&program, "--workers 1 --set nap=1s --limit 8", &[]);
    let sent: Vec<Sent> =
        (0..8).map(|_| post(service.address, r#"{"text":"x"}"#).unwrap()).collect();
    let (mut good, mut late) = (0, 0);
    for sent in sent {
        let got = sent.answer().unwrap();
        match got.status {
            200 => good += 1,
            504 if got.class() == "deadline" => late += 1,
            _ => panic!("{got:?}"),
        }
    }
    // What was in the worker's hands in time is done; of the rest nobody waits for ever.
    assert!(good >= 1 && late >= 1, "{good} good, {late} late");
    let (code, metrics, _) = service.end();
    assert_eq!((code, counts(&metrics)), (Some(0), [good, 0, late, 0]));
}

/// Keys of the answers to requests that have none, and how many were answered.
fn answered(service: &Service, requests: usize) -> Vec<String> {
    let key = |_| ask(service.address, r#"{"text":"x"}"#).json()["id"].as_str().unwrap().to_owned();
    (0..requests).map(key).collect()
}

#[test]
fn no_number_is_given_twice_however_soon_the_service_is_killed() {
    let first = Service::start("--workers 2");
    let folder = Arc::clone(&first.sage.folder);
    let mut keys = Vec::new();
    let kill = |mut service: Service| {
        send("-KILL", service.child.id());
        drop(service.child.wait());
    };
    // Killed at once, mostly before anything of the last ones is committed.
    keys.extend(answered(&first, 3));
    kill(first);
    let second = Service::again(&folder, "--workers 2");
    keys.extend(answered(&second, 5));
    // The worker that has the connections, and then another.
    for index in [0, 1] {
        let before = second.said();
        send("-KILL", worker(second.child.id(), index));
        wait_until(|| second.said().len() > before.len());
        second.ready();
        keys.extend(answered(&second, 4));
    }
    kill(second);
    let last = Service::again(&folder, "--workers 2");
    keys.extend(answered(&last, 2));
    last.stop();
    let (code, metrics, _) = last.end();
    assert_eq!(code, Some(0));
    let wanted: Vec<String> = (1..=18).map(|number| format!("request-{number}")).collect();
    assert_eq!(keys, wanted);
    let [ok, dead, late, pending] = counts(&metrics);
    assert_eq!((ok + dead, late, pending), (18, 0, 0));
    let letters = std::fs::read_to_string(folder.path().join("out/dead_letters.jsonl"));
    let letters: Vec<Value> = letters
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(letters.len() as u64, dead);
    for letter in letters {
        // The place has the number that the key has.
        let number = letter["task"].as_u64().unwrap() + 1;
        assert_eq!(letter["class"], "lost");
        assert_eq!(letter["place"], format!("request {number}"));
    }
}

#[test]
fn a_request_with_several_answers_failed_and_writes_nothing() {
    let program = PROGRAM.replace(
        "into replies\n",
        "into replies\n  emit Answer { id: .id, text: .text, n: 0 } into replies if .text == \"two\"\n",
    );
    let service = Service::of(&program, "--workers 1", &[]);
    let told = ask(service.address, r#"{"id":"a","text":"two"}"#);
    assert_eq!((told.status, told.class().as_str()), (500, "several_rows"));
    assert_eq!(ask(service.address, r#"{"id":"b","text":"one"}"#).status, 200);
    service.stop();
    let folder = Arc::clone(&service.sage.folder);
    let (code, metrics, rows) = service.end();
    assert_eq!((code, counts(&metrics), rows), (Some(0), [1, 1, 0, 0], 1));
    let letters = std::fs::read_to_string(folder.path().join("out/dead_letters.jsonl")).unwrap();
    assert!(
        letters.contains("\"several_rows\"") && letters.contains("emitted 2 rows"),
        "{letters}"
    );
}
