//! The source `http_get` and the sink `http_post`: servers that answer truly, wrongly, slowly or never
//! the same twice, and processes that are killed in between.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::stub::{Came, Stub, answer, with};
use crate::support::{Done, Draw, Sage, again, send, wait_until, worker, workers_of};
use serde_json::Value;

const ROWS: usize = 120;
const PAGE: usize = 10;

fn reading(source: &str, nap: &str) -> String {
    format!(
        r#"sage 1
type Item {{ id: int @key, said: int }}
source items: Item from http_get({source})
sink rows: Item to jsonl("rows.jsonl")
flow f {{
  from items
  stage nap = sleep({nap})
  emit Item {{ id: .id, said: .said }} into rows
}}
schedule {{ policy: fifo, slots: 4 }}
"#
    )
}

/// A page of a list, from the query `page=N`; `said` is another number each time.
fn page(came: &Came, before: usize, link: bool) -> String {
    let number: usize =
        came.line.split("page=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let rows: Vec<String> = (number * PAGE..(number + 1) * PAGE)
        .map(|id| format!("{{\"id\": {id},\n \"said\": {before}}}"))
        .collect();
    let more = (number + 1) * PAGE < ROWS;
    if link {
        let head = format!("link: <?page={}>; rel=\"next\"\r\n", number + 1);
        return with(200, if more { &head } else { "" }, &format!("[{}]", rows.join(",")));
    }
    let next = if more { format!("\"/list?page={}\"", number + 1) } else { "null".to_owned() };
    let body = format!("{{\"data\": {{\"items\": [{}]}}, \"next\": {next}}}", rows.join(","));
    answer(200, &body)
}

fn ids(done: &Done) -> Vec<u64> {
    let rows = done.read("rows.jsonl");
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap();
    let mut ids: Vec<u64> = rows.lines().map(id).collect();
    ids.sort_unstable();
    ids
}

fn all() -> Vec<u64> {
    (0..ROWS as u64).collect()
}

#[test]
fn pages_are_followed_by_a_field_or_by_the_head_and_other_formats_are_read_too() {
    let stub = Stub::start(|came, before| {
        let (path, csv) = (came.line.split(' ').nth(1).unwrap(), "id,said\n7,1\n8,x\n9,3\n");
        match path {
            "/lines" => answer(200, "{\"id\": 1, \"said\": 1}\n{\"id\": 2}\n"),
            "/mark" => answer(200, "\u{feff}[{\"id\": 5, \"said\": 1}]"),
            "/csv" => with(200, "link: </csv2>; rel=next\r\n", csv),
            "/csv2" => answer(200, "id,said\n10,4\n"),
            _ => page(came, before, path.starts_with("/link")),
        }
    });
    let host = stub.address;
    let run = |source: &str, code: i32| {
        let sage = Sage::new().file("p.sage", reading(source, "1us")).env("STUB_TOKEN", "open-it");
        sage.args(&format!("run p.sage --out out --workers 2 --allow-http {host}")).go().exits(code)
    };
    let list = format!(
        "\"http://{host}/list?page=0\", rows: \"data.items\", next: \"next\", \
         token: env(\"STUB_TOKEN\"), header: \"X-Team: a\""
    );
    assert_eq!(ids(&run(&list, 0)), all());
    let came = stub.came();
    assert_eq!(came.len(), ROWS / PAGE);
    for request in &came {
        assert!(request.line.starts_with("GET /list?page="), "{request:?}");
        assert_eq!(request.head["authorization"], "Bearer open-it");
        assert_eq!(request.head["x-team"], "a");
    }
    assert_eq!(ids(&run(&format!("\"http://{host}/link?page=0\""), 0)), all());
    let lines = run(&format!("\"http://{host}/lines\", format: jsonl"), 3);
    assert_eq!(ids(&lines), [1]);
    let letter = lines.read("dead_letters.jsonl");
    assert!(letter.contains(&format!("http://{host}/lines:2")), "{letter}");
    assert_eq!(ids(&run(&format!("\"http://{host}/mark\""), 0)), [5]);
    let csv = run(&format!("\"http://{host}/csv\", format: csv"), 3);
    assert_eq!(ids(&csv), [7, 9, 10]);
    // What was limited is not asked for.
    let before = stub.came().len();
    let sage = Sage::new().file("p.sage", reading(&list, "1us")).env("STUB_TOKEN", "open-it");
    let few = format!("run p.sage --out out --workers 1 --limit 15 --allow-http {host}");
    assert_eq!(ids(&sage.args(&few).go().exits(0)).len(), 15);
    assert_eq!(stub.came().len() - before, 2);
}

#[test]
fn what_a_server_does_wrong_is_told_and_a_run_goes_on_when_it_is_mended() {
    let other = Stub::start(|_, _| answer(200, "[]"));
    let elsewhere = other.address;
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let stub = Stub::start(move |came, before| match came.line.split(' ').nth(1).unwrap() {
        "/away" => answer(200, &format!("{{\"r\":[],\"next\":\"http://{elsewhere}/\"}}")),
        "/moved" => with(302, &format!("location: http://{elsewhere}/\r\n"), ""),
        "/circle" => answer(200, "{\"r\":[],\"next\":\"/circle\"}"),
        "/silent" => "SILENT".to_owned(),
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[".to_owned(),
        "/long" => answer(200, &"[1,".repeat(9_000)),
        "/html" => answer(200, "<html>"),
        "/no" => answer(403, "who are you, open-sesame?"),
        _ if came.line.contains("page=3") && count.fetch_add(1, Ordering::SeqCst) < 3 => {
            answer(503, "later")
        }
        _ => page(came, before, false),
    });
    let host = stub.address;
    let sage = |source: &str, options: &str| {
        let text = reading(&format!("\"http://{host}{source}\", {options}"), "1us");
        Sage::new().file("p.sage", text).env("STUB_TOKEN", "open-sesame")
    };
    let command = format!("run p.sage --out out --workers 1 --allow-http {host}");
    let list = "rows: \"r\", next: \"next\"";
    for (source, options, part) in [
        ("/away", list, "--allow-http does not name its host"),
        ("/moved", list, "which --allow-http does not name"),
        ("/circle", list, "go in a circle"),
        ("/silent", "timeout: 300ms, patience: 400ms", "no whole answer in time"),
        ("/cut", "timeout: 1s, patience: 10ms", "`patience` is 0.01 s"),
        ("/long", "max_page: 16KiB", "longer than the 16384 bytes"),
        ("/html", "", "is not JSON"),
        ("/list?page=0", "rows: \"data.rows\"", "it has items"),
        ("/list?page=0", "rows: \"data.items\", next: \"next\", pages: 5", "more than 5 pages"),
        ("/no", "token: env(\"STUB_TOKEN\")", "HTTP 403: who are you, ***?"),
    ] {
        let done = sage(source, options).args(&command).go();
        assert!(done.stderr.contains(part), "{source}: {part}\n{}", done.stderr);
        assert!(!done.stderr.contains("open-sesame"), "{}", done.stderr);
        assert_eq!(done.code, Some(2), "{source}: {}", done.stderr);
    }
    assert!(other.came().is_empty());
    // Nothing is asked without leave, nor where nothing runs.
    let before = stub.came().len();
    let refused = sage("/no", "").args("run p.sage --out out").go().exits(1);
    refused.says("reads what is at").says(&format!("add --allow-http {host}"));
    sage("/no", "").args("simulate p.sage").go().exits(1).says("cannot be foretold");
    sage("/no", "").args("check p.sage").go().exits(0);
    assert_eq!(stub.came().len(), before);

    // The first try of page 3 fails the run, the second is tried again within its patience.
    let first = sage("/list?page=0", "rows: \"data.items\", next: \"next\", patience: 1ms");
    let text = reading(
        &format!(
            "\"http://{host}/list?page=0\", rows: \"data.items\", next: \"next\", patience: 1ms"
        ),
        "1us",
    );
    let first = first.file("p.sage", text).args(&command);
    tries.store(0, Ordering::SeqCst);
    first.go().exits(2).says("HTTP 503: later");
    let before = stub.came().len();
    tries.store(usize::MAX / 2, Ordering::SeqCst);
    let done = again(&first, &command).go().exits(0);
    assert_eq!(ids(&done), all());
    // The pages that it had were not asked for again.
    assert_eq!(stub.came().len() - before, ROWS / PAGE - 3);
}

#[test]
fn whoever_is_killed_every_record_is_there_once_as_it_was_seen_first() {
    let stub = Stub::start(|came, before| page(came, before, false));
    let text = reading(
        &format!("\"http://{}/list?page=0\", rows: \"data.items\", next: \"next\"", stub.address),
        "150ms",
    );
    let command = format!("run p.sage --out out --workers 2 --allow-http {}", stub.address);
    let sage = Sage::new().file("p.sage", text).args(&command);
    let done_tasks = || {
        let tasks = std::fs::read_to_string(sage.folder.path().join("out/tasks.csv"));
        tasks.unwrap_or_default().lines().count()
    };
    let mut child = sage.start();
    for (index, rows) in [(0, 20), (1, 45)] {
        wait_until(|| done_tasks() >= rows);
        send("-KILL", worker(child.id(), index));
    }
    // And then all of them.
    wait_until(|| done_tasks() >= 60);
    assert!(child.try_wait().unwrap().is_none(), "it was done before");
    for pid in workers_of(child.id()).into_iter().chain([child.id()]) {
        send("-KILL", pid);
    }
    drop(child.wait_with_output());
    let done = again(&sage, &command).go().exits(0);
    assert_eq!(ids(&done), all());
    // No page was seen in two versions, or asked for twice.
    let said: BTreeSet<u64> = done
        .read("rows.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["said"].as_u64().unwrap())
        .collect();
    assert_eq!(said.len(), ROWS / PAGE);
    assert_eq!(stub.came().len(), ROWS / PAGE);
}

const POSTING: &str = r#"sage 1
type Item { id: int @key, text: string }
source items: Item from csv("items.csv")
sink posted: Item to http_post("URL", batch: 7, OPTIONS)
flow f {
  from items
  stage nap = sleep(NAP)
  emit Item { id: .id, text: .text } into posted
}
schedule { policy: fifo, slots: 4 }
"#;

fn posting(url: &str, options: &str) -> Sage {
    slowly(url, options, "5ms")
}

fn slowly(url: &str, options: &str, nap: &str) -> Sage {
    let rows = (0..ROWS).map(|id| format!("{id},\"a \"\"text\"\", {id}\"\n"));
    let rows = "id,text\n".to_owned() + &rows.collect::<String>();
    let text = POSTING.replace("URL", url).replace("OPTIONS", options).replace("NAP", nap);
    Sage::new().file("p.sage", text).file("items.csv", rows).env("STUB_TOKEN", "open-sesame")
}

/// Batches by their key; the same key has always the same rows, as far as it came once more.
#[derive(Default)]
struct Taken(Mutex<BTreeMap<String, String>>);

impl Taken {
    fn take(&self, came: &Came) {
        let key = came.head["idempotency-key"].clone();
        let mut taken = self.0.lock().unwrap();
        let before = taken.entry(key).or_insert_with(|| came.body.clone());
        assert_eq!(*before, came.body);
    }

    /// Numbers of all rows, once for each time that they were taken under another key.
    fn ids(&self) -> Vec<u64> {
        let mut ids = Vec::new();
        for body in self.0.lock().unwrap().values() {
            let rows: Vec<Value> = serde_json::from_str(body).unwrap();
            assert!((1..=7).contains(&rows.len()), "{body}");
            for row in rows {
                let id = row["id"].as_u64().unwrap();
                assert_eq!(row["text"], format!("a \"text\", {id}"));
                ids.push(id);
            }
        }
        ids.sort_unstable();
        ids
    }
}

#[test]
fn rows_are_posted_in_batches_and_those_that_failed_come_again_under_the_same_key() {
    let taken: Arc<Taken> = Arc::default();
    let there = Arc::clone(&taken);
    let stub = Stub::start(move |came, before| {
        // Some are taken, and it is not confirmed.
        there.take(came);
        match before % 5 {
            1 => answer(503, ""),
            2 => with(429, "retry-after: 0\r\n", ""),
            3 => "HTTP/1.1 200 OK\r\ncontent-len".to_owned(),
            _ => answer(201, "{}"),
        }
    });
    let url = format!("http://{}/rows", stub.address);
    let sage = posting(&url, "token: env(\"STUB_TOKEN\"), header: \"X-Team: a\"");
    let command = format!("run p.sage --out out --workers 2 --allow-http {}", stub.address);
    let sage = sage.args(&command);
    let done = sage.go().exits(0);
    assert!(done.stdout.contains(&url) || done.stderr.contains(&url), "{}", done.stdout);
    assert_eq!(taken.ids(), all());
    for came in stub.came() {
        assert_eq!(came.line, "POST /rows HTTP/1.1");
        assert_eq!(came.head["content-type"], "application/json");
        assert_eq!(
            (came.head["authorization"].as_str(), came.head["x-team"].as_str()),
            ("Bearer open-sesame", "a")
        );
    }
    // Another run has other keys.
    let keys = taken.0.lock().unwrap().len();
    again(&sage, &command).env("STUB_TOKEN", "open-sesame").go().exits(0);
    assert!(taken.0.lock().unwrap().len() > keys);
    posting(&url, "timeout: 5s").args("run p.sage --out out").go().exits(1).says("sends rows to");
    let tests =
        "\ntest \"t\" {\n  given Item { id: 1, text: \"x\" }\n  expect posted[0].id == 1\n}\n";
    let came = stub.came().len();
    let text = POSTING.replace("URL", &url).replace("OPTIONS", "timeout: 5s").replace("NAP", "5ms")
        + tests;
    Sage::new().file("p.sage", text).args("test p.sage").go().exits(0);
    assert_eq!(stub.came().len(), came);
}

#[test]
fn what_a_server_does_not_take_ends_the_run_and_is_delivered_by_the_same_command() {
    let open = Arc::new(AtomicUsize::new(0));
    let taken: Arc<Taken> = Arc::default();
    let (there, now) = (Arc::clone(&taken), Arc::clone(&open));
    let stub = Stub::start(move |came, before| match now.load(Ordering::SeqCst) {
        0 if before > 3 => answer(422, "no room for open-sesame"),
        1 => answer(500, ""),
        _ => {
            there.take(came);
            answer(200, "")
        }
    });
    let url = format!("http://{}/", stub.address);
    let sage = posting(&url, "token: env(\"STUB_TOKEN\"), patience: 50ms");
    let command = format!("run p.sage --out out --workers 2 --allow-http {}", stub.address);
    let sage = sage.args(&command);
    for said in ["HTTP 422: no room for ***; its rows are kept", "`patience` is 0.05 s"] {
        let done = again(&sage, &command).env("STUB_TOKEN", "open-sesame").go().exits(2).says(said);
        done.says("the same command delivers the rest");
        open.fetch_add(1, Ordering::SeqCst);
    }
    again(&sage, &command).env("STUB_TOKEN", "open-sesame").go().exits(0);
    assert_eq!(taken.ids(), all());
}

#[test]
fn whoever_is_killed_all_rows_arrive_and_a_batch_that_came_twice_says_so() {
    for seed in 1..4 {
        let mut draw = Draw(seed);
        let taken: Arc<Taken> = Arc::default();
        let there = Arc::clone(&taken);
        let stub = Stub::start(move |came, before| {
            there.take(came);
            // Some are never confirmed, and whoever waits is killed meanwhile.
            if before % 9 == 8 { "SILENT".to_owned() } else { answer(200, "") }
        });
        let sage = slowly(&format!("http://{}/", stub.address), "timeout: 1s", "150ms");
        let command = format!("run p.sage --out out --workers 2 --allow-http {}", stub.address);
        let sage = sage.args(&command);
        let mut child = sage.start();
        let mut batches = 2 + draw.below(6) as usize;
        for index in [draw.below(2) as usize, draw.below(2) as usize] {
            wait_until(|| stub.came().len() >= batches);
            send("-KILL", worker(child.id(), index));
            batches += 3 + draw.below(5) as usize;
        }
        wait_until(|| stub.came().len() >= batches);
        assert!(child.try_wait().unwrap().is_none(), "it was done before");
        for pid in workers_of(child.id()).into_iter().chain([child.id()]) {
            send("-KILL", pid);
        }
        drop(child.wait_with_output());
        let done = again(&sage, &command).env("STUB_TOKEN", "open-sesame").go().exits(0);
        assert_eq!(taken.ids(), all(), "seed {seed}\n{}", done.stderr);
    }
}

#[test]
fn what_is_no_address_is_told_by_the_check_as_by_the_run() {
    for (url, said) in [
        ("localhost:9000/x", "is no address"),
        ("ftp://h/x", "write `http://HOST:PORT/PATH`"),
        ("http://user:pw@h/", "a key does not belong in an address"),
    ] {
        let read = Sage::new().file("p.sage", reading(&format!("{url:?}"), "1us"));
        let call = reading("\"http://h/\"", "1us")
            .replace("stage nap = sleep(1us)", &format!("stage got = http({url:?}, .id)"));
        let call = Sage::new().file("p.sage", call);
        let post = posting(url, "timeout: 1s");
        for (sage, line) in [(read, 3), (post, 4), (call, 7)] {
            again(&sage, "check p.sage").go().exits(1).says(&format!("p.sage:{line}:")).says(said);
            let run = again(&sage, "run p.sage --out out --allow-http h");
            run.env("STUB_TOKEN", "t").go().exits(1).says(said);
        }
    }
}

#[test]
fn who_adds_to_the_head_adds_it_for_the_server_that_the_program_names() {
    let other = Stub::start(|came, before| match came.line.split(' ').nth(1).unwrap() {
        "/text" => answer(200, "\"there\""),
        _ => page(came, before, false),
    });
    let elsewhere = other.address;
    let stub = Stub::start(move |came, _| {
        let path = came.line.split(' ').nth(1).unwrap();
        match path {
            "/near" => with(302, "location: /far\r\n", ""),
            "/far" => with(307, &format!("location: http://{elsewhere}/list?page=11\r\n"), ""),
            "/around" => with(301, "location: /around\r\n", ""),
            _ => with(308, &format!("location: http://{elsewhere}/text\r\n"), ""),
        }
    });
    let host = stub.address;
    let run = |text: String, code| {
        let sage = Sage::new().file("p.sage", text).env("STUB_TOKEN", "open-it");
        let allowed = format!("--allow-http {host} --allow-http {elsewhere}");
        sage.args(&format!("run p.sage --out out --workers 1 {allowed}")).go().exits(code)
    };
    let head = "token: env(\"STUB_TOKEN\"), header: \"X-Key: mine\"";
    let get = format!("\"http://{host}/near\", rows: \"data.items\", {head}");
    assert_eq!(ids(&run(reading(&get, "1us"), 0)).len(), PAGE);
    let get = format!("\"http://{host}/around\", timeout: 5s");
    run(reading(&get, "1us"), 2).says("it redirects again and again");
    let call = reading("\"http://h/\"", "1us")
        .replace("http_get(\"http://h/\")", "generate(count: 1)")
        .replace(
            "stage nap = sleep(1us)",
            &format!("stage got = http(\"http://{host}/call\") {{ method: get, {head} }}"),
        );
    run(call, 0);
    for (stub, has) in [(&stub, true), (&other, false)] {
        let paths = stub.came();
        assert!(paths.len() >= 2);
        for came in paths.iter().filter(|came| !came.line.contains("/around")) {
            assert_eq!(came.head.contains_key("authorization"), has, "{came:?}");
            assert_eq!(came.head.contains_key("x-key"), has, "{came:?}");
        }
    }
}

#[test]
fn a_server_is_tried_until_the_patience_is_over() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let there = Arc::clone(&times);
    let stub = Stub::start(move |_, _| {
        there.lock().unwrap().push(Instant::now());
        answer(503, "")
    });
    let host = stub.address;
    let text = reading(&format!("\"http://{host}/\", patience: 3s"), "1us");
    let sage = Sage::new().file("p.sage", text);
    let done = sage.args(&format!("run p.sage --out out --allow-http {host}")).go().exits(2);
    done.says("`patience` is 3 s");
    let times = times.lock().unwrap();
    let tried = times.last().unwrap().duration_since(times[0]);
    assert!(tried >= Duration::from_millis(2_800), "{tried:?}");
}

#[test]
fn a_run_that_is_stopped_waits_for_no_server_and_keeps_what_was_not_delivered() {
    let silent = Arc::new(AtomicUsize::new(4));
    let taken: Arc<Taken> = Arc::default();
    let (there, now) = (Arc::clone(&taken), Arc::clone(&silent));
    let stub = Stub::start(move |came, before| {
        there.take(came);
        if before >= now.load(Ordering::SeqCst) { "SILENT".to_owned() } else { answer(200, "") }
    });
    let url = format!("http://{}/", stub.address);
    let sage = posting(&url, "timeout: 10min, patience: 10min");
    let command =
        format!("run p.sage --out out --workers 1 --drain 10min --allow-http {}", stub.address);
    let sage = sage.args(&command);
    let child = sage.start();
    wait_until(|| stub.came().len() > 4);
    send("-INT", child.id());
    let done = sage.done(child.wait_with_output().unwrap()).exits(130);
    let done = done.says("not delivered: the same command delivers them");
    // Nobody waited until the server gave up, to try once more.
    assert_eq!(stub.came().len(), 5);
    let delivered = done.stderr.lines().find(|line| line.ends_with(&url)).unwrap();
    let rows: usize = delivered.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((4..=28).contains(&rows), "{delivered}");
    silent.store(usize::MAX, Ordering::SeqCst);
    let done = again(&sage, &command).env("STUB_TOKEN", "open-sesame").go().exits(0);
    done.says(&format!("{ROWS} rows in {url}"));
    assert_eq!(taken.ids(), all());
}

#[test]
fn a_batch_that_was_too_large_is_cut_anew() {
    let most = Arc::new(AtomicUsize::new(usize::MAX));
    let taken: Arc<Taken> = Arc::default();
    let (there, now) = (Arc::clone(&taken), Arc::clone(&most));
    let stub = Stub::start(move |came, before| {
        let rows: Vec<Value> = serde_json::from_str(&came.body).unwrap();
        match now.load(Ordering::SeqCst) {
            most if rows.len() > most => answer(413, ""),
            // It is not said that it has come, and it has not.
            usize::MAX if before == 3 => "SILENT".to_owned(),
            _ => {
                there.take(came);
                answer(200, "")
            }
        }
    });
    let url = format!("http://{}/", stub.address);
    let sage = posting(&url, "timeout: 1s, patience: 1ms");
    let command = format!("run p.sage --out out --workers 1 --allow-http {}", stub.address);
    let sage = sage.args(&command);
    let go = || again(&sage, &command).env("STUB_TOKEN", "open-sesame").go();
    go().exits(2).says("no whole answer in time");
    most.store(3, Ordering::SeqCst);
    for _ in 0..2 {
        go().exits(2).says("HTTP 413; a lower `batch`");
    }
    let path = sage.folder.path().join("p.sage");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("batch: 7", "batch: 3")).unwrap();
    go().exits(0).says(&format!("{ROWS} rows in {url}"));
    assert_eq!(taken.ids(), all());
}
