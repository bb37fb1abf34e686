//! `sage-flow new`: what it makes is right, laid out and runs; nothing is overwritten.

mod support;

use support::{Sage, again};

const TEMPLATES: [(&str, &str, usize); 7] = [
    ("rag", "answers.jsonl", 3),
    ("classify", "sorted.csv", 5),
    ("extract", "rows.jsonl", 2),
    ("llm", "summaries.jsonl", 2),
    ("compute", "digests.csv", 201),
    ("batch", "replies.jsonl", 5),
    ("eval", "judged.jsonl", 4),
];

#[test]
fn every_template_is_right_laid_out_and_runs() {
    let help = Sage::new().args("new --help").go().exits(0).stdout;
    for (name, result, lines) in TEMPLATES {
        assert!(help.contains(&format!("- {name}:")), "{name} is not in\n{help}");
        let sage = Sage::new();
        let made = again(&sage, &format!("new {name}")).go().exits(0);
        assert!(
            made.stdout.contains(&format!("sage-flow run {name}/{name}.sage --out {name}/out"))
        );
        let file = format!("{name}/{name}.sage");
        again(&sage, &format!("check {file}")).go().exits(0);
        again(&sage, &format!("fmt --check {file}")).go().exits(0);
        let tested = again(&sage, &format!("test {file}")).go().exits(0);
        assert!(tested.stdout.contains(" passed, 0 failed"), "{name}: {}", tested.stdout);
        assert_eq!(tested.stderr, "", "{name}");
        let run = format!("run {file} --workers 2 --quiet --out out");
        let done = again(&sage, &run).go().exits(0);
        assert_eq!(done.read(result).lines().count(), lines, "{name}");
        let readme = std::fs::read_to_string(sage.folder.path().join(name).join("README.md"));
        assert!(readme.unwrap().contains(&format!("sage-flow run {name}.sage")), "{name}");
    }
    let listed = help.lines().filter(|line| line.trim_start().starts_with("- ")).count();
    assert_eq!(listed, TEMPLATES.len(), "{help}");
}

#[test]
fn documents_of_ones_own_are_searched() {
    let sage = Sage::new();
    let notes = sage.folder.path().join("my notes");
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("a.md"), "# Zebra\n\nThe zebra grazes behind the \"house\".\n")
        .unwrap();
    again(&sage, "new rag mine --docs").arg("my notes").go().exits(0);
    assert!(!sage.folder.path().join("mine/docs").exists(), "the sample is not needed");
    let readme = std::fs::read_to_string(sage.folder.path().join("mine/README.md")).unwrap();
    assert!(readme.contains("/my notes`") && !readme.contains("docs"), "{readme}");
    std::fs::write(
        sage.folder.path().join("mine/questions.csv"),
        "id,text\nq1,Where does the zebra graze?\n",
    )
    .unwrap();
    let done = again(&sage, "run mine/rag.sage --workers 1 --quiet --out out").go().exits(0);
    let answer: serde_json::Value = serde_json::from_str(&done.read("answers.jsonl")).unwrap();
    assert_eq!(answer["sources"].as_array().unwrap().len(), 1, "{answer}");
}

#[test]
fn nothing_is_overwritten() {
    let sage = Sage::new();
    let readme = sage.folder.path().join("llm/README.md");
    std::fs::create_dir(sage.folder.path().join("llm")).unwrap();
    std::fs::write(&readme, "mine").unwrap();
    again(&sage, "new llm").go().exits(1).says("`llm/README.md` is there already");
    assert_eq!(std::fs::read_to_string(&readme).unwrap(), "mine");
    assert!(!readme.with_file_name("llm.sage").exists(), "not even in part");
    again(&sage, "new llm other").go().exits(0);
}

#[test]
fn what_cannot_be_made_is_said() {
    let sage = Sage::new();
    again(&sage, "new llm --docs .").go().exits(1).says("--docs is for `new rag`");
    again(&sage, "new rag --docs nowhere").go().exits(1).says("cannot read the folder `nowhere`");
    std::fs::create_dir(sage.folder.path().join("empty")).unwrap();
    let made = again(&sage, "new rag early --docs empty").go().exits(0);
    made.says("warning: nothing can be searched in `empty` yet");
    again(&sage, "new nothing").go().exits(1).says("rag");
    assert!(!sage.folder.path().join("rag").exists());
}
