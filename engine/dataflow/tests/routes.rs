//! Routes and loops: what a plan of guarded stages does is what the text says, record by record.
//!
//! The oracle walks the program as it is written: it takes one arm, it goes round until the
//! condition holds. It knows nothing of guards.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Replying, Run, generated, plan, refused, texts};
use sage_core::endpoint::{Answer, Call, CallError, CallOutcome, Generation, Request};
use sage_dataflow::demand::{Extent, Interpreter, Question, Work};

const COUNT: u64 = 60;

const PROGRAM: &str = r#"sage 1
enum Level { simple, single, multi }
type Task { id: int @key, text: string }
type Out { id: int, path: string, said: string, rounds: int }
endpoint llm { url: "http://127.0.0.1:1", model: "m" }
source tasks: Task from generate(count: 60, text: "task {{ n }}")
sink outs: Out to jsonl("outs.jsonl")
prompt level_of(q: string) -> Level """level of {{ q }}?"""
flow f {
  from tasks
  stage level = generate(level_of(.text)) on llm
  route level {
    when simple => {
      where .id % 2 == 0
      stage answer = generate("direct " + .text) on llm OPTIONS
      stage said = answer.text
      stage rounds = -1
    }
    when single => {
      stage said = upper(.text)
      stage rounds = 100 / (.id % 7)
      emit Out { id: .id, path: "early", said: said, rounds: rounds } into outs if .id % 4 == 1
    }
    when multi => {
      loop up to 4 until count >= .id % 5 {
        carry query = "start " + .text
        carry count = 0
        stage next = generate("follow " + query) on llm OPTIONS
        stage nap = sleep(1ms * (.id % 2))
        carry query = next.text
        carry count = count + 1
      }
      stage said = query
      stage rounds = count
    }
  }
  emit Out { id: .id, path: to_string(level), said: said, rounds: rounds } into outs
}
schedule { policy: POLICY, slots: 4 }"#;

fn program(policy: &str, options: &str) -> String {
    PROGRAM.replace("POLICY", policy).replace("OPTIONS", options)
}

/// Number of the task that a prompt asks about.
fn number(prompt: &str) -> u64 {
    let digits = prompt.split("task ").nth(1).unwrap();
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn level(n: u64) -> &'static str {
    ["simple", "single", "multi"][(n % 3) as usize]
}

/// What the endpoint says; two prompts are refused, one of them in the second round of a loop.
fn reply(prompt: &str) -> Result<String, u16> {
    let n = number(prompt);
    match prompt {
        "direct task 18" | "follow start task 17+" => Err(400),
        _ if prompt.starts_with("level") => Ok(level(n).to_owned()),
        _ => match prompt.strip_prefix("follow ") {
            Some(query) => Ok(format!("{query}+")),
            None => Ok(format!("said: {prompt}")),
        },
    }
}

fn outcome(call: &Call) -> CallOutcome {
    match texts(call).iter().map(|text| reply(text)).collect::<Result<Vec<_>, _>>() {
        Ok(_) => generated(call, |text| reply(text).unwrap()),
        Err(status) => refused(status),
    }
}

/// What the program says of all records.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    rows: Vec<String>,
    /// Texts by stage, as the figures name it.
    asked: BTreeMap<String, Vec<String>>,
    /// Stage by record.
    dead: BTreeMap<u64, String>,
}

impl Told {
    fn ask(&mut self, stage: &str, prompt: String) -> Result<String, String> {
        let answer = reply(&prompt).map_err(|_| stage.to_owned());
        self.asked.entry(stage.to_owned()).or_default().push(prompt);
        answer
    }

    fn record(&mut self, n: u64) -> Result<(), String> {
        let text = format!("task {n}");
        let row = |path: &str, said: &str, rounds: i64| {
            format!(r#"{{"id":{n},"path":"{path}","said":"{said}","rounds":{rounds}}}"#)
        };
        let level = self.ask("level", format!("level of {text}?"))?;
        let (said, rounds) = match level.as_str() {
            "simple" if !n.is_multiple_of(2) => return Ok(()),
            "simple" => (self.ask("simple.answer", format!("direct {text}"))?, -1),
            "single" => {
                let rounds = 100_i64.checked_div((n % 7) as i64);
                let (said, rounds) = (text.to_uppercase(), rounds.ok_or("single.rounds")?);
                if n % 4 == 1 {
                    self.rows.push(row("early", &said, rounds));
                }
                (said, rounds)
            }
            _ => {
                let (mut query, mut count) = (format!("start {text}"), 0);
                for round in 1..=4 {
                    let stage = match round {
                        1 => "multi.next".to_owned(),
                        round => format!("multi.next.{round}"),
                    };
                    query = self.ask(&stage, format!("follow {query}"))?;
                    count += 1;
                    if count >= n as i64 % 5 {
                        break;
                    }
                }
                (query, count)
            }
        };
        self.rows.push(row(&level, &said, rounds));
        Ok(())
    }
}

fn oracle() -> Told {
    let mut told = Told::default();
    for n in 1..=COUNT {
        if let Err(stage) = told.record(n) {
            told.dead.insert(n, stage);
        }
    }
    told.rows.sort();
    told.asked.values_mut().for_each(|texts| texts.sort());
    told
}

#[test]
fn a_run_does_what_the_text_says_on_any_number_of_workers() {
    let expected = oracle();
    assert_eq!(expected.dead.len(), 2 + 3, "two refusals, divisions by zero: {:?}", expected.dead);
    for (policy, options) in [("fifo", ""), ("least_work", "{ batch: 3, linger: 2ms }")] {
        for workers in [1, 2, 4] {
            let endpoint = Replying::new(|_, call| outcome(call));
            let seen = Arc::clone(&endpoint.seen);
            let run = Run::new(&program(policy, options)).workers(workers).endpoint(endpoint);
            let names: Vec<String> = run.plan.stages().map(|stage| stage.name.clone()).collect();
            let left = run.go();
            let mut told = Told { rows: left.lines("outs.jsonl"), ..Told::default() };
            for letter in left.dead() {
                let id = letter["record"]["id"].as_u64().unwrap();
                told.dead.insert(id, letter["stage"].as_str().unwrap().to_owned());
            }
            for call in seen.lock().unwrap().iter() {
                // A batch with a bad prompt in it is asked again in halves.
                let whole = texts(call).len() == 1 || outcome(call).result.is_ok();
                if whole {
                    let asked = told.asked.entry(names[call.stage].clone()).or_default();
                    asked.extend(texts(call).iter().cloned());
                }
            }
            told.asked.values_mut().for_each(|texts| texts.sort());
            assert_eq!(told, expected, "{policy} on {workers}");
            let counts = left.summary.counts;
            assert_eq!((counts.tasks_ok, counts.tasks_dead), (COUNT - 5, 5));
        }
    }
}

#[test]
fn a_stage_that_did_not_run_leaves_an_empty_cell() {
    let left = Run::new(&program("fifo", "")).endpoint(Replying::new(|_, call| outcome(call))).go();
    let table = left.read("tasks.csv");
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at = |name: &str| head.iter().position(|cell| *cell == name).unwrap();
    let (mut ran, mut passed) = (0, 0);
    let dead = oracle().dead;
    for cells in lines {
        let n = cells[at("task_id")].parse::<u64>().unwrap() + 1;
        for (column, runs) in [
            ("level_ms", true),
            ("simple.answer_ms", level(n) == "simple" && n % 2 == 0),
            ("single.said_ms", level(n) == "single"),
            ("multi.query_ms", level(n) == "multi"),
            ("multi.next_ms", level(n) == "multi"),
            ("multi.nap_ms", level(n) == "multi"),
            ("multi.next.2_ms", level(n) == "multi" && n % 5 > 1),
            ("multi.next.4_ms", level(n) == "multi" && n % 5 > 3),
        ] {
            // A record that failed came to no further stage.
            if dead.contains_key(&n) {
                continue;
            }
            assert_eq!(!cells[at(column)].is_empty(), runs, "{column} of {n}: {cells:?}");
            *(if runs { &mut ran } else { &mut passed }) += 1;
        }
    }
    assert!(ran > 100 && passed > 200, "{ran} {passed}");
    let stages: BTreeMap<&str, u64> =
        left.summary.stages.iter().map(|stage| (stage.name.as_str(), stage.calls)).collect();
    assert_eq!(stages["simple.answer"], 10, "as many as there are records, not tasks");
    assert_eq!(stages["multi.next"], 20);
}

/// The texts of the calls that a plan is said to make, by stage.
fn foretold(program: &str) -> (BTreeMap<String, Vec<String>>, BTreeMap<u64, String>) {
    let plan = plan(program);
    let names: Vec<String> = plan.stages().map(|stage| stage.name.clone()).collect();
    let extent = Extent { tasks: None, limit: None, morsel: 1, distinct: 100 };
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut answer = |question: &Question| {
        let Request::Generate { prompts, .. } = &question.request else { panic!("no vectors") };
        asked
            .entry(names[usize::from(question.stage)].clone())
            .or_default()
            .push(prompts[0].clone());
        let text = reply(&prompts[0]).map_err(|status| {
            let error: CallError = refused(status).result.unwrap_err();
            error
        })?;
        let said = Generation { text, finish: "stop".into(), ..Generation::default() };
        Ok((Answer::Generated(vec![said]), ()))
    };
    let demands = Interpreter::new(&plan, &[]).unwrap().demands(extent, &mut answer).unwrap();
    asked.values_mut().for_each(|texts| texts.sort());
    let mut dead = BTreeMap::new();
    for (demand, n) in demands.demands.iter().zip(1..) {
        if let Some(end) = &demand.end
            && end.failure.is_some()
        {
            dead.insert(n, names[usize::from(end.stage.unwrap())].clone());
        }
        for (name, work) in names.iter().zip(&demand.work) {
            let arm = name.split('.').next().unwrap();
            let other = ["simple", "single", "multi"].contains(&arm) && arm != level(n);
            assert!(!other || *work == Work::None, "{name} costs nothing for {n}: {work:?}");
        }
    }
    (asked, dead)
}

#[test]
fn what_is_foretold_is_what_is_done() {
    let expected = oracle();
    let (asked, dead) = foretold(&program("fifo", ""));
    assert_eq!(asked, expected.asked);
    assert_eq!(dead, expected.dead);
}
