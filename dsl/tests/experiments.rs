//! Experiments and objectives as data: what a written condition means, where jobs come from.

mod common;

use common::{compile_with, plain};
use sage_dsl::Compiled;
use sage_dsl::experiment::{Aggregate, Arrivals, Condition, Experiment, Setting};
use sage_dsl::plan::{BinaryOp, UnaryOp};
use sage_dsl::types::Value;

const RAG: &str = include_str!("corpus/ok/rag.sage");
const COMPUTE: &str = include_str!("corpus/ok/compute.sage");
const LLM: &str = include_str!("corpus/llm.sage");

/// The same pipeline with another schedule and another default.
const WRAPPER: &str = "sage 1\nimport \"compute.sage\"\nschedule { policy: fifo, slots: 2 }\n";

fn compile(body: &str, overrides: &[(String, String)]) -> Compiled {
    let text = format!("sage 1\nimport \"compute.sage\"\nimport \"rag.sage\"\n{body}");
    let files = [
        ("lab/compute.sage", COMPUTE),
        ("lab/rag.sage", RAG),
        ("lab/llm.sage", LLM),
        ("lab/wrapped.sage", WRAPPER),
    ];
    compile_with("lab/e.sage", &text, overrides, &files)
}

fn experiment(body: &str) -> Experiment {
    let mut compiled = compile(body, &[]);
    assert!(!compiled.failed(), "{}", plain(&compiled));
    compiled.experiments.pop().expect("an experiment")
}

fn claim(condition: &str) -> Condition {
    let body = format!(
        "experiment e {{\n jobs: [compute, rag], nodes: 2\n\
         sweep policy in [fifo, load_aware(spread), priority]\n sweep wait in [a {{ deadline: 2s }}, b {{ deadline: 60s }}]\n\
         sweep queue in [1_000, 200]\n claim \"c\" {{ {condition} }}\n}}\n"
    );
    experiment(&body).claims.remove(0).condition
}

fn at(column: &str, labels: &[&str]) -> Condition {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Condition::At { column: column.to_owned(), labels }
}

fn column(name: &str) -> Condition {
    Condition::Column(name.to_owned())
}

fn binary(op: BinaryOp, a: Condition, b: Condition) -> Condition {
    Condition::Binary(op, Box::new(a), Box::new(b))
}

#[test]
fn numbers_are_in_the_unit_of_their_column() {
    let less = |a, b| binary(BinaryOp::Lt, a, b);
    let number = Condition::Number;
    for (written, meant) in [
        ("latency_p99_ms < 2s", less(column("latency_p99_ms"), number(2000.0))),
        ("2s < latency_p99_ms", less(number(2000.0), column("latency_p99_ms"))),
        ("latency_p99_ms < 2000", less(column("latency_p99_ms"), number(2000.0))),
        ("p99(latency) < 1min", less(column("latency_p99_ms"), number(60_000.0))),
        ("mean(latency) < 10us", less(column("latency_mean_ms"), number(0.01))),
        ("dispatch_p99_us < 1ms", less(column("dispatch_p99_us"), number(1000.0))),
        ("balance < 99.5%", less(column("balance"), number(0.995))),
        ("throughput < 300/min", less(column("throughput_per_s"), number(5.0))),
        ("throughput < 5", less(column("throughput_per_s"), number(5.0))),
        (
            "dispatch_p99_us < latency_p50_ms",
            less(
                column("dispatch_p99_us"),
                binary(BinaryOp::Mul, column("latency_p50_ms"), number(1000.0)),
            ),
        ),
        (
            "p99(latency) - 1s < 2 * 3s",
            less(
                binary(BinaryOp::Sub, column("latency_p99_ms"), number(1000.0)),
                binary(
                    BinaryOp::Mul,
                    binary(BinaryOp::Mul, number(2.0), number(3e9)),
                    number(1e-6),
                ),
            ),
        ),
    ] {
        assert_eq!(claim(written), meant, "{written}");
    }
}

#[test]
fn calls_are_statistics_of_a_task_or_aggregates_over_rows() {
    let over = |aggregate, inner| Condition::Over(aggregate, Box::new(inner));
    let positive = |a| binary(BinaryOp::Gt, a, Condition::Number(1.0));
    for (written, meant) in [
        ("max(balance) > 1", positive(over(Aggregate::Max, column("balance")))),
        ("min(throughput) > 1", positive(over(Aggregate::Min, column("throughput_per_s")))),
        ("mean(balance[rag]) > 1", positive(over(Aggregate::Mean, at("balance", &["rag"])))),
        ("sum(balance) > 1", positive(over(Aggregate::Sum, column("balance")))),
        ("mean(latency) > 1ms", positive(column("latency_mean_ms"))),
        ("max(p99(latency)) > 1ms", positive(over(Aggregate::Max, column("latency_p99_ms")))),
        ("p99(latency)[fifo] > 1ms", positive(at("latency_p99_ms", &["fifo"]))),
        ("p99(latency[fifo]) > 1ms", positive(at("latency_p99_ms", &["fifo"]))),
        ("abs(-balance) > 1", {
            let negative = Condition::Unary(UnaryOp::Neg, Box::new(column("balance")));
            positive(Condition::Abs(Box::new(negative)))
        }),
    ] {
        assert_eq!(claim(written), meant, "{written}");
    }
}

#[test]
fn labels_are_found_by_name_by_value_and_without_arguments() {
    let positive = |a| binary(BinaryOp::Gt, a, Condition::Number(1.0));
    for (written, labels) in [
        ("balance[load_aware] > 1", &["load_aware(spread)"][..]),
        ("balance[load_aware(spread)] > 1", &["load_aware(spread)"]),
        ("balance[\"load_aware(spread)\"] > 1", &["load_aware(spread)"]),
        ("balance[1000] > 1", &["1000"]),
        ("balance[1_000][rag][fifo] > 1", &["1000", "rag", "fifo"]),
        ("balance[a] > 1", &["a"]),
    ] {
        assert_eq!(claim(written), positive(at("balance", labels)), "{written}");
    }
    let swept = experiment(
        "experiment e {\n jobs: [rag]\n sweep deadline in [60s, 2s]\n claim \"c\" { balance[1min] > 1 }\n}\n",
    );
    assert_eq!(swept.claims[0].condition, positive(at("balance", &["60s"])));
}

#[test]
fn all_stands_for_the_policies_that_are_not_listed() {
    let labels = |list: &str| {
        let it =
            experiment(&format!("experiment e {{\n jobs: [rag]\n sweep policy in {list}\n}}\n"));
        it.sweeps[0].points.iter().map(|point| point.label.clone()).collect::<Vec<_>>()
    };
    assert_eq!(labels("all"), ["fifo", "load_aware", "priority"]);
    assert_eq!(labels("[load_aware(pack), all]"), ["load_aware(pack)", "fifo", "priority"]);
    let it = experiment("experiment e {\n jobs: [rag]\n sweep policy in [priority]\n}\n");
    let Setting::Policy { name, args } = &it.sweeps[0].points[0].settings[0] else {
        panic!("{it:?}");
    };
    assert_eq!(name, "priority");
    assert_eq!(args[..], [("aging".to_owned(), Value::Duration(10_000_000_000))]);
}

#[test]
fn jobs_are_compiled_from_the_file_that_is_imported() {
    let files = |body: &str| {
        let jobs = experiment(body).jobs.into_iter();
        jobs.map(|job| (job.name, job.flow, job.file)).collect::<Vec<_>>()
    };
    let job =
        |name: &str, flow: &str, file: &str| (name.to_owned(), flow.to_owned(), file.to_owned());
    assert_eq!(
        files("experiment e { jobs: [rag, c = compute] }\n"),
        [job("rag", "rag", "lab/rag.sage"), job("c", "compute", "lab/compute.sage")]
    );
    // Three programs that could not be one.
    assert_eq!(
        files("import \"llm.sage\"\nexperiment e { jobs: [llm, rag] }\n"),
        [job("llm", "llm", "lab/llm.sage"), job("rag", "rag", "lab/rag.sage")]
    );
    // A flow of the file itself, which is one program with its imports.
    let own = "flow own {\n from queries\n emit into answers2\n}\nsink answers2 to csv(\"a.csv\")\n\
               experiment e { jobs: [own, rag] }\n";
    assert_eq!(files(own), [job("own", "own", "lab/e.sage"), job("rag", "rag", "lab/rag.sage")]);
}

#[test]
fn a_file_may_stand_between_an_experiment_and_a_flow() {
    let load = |import: &str| {
        let text = format!("sage 1\nimport \"{import}\"\nexperiment e {{ jobs: [compute] }}\n");
        let files = [
            ("lab/compute.sage", COMPUTE),
            ("lab/wrapped.sage", WRAPPER),
            ("lab/study.sage", "sage 1\nimport \"compute.sage\"\nexperiment x { jobs: [y] }\n"),
            (
                "lab/both.sage",
                "sage 1\nimport \"compute.sage\"\nimport \"rag.sage\"\nflow b {\n from queries\n emit into o\n}\nsink o to csv(\"o\")\n",
            ),
            ("lab/rag.sage", RAG),
        ];
        let mut compiled = compile_with("lab/e.sage", &text, &[], &files);
        assert!(!compiled.failed(), "{import}: {}", plain(&compiled));
        (compiled.experiments.remove(0).jobs.remove(0).file, compiled.plans)
    };
    // What the file in between sets is what the job runs with.
    let (file, plans) = load("wrapped.sage");
    assert_eq!((file.as_str(), plans[0].schedule.policy.as_str()), ("lab/wrapped.sage", "fifo"));
    // The experiments of an import are not run, and its imports are as good as own ones.
    assert_eq!(load("study.sage").0, "lab/compute.sage");
    // A flow that an import only uses.
    assert_eq!(load("both.sage").0, "lab/compute.sage");
}

#[test]
fn overrides_reach_the_programs_of_the_jobs() {
    let body = "param size: int = 5\nexperiment e { jobs: [compute, rag], tasks: size }\n";
    let set = |name: &str, value: &str| compile(body, &[(name.to_owned(), value.to_owned())]);
    let heavy = set("load", "heavy");
    assert!(!heavy.failed(), "{}", plain(&heavy));
    let compute = heavy.plans.iter().find(|plan| plan.name == "compute").expect("a plan");
    assert!(compute.params.contains(&("load".to_owned(), Value::String("heavy".to_owned()))));
    assert_eq!(set("size", "7").experiments[0].settings, [Setting::Tasks(7)]);
    assert!(plain(&set("load", "heavvy")).contains("is not of type Load"));
    assert!(plain(&set("lod", "heavy")).contains("no param `lod`"));
}

#[test]
fn values_are_given_as_they_can_be_set() {
    let it = experiment(
        "experiment e {\n jobs: [compute, rag]\n load: heavy, top_k: 3, llm_url: \"sim:h100/llama3-70b\"\n}\n",
    );
    let overrides: Vec<(String, String)> = it
        .settings
        .iter()
        .filter_map(|setting| match setting {
            Setting::Param { name, value } => Some((name.clone(), value.to_set())),
            _ => None,
        })
        .collect();
    assert_eq!(overrides.len(), 3);
    for (path, text) in [("c.sage", COMPUTE), ("r.sage", RAG)] {
        let known: Vec<_> = overrides
            .iter()
            .filter(|(name, _)| text.contains(&format!("param {name}:")))
            .cloned()
            .collect();
        assert!(!known.is_empty());
        let compiled = compile_with(path, text, &known, &[]);
        assert!(!compiled.failed(), "{}", plain(&compiled));
        for (name, value) in known {
            let found = compiled.plans[0].params.iter().find(|(param, _)| *param == name);
            assert_eq!(found.map(|(_, value)| value.to_set()), Some(value));
        }
    }
}

#[test]
fn a_quick_run_keeps_points_by_their_labels() {
    let it = experiment(
        "experiment e {\n jobs: [rag], repeat: 5\n sweep nodes in [1, 4, 16]\n\
         sweep policy in [fifo, load_aware(spread)]\n quick { nodes: [16, 1], policy: [load_aware], repeat: 2 }\n}\n",
    );
    assert_eq!((it.combinations(false), it.combinations(true)), (6, 2));
    assert_eq!((it.repeats(false), it.repeats(true)), (5, 2));
    let labels = |quick| {
        let points = it.points(&it.sweeps[0], quick).into_iter();
        points.map(|point| point.label.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(labels(false), ["1", "4", "16"]);
    assert_eq!(labels(true), ["1", "16"]);
}

#[test]
fn arrivals_are_rates_a_second_and_paths_beside_the_file() {
    let arrivals = |written: &str| {
        let it = experiment(&format!("experiment e {{\n jobs: [rag], arrivals: {written}\n}}\n"));
        match &it.settings[0] {
            Setting::Arrivals(arrivals) => arrivals.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(arrivals("batch"), Arrivals::Batch);
    assert_eq!(arrivals("poisson(120/min)"), Arrivals::Poisson { per_s: 2.0 });
    assert_eq!(arrivals("constant(rate: 3/s)"), Arrivals::Constant { per_s: 3.0 });
    assert_eq!(
        arrivals("burst(50, every: 10s)"),
        Arrivals::Burst { size: 50, every_ns: 10_000_000_000 }
    );
    assert_eq!(
        arrivals("trace(\"../traces/a.txt\")"),
        Arrivals::Trace { path: "traces/a.txt".to_owned() }
    );
}

#[test]
fn objectives_belong_to_the_flows_of_the_nearest_file() {
    let slo = |text: &str| {
        let files = [(
            "compute.sage",
            "sage 1\ntype T { id: string @key }\nsource s: T from csv(\"a\")\nsink o to csv(\"b\")\nflow f {\n from s\n emit into o\n}\nslo { success > 99% }\n",
        )];
        let compiled = compile_with("main.sage", text, &[], &files);
        assert!(!compiled.failed(), "{}", plain(&compiled));
        let objectives = compiled.plans[0].slo.iter();
        objectives.map(|it| it.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(slo("sage 1\nimport \"compute.sage\"\n"), ["success > 99%"]);
    assert_eq!(
        slo("sage 1\nimport \"compute.sage\"\nslo { balance > 0.5\n throughput > 3 }\n"),
        ["balance > 0.5", "throughput > 3"]
    );
}

#[test]
fn a_param_that_is_called_like_a_setting_is_reached_by_its_full_name() {
    let text = "sage 1\nparam nodes: int = 3\ntype T { id: string @key, n: int }\nsource s: T from csv(\"a\")\n\
                sink o to csv(\"b\")\nflow f {\n from s\n where .n > nodes\n emit into o\n}\n\
                experiment e { jobs: [f], param.nodes: 7, nodes: 4 }\n";
    let compiled = compile_with("lab/e.sage", text, &[], &[]);
    assert!(!compiled.failed(), "{}", plain(&compiled));
    let param = Setting::Param { name: "nodes".to_owned(), value: Value::Int(7) };
    assert_eq!(compiled.experiments[0].settings, [param, Setting::Nodes(4)]);
}
