//! Filters of a search, from the settings of files to the answers of the built binary.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use crate::support::Sage;

const PROGRAM: &str = r#"
sage 1
type Query  { id: string @key, text: string, lang: string }
type Doc    { id: string @key, title: string, text: string, path: string, lang: string = "en", year: int? }
type Answer { id: string @key, mine: [string], guide: [string], old: [string] }
source queries: Query from csv("queries.csv")
index docs: Doc from markdown("notes")
sink answers: Answer to jsonl("answers.jsonl")
flow look {
  from queries
  stage mine  = search(docs, .text, k: 2, where: docs.lang == .lang)
  stage guide = search(docs, .text, k: 9, where: starts_with(docs.path, "guide/"))
  stage old   = search(docs, .text, where: (docs.year ?? 3000) < 2000)
  emit Answer { id: .id, mine: mine.id, guide: guide.id, old: old.id } into answers
}
"#;

#[test]
fn documents_are_left_out_before_they_are_ranked() {
    let mut sage = Sage::new()
        .file("look.sage", PROGRAM)
        .file("queries.csv", "id,text,lang\nq1,where are apples kept,de\nq2,apples kept,en\n");
    std::fs::create_dir_all(sage.folder.path().join("notes/guide")).unwrap();
    for number in 0..20 {
        let text = format!("# Apples {number}\n\nApples are kept in the cellar, all of them.\n");
        sage = sage.file(&format!("notes/{number:02}.md"), text);
    }
    let german =
        "---\nlang: de\nyear: 1999\n---\n# Kiste\n\nDie Kiste mit apples steht im Keller.\n";
    let guide = "---\nyear: 2020\n---\n# Cellar\n\nThe cellar is below the house and cool.\n";
    let sage = sage.file("notes/kiste.md", german).file("notes/guide/cellar.md", guide);
    let done = sage.args("run look.sage --workers 2 --out out").go().exits(0);
    let mut lines: Vec<serde_json::Value> = done
        .read("answers.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines.sort_by_key(|line| line["id"].to_string());
    let ids = |line: usize, name: &str| -> Vec<String> {
        let list = lines[line][name].as_array().unwrap();
        list.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(0, "mine"), ["kiste.md#kiste"]);
    assert_eq!(ids(1, "mine").len(), 2);
    assert!(ids(1, "mine").iter().all(|id| id.contains("#apples")));
    for line in 0..2 {
        assert!(ids(line, "guide").iter().all(|id| id == "guide/cellar.md#cellar"));
        assert_eq!(ids(line, "old"), ["kiste.md#kiste"]);
    }
}
