//! Pools of real processes: those that work, and those that break every rule.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use sage_core::endpoint::{
    Answer, Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass, ExecCommand, Request,
};
use sage_exec::Programs;

/// Everything that is no program.
struct Nobody;

impl Endpoint for Nobody {
    fn submit(&self, _call: Call, completion: Completion) {
        let error = CallError::new(ErrorClass::Rejected, "nobody");
        completion.complete(CallOutcome::failed(error, 0));
    }
}

fn programs() -> Programs {
    Programs::new(Arc::new(Nobody), vec!["SAGE_FLOW_SECRET".to_owned()]).unwrap()
}

fn shell(script: &str, processes: usize, retries: u32) -> Arc<ExecCommand> {
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    Arc::new(ExecCommand { words, processes, retries })
}

fn submit(
    programs: &Programs,
    command: &Arc<ExecCommand>,
    line: &str,
    timeout: Duration,
) -> mpsc::Receiver<CallOutcome> {
    let (answered, answer) = mpsc::channel();
    let request = Request::Exec { command: Arc::clone(command), lines: vec![line.to_owned()] };
    let call = Call::new(usize::MAX, request, timeout.as_nanos() as u64);
    programs.submit(call, Completion::new(move |outcome| answered.send(outcome).unwrap()));
    answer
}

fn text(outcome: CallOutcome) -> String {
    match outcome.result.unwrap() {
        Answer::Generated(texts) => texts[0].text.clone(),
        Answer::Embedded { .. } => panic!("a vector"),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn each_line_gets_its_own_answer_from_a_few_processes() {
    let programs = programs();
    let command = shell("while read -r line; do echo \"$$ $line\"; done", 3, 0);
    let answers: Vec<_> = (0..200)
        .map(|n| (n, submit(&programs, &command, &format!("{{\"n\":{n}}}"), MINUTE)))
        .collect();
    let mut processes = std::collections::BTreeSet::new();
    for (n, answer) in answers {
        let answer = text(answer.recv_timeout(MINUTE).unwrap());
        let (process, rest) = answer.split_once(' ').unwrap();
        processes.insert(process.to_owned());
        assert_eq!(rest, format!("{{\"n\":{n}}}"));
    }
    assert!((1..=3).contains(&processes.len()), "{processes:?}");
}

#[test]
fn a_process_that_ends_is_replaced_and_its_line_tried_again() {
    let programs = programs();
    // Each process answers twice. Whether its end is seen before it is asked again is a race, so the
    // line may need the second try.
    let twice = shell("for i in 1 2; do read -r line && echo \"$line\"; done", 1, 1);
    for n in 0..7 {
        let answer = submit(&programs, &twice, &n.to_string(), MINUTE);
        assert_eq!(text(answer.recv_timeout(MINUTE).unwrap()), n.to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let mark = mark.display();
    // The first one dies with the line in its hands.
    let once =
        format!("read -r line; if mkdir {mark}; then exit 3; fi 2>/dev/null; echo \"$line\"");
    let outcome = submit(&programs, &shell(&once, 1, 1), "x", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(outcome.attempts, 2);
    assert_eq!(text(outcome), "x");
}

#[test]
fn the_message_says_how_it_ended_and_what_it_said_last() {
    let programs = programs();
    let command = shell("read -r line; echo 'no such table' >&2; exit 7", 1, 1);
    let outcome = submit(&programs, &command, "x", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(outcome.attempts, 2);
    let error = outcome.result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Server);
    for part in ["exit status: 7", "no such table"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    let words = vec!["/no/such/program".to_owned()];
    let missing = Arc::new(ExecCommand { words, processes: 1, retries: 3 });
    let outcome = submit(&programs, &missing, "x", MINUTE).recv_timeout(MINUTE).unwrap();
    let error = outcome.result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.contains("cannot be started"), "{}", error.message);
}

#[test]
fn one_that_is_silent_is_ended_and_takes_no_other_with_it() {
    let programs = programs();
    let script = "while read -r line; do [ \"$line\" = wait ] && sleep 1000; echo \"$line\"; done";
    let command = shell(script, 1, 3);
    let silent = submit(&programs, &command, "wait", Duration::from_millis(300));
    let behind = submit(&programs, &command, "next", MINUTE);
    let error = silent.recv_timeout(MINUTE).unwrap().result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Timeout);
    assert_eq!(text(behind.recv_timeout(MINUTE).unwrap()), "next");
}

#[test]
fn a_line_too_many_is_not_taken_for_the_next_answer() {
    let programs = programs();
    let command = shell("while read -r line; do printf '%s\\nsurplus\\n' \"$line\"; done", 1, 0);
    let first = submit(&programs, &command, "1", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(text(first), "1");
    let error = submit(&programs, &command, "2", MINUTE).recv_timeout(MINUTE).unwrap();
    let error = error.result.unwrap_err();
    assert!(error.message.contains("not asked for"), "{}", error.message);
    // A new process has begun.
    let third = submit(&programs, &command, "3", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(text(third), "3");
}

#[test]
fn large_lines_pass_and_one_that_never_reads_holds_up_nobody() {
    let programs = programs();
    let large = "x".repeat(3 << 20);
    let echo = shell("exec cat", 1, 0);
    let answer = submit(&programs, &echo, &large, MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(text(answer).len(), large.len());
    let deaf = shell("sleep 1000", 1, 0);
    let answer = submit(&programs, &deaf, &large, Duration::from_millis(300));
    let error = answer.recv_timeout(MINUTE).unwrap().result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Timeout);
    let noisy = shell("while read -r l; do head -c 300000 /dev/zero >&2; echo ok; done", 1, 0);
    let answer = submit(&programs, &noisy, "x", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(text(answer), "ok");
}

#[test]
fn when_it_is_dropped_no_call_is_left_without_an_answer_and_no_process_stays() {
    let pools = programs();
    let pid = text(
        submit(&pools, &shell("while read -r line; do echo $$; done", 1, 0), "x", MINUTE)
            .recv_timeout(MINUTE)
            .unwrap(),
    );
    let stuck = submit(&pools, &shell("read -r line; sleep 1000", 1, 0), "x", MINUTE);
    let began = Instant::now();
    drop(pools);
    assert!(stuck.recv_timeout(MINUTE).unwrap().result.is_err());
    assert!(began.elapsed() < MINUTE);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
