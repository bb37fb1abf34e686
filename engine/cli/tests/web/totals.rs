//! The sink `http_post` behind steps over all records, whose rows are computed anew by whoever goes on:
//! processes are killed at many points of the delivery, and others, as many or not, go on with it.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::stub::{Came, Stub, answer};
use crate::support::{Draw, Sage, again, ended, send, wait_until, worker, workers_of};
use serde_json::Value;

const RECORDS: usize = 200;
const GROUPS: usize = 23;

fn program(steps: &str, sink: &str) -> String {
    format!(
        r#"sage 1
type Item {{ id: int @key, text: string }}
type Name {{ k: int @key, name: string }}
type Row {{ k: int, n: int }}
type Joined {{ id: int, name: string }}
source items: Item from generate(count: {RECORDS}, text: "t {{{{ n }}}}")
source names: Name from csv("names.csv")
sink out: {sink}
flow f {{
  from items
  stage nap = sleep(10ms)
  {steps}
}}
schedule {{ policy: fifo, slots: 4 }}
"#
    )
}

fn grouped(url: &str, options: &str) -> String {
    let steps = format!(
        "group by k: .id - (.id / {GROUPS}) * {GROUPS} {{ n: count() }}\n  emit {{ k: .k, n: .n }} into out"
    );
    let sink = format!("Row to http_post(\"{url}\", batch: 1, timeout: 1s){options}");
    program(&steps, &sink).replace("source names: Name from csv(\"names.csv\")\n", "")
}

fn joined(url: &str) -> String {
    let steps = "join names on .id == names.k\n  emit { id: .id, name: names.name } into out";
    program(steps, &format!("Joined to http_post(\"{url}\", batch: 7, timeout: 1s)"))
}

/// Batches in the order in which they came first; the same key has always the same rows.
#[derive(Default)]
struct Taken(Mutex<(Vec<String>, BTreeMap<String, String>)>);

impl Taken {
    fn take(&self, came: &Came) {
        let key = came.head["idempotency-key"].clone();
        let (order, bodies) = &mut *self.0.lock().unwrap();
        if let Some(before) = bodies.get(&key) {
            assert_eq!(*before, came.body);
        } else {
            order.push(key.clone());
            bodies.insert(key, came.body.clone());
        }
    }

    /// All rows, as a server has them that knows a key again.
    fn rows(&self) -> Vec<Value> {
        let (order, bodies) = &*self.0.lock().unwrap();
        let of = |key: &String| serde_json::from_str::<Vec<Value>>(&bodies[key]).unwrap();
        order.iter().flat_map(of).collect()
    }

    fn sorted(&self) -> Vec<String> {
        let mut rows: Vec<String> = self.rows().iter().map(Value::to_string).collect();
        rows.sort();
        rows
    }
}

/// Start it with so many workers, kill somebody when so many batches came, and start it again.
fn through_kills(text: impl Fn(&str) -> String, seed: u64, kills: usize) -> Arc<Taken> {
    let mut draw = Draw(seed);
    let taken: Arc<Taken> = Arc::default();
    let there = Arc::clone(&taken);
    let stub = Stub::start(move |came, before| {
        there.take(came);
        std::thread::sleep(Duration::from_millis(40));
        // Some are never confirmed, and whoever waits is killed meanwhile.
        if before % 7 == 6 { "SILENT".to_owned() } else { answer(200, "") }
    });
    let names: String = (1..=RECORDS).map(|id| format!("{id},name {id}\n")).collect();
    let sage = Sage::new()
        .file("p.sage", text(&format!("http://{}/", stub.address)))
        .file("names.csv", "k,name\n".to_owned() + &names);
    let command = |workers: u64| {
        format!("run p.sage --out out --workers {workers} --allow-http {}", stub.address)
    };
    let mut batches = 0;
    for at in 0..kills {
        let workers = [1, 2, 4][draw.below(3) as usize];
        let mut child = again(&sage, &command(workers)).start();
        batches = batches.max(stub.came().len()) + draw.below(3) as usize;
        let came = |child: &mut Child, batches: usize| {
            child.try_wait().unwrap().is_some() || stub.came().len() > batches
        };
        wait_until(|| came(&mut child, batches));
        if child.try_wait().unwrap().is_none() && draw.below(3) == 0 {
            // One of them first.
            send("-KILL", worker(child.id(), draw.below(workers) as usize));
            batches = stub.came().len() + 2;
            wait_until(|| came(&mut child, batches));
        }
        if child.try_wait().unwrap().is_none() {
            let workers = workers_of(child.id());
            send("-KILL", child.id());
            workers.iter().for_each(|worker| send("-KILL", *worker));
            wait_until(|| workers.iter().all(|worker| ended(*worker)));
        }
        let done = sage.done(child.wait_with_output().unwrap());
        if done.code == Some(0) {
            assert!(at > 0, "it was done before anybody was killed\n{}", done.stderr);
            return taken;
        }
    }
    let workers = [1, 2, 4][draw.below(3) as usize];
    again(&sage, &command(workers)).go().exits(0);
    taken
}

fn totals() -> Vec<String> {
    let count = |k: usize| (1..=RECORDS).filter(|id| id % GROUPS == k).count();
    let mut rows: Vec<String> =
        (0..GROUPS).map(|k| format!("{{\"k\":{k},\"n\":{}}}", count(k))).collect();
    rows.sort();
    rows
}

#[test]
fn groups_arrive_once_for_a_server_that_knows_the_keys_again_whoever_is_killed() {
    for seed in 1..4 {
        let taken = through_kills(|url| grouped(url, ""), seed, 3);
        assert_eq!(taken.sorted(), totals(), "seed {seed}");
    }
}

#[test]
fn joined_rows_arrive_once_for_a_server_that_knows_the_keys_again_whoever_is_killed() {
    let mut wanted: Vec<String> =
        (1..=RECORDS).map(|id| format!("{{\"id\":{id},\"name\":\"name {id}\"}}")).collect();
    wanted.sort();
    for seed in 4..6 {
        assert_eq!(through_kills(joined, seed, 3).sorted(), wanted, "seed {seed}");
    }
}

#[test]
fn changes_make_at_each_moment_a_table_and_at_the_end_that_of_all_whoever_is_killed() {
    for seed in 6..9 {
        let taken = through_kills(|url| grouped(url, " { mode: changes }"), seed, 3);
        let mut table: BTreeMap<String, i64> = BTreeMap::new();
        for mut row in taken.rows() {
            let change = row.as_object_mut().unwrap().remove("change").unwrap().as_i64().unwrap();
            let count = table.entry(row.to_string()).or_default();
            *count += change;
            // Nothing goes that is not there, and nothing comes that is.
            assert!((0..2).contains(count), "seed {seed}: {row}");
        }
        table.retain(|_, count| *count != 0);
        assert_eq!(table.into_keys().collect::<Vec<_>>(), totals(), "seed {seed}");
    }
}

#[test]
fn a_run_that_is_stopped_sends_what_it_has_and_later_what_has_changed_since() {
    let taken: Arc<Taken> = Arc::default();
    let there = Arc::clone(&taken);
    let stub = Stub::start(move |came, _| {
        there.take(came);
        answer(200, "")
    });
    let command = format!("run p.sage --out out --workers 2 --allow-http {}", stub.address);
    let sage = Sage::new().file("p.sage", grouped(&format!("http://{}/", stub.address), ""));
    let child = again(&sage, &command).start();
    let table = sage.folder.path().join("out/tasks.csv");
    wait_until(|| std::fs::read_to_string(&table).is_ok_and(|tasks| tasks.lines().count() > 40));
    send("-INT", child.id());
    sage.done(child.wait_with_output().unwrap()).exits(130);
    let before = taken.sorted();
    assert!(!before.is_empty());
    again(&sage, &command).go().exits(0);
    let after = taken.sorted();
    let mut wanted: Vec<String> = before.into_iter().chain(totals()).collect();
    wanted.sort();
    // What has not changed is not sent once more.
    wanted.dedup();
    assert_eq!(after, wanted);
}

/// Stop a run while nobody answers, kill the next when it has sent some of what was left, and let a third
/// go to its end, with so many workers each: what the server has of each group in the end.
fn last_of_each(workers: [usize; 3]) -> BTreeMap<u64, u64> {
    let taken: Arc<Taken> = Arc::default();
    let there = Arc::clone(&taken);
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let stub = Stub::start(move |came, _| {
        if is_away.load(Ordering::Relaxed) {
            return answer(503, "");
        }
        // Slower than the run goes, so that what was left takes longer than what is new.
        std::thread::sleep(Duration::from_millis(100));
        there.take(came);
        answer(200, "")
    });
    let sage = Sage::new().file("p.sage", grouped(&format!("http://{}/", stub.address), ""));
    let command = |workers: usize| {
        format!("run p.sage --out out --workers {workers} --allow-http {}", stub.address)
    };
    let child = again(&sage, &command(workers[0])).start();
    let table = sage.folder.path().join("out/tasks.csv");
    wait_until(|| std::fs::read_to_string(&table).is_ok_and(|tasks| tasks.lines().count() > 60));
    send("-INT", child.id());
    sage.done(child.wait_with_output().unwrap()).exits(130);
    away.store(false, Ordering::Relaxed);
    let mut child = again(&sage, &command(workers[1])).start();
    wait_until(|| child.try_wait().unwrap().is_some() || !taken.rows().is_empty());
    if child.try_wait().unwrap().is_none() {
        let workers = workers_of(child.id());
        send("-KILL", child.id());
        workers.iter().for_each(|worker| send("-KILL", *worker));
        wait_until(|| workers.iter().all(|worker| ended(*worker)));
    }
    drop(child.wait_with_output().unwrap());
    again(&sage, &command(workers[2])).go().exits(0);
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    taken.rows().iter().map(|row| (number(row, "k"), number(row, "n"))).collect()
}

#[test]
fn the_last_row_of_a_group_is_its_total_though_others_were_left_of_it() {
    let count = |k: usize| (1..=RECORDS).filter(|id| id % GROUPS == k).count();
    let wanted: BTreeMap<u64, u64> = (0..GROUPS).map(|k| (k as u64, count(k) as u64)).collect();
    for workers in [[1, 4, 4], [4, 2, 1], [2, 1, 4]] {
        assert_eq!(last_of_each(workers), wanted, "{workers:?}");
    }
}
