//! What a plan would do is what it does: the interpreter against runs of the same plan.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Replying, Run, generated, refused, texts};
use sage_core::endpoint::{Answer, CallError, CallOutcome, Generation, Request};
use sage_core::record::{Datum, write_text};
use sage_dataflow::demand::{Demands, Extent, Interpreter, Part, Shape, Wait, Work, outline};
use sage_dsl::plan::Plan;
use sage_dsl::types::Type;

/// Everything at once: filters before and behind, drawn and computed costs, stages side by side, a
/// typed answer, a chain that a prompt shows and one that is only written down.
const PROGRAM: &str = r#"sage 1
enum Mood { good, bad }
type Task { id: string @key, text: string, n: int }
type Out { id: string, mood: Mood, spent: duration, shown: string, hidden: string, half: int }
endpoint llm { url: "http://127.0.0.1:1", model: "m" }
source tasks: Task from generate(count: 40, text: "task {{ n }}")
sink outs: Out to jsonl("outs.jsonl")
prompt mood_of(text: string, digest: string) -> Mood """mood of {{ text }} ({{ digest }})?"""
flow f {
  from tasks
  where .n % 7 != 0
  stage spent = burn(exponential(40us))
  stage shown = hash_chain(.text, rounds: 2)
  stage hidden = hash_chain(.text, rounds: .n)
  stage long = sleep(1ms * (.n % 3))
  stage plain = generate("plain " + .text) on llm
  stage mood = generate(mood_of(.text, shown)) on llm { repair: 1 }
  where mood == good or .n % 2 == 0
  stage vector = embed(plain.text) on llm { batch: 1 }
  emit Out { id: .id, mood: mood, spent: spent, shown: shown, hidden: hidden, half: 100 / (.n - 8) } into outs
}
schedule { policy: fifo, slots: 4, priority: .n }"#;

/// Number of the task that a prompt asks about.
fn number(prompt: &str) -> u64 {
    let digits = prompt.split("task ").nth(1).expect("a task's prompt");
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

/// What the endpoint says: some answers do not fit, some texts are refused.
fn reply(prompt: &str) -> Result<String, u16> {
    let n = number(prompt);
    if n == 11 {
        return Err(400);
    }
    if !prompt.starts_with("mood") {
        return Ok(format!("plain words on task {n}"));
    }
    let wrong = n == 13 || (n.is_multiple_of(5) && !prompt.contains("previous answer"));
    let mood = if n.is_multiple_of(4) { "good" } else { "bad" };
    Ok(if wrong { "neither".into() } else { mood.into() })
}

fn outcome(call: &sage_core::endpoint::Call) -> CallOutcome {
    if let Request::Embed { texts } = &call.request {
        let vectors = texts.iter().map(|text| vec![text.len() as f32]).collect();
        let result = Ok(Answer::Embedded { vectors, tokens: 1 });
        return CallOutcome { result, attempts: 1, first_token_ns: None };
    }
    match texts(call).iter().map(|text| reply(text)).collect::<Result<Vec<_>, _>>() {
        Ok(_) => generated(call, |text| reply(text).unwrap()),
        Err(status) => refused(status),
    }
}

/// The interpreter's view, with the texts of the calls as their costs.
fn demands(plan: &Plan, tasks: Option<u64>) -> Demands<String> {
    let extent = Extent { tasks, limit: None, morsel: sage_dataflow::morsel(plan), distinct: 64 };
    let interpreter = Interpreter::new(plan, &[]).unwrap();
    let mut answer = |question: &sage_dataflow::demand::Question| match &question.request {
        Request::Embed { texts } => {
            let vectors = vec![vec![texts[0].len() as f32]];
            Ok((Answer::Embedded { vectors, tokens: 1 }, texts[0].clone()))
        }
        Request::Generate { prompts, .. }
        | Request::Exec { lines: prompts, .. }
        | Request::Http { bodies: prompts, .. } => {
            let text = reply(&prompts[0]).map_err(|status| {
                let refused = refused(status).result.unwrap_err();
                CallError { status: Some(status), ..refused }
            })?;
            let said = Generation { text, finish: "stop".into(), ..Generation::default() };
            Ok((Answer::Generated(vec![said]), prompts[0].clone()))
        }
    };
    interpreter.demands(extent, &mut answer).unwrap()
}

/// Texts of all calls of a stage, sorted.
fn calls(demands: &Demands<String>, stage: usize) -> Vec<String> {
    let mut texts: Vec<String> = demands
        .demands
        .iter()
        .filter_map(|demand| match &demand.work[stage] {
            Work::Calls(calls) => Some(calls.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    texts.sort();
    texts
}

#[test]
fn the_interpreter_asks_what_a_run_asks_and_ends_as_it_does() {
    let endpoint = Replying::new(|_, call| outcome(call));
    let seen = Arc::clone(&endpoint.seen);
    let run = Run::new(PROGRAM).workers(2).endpoint(endpoint);
    let plan = run.plan.clone();
    let left = run.go();
    let demands = demands(&plan, None);
    assert_eq!((demands.records, demands.unreadable, demands.demands.len()), (40, 0, 40));

    let mut asked: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for call in seen.lock().unwrap().iter() {
        // A text that is refused costs nothing.
        if outcome(call).result.is_ok() {
            asked.entry(call.stage).or_default().extend(texts(call).iter().cloned());
        }
    }
    for (stage, texts) in &mut asked {
        texts.sort();
        assert_eq!(calls(&demands, *stage), *texts, "stage {stage}");
    }
    assert_eq!(asked.len(), 3, "plain, mood and vector");

    let names: Vec<String> = plan.stages().map(|stage| stage.name.clone()).collect();
    let mut dead: BTreeMap<String, String> = BTreeMap::new();
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut waits = 0;
    for (demand, id) in demands.demands.iter().zip(1..) {
        let sorted_out = demand.end.as_ref().is_some_and(|end| end.before);
        assert_eq!(
            (demand.priority, sorted_out),
            if id % 7 == 0 { (0, true) } else { (id, false) }
        );
        let wait = demand.work[names.iter().position(|name| name == "long").unwrap()].clone();
        if let Work::Wait(ns) = wait {
            assert_eq!(ns, 1_000_000 * (id as u64 % 3));
            waits += 1;
        }
        match &demand.end {
            None => {
                let Work::Drawn(drawn) = &demand.work[0] else { panic!("it burns") };
                let mut shown = Vec::new();
                let spent = Datum::Int(drawn.ns(id as u64 - 1) as i64);
                write_text(&mut shown, &Type::Duration, spent);
                rows.push((id.to_string(), String::from_utf8(shown).unwrap()));
            }
            Some(end) if end.failure.is_some() => {
                let stage = names[usize::from(end.stage.unwrap())].clone();
                dead.insert(id.to_string(), stage);
            }
            Some(_) => {}
        }
    }
    assert_eq!(waits, 35, "all but those that were dropped before");
    let letters: BTreeMap<String, String> = left
        .dead()
        .iter()
        .map(|letter| {
            let text = |name: &str| letter[name].as_str().unwrap().to_owned();
            // An emit is no stage: the last one stands for it.
            let stage = text("stage");
            (text("key"), if stage == "emit" { "vector".into() } else { stage })
        })
        .collect();
    assert_eq!(dead, letters);
    assert!(letters.len() >= 3, "a refusal, a wrong answer, a division by zero: {letters:?}");
    let mut written: Vec<(String, String)> = left
        .lines("outs.jsonl")
        .iter()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("id"), text("spent"))
        })
        .collect();
    written.sort();
    rows.sort();
    assert_eq!(rows, written, "the same records, and the same drawn times");
}

#[test]
fn costs_are_declared_ones_and_parts_are_the_operators() {
    let plan = common::plan(PROGRAM);
    let demands = demands(&plan, None);
    let cpu = |record: usize, stage: usize| match demands.demands[record].work[stage] {
        Work::Cpu(ns) => ns,
        ref other => panic!("{other:?}"),
    };
    let rounds = cpu(19, 2) - cpu(9, 2);
    assert!(rounds > 0 && rounds == cpu(29, 2) - cpu(19, 2), "so much for every ten rounds");
    let shape = Interpreter::new(&plan, &[]).unwrap().shape();
    assert_eq!(shape.before, [], "the filter before is no operator of its own");
    let [Part::Local(local), Part::Ask(members), Part::Ask(last)] = shape.behind.as_slice() else {
        panic!("{shape:?}")
    };
    assert_eq!(*local, [0, 1, 2]);
    let stages: Vec<u16> = members.iter().map(|member| member.stage).collect();
    assert_eq!((stages.as_slice(), last.len()), (&[3, 4, 5][..], 1));
    assert_eq!(members[0].wait, Wait::Timer);
}

/// With timers in the place of calls.
fn timed(shape: &Shape) -> Shape {
    let mut shape = shape.clone();
    for part in shape.before.iter_mut().chain(&mut shape.behind) {
        if let Part::Ask(members) = part {
            members.iter_mut().for_each(|member| member.wait = Wait::Timer);
        }
    }
    shape
}

#[test]
fn the_outline_of_a_plan_is_its_shape() {
    let between = PROGRAM
        .replace("stage plain =", "where .n != 3\n  stage plain =")
        .replace("stage vector =", "stage near = embed(plain.text)\n  stage vector =");
    let cheap = r#"sage 1
type T { id: string @key, n: int }
source ts: T from generate(count: 3)
sink outs: T to csv("o.csv")
flow f {
  from ts
  stage a = .n + 1
  where a > 1
  stage b = a * 2
  emit T { id: .id, n: b } into outs
}"#;
    for program in [PROGRAM, &between, cheap] {
        let plan = common::plan(program);
        let shape = Interpreter::new(&plan, &[]).unwrap().shape();
        assert_eq!(outline(&plan), timed(&shape), "{program}");
    }
}

#[test]
fn further_rounds_are_looked_at_only_where_they_differ() {
    let alike = PROGRAM.replace("burn(exponential(40us))", "1ms");
    let plan = common::plan(&alike);
    let (once, twice) = (demands(&plan, None), demands(&plan, Some(60)));
    assert_eq!((twice.records, &twice.demands), (60, &once.demands));

    // Every task draws its cost by its number, so that needs no second look; what is said of the
    // drawn time does.
    let drawn = demands(&common::plan(PROGRAM), Some(60));
    assert_eq!((drawn.records, drawn.demands.len()), (60, 40));
    let Work::Drawn(cost) = &drawn.demands[0].work[0] else { panic!("it burns") };
    assert_ne!(cost.ns(0), cost.ns(40));
    let filtered = PROGRAM.replace("  emit", "  where spent < 40us\n  emit");
    let filtered = demands(&common::plan(&filtered), Some(60));
    assert_eq!(filtered.demands.len(), 60);

    let keyed =
        common::plan(&alike.replace("\"plain \" + .text", "\"plain \" + .text + \" \" + .id"));
    let keyed = demands(&keyed, Some(60));
    assert_eq!(keyed.demands.len(), 60);
    let Work::Calls(calls) = &keyed.demands[40].work[4] else { panic!("a call") };
    assert_eq!(calls.as_slice(), ["plain task 1 1#1"]);
}
