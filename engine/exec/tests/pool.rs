//! Pools of real processes: those that work, and those that break every rule.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use sage_core::endpoint::{
    Answer, Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass, ExecCommand, Request,
};
use sage_exec::{Notice, Programs, Surroundings};

/// Everything that is no program.
struct Nobody;

impl Endpoint for Nobody {
    fn submit(&self, _call: Call, completion: Completion) {
        let error = CallError::new(ErrorClass::Rejected, "nobody");
        completion.complete(CallOutcome::failed(error, 0));
    }
}

fn programs() -> Programs {
    told(|_| ())
}

/// Programs that somebody hears of.
fn told(notify: impl Fn(Notice) + Send + Sync + 'static) -> Programs {
    let hidden = vec!["SAGE_FLOW_SECRET".to_owned()];
    let around = Surroundings { hidden, guard: None, notify: Arc::new(notify) };
    Programs::new(Arc::new(Nobody), around).unwrap()
}

fn shell(script: &str, processes: usize, retries: u32) -> Arc<ExecCommand> {
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    Arc::new(ExecCommand { words, processes, retries, timeout_ns: MINUTE.as_nanos() as u64 })
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
    programs.submit(call, Completion::new(move |outcome| drop(answered.send(outcome))));
    answer
}

fn text(outcome: CallOutcome) -> String {
    match outcome.result.unwrap() {
        Answer::Generated(texts) => texts[0].text.clone(),
        Answer::Embedded { .. } => panic!("a vector"),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A shell script that takes lines apart and does `then` with each `$id` and `$value`.
fn each(then: &str) -> String {
    format!(
        "while read -r line; do id=${{line#*:}}; id=${{id%%,*}}; \
         value=${{line#*\\\"value\\\":}}; value=${{value%\\}}}}; {then}; done"
    )
}

/// Prints an answer.
const ANSWER: &str = "printf '{\"id\":%s,\"value\":%s}\\n' \"$id\" \"$value\"";

#[test]
fn each_line_gets_its_own_answer_from_a_few_processes() {
    let programs = programs();
    let command = shell(&each(&format!("value=\"[$$,$value]\"; {ANSWER}")), 3, 0);
    let answers: Vec<_> = (0..200)
        .map(|n| (n, submit(&programs, &command, &format!("{{\"n\":{n}}}"), MINUTE)))
        .collect();
    let mut processes = std::collections::BTreeSet::new();
    for (n, answer) in answers {
        let answer = text(answer.recv_timeout(MINUTE).unwrap());
        let (process, rest) = answer.split_once(',').unwrap();
        processes.insert(process.to_owned());
        assert_eq!(rest, format!("{{\"n\":{n}}}]"));
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
    let outcome = submit(&programs, &shell(&once, 1, 1), "5", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(outcome.attempts, 2);
    assert_eq!(text(outcome), "5");
}

#[test]
fn the_message_says_how_it_ended_and_what_it_said_last() {
    let programs = programs();
    // It can answer, or it would be taken for a wrong program.
    let script = format!("[ \"$value\" = 1 ] && {{ echo 'no such table' >&2; exit 7; }}; {ANSWER}");
    let command = shell(&each(&script), 1, 1);
    submit(&programs, &command, "0", MINUTE).recv_timeout(MINUTE).unwrap().result.unwrap();
    let outcome = submit(&programs, &command, "1", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(outcome.attempts, 2);
    let error = outcome.result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Server);
    for part in ["exit status: 7", "no such table"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    let words = vec!["/no/such/program".to_owned()];
    let missing =
        Arc::new(ExecCommand { words, processes: 1, retries: 3, timeout_ns: 1_000_000_000 });
    let outcome = submit(&programs, &missing, "1", MINUTE).recv_timeout(MINUTE).unwrap();
    let error = outcome.result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.contains("cannot be started"), "{}", error.message);
}

#[test]
fn one_that_is_silent_is_ended_and_tried_again_and_the_time_of_others_is_their_own() {
    let programs = programs();
    let script = each(&format!("[ \"$value\" = 0 ] && sleep 1000; sleep 0.02; {ANSWER}"));
    let words = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let command =
        Arc::new(ExecCommand { words, processes: 1, retries: 1, timeout_ns: 400_000_000 });
    let silent = submit(&programs, &command, "0", MINUTE);
    let behind: Vec<_> =
        (1..30).map(|n| (n, submit(&programs, &command, &n.to_string(), MINUTE))).collect();
    let outcome = silent.recv_timeout(MINUTE).unwrap();
    assert_eq!(outcome.attempts, 2);
    assert_eq!(outcome.result.unwrap_err().class, ErrorClass::Timeout);
    // Together they take longer than the time of one.
    for (n, answer) in behind {
        assert_eq!(text(answer.recv_timeout(MINUTE).unwrap()), n.to_string());
    }
}

#[test]
fn a_line_too_many_is_never_taken_for_an_answer() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let there = Arc::clone(&heard);
    let programs = told(move |notice| {
        if let Notice::Warning(text) = notice {
            there.lock().unwrap().push(text);
        }
    });
    let greeting = shell(&format!("echo loading; {}", each(ANSWER)), 2, 0);
    let twice = shell(&each(&format!("{ANSWER}; {ANSWER}")), 2, 1);
    let slowly = shell(&each(&format!("{ANSWER}; sleep 0.003; {ANSWER}")), 2, 1);
    // One that never answers is started ever more rarely.
    let answers: Vec<_> = (0..60)
        .flat_map(|n| [&twice, &slowly, &greeting].map(|command| (n, command)))
        .filter(|(n, command)| *n < 10 || !Arc::ptr_eq(command, &greeting))
        .map(|(n, command)| (n, submit(&programs, command, &n.to_string(), MINUTE)))
        .collect();
    let (mut right, mut refused) = (0, 0);
    for (n, answer) in answers {
        let outcome = answer.recv_timeout(MINUTE).unwrap();
        match &outcome.result {
            Ok(_) => {
                assert_eq!(text(outcome), n.to_string());
                right += 1;
            }
            Err(error) => {
                let rule = "print {\"id\": ID OF THE INPUT, \"value\": ANSWER}";
                assert!(error.message.contains(rule), "{}", error.message);
                refused += 1;
            }
        }
    }
    assert!(right >= 60 && refused >= 10, "{right} right, {refused} refused");
    // It costs a start each time, and each program is told of once.
    let heard = heard.lock().unwrap();
    let told = heard.iter().filter(|text| text.contains("which takes time")).count();
    assert!((2..=3).contains(&told), "{heard:?}");
}

#[test]
fn large_lines_pass_and_one_that_never_reads_holds_up_nobody() {
    let programs = programs();
    let large = format!("\"{}\"", "x".repeat(3 << 20));
    let echo = shell("exec cat", 1, 0);
    let answer = submit(&programs, &echo, &large, MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(text(answer).len(), large.len());
    let deaf = shell("sleep 1000", 1, 0);
    let answer = submit(&programs, &deaf, &large, Duration::from_millis(300));
    let error = answer.recv_timeout(MINUTE).unwrap().result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Timeout);
    let noisy = shell(&each(&format!("head -c 300000 /dev/zero >&2; {ANSWER}")), 1, 0);
    let answer = submit(&programs, &noisy, "7", MINUTE).recv_timeout(MINUTE).unwrap();
    assert_eq!(text(answer), "7");
}

#[test]
fn when_it_is_dropped_no_call_is_left_without_an_answer_and_no_process_stays() {
    let pools = programs();
    let pid = text(
        submit(&pools, &shell(&each(&format!("value=$$; {ANSWER}")), 1, 0), "1", MINUTE)
            .recv_timeout(MINUTE)
            .unwrap(),
    );
    let stuck = submit(&pools, &shell("read -r line; sleep 1000", 1, 0), "1", MINUTE);
    let began = Instant::now();
    drop(pools);
    assert!(stuck.recv_timeout(MINUTE).unwrap().result.is_err());
    assert!(began.elapsed() < MINUTE);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_program_that_never_answers_is_given_up_and_no_record_lost() {
    let (say, heard) = mpsc::channel();
    let programs = told(move |notice| drop(say.send(notice)));
    let wrong = shell("echo 'what\nno such script' >&2; exit 2", 2, 0);
    let answers: Vec<_> =
        (0..20).map(|n| submit(&programs, &wrong, &n.to_string(), MINUTE)).collect();
    for answer in answers {
        let error = answer.recv_timeout(MINUTE).unwrap().result.unwrap_err();
        assert_eq!(error.class, ErrorClass::Cancelled, "{}", error.message);
    }
    let heard: Vec<Notice> = heard.try_iter().collect();
    match &heard[..] {
        [Notice::Warning(warning), Notice::Hopeless(end), ..] => {
            for (text, part) in
                [(warning, "has not answered yet"), (end, "started 8 times and has never answered")]
            {
                assert!(
                    text.contains(part) && text.contains("last words: no such script"),
                    "{text}"
                );
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_that_a_program_fails_at_do_not_condemn_it_if_it_answers_others() {
    let programs = programs();
    let script = format!("[ \"$value\" -lt 3 ] && exit 4; {ANSWER}");
    let picky = shell(&each(&script), 1, 1);
    let answers: Vec<_> =
        (0..6).map(|n| submit(&programs, &picky, &n.to_string(), MINUTE)).collect();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer.recv_timeout(MINUTE).unwrap().result {
            Ok(_) => assert!(n >= 3),
            Err(error) => assert!(n < 3 && error.class == ErrorClass::Server, "{}", error.message),
        }
    }
}

#[test]
fn an_answer_that_is_printed_ahead_answers_nothing() {
    let programs = programs();
    let ahead = "[ $((value % 3)) = 0 ] && echo \"{\\\"id\\\":$((id + 1)),\\\"value\\\":-7}\"";
    // Sometimes it lies there when the next is asked, and sometimes it comes behind the question.
    for pause in ["", "sleep 0.002; "] {
        let command = shell(&each(&format!("{ANSWER}; {pause}{ahead}")), 2, 8);
        let answers: Vec<_> =
            (0..60).map(|n| (n, submit(&programs, &command, &n.to_string(), MINUTE))).collect();
        for (n, answer) in answers {
            assert_eq!(text(answer.recv_timeout(MINUTE).unwrap()), n.to_string());
        }
    }
}

#[test]
fn ids_fit_into_32_bits_and_do_not_follow_each_other() {
    let programs = programs();
    let command = shell(&each(&format!("value=$id; {ANSWER}")), 1, 0);
    let ids: Vec<i32> = (0..40)
        .map(|n| submit(&programs, &command, &n.to_string(), MINUTE))
        .map(|answer| text(answer.recv_timeout(MINUTE).unwrap()).parse().unwrap())
        .collect();
    assert!(ids.iter().all(|id| *id >= 0), "{ids:?}");
    let near = ids.windows(2).filter(|two| two[0].abs_diff(two[1]) < 1000).count();
    assert!(near < 2, "{ids:?}");
}
