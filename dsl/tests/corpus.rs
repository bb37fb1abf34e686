//! The golden corpus: every file of `corpus/ok` compiles to the plan in its snapshot, every file
//! of `corpus/err` says what is in its snapshot.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{compile_with, plain};
use sage_dsl::{explain, explain_experiment};

fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut found: Vec<_> = fs::read_dir(&root)
        .expect("the corpus exists")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "sage"))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    found
}

fn run(folder: &str, check: impl Fn(&str, &Path)) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("corpus/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, path) in files(folder) {
            check(&name, &path);
        }
    });
}

fn shared() -> Vec<(&'static str, &'static str)> {
    vec![
        ("pipelines/rag.sage", include_str!("corpus/ok/rag.sage")),
        ("pipelines/compute.sage", include_str!("corpus/ok/compute.sage")),
        ("pipelines/common.sage", include_str!("corpus/common.sage")),
        ("pipelines/other.sage", include_str!("corpus/other.sage")),
        ("pipelines/llm.sage", include_str!("corpus/llm.sage")),
        ("pipelines/rows.csv", include_str!("corpus/rows.csv")),
        ("other/llm.sage", include_str!("corpus/llm.sage")),
        ("pipelines/broken.sage", include_str!("corpus/broken.sage")),
    ]
}

#[test]
fn good_programs_have_the_expected_plan() {
    run("ok", |name, path| {
        let text = fs::read_to_string(path).expect("readable");
        let compiled = compile_with(&format!("pipelines/{name}.sage"), &text, &[], &shared());
        assert!(!compiled.failed(), "{name}:\n{}", plain(&compiled));
        let plans = compiled.plans.iter().map(explain);
        let experiments = compiled.experiments.iter().map(explain_experiment);
        let all: Vec<String> = plans.chain(experiments).collect();
        insta::assert_snapshot!(name, format!("{}{}", all.join("\n"), plain(&compiled)));
        for plan in &compiled.plans {
            let json = serde_json::to_string(plan).expect("a plan is serialisable");
            let back: sage_dsl::plan::Plan = serde_json::from_str(&json).expect("and readable");
            assert_eq!(*plan, back, "{name}");
        }
        for experiment in &compiled.experiments {
            let json = serde_json::to_string(experiment).expect("an experiment is serialisable");
            let back: sage_dsl::experiment::Experiment =
                serde_json::from_str(&json).expect("and readable");
            assert_eq!(*experiment, back, "{name}");
        }
    });
}

#[test]
fn mistakes_are_explained() {
    run("err", |name, path| {
        let text = fs::read_to_string(path).expect("readable");
        let compiled = compile_with(&format!("pipelines/{name}.sage"), &text, &[], &shared());
        assert!(!compiled.diagnostics.is_empty(), "{name} is found good");
        assert!(!compiled.failed() || compiled.plans.is_empty());
        assert!(!compiled.failed() || compiled.experiments.is_empty());
        insta::assert_snapshot!(name, plain(&compiled));
    });
}

#[test]
fn every_code_of_a_diagnostic_is_in_the_registry() {
    for (name, path) in files("err") {
        let text = fs::read_to_string(path).expect("readable");
        for found in compile_with("pipelines/x.sage", &text, &[], &shared()).diagnostics {
            assert!(sage_dsl::explain_code(found.code).is_some(), "{name}: {}", found.code);
        }
    }
}
