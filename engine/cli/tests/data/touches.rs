//! What `explain` tells of a program that somebody else wrote: all that a run would touch.

use crate::support::Sage;

const PROGRAM: &str = r#"sage 1
type Row { id: int @key, text: string }
type Other { id: int @key, name: string }
type Doc { id: string @key, title: string, text: string }
type Out { id: int, name: string, n: int }
prompt say(text: string) -> string """{{ text }}"""
endpoint far {
  url: "http://models.example:8000/v1", model: "m", api_key: env("FAR_KEY")
}
endpoint near { url: "sim:a100/qwen2.5-7b" }
source rows: Row from http_get("https://data.example/rows", token: env("DATA_TOKEN"))
source others: Other from csv("others.csv")
index docs: Doc from markdown("notes") { search: bm25 }
sink outs: Out to jsonl("sub/outs.jsonl")
sink there: Out to http_post("http://127.0.0.1:9/rows", token: env("POST_TOKEN"))
measure to csv("figures.csv") every 1s { latency }
flow f {
  from rows
  stage hits = search(docs, .text, k: 2)
  stage marked: string = exec("python3 mark.py", .text)
  stage asked: string = http("http://127.0.0.1:9/ask", .text) { token: env("ASK_TOKEN") }
  stage answer = generate(say(marked + asked)) on far { max_tokens: 8 }
  stage checked = generate(say(answer.text)) on near { max_tokens: 8 }
  join others on .id == others.id
  group by name: others.name { n: count() }
  emit Out { id: 1, name: .name, n: .n } into outs
  emit Out { id: 1, name: .name, n: .n } into there
}
"#;

#[test]
fn explain_ends_with_all_that_a_run_would_touch() {
    let mut sage =
        Sage::new().file("f.sage", PROGRAM).file("others.csv", "id,name\n").args("explain f.sage");
    for name in ["FAR_KEY", "DATA_TOKEN", "POST_TOKEN", "ASK_TOKEN"] {
        sage = sage.env(name, "sk-not-to-be-seen");
    }
    std::fs::create_dir(sage.folder.path().join("notes")).unwrap();
    std::fs::write(sage.folder.path().join("notes/a.md"), "# A\n\nWords.\n").unwrap();
    let done = sage.go().exits(0);
    let touches = done.stdout.split("\ntouches\n").nth(1).unwrap();
    let expected = [
        "reads others.csv (source others)",
        "asks https://data.example/rows with the value of DATA_TOKEN (source rows); --allow-http",
        "reads notes (index docs)",
        "calls http://models.example:8000/v1 with the value of FAR_KEY (endpoint far)",
        "calls a simulated server, a100/qwen2.5-7b (endpoint near)",
        "runs `python3 mark.py` (stage marked); --allow-exec",
        "sends to http://127.0.0.1:9/ask with the value of ASK_TOKEN (stage asked); --allow-http",
        "writes sub/outs.jsonl in the folder of the run (sink outs)",
        "sends to http://127.0.0.1:9/rows with the value of POST_TOKEN (sink there); --allow-http",
        "writes figures.csv in the folder of the run (measure)",
    ];
    for line in expected {
        assert!(touches.contains(line), "{line} is not in\n{touches}");
    }
    assert_eq!(touches.lines().count(), expected.len(), "{touches}");
    assert!(!done.stdout.contains("sk-not"), "{}", done.stdout);
}
