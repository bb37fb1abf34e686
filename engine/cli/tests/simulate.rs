//! `simulate`: what the twin says is what a run finds out, where that does not hang on time; and it
//! says the same again.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use support::Sage;

/// A flow in which records are dropped, fail, ask twice, and draw their cost.
const FLOW: &str = r#"sage 1
enum Kind { small, large }
type Facts { kind: Kind, words: [string], note: string? }
type Task { id: string @key, text: string, n: int }
type Out { id: string, kind: Kind, text: string, ratio: int }
endpoint llm { url: "sim:a100/qwen2.5-7b@100", model: "Qwen/Qwen2.5-7B-Instruct" }
source tasks: Task from generate(count: 40, text: "Question {{ n }}: what does the gateway own, and why?")
sink outs: Out to jsonl("outs.jsonl")
prompt facts_of(text: string) -> Facts """What are the facts? {{ text }}"""
flow f {
  from tasks
  where .n % 5 != 0
  stage cost = burn(uniform(10us, 400us))
  stage plain = generate("Say it shortly. " + .text) on llm { max_tokens: 24 }
  stage facts = generate(facts_of(.text)) on llm { max_tokens: 50, repair: 2, temperature: 0.0 }
  where .n != 7
  stage pause = sleep(1ms)
  stage long = generate(plain.text) on llm { max_tokens: 16 }
  emit Out { id: .id, kind: facts.kind, text: long.text, ratio: 10 / (.n - 9) } into outs
}
schedule { policy: fifo, slots: 4 }
"#;

/// A flow whose records take different arms and go round as often as they need.
const ROUTED: &str = r#"sage 1
enum Level { simple, single, multi }
type Task { id: string @key, text: string, n: int }
type Out { id: string, text: string, rounds: int }
endpoint llm { url: "sim:a100/qwen2.5-7b@100", model: "Qwen/Qwen2.5-7B-Instruct" }
source tasks: Task from generate(count: 40, text: "Question {{ n }}: what does the gateway own, and why?")
sink outs: Out to jsonl("outs.jsonl")
prompt level_of(text: string) -> Level """How hard is this? {{ text }}"""
flow f {
  from tasks
  stage level = generate(level_of(.text)) on llm { max_tokens: 16, temperature: 0.0 }
  route level {
    when simple => {
      stage answer = generate("Say it shortly. " + .text) on llm { max_tokens: 24 }
      stage rounds = 0
    }
    when single => {
      where .n % 5 != 0
      stage digest = hash_chain(.text, rounds: 50)
      stage answer = generate(.text + digest) on llm { max_tokens: 20 }
      stage rounds = 10 / (.n % 4)
    }
    when multi => {
      loop up to 3 until count >= .n % 4 {
        carry query = .text
        carry count = 0
        stage next = generate("What next? " + query) on llm { max_tokens: 12 }
        carry query = next.text
        carry count = count + 1
      }
      stage answer = generate(query) on llm { max_tokens: 16 }
      stage rounds = count
    }
  }
  emit Out { id: .id, text: answer.text, rounds: rounds } into outs
}
schedule { policy: fifo, slots: 4 }
"#;

/// What stands in `columns` of `tasks.csv`, by task.
fn table(folder: &Path, columns: &[&str]) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(folder.join("tasks.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at: Vec<usize> =
        columns.iter().map(|name| head.iter().position(|column| column == name).unwrap()).collect();
    lines
        .map(|row| (row[0].to_owned(), at.iter().map(|at| row[*at].to_owned()).collect()))
        .collect()
}

#[test]
fn every_stage_of_an_arm_or_a_round_is_done_as_often_as_in_a_run() {
    let ran = Sage::new().file("f.sage", ROUTED).args("run f.sage --workers 2 --seed 5 --out out");
    let ran = ran.go();
    let twin = Sage::new().file("f.sage", ROUTED);
    let twin = twin.args("simulate f.sage --workers 2 --seed 5 --out out").go();
    let columns = ["outcome", "prompt_tokens", "completion_tokens"];
    assert_eq!(table(&ran.out, &columns), table(&twin.out, &columns));
    let stages = |metrics: serde_json::Value| -> BTreeMap<String, [u64; 4]> {
        let figure = |stage: &serde_json::Value, name: &str| stage[name].as_u64().unwrap();
        let names = ["calls", "prompt_tokens", "completion_tokens", "failed"];
        let stages = metrics["stages"].as_array().unwrap().iter();
        let name = |stage: &serde_json::Value| stage["name"].as_str().unwrap().to_owned();
        stages.map(|stage| (name(stage), names.map(|it| figure(stage, it)))).collect()
    };
    let (ran, twin) = (stages(ran.metrics()), stages(twin.metrics()));
    assert_eq!(ran, twin);
    assert_eq!(ran["level"][0], 40);
    let arms = ["simple.answer", "single.answer", "multi.answer"].map(|name| ran[name][0]);
    assert!(arms.iter().all(|calls| (1..40).contains(calls)), "all arms are taken: {arms:?}");
    let rounds = ["multi.next", "multi.next.2", "multi.next.3"].map(|name| ran[name][0]);
    assert!(rounds.is_sorted_by(|a, b| a > b) && rounds[2] > 0, "ever fewer go on: {rounds:?}");
}

#[test]
fn every_record_has_the_tokens_and_the_outcome_of_a_run() {
    let ran = Sage::new().file("f.sage", FLOW).args("run f.sage --workers 2 --seed 5 --out out");
    let ran = ran.go().exits(3);
    let twin = Sage::new().file("f.sage", FLOW);
    let twin = twin.args("simulate f.sage --workers 2 --seed 5 --out out").go().exits(3);
    let columns = ["outcome", "prompt_tokens", "completion_tokens"];
    let (ran_rows, twin_rows) = (table(&ran.out, &columns), table(&twin.out, &columns));
    assert_eq!(ran_rows.len(), 40);
    assert_eq!(ran_rows, twin_rows);
    let (ran, twin) = (ran.metrics(), twin.metrics());
    for field in ["tasks_in", "tasks_ok", "tasks_dead", "tasks_late", "prompt_tokens"] {
        assert_eq!(ran[field], twin[field], "{field}");
    }
    let dead = twin["tasks_dead"].as_u64().unwrap();
    assert!((2..25).contains(&dead), "a division by zero, and answers that never fit: {dead}");
    for (at, stage) in ran["stages"].as_array().unwrap().iter().enumerate() {
        let other = &twin["stages"][at];
        for field in ["name", "calls", "prompt_tokens", "completion_tokens", "failed"] {
            assert_eq!(stage[field], other[field], "{field} of {}", stage["name"]);
        }
    }
    assert_eq!(twin["backend"], "twin");
}

/// The sum of a figure over all rows of a `measure` block.
fn sum(folder: &Path, figure: &str) -> u64 {
    let text = std::fs::read_to_string(folder.join("figures.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let of = rows.filter(|row| row[1] == figure).map(|row| row[5].parse::<f64>().unwrap());
    of.sum::<f64>().round() as u64
}

#[test]
fn figures_of_all_intervals_are_those_of_the_whole_in_a_run_and_in_the_twin() {
    let measured = format!(
        "{FLOW}measure to csv(\"figures.csv\") every 100ms {{\n  tasks_ok by node, tasks_in\n  \
         prompt_tokens by node, stage\n  latency.p99, tasks_dead\n}}\n"
    );
    for verb in ["run", "simulate"] {
        let sage = Sage::new().file("f.sage", measured.clone());
        let done =
            sage.args(&format!("{verb} f.sage --workers 2 --seed 5 --out out")).go().exits(3);
        let metrics = done.metrics();
        for name in ["tasks_ok", "tasks_in", "prompt_tokens", "tasks_dead"] {
            let whole = metrics[name].as_u64().unwrap();
            assert_eq!(sum(&done.out, name), whole, "{name} of {verb}");
        }
        let text = std::fs::read_to_string(done.out.join("figures.csv")).unwrap();
        assert!(text.starts_with("at_s,measure,unit,node,stage,value\n"), "{text}");
        assert!(text.contains(",prompt_tokens,tokens,1,plain,"), "{text}");
    }
}

#[test]
fn what_the_source_leaves_out_is_that_of_a_run() {
    let program = "sage 1\ntype T { id: string @key, text: string }\nsource s: T from csv(\"s.csv\")\nsink o to \
                   csv(\"o.csv\")\nflow f {\n  from s\n  where .text != \"c\"\n  dedup by .text\n  \
                   flat_map part = split(.text + \"|x\", \"|\")\n  dedup by part\n  stage nap = sleep(1ms)\n  \
                   emit { id: .id, part: part } into o\n}\n";
    let rows = "id,text\n1,a\n2,b\n3,a\n4,c\n5,d\n6,b\n";
    // All of it; up to a record that is left out, and behind one that is the last; once more from the
    // beginning.
    for (extent, records) in [("", 4), ("--limit 4 ", 3), ("--tasks 5 ", 4), ("--tasks 12 ", 7)] {
        let figures = ["run", "simulate"].map(|verb| {
            let sage = Sage::new().file("f.sage", program).file("s.csv", rows);
            let done =
                sage.args(&format!("{verb} f.sage {extent}--workers 2 --out out")).go().exits(0);
            let metrics = done.metrics();
            assert!(done.read("summary.txt").contains("left out    "), "{verb}");
            (metrics["tasks_in"].as_u64().unwrap(), metrics["left_out"].as_u64().unwrap())
        });
        assert_eq!(figures[0], figures[1], "{extent}");
        assert_eq!(figures[0].0, records, "{extent}{figures:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let flow = FLOW.replace("fifo", "random");
    let once = |seed: u64| {
        let sage = Sage::new().file("f.sage", &flow).args("simulate f.sage --tasks 300 --out out");
        let done = sage.args("--workers 3 --arrivals poisson(900/s) --seed").arg(&seed.to_string());
        let done = done.go().exits(3);
        (done.read("metrics.json"), done.read("tasks.csv"))
    };
    let first = once(1);
    assert_eq!(first, once(1));
    let other = once(2);
    assert_ne!(first.1, other.1);
    // Also what stages draw: another seed is another sample of costs and answers.
    let tokens = |metrics: &serde_json::Value| metrics["completion_tokens"].as_u64().unwrap();
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_ne!(tokens(&parsed(&first.0)), tokens(&parsed(&other.0)));
}

#[test]
fn every_pipeline_of_the_repository_is_simulated_and_says_so() {
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let mut seen = 0;
    for entry in std::fs::read_dir(pipelines).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "sage") {
            continue;
        }
        seen += 1;
        // One of them reads its records from the standard input.
        let lines: String =
            (0..40).map(|n| format!("{{\"id\":\"q{n}\",\"text\":\"what is {n}\"}}\n")).collect();
        let sage = Sage::new()
            .args("simulate --workers 3 --tasks 40 --out out")
            .arg(path.to_str().unwrap())
            .stdin(&lines);
        if path.ends_with("rag_service.sage") {
            sage.go().exits(1).says("flow rag_service is a service");
            continue;
        }
        let done = sage.go().exits(0);
        assert!(done.stdout.contains("twin (virtual time)"), "{}", done.stdout);
        assert!(done.read("summary.txt").contains("twin (virtual time)"));
        let metrics = done.metrics();
        assert_eq!((&metrics["backend"], &metrics["tasks_ok"]), (&"twin".into(), &40.into()));
        assert_eq!(table(&done.out, &["outcome"]).len(), 40, "{}", path.display());
        let setup: serde_json::Value = serde_json::from_str(&done.read("setup.json")).unwrap();
        assert_eq!(setup["backend"], "twin");
    }
    assert!(seen >= 5, "{seen} pipelines");
}

const BURN: &str = r#"sage 1
type Task { id: string @key }
source tasks: Task from generate(count: 400)
sink outs: Task to jsonl("outs.jsonl")
flow burn {
  from tasks
  stage work = burn(10ms)
  emit Task { id: .id } into outs
}
schedule { policy: load_aware(spread), slots: 1 }
"#;

fn simulated(options: &str) -> serde_json::Value {
    let sage = Sage::new().file("f.sage", BURN).args("simulate f.sage --json").args(options);
    serde_json::from_str(&sage.go().exits(0).stdout).unwrap()
}

#[test]
fn slow_nodes_do_less_cores_are_shared_and_lost_nodes_cost_time() {
    let per_s = |metrics: &serde_json::Value| metrics["throughput_per_s"].as_f64().unwrap();
    let own = per_s(&simulated("--workers 4"));
    assert!((360.0..=400.0).contains(&own), "four threads of 100 a second: {own}");
    let shared = per_s(&simulated("--workers 4 --cores 2"));
    assert!((own / shared - 2.0).abs() < 0.1, "{own} {shared}");
    let slow = simulated("--workers 2 --speeds 1,0.25");
    let tasks = |node: usize| slow["nodes"][node]["tasks"].as_f64().unwrap();
    assert!((tasks(0) / tasks(1) - 4.0).abs() < 0.6, "{} {}", tasks(0), tasks(1));
    let lost = simulated("--workers 4 --fail 3@500ms+200ms");
    assert_eq!(lost["tasks_ok"], 400);
    assert!(per_s(&lost) < own * 0.97, "a node is away for a fifth of the run");
}

#[test]
fn several_programs_share_nodes_and_endpoints() {
    let sage =
        Sage::new().file("f.sage", BURN).file("g.sage", BURN.replace("flow burn", "flow other"));
    let done = sage
        .args("simulate f.sage g.sage --workers 2 --cores 2 --stagger 1s --out out")
        .go()
        .exits(0);
    let metrics = |job: &str| -> serde_json::Value {
        serde_json::from_str(&done.read(&format!("{job}/metrics.json"))).unwrap()
    };
    let (burn, other) = (metrics("burn"), metrics("other"));
    assert_eq!((&burn["offset_s"], &other["offset_s"]), (&0.0.into(), &1.0.into()));
    assert!(burn["makespan_s"].as_f64().unwrap() > 2.5, "alone it takes two seconds: {burn}");
    // What is known of all is in the common folder, and each has its own part of the processor.
    let trial: serde_json::Value = serde_json::from_str(&done.read("trial.json")).unwrap();
    assert_eq!((&trial["backend"], &trial["jobs"][1]["job"]), (&"twin".into(), &"other".into()));
    assert_eq!(
        (&trial["jobs"][0]["began_s"], &trial["jobs"][1]["began_s"]),
        (&0.0.into(), &1.0.into())
    );
    assert_eq!(other["trial"]["began_s"], 1.0);
    assert!(done.read("summary.txt").contains("twin (virtual time)"));
    let cpu_s = |metrics: &serde_json::Value| metrics["workers_cpu_s"].as_f64().unwrap();
    assert!((4.0..4.1).contains(&cpu_s(&burn)) && (4.0..4.1).contains(&cpu_s(&other)), "{burn}");
}

#[test]
fn without_a_folder_it_writes_where_predictions_go() {
    let sage = Sage::new().file("f.sage", BURN).args("simulate f.sage --workers 2");
    let done = sage.go().exits(0);
    let predictions = sage.folder.path().join("results/simulated");
    let made: Vec<_> = std::fs::read_dir(&predictions).unwrap().flatten().collect();
    let [folder] = made.as_slice() else { panic!("{made:?}") };
    assert!(done.stdout.contains(folder.file_name().to_str().unwrap()), "{}", done.stdout);
    let mut files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    files.sort();
    assert_eq!(files, ["metrics.json", "plan.json", "setup.json", "summary.txt", "tasks.csv"]);
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_remedy() {
    let says = |options: &str, part: &str| {
        let sage = Sage::new().file("f.sage", FLOW).args("simulate --out out").args(options);
        let done = sage.go().exits(1).says(part);
        assert!(!done.out.exists(), "{options}: nothing is written");
    };
    says("missing.sage", "is the path right");
    says("f.sage --fail 9@1s --workers 4", "there are nodes 0 to 3");
    says("f.sage --fail 1@soon", "NODE@TIME");
    says("f.sage --cores 0", "a number above 0");
    says("f.sage --speeds 1,-1", "numbers from 0.001 to 1000");
    says("f.sage --speeds 1e-300", "--speeds 1e-300");
    says("f.sage --fail 1@1s --fail 1@2s", "lost while it is away already");
    says("f.sage --fail 1@1s+0s", "a loss of 0 ns");
    says("f.sage --scheduler staggered(gap:1000000h)", "less than a year");
    says("f.sage --arrivals burst(10,every:99999999h)", "burst(50, every: 10s)");
    says("f.sage --arrivals burst(10,every:9999h)", "at most a year");
    says("f.sage --workers 0", "expected 1 to");
    says("f.sage --tasks 0", "expected 1 or more");
    says("f.sage --endpoint http://127.0.0.1:9", "--profile PROFILE");
    says("f.sage --endpoint sim:h900/x", "a100/qwen2.5-7b");
    says("f.sage --endpoint sim:a100/llama-3-8b", "serves meta-llama");
    says("f.sage --profile nothing", "--profile nothing");
    says("f.sage --scheduler fofi", "fifo");
    says("f.sage --arrivals rarely", "poisson(20/s)");
    says("f.sage --fail 0@1s", "node 0 is lost for good");
    let stands_in = Sage::new()
        .file("f.sage", FLOW)
        .args("simulate f.sage --endpoint http://127.0.0.1:9 --profile a100/qwen2.5-7b --json");
    assert!(stands_in.go().exits(3).stdout.contains("simulated endpoint a100/qwen2.5-7b"));
}

#[test]
fn a_prediction_stands_beside_the_plan_and_names_what_is_scarce() {
    let explain = |options: &str| {
        let sage = Sage::new().file("f.sage", FLOW).file("b.sage", BURN);
        sage.args("explain").args(options).go()
    };
    let text = explain("f.sage --predict --workers 2 --tasks 80").exits(0).stdout;
    assert!(text.contains("prediction of the twin (virtual time), for 80 records"), "{text}");
    for stage in ["cost", "plain", "facts", "pause", "long"] {
        let mut lines = text.lines().skip_while(|line| !line.contains(&format!("stage {stage}:")));
        let beside = lines.nth(1).unwrap().trim_start();
        assert!(beside.starts_with("~ p50 "), "{stage}: {beside}");
    }
    assert!(text.contains("records fail"), "{text}");
    let busy = explain("b.sage --predict --workers 2").exits(0).stdout;
    assert!(busy.contains("bottleneck: processors of the workers (2)"), "{busy}");
    let idle = explain("b.sage --predict --workers 2 --arrivals poisson(20/s)").exits(0).stdout;
    assert!(idle.contains("bottleneck: none"), "{idle}");
    let json = explain("b.sage --predict --json --workers 2").exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["prediction"]["backend"], "twin");
    assert!(json["stage_p50_ms"][0].as_f64().unwrap() >= 10.0);
    explain("b.sage --workers 2").exits(1).says("add --predict");
}

#[test]
fn objectives_are_predicted_and_a_miss_has_its_own_exit_code() {
    let program = format!("{BURN}slo {{ p99(latency) < 1s  success >= 99.5% }}\n");
    let check = |text: &str, options: &str| {
        Sage::new().file("f.sage", text).args("check f.sage").args(options).go()
    };
    // 400 records of 10 ms at once: 4 s on one worker, 0.5 s on eight.
    let missed = check(&program, "--slo --workers 1").exits(3).stdout;
    assert!(missed.contains(": fails: ") && missed.contains("latency_p99_ms"), "{missed}");
    assert!(missed.contains("twin (virtual time)"), "{missed}");
    let held = check(&program, "--slo --workers 8").exits(0).stdout;
    assert!(!held.contains("fails") && held.contains(": holds: "), "{held}");
    let json = check(&program, "--slo --workers 1 --format json").exits(3).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["backend"], &json[0]["slo"][0]["outcome"]),
        (&"twin".into(), &"fails".into())
    );
    let without = check(BURN, "--slo").exits(0).stdout;
    assert!(without.contains("has no `slo` block"), "{without}");
    check(&program, "--workers 2").exits(1).says("add --slo");
}

#[test]
fn every_task_draws_its_cost_however_many_there_are() {
    let flow = BURN.replace("burn(10ms)", "burn(exponential(10ms))");
    let sage = Sage::new().file("f.sage", flow).args("simulate f.sage --tasks 10000 --out out");
    let done = sage.go().exits(0);
    let costs: std::collections::BTreeSet<String> =
        table(&done.out, &["work_ms"]).into_values().flatten().collect();
    assert!(costs.len() > 9_900, "{} distinct costs of 10000 tasks", costs.len());
}

#[test]
fn records_that_end_before_the_scheduler_keep_no_slot_busy() {
    let flow = BURN.replace(
        "  stage work = burn(10ms)",
        "  where fnv1a(.id) % 2 == 0\n  stage work = sleep(10ms)",
    );
    let sage =
        Sage::new().file("f.sage", flow).args("simulate f.sage --workers 2 --tasks 4000 --out out");
    let busy = sage.go().exits(0).metrics()["utilization"].as_f64().unwrap();
    assert!((0.95..=1.0).contains(&busy), "{busy}");
}

#[test]
fn failures_and_speeds_are_named_with_what_they_cost() {
    let options = "--workers 3 --speeds 1,0.5 --fail 1@105ms --fail 2@300s --out out";
    let sage = Sage::new().file("f.sage", BURN).args("simulate f.sage").args(options);
    let done = sage.go().exits(0);
    let metrics = done.metrics();
    assert_eq!(metrics["speeds"], serde_json::json!([1.0, 0.5]));
    let (came, never) = (&metrics["failures"][0], &metrics["failures"][1]);
    assert_eq!((&came["came"], &never["came"]), (&true.into(), &false.into()));
    assert_eq!((&came["attempts_lost"], &never["attempts_lost"]), (&1.into(), &0.into()));
    assert_eq!(came["busy_lost_s"], metrics["nodes"][1]["busy_lost_s"]);
    assert!(came["busy_lost_s"].as_f64().unwrap() > 0.0);
    let text = done.read("summary.txt");
    assert!(
        text.contains("speeds      1, 0.5") && text.contains("node 1 at 105ms for good: 1 att")
    );
    assert!(text.contains("node 2 at 5m for good: never came to pass"), "{text}");
}

#[test]
fn a_real_run_is_not_replaced_by_a_prediction_and_a_broken_one_is() {
    let sage =
        Sage::new().file("f.sage", BURN).args("run f.sage --tasks 4 --workers 1 --out out -q");
    let ran = sage.go().exits(0);
    let again = |arguments: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sage-flow"));
        command.args(arguments.split(' ')).current_dir(sage.folder.path()).output().unwrap()
    };
    let refused = again("simulate f.sage --out out");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds a real run"));
    assert_eq!(ran.lines("outs.jsonl").len(), 4);
    // One that was broken off has a setup and half a table.
    assert_eq!(again("simulate f.sage --out other -q").status.code(), Some(0));
    let other = sage.folder.path().join("other");
    for file in ["metrics.json", "summary.txt"] {
        std::fs::remove_file(other.join(file)).unwrap();
    }
    assert_eq!(again("simulate f.sage --out other -q").status.code(), Some(0));
    assert!(other.join("metrics.json").is_file());
    for file in ["setup.json", "plan.json", "metrics.json"] {
        let text = std::fs::read_to_string(other.join(file)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["backend"], "twin", "{file}");
    }
}

#[test]
fn an_interrupt_says_that_nothing_came_of_it() {
    let sage = Sage::new().file("f.sage", BURN);
    let sage = sage.args("simulate f.sage --workers 4 --tasks 2000000");
    let child = sage.start();
    let predictions = sage.folder.path().join("results/simulated");
    let made = || std::fs::read_dir(&predictions).into_iter().flatten().flatten().next();
    support::wait_until(|| made().is_some_and(|folder| folder.path().join("setup.json").exists()));
    support::send("-INT", child.id());
    let done = sage.done(child.wait_with_output().unwrap()).exits(130);
    done.says("interrupted: the simulation did not come to its end; nothing was written");
    assert!(made().is_none());
}
