//! What a command makes of an output folder in any state: that of a run which was killed at an odd
//! moment, a damaged one, one whose program has changed a little.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use crate::support::{Sage, again, send, wait_until};

fn program(max_tokens: u32, timeout: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: int @key, text: string }}
type Row  {{ id: int @key, text: string }}
endpoint llm {{ url: "sim:a100/qwen2.5-7b@50", model: "Qwen/Qwen2.5-7B-Instruct", concurrency: 8 }}
source tasks: Task from csv("tasks.csv")
sink rows: Row to jsonl("rows.jsonl")
prompt ask(text: string) -> string """{{{{ text }}}}"""
flow f {{
  from tasks
  stage answer = generate(ask(.text)) on llm {{ max_tokens: {max_tokens}, timeout: {timeout} }}
  emit Row {{ id: .id, text: answer.text }} into rows
}}
schedule {{ policy: fifo, slots: 4 }}
"#
    )
}

const COMMAND: &str = "run f.sage --workers 1 --out out";

fn sage(tasks: usize) -> Sage {
    let rows: String = (0..tasks).map(|id| format!("{id},question {id}\n")).collect();
    Sage::new().file("f.sage", program(8, "60s")).file("tasks.csv", "id,text\n".to_owned() + &rows)
}

/// Start it, and kill its supervisor when so many rows are committed.
fn kill_after(first: &Sage, ready: impl Fn(&Path) -> bool) {
    let mut child = again(first, COMMAND).start();
    let out = first.folder.path().join("out");
    wait_until(|| ready(&out));
    send("-KILL", child.id());
    child.wait().unwrap();
}

fn has_answers(out: &Path) -> bool {
    let segment = fs::metadata(out.join("journal/answers-000001.seg"));
    let parts = fs::read_dir(out.join("parts")).into_iter().flatten().flatten();
    let rows = parts.filter(|part| part.file_name().to_string_lossy().starts_with("rows"));
    segment.is_ok_and(|file| file.len() > 10_000)
        && rows.map(|part| part.metadata().map_or(0, |it| it.len())).sum::<u64>() > 1_000
}

#[test]
fn a_folder_with_nothing_left_but_the_paid_answers_is_still_a_runs() {
    let first = sage(6);
    again(&first, COMMAND).go().exits(0);
    let out = first.folder.path().join("out");
    // As a run that was killed while it cleared the folder may leave it.
    for entry in fs::read_dir(&out).unwrap().flatten() {
        if entry.file_name() != "journal" && entry.file_name() != "timeline.csv" {
            let _ = fs::remove_file(entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let done = again(&first, COMMAND).go().exits(0);
    done.says("6 answers from the journal");

    fs::write(first.folder.path().join("f.sage"), program(8, "60s")).unwrap();
    fs::create_dir(first.folder.path().join("foreign")).unwrap();
    fs::write(first.folder.path().join("foreign/mine.txt"), "mine").unwrap();
    again(&first, "run f.sage --out foreign").go().exits(1).says("something else than a run");
}

#[test]
fn a_run_that_is_killed_while_it_starts_anew_can_be_started_again() {
    let first = sage(2);
    again(&first, COMMAND).go().exits(0);
    for pause_ms in (0..60).step_by(4) {
        let mut child = again(&first, COMMAND).start();
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        send("-KILL", child.id());
        child.wait().unwrap();
    }
    again(&first, COMMAND).go().exits(0);
}

#[test]
fn how_calls_are_made_may_change_and_what_is_asked_may_not() {
    let first = sage(4000);
    kill_after(&first, has_answers);
    fs::write(first.folder.path().join("f.sage"), program(9, "60s")).unwrap();
    again(&first, COMMAND)
        .go()
        .exits(1)
        .says("stage `answer` has changed (max_tokens: 8 before, 9 now)");

    // The same size and the same time, but other bytes.
    fs::write(first.folder.path().join("f.sage"), program(8, "90s")).unwrap();
    let input = first.folder.path().join("tasks.csv");
    let (text, time) =
        (fs::read_to_string(&input).unwrap(), fs::metadata(&input).unwrap().modified().unwrap());
    fs::write(&input, text.replace("question 3999", "question 9993")).unwrap();
    fs::File::options().write(true).open(&input).unwrap().set_modified(time).unwrap();
    again(&first, COMMAND).go().exits(1).says("file `tasks.csv` has changed");

    fs::write(&input, &text).unwrap();
    let done = again(&first, COMMAND).go().exits(0).says("resuming the run in out");
    assert_eq!(done.lines("rows.jsonl").len(), 4000);
}

#[test]
fn damage_is_named_and_the_way_out_pays_nothing_again() {
    let first = sage(4000);
    kill_after(&first, has_answers);
    let out = first.folder.path().join("out");
    let identity = out.join("commit/run.json");
    let text = fs::read_to_string(&identity).unwrap();
    fs::write(&identity, text.replacen("4000", "4001", 1).replacen("bytes", "bytez", 1)).unwrap();
    again(&first, COMMAND).go().exits(1).says("run.json` is damaged").says("remove the folder");
    fs::write(&identity, text).unwrap();

    let part = fs::read_dir(out.join("parts")).unwrap().flatten().map(|it| it.path());
    let part = part.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    fs::remove_file(part).unwrap();
    again(&first, COMMAND)
        .go()
        .exits(1)
        .says("is damaged")
        .says("with the answers it has paid for");

    fs::remove_dir_all(out.join("commit")).unwrap();
    let done = again(&first, COMMAND).go().exits(0).says("paid answers are used again");
    assert_eq!(done.lines("rows.jsonl").len(), 4000);
}

#[test]
fn the_second_interrupt_does_not_wait_for_calls_and_the_first_says_that_it_does() {
    for (signals, options, code) in [(2, "", 130), (1, "--drain 0s", 130)] {
        let first = sage(50);
        let slow = program(400, "60s").replace("@50", "@0.01");
        fs::write(first.folder.path().join("f.sage"), slow).unwrap();
        let child = again(&first, &format!("{COMMAND} {options}")).start();
        let jobs = first.folder.path().join(crate::support::STATE).join("jobs");
        wait_until(|| {
            let records = fs::read_dir(&jobs).into_iter().flatten().flatten();
            let mut texts = records.filter_map(|record| fs::read_to_string(record.path()).ok());
            texts.any(|text| text.contains("\"tasks_in\": 50"))
        });
        for _ in 0..signals {
            send("-INT", child.id());
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        let done = first.done(child.wait_with_output().unwrap()).exits(code);
        let waited = done.stderr.contains("waiting up to 5 s for calls at the endpoint");
        assert_eq!(waited, signals == 1, "{}", done.stderr);
        assert!(!done.stderr.contains("failed"), "{}", done.stderr);
    }
}
