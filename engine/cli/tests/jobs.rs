//! The verb `jobs`: what is on record of a run, and stopping, resuming and forgetting it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use support::{Done, SLEEPY, STATE, Sage, ended, send, wait_until, workers_of};

/// Tasks that do not end by themselves.
fn endless() -> String {
    SLEEPY.replace("30ms", "3h")
}

fn naps(count: u64) -> String {
    SLEEPY.replace("2000", &count.to_string())
}

/// Another command in the same folder, with the same state directory.
fn and(sage: &Sage, arguments: &str) -> Sage {
    let mut other = Sage::new();
    other.folder = Arc::clone(&sage.folder);
    other.args(arguments)
}

#[track_caller]
fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap()
}

/// All jobs that are known.
#[track_caller]
fn jobs(sage: &Sage) -> Vec<Value> {
    let done = and(sage, "jobs list --all --json").go().exits(0);
    json(&done)["jobs"].as_array().unwrap().clone()
}

/// The one job that is known, once it satisfies the condition.
#[track_caller]
fn job_when(sage: &Sage, ready: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    wait_until(|| {
        if let [job] = &jobs(sage)[..] {
            found = job.clone();
        }
        !found.is_null() && ready(&found)
    });
    found
}

fn id(job: &Value) -> String {
    job["id"].as_str().unwrap().to_owned()
}

fn count(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap()
}

#[track_caller]
fn adds_up(counts: &Value) {
    let parts = ["tasks_ok", "tasks_dead", "tasks_late", "tasks_pending"];
    let sum: u64 = parts.iter().map(|name| count(counts, name)).sum();
    assert_eq!(count(counts, "tasks_in"), sum, "{counts}");
}

/// Wait for the end of a run, which has to come.
#[track_caller]
fn finish(sage: &Sage, mut child: Child) -> Done {
    wait_until(|| child.try_wait().unwrap().is_some());
    sage.done(child.wait_with_output().unwrap())
}

/// When a process was started, in ticks since the machine was.
fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap()
}

fn record(sage: &Sage, id: &str) -> PathBuf {
    sage.folder.path().join(STATE).join("jobs").join(format!("{id}.json"))
}

#[test]
fn a_run_is_on_record_from_its_start_to_its_end() {
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage --workers 2 --out out");
    let child = sage.start();
    let job = job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    assert_eq!(job["state"], "running");
    assert_eq!(job["kind"], "run");
    assert_eq!(job["pipelines"], serde_json::json!(["sleepy"]));
    assert_eq!(job["supervisor"]["pid"], child.id());
    assert_eq!(job["supervisor"]["life"], "running");
    let mut pids: Vec<u32> = job["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["pid"].as_u64().unwrap() as u32)
        .collect();
    let mut expected = workers_of(child.id());
    pids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(pids, expected);
    adds_up(&job["counts"]);
    let id = id(&job);
    assert!(id.starts_with("sleepy-"), "{id}");

    // By id, by its beginning, by folder.
    for name in [id.as_str(), "sleepy", "out"] {
        let status = json(&and(&sage, &format!("jobs status {name} --json")).go().exits(0));
        assert_eq!(status["id"], job["id"]);
    }
    let text = and(&sage, &format!("jobs status {id}")).go().exits(0).stdout;
    for words in ["running", "sage-flow run s.sage --workers 2 --out out", "2, of which 2 live"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let table = and(&sage, "jobs list").go().exits(0).stdout;
    assert!(table.lines().nth(1).unwrap().starts_with(&id), "{table}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(record(&sage, &id)), 0o600);
    assert_eq!(mode(sage.folder.path().join(STATE)), 0o700);
    assert_eq!(mode(sage.folder.path().join(STATE).join("jobs")), 0o700);
    and(&sage, &format!("jobs cleanup {id} --yes")).go().exits(1).says("still runs");
    and(&sage, &format!("jobs resume {id}")).go().exits(1).says("still runs");

    let cancelled = and(&sage, &format!("jobs cancel {id}")).go().exits(0);
    assert!(cancelled.stdout.contains(&format!("{id}: interrupted, in ")), "{}", cancelled.stdout);
    let done = finish(&sage, child).exits(130).says("tasks in flight have 30s to end");
    let job = &jobs(&sage)[0];
    assert_eq!((&job["state"], &job["exit_code"]), (&"interrupted".into(), &130.into()));
    assert_eq!(job["workers"], serde_json::json!([]));
    let metrics = done.metrics();
    for name in ["tasks_in", "tasks_ok", "tasks_dead", "tasks_late", "tasks_pending"] {
        assert_eq!(job["counts"][name], metrics[name], "{name}");
    }
    assert!(count(&metrics, "tasks_pending") > 0 && count(&metrics, "tasks_ok") > 0);
    adds_up(&metrics);
    assert_eq!(done.lines("outs.jsonl").len() as u64, count(&metrics, "tasks_ok"));
    let again = and(&sage, &format!("jobs cancel {id}")).go().exits(0);
    assert!(again.stdout.contains("does not run"), "{}", again.stdout);
}

#[test]
fn a_sigterm_to_all_processes_of_a_run_drains_it() {
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage --workers 2 --out out");
    let child = sage.start();
    job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    workers_of(child.id()).into_iter().chain([child.id()]).for_each(|pid| send("-TERM", pid));
    let done = finish(&sage, child).exits(130);
    let metrics = done.metrics();
    adds_up(&metrics);
    assert!(count(&metrics, "tasks_pending") > 0);
    assert_eq!(
        done.lines("outs.jsonl").len() as u64,
        count(&metrics, "tasks_ok"),
        "none in between"
    );
}

#[test]
fn calls_in_flight_are_answered_before_the_end() {
    let program = r#"sage 1
type Task { id: string @key, text: string }
type Out { id: string, answer: string }
endpoint llm { url: "sim:a100/qwen2.5-7b", concurrency: 64 }
source tasks: Task from generate(count: 500, text: "What is {{ n }}?")
sink outs: Out to jsonl("outs.jsonl")
flow asks {
  from tasks
  stage a = generate(.text) on llm { max_tokens: 64 }
  emit Out { id: .id, answer: a.text } into outs
}
schedule { policy: fifo, slots: 8 }"#;
    let sage = Sage::new().file("s.sage", program).args("run s.sage --workers 2 --out out");
    let child = sage.start();
    job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    send("-TERM", child.id());
    let id = id(&jobs(&sage)[0]);
    let done = finish(&sage, child).exits(130).says(&format!("jobs resume {id}"));
    let metrics = done.metrics();
    adds_up(&metrics);
    let calls = &metrics["endpoint_stats"][0];
    assert_eq!(calls["calls"], metrics["tasks_ok"], "none was given up: {calls}");
    assert_eq!(calls["ok"], calls["calls"]);
    assert!(count(&metrics, "tasks_pending") > 0);
    assert_eq!(done.lines("outs.jsonl").len() as u64, count(&metrics, "tasks_ok"));
}

#[test]
fn a_drain_has_a_deadline() {
    let sage = Sage::new()
        .file("s.sage", endless())
        .args("run s.sage --workers 2 --out out --drain 300ms");
    let child = sage.start();
    job_when(&sage, |job| count(&job["counts"], "tasks_in") > 0);
    send("-TERM", child.id());
    let done = finish(&sage, child)
        .exits(130)
        .says("tasks in flight have 300ms to end")
        .says("did not end within 300ms");
    let metrics = done.metrics();
    adds_up(&metrics);
    assert_eq!(count(&metrics, "tasks_in"), count(&metrics, "tasks_pending"));
    assert_eq!(jobs(&sage)[0]["state"], "interrupted");
}

#[test]
fn the_second_signal_does_not_wait() {
    for signals in [["-INT", "-INT"], ["-TERM", "-TERM"], ["-TERM", "-INT"]] {
        let sage =
            Sage::new().file("s.sage", endless()).args("run s.sage -w 1 --out out --drain 3h");
        let child = sage.start();
        job_when(&sage, |job| count(&job["counts"], "tasks_in") > 0);
        send(signals[0], child.id());
        job_when(&sage, |job| job["state"] == "stopping");
        send(signals[1], child.id());
        let done = finish(&sage, child).exits(130).says("tasks in flight have 3h to end");
        adds_up(&done.metrics());
    }
}

#[test]
fn a_cancel_waits_for_so_long_and_no_longer() {
    let sage = Sage::new().file("s.sage", endless()).args("run s.sage -w 2 --out out --drain 3h");
    let child = sage.start();
    let id = id(&job_when(&sage, |job| count(&job["counts"], "tasks_in") > 0));
    let late = and(&sage, &format!("jobs cancel {id} --timeout 0s --json"))
        .go()
        .exits(2)
        .says("did not end in time; --now");
    assert_eq!(json(&late)["jobs"][0]["timed_out"], true);
    job_when(&sage, |job| job["state"] == "stopping");
    let now = and(&sage, &format!("jobs cancel {id} --now --json")).go().exits(0);
    assert_eq!(json(&now)["jobs"][0]["state"], "interrupted");
    adds_up(&finish(&sage, child).exits(130).metrics());

    // At once from the beginning.
    let sage = Sage::new().file("s.sage", endless()).args("run s.sage -w 2 --out out --drain 3h");
    let child = sage.start();
    job_when(&sage, |job| count(&job["counts"], "tasks_in") > 0);
    and(&sage, "jobs cancel out --now").go().exits(0);
    finish(&sage, child).exits(130);
    and(&sage, "jobs cancel nothing").go().exits(1).says("there is no job `nothing`");
}

#[test]
fn a_supervisor_that_was_killed_leaves_a_lost_job_and_what_is_left_of_it_is_ended() {
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage --workers 2 --out out");
    let mut child = sage.start();
    let id = id(&job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0));
    let workers = workers_of(child.id());
    send("-KILL", child.id());
    child.wait().unwrap();
    let job = &jobs(&sage)[0];
    assert_eq!((&job["state"], &job["exit_code"]), (&"lost".into(), &Value::Null));
    assert_eq!(job["supervisor"]["life"], "ended");
    let way_on = format!("`sage-flow jobs cleanup {id}` ends what is left");
    and(&sage, "jobs list").go().exits(0).says("1 job lost").says(&way_on);
    // They end by themselves. One that could not is played by another process, which is held.
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    let mut leftover = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    send("-STOP", leftover.id());
    let path = record(&sage, &id);
    let mut text: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    text["workers"][1]["pid"] = leftover.id().into();
    text["workers"][1]["start"] = start_of(leftover.id()).into();
    fs::write(&path, text.to_string()).unwrap();
    let lives: Vec<Value> = jobs(&sage)[0]["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["life"].clone())
        .collect();
    assert_eq!(lives, ["ended", "stopped"]);
    let said = and(&sage, &format!("jobs cancel {id}")).go().exits(0).stdout;
    assert!(said.contains("does not run; lost"), "{said}");

    and(&sage, "jobs cleanup").go().exits(1).says("there is no terminal; give --yes");
    assert!(leftover.try_wait().unwrap().is_none(), "nothing without --yes");
    let before = fs::read_dir(sage.folder.path().join("out")).unwrap().count();
    let cleaned = json(&and(&sage, "jobs cleanup --yes --json").go().exits(0));
    assert!(!leftover.wait().unwrap().success());
    assert_eq!(cleaned["removed"], serde_json::json!([id]));
    let killed = serde_json::json!([{"job": id, "pid": leftover.id()}]);
    assert_eq!(cleaned["ended_workers"], killed);
    assert_eq!(cleaned["left"], serde_json::json!([]));
    assert_eq!(jobs(&sage).len(), 0);
    let after = fs::read_dir(sage.folder.path().join("out")).unwrap().count();
    assert_eq!(before, after, "the output folder is the user's");
    let nothing = and(&sage, "jobs cleanup").go().exits(0).stdout;
    assert!(nothing.contains("nothing to clean up"), "{nothing}");
}

#[test]
fn a_process_that_only_has_the_number_is_left_alone() {
    let sage = Sage::new().file("s.sage", naps(4)).args("run s.sage -w 1 --out out");
    sage.go().exits(0);
    let job = jobs(&sage).remove(0);
    let id = id(&job);
    let mut stranger = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    let path = record(&sage, &id);
    let mut forged: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let reused = serde_json::json!({"pid": stranger.id(), "start": 1});
    forged["state"] = "running".into();
    forged["supervisor"] = reused.clone();
    forged["workers"] =
        serde_json::json!([{"of": "sleepy", "index": 0, "pid": stranger.id(), "start": 1}]);
    fs::write(&path, forged.to_string()).unwrap();
    assert_eq!(jobs(&sage)[0]["state"], "lost");
    and(&sage, &format!("jobs cancel {id} --now")).go().exits(0);
    let cleaned = json(&and(&sage, &format!("jobs cleanup {id} --yes --json")).go().exits(0));
    assert_eq!(cleaned["ended_workers"], serde_json::json!([]));
    assert!(stranger.try_wait().unwrap().is_none(), "it lives");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn damaged_and_newer_records_are_named_and_hide_nothing() {
    let sage = Sage::new().file("s.sage", naps(4)).args("run s.sage -w 1 --out out");
    sage.go().exits(0);
    let id = id(&jobs(&sage)[0]);
    let whole = fs::read_to_string(record(&sage, &id)).unwrap();
    fs::write(record(&sage, "cut-1"), &whole[..whole.len() / 2]).unwrap();
    fs::write(record(&sage, "empty-1"), "").unwrap();
    fs::write(record(&sage, "new-1"), r#"{"schema": 99, "id": "new-1"}"#).unwrap();
    let listed = and(&sage, "jobs list")
        .go()
        .exits(0)
        .says("cut-1.json`: it is damaged")
        .says("empty-1.json`: it is damaged: it is empty; `sage-flow jobs cleanup empty-1`")
        .says("new-1.json`: it was written by a newer sage-flow (schema 99");
    assert!(listed.stdout.contains(&id), "{}", listed.stdout);
    let all = json(&and(&sage, "jobs list --json").go().exits(0));
    assert_eq!(all["unread"].as_array().unwrap().len(), 3);
    and(&sage, "jobs status cut-1").go().exits(1).says("damaged");
    and(&sage, "jobs cancel new-1").go().exits(1).says("newer sage-flow");
    and(&sage, "jobs cleanup new-1 --yes").go().exits(1).says("newer sage-flow");
    // What is damaged may be of a job that runs: it goes only when it is named.
    and(&sage, "jobs cleanup --yes").go().exits(0);
    assert!(record(&sage, "cut-1").exists() && record(&sage, "new-1").exists());
    assert!(!record(&sage, &id).exists());
    and(&sage, "jobs cleanup cut-1 empty-1 --yes").go().exits(0);
    // A folder of that name is somebody's; it is no file that could be removed.
    fs::create_dir(record(&sage, "folder")).unwrap();
    and(&sage, "jobs list").go().exits(0).says("it is no file; move or remove it by hand");
    and(&sage, "jobs cleanup folder --yes").go().exits(1).says("it is left alone");
    fs::remove_dir(record(&sage, "folder")).unwrap();
    assert!(!record(&sage, "cut-1").exists() && record(&sage, "new-1").exists());
    // A run goes on beside them.
    and(&sage, "run s.sage -w 1 --out out2").go().exits(0);
    assert_eq!(jobs(&sage).len(), 1);
}

#[test]
fn a_lost_job_is_resumed_in_its_folder_and_a_complete_one_is_left_alone() {
    // It names no folder, so the one it made has to be given to it again.
    let sage = Sage::new().file("s.sage", naps(600)).args("run s.sage --workers 1 --fresh");
    let mut child = sage.start();
    let job = job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    let id = id(&job);
    send("-KILL", child.id());
    child.wait().unwrap();
    assert_eq!(jobs(&sage)[0]["state"], "lost");

    let resumed = and(&sage, &format!("jobs resume {id}")).go().exits(0);
    let resumed =
        resumed.says(&format!("{id}: sage-flow run s.sage --workers 1 --out results/runs"));
    assert!(!resumed.stderr.contains("--fresh"), "{}", resumed.stderr);
    let after = &jobs(&sage)[..];
    assert_eq!(after.len(), 1, "the same job");
    assert_eq!((&after[0]["state"], &after[0]["starts"]), (&"complete".into(), &2.into()));
    assert_eq!((&after[0]["id"], &after[0]["folders"]), (&job["id"], &job["folders"]));
    let rows = PathBuf::from(job["folders"][0].as_str().unwrap()).join("outs.jsonl");
    let rows: std::collections::BTreeSet<String> =
        fs::read_to_string(rows).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(rows.len(), 600);

    let again = and(&sage, &format!("jobs resume {id}")).go().exits(0);
    assert!(again.stdout.contains("is complete"), "{}", again.stdout);
    let again = json(&and(&sage, &format!("jobs resume {id} --json")).go().exits(0));
    assert_eq!((&again["state"], &again["starts"]), (&"complete".into(), &2.into()));
    and(&sage, "jobs resume nothing").go().exits(1).says("no job");
}

#[test]
fn a_lost_job_that_another_command_completed_is_lost_no_more() {
    let sage = Sage::new().file("s.sage", naps(600)).args("run s.sage --workers 1 --out out");
    let mut child = sage.start();
    let job = job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    send("-KILL", child.id());
    child.wait().unwrap();
    let list = || and(&sage, "jobs list").go().exits(0);
    list().says("1 job lost");
    and(&sage, "run s.sage --workers 1 --out out").go().exits(0);
    let done = list();
    assert!(!done.stderr.contains("lost"), "{}", done.stderr);
    assert!(done.stdout.contains("went on") && done.stdout.contains("complete"), "{}", done.stdout);
    let resumed = and(&sage, &format!("jobs resume {}", id(&job))).go().exits(0);
    assert!(resumed.stdout.contains("went on as"), "{}", resumed.stdout);
}

#[test]
fn a_job_whose_folder_is_gone_does_not_begin_anew_unasked() {
    let sage = Sage::new().file("s.sage", naps(600)).args("run s.sage --workers 1 --out out");
    let mut child = sage.start();
    let job = job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    send("-KILL", child.id());
    child.wait().unwrap();
    fs::rename(sage.folder.path().join("out"), sage.folder.path().join("moved")).unwrap();
    let done = and(&sage, &format!("jobs resume {}", id(&job))).go().exits(1);
    done.says("is not there any more").says("run s.sage --workers 1 --out out");
    assert!(!sage.folder.path().join("out").exists());
}

#[test]
fn a_state_directory_that_cannot_be_written_stops_no_run() {
    let sage = Sage::new()
        .file("s.sage", naps(4))
        .file("occupied", "")
        .env("SAGE_STATE_DIR", "occupied")
        .args("run s.sage -w 1 --out out");
    let done = sage.go().exits(0).says("warning: `sage-flow jobs` does not know of this one");
    assert!(done.stderr.contains("set SAGE_STATE_DIR to a folder"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("warning").count(), 1, "{}", done.stderr);
    // It goes away while the run goes on.
    let sage = Sage::new().file("s.sage", SLEEPY).args("run s.sage -w 1 --out out");
    let child = sage.start();
    job_when(&sage, |job| count(&job["counts"], "tasks_ok") > 0);
    let state = sage.folder.path().join(STATE);
    fs::rename(&state, sage.folder.path().join("away")).unwrap();
    fs::write(&state, "").unwrap();
    send("-INT", child.id());
    let done = finish(&sage, child).exits(130);
    assert_eq!(done.stderr.matches("does not hear of this one any more").count(), 1);
    adds_up(&done.metrics());
}

#[test]
fn runs_side_by_side_have_a_record_each() {
    let sage = Sage::new().file("s.sage", naps(40)).args("run s.sage -w 1 --quiet");
    let children: Vec<Child> = (0..4).map(|_| sage.start()).collect();
    for child in children {
        finish(&sage, child).exits(0);
    }
    let jobs = jobs(&sage);
    let ids: std::collections::BTreeSet<String> = jobs.iter().map(id).collect();
    assert_eq!(ids.len(), 4);
    for job in &jobs {
        assert_eq!((&job["state"], &job["exit_code"]), (&"complete".into(), &0.into()));
        assert_eq!(job["counts"]["tasks_ok"], 40);
    }
    and(&sage, "jobs status sleepy").go().exits(1).says("may be any of");
}

#[test]
fn pipelines_together_are_one_job_with_one_sum() {
    let sage = Sage::new()
        .file("a.sage", naps(30).replace("flow sleepy", "flow a"))
        .file("b.sage", naps(20).replace("flow sleepy", "flow b"))
        .args("run a.sage b.sage -w 1 --out out --quiet");
    sage.go().exits(0);
    let jobs = jobs(&sage);
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["pipelines"], serde_json::json!(["a", "b"]));
    assert_eq!(jobs[0]["counts"]["tasks_ok"], 50);
    for folder in ["out", "out/a", "out/b"] {
        let status = json(&and(&sage, &format!("jobs status {folder} --json")).go().exits(0));
        assert_eq!(status["id"], jobs[0]["id"]);
    }
}

#[test]
fn retries_and_experiments_are_jobs_too_and_mistakes_are_none() {
    let bad = r#"sage 1
type Row { id: string @key, n: int }
source rows: Row from csv("rows.csv")
sink outs: Row to csv("outs.csv")
flow f {
  from rows
  emit Row { id: .id, n: 6 / .n } into outs
}"#;
    let sage = Sage::new()
        .file("f.sage", bad)
        .file("rows.csv", "id,n\na,1\nb,0\n")
        .args("run f.sage -w 1 --out out --quiet");
    sage.go().exits(3);
    let first = jobs(&sage).remove(0);
    assert_eq!((&first["state"], &first["exit_code"]), (&"incomplete".into(), &3.into()));
    // It has nothing left to do, and its results are not to be replaced.
    let resumed = and(&sage, "jobs resume out").go().exits(3);
    assert!(resumed.stdout.contains("nothing to resume; `sage-flow retry "), "{}", resumed.stdout);
    assert_eq!(jobs(&sage)[0]["starts"], 1);
    and(&sage, "retry out/dead_letters.jsonl -w 1 --quiet").go().exits(3);
    let all = jobs(&sage);
    assert_eq!((all.len(), &all[0]["kind"]), (2, &"retry".into()));
    assert!(all[0]["folders"][0].as_str().unwrap().ends_with("out/retry-1"));

    let nap = naps(200).replace("flow sleepy", "flow nap").replace("30ms", "1ms");
    let naps = "sage 1\nimport \"nap.sage\"\n/// Naps?\nexperiment naps {\n  jobs: [nap]\n  tasks: 10, nodes: 1\n  sweep schedule.policy in [fifo, round_robin]\n  repeat: 2, seed: 7\n}\n";
    let sage = Sage::new()
        .file("nap.sage", nap)
        .file("naps.sage", naps)
        .args("experiment run naps.sage --on sim,twin --out out --no-pictures --quiet");
    sage.go().exits(0);
    let job = jobs(&sage).remove(0);
    assert_eq!((&job["kind"], &job["state"]), (&"experiment".into(), &"complete".into()));
    assert_eq!(job["pipelines"], serde_json::json!(["naps"]));
    assert_eq!(job["trials"], serde_json::json!({"done": 4, "of": 4}));
    assert_eq!(job["counts"]["tasks_ok"], 40, "of four trials; the twin runs none");
    assert_eq!(job["folders"].as_array().unwrap().len(), 2);

    for mistake in ["run nothing.sage", "run nap.sage --workers 0", "experiment run nothing"] {
        and(&sage, mistake).go().exits(1);
    }
    assert_eq!(jobs(&sage).len(), 1, "nothing was started");
}

#[test]
fn the_second_signal_ends_a_long_trial_in_virtual_time() {
    let sage = Sage::new()
        .file("nap.sage", naps(200).replace("flow sleepy", "flow nap"))
        .file(
            "naps.sage",
            "sage 1\nimport \"nap.sage\"\n/// Naps?\nexperiment naps {\n  jobs: [nap]\n  tasks: 10, nodes: 1\n  sweep schedule.policy in [fifo, round_robin]\n  repeat: 9, seed: 7\n}\n",
        )
        .args("experiment run naps.sage --on twin --out out --tasks 400000 --quiet");
    let child = sage.start();
    job_when(&sage, |job| job["state"] == "running");
    send("-INT", child.id());
    job_when(&sage, |job| job["state"] != "running");
    send("-INT", child.id());
    finish(&sage, child).exits(130);
    let job = &jobs(&sage)[0];
    assert_eq!((&job["state"], &job["exit_code"]), (&"interrupted".into(), &130.into()));
    assert!(count(&job["trials"], "done") < 18, "{job}");
}

#[test]
fn a_reader_that_has_seen_enough_does_not_make_a_job_lost() {
    let sage = Sage::new().file("s.sage", naps(4)).args("run s.sage -w 1 --out out --json");
    let mut child = sage.start();
    drop(child.stdout.take());
    finish(&sage, child).exits(141);
    assert_eq!(jobs(&sage)[0]["state"], "complete");
}

#[test]
fn secrets_of_a_command_line_are_not_on_record() {
    let program = naps(4).replace("type Task", "param api_key: string = \"none\"\ntype Task");
    let sage = Sage::new()
        .file(
            "s.sage",
            program.replace("sleep(30ms)", "sleep(if api_key == \"none\" then 1ms else 3h)"),
        )
        .args("run s.sage -w 1 --out out --set api_key=hunter2hunter2");
    let child = sage.start();
    let id = id(&job_when(&sage, |job| count(&job["counts"], "tasks_in") > 0));
    let text = fs::read_to_string(record(&sage, &id)).unwrap();
    assert!(text.contains("api_key=***") && !text.contains("hunter2"), "{text}");
    and(&sage, "jobs cancel out --now").go().exits(0);
    finish(&sage, child).exits(130);
    and(&sage, &format!("jobs resume {id}"))
        .go()
        .exits(1)
        .says("it held a secret, which is not kept")
        .says("api_key=***");
}
