//! `sage-flow lsp` over real messages: what an editor sends and what it gets.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/editor.rs"]
mod editor;
mod support;

use editor::Editor;
use serde_json::{Value, json};
use support::Sage;

const PROGRAM: &str = "sage 1
/// How many documents are found.
param top_k: int = 3
type Query { id: string @key, text: string }
type Doc { id: string @key, title: string, text: string }
type Answer { id: string @key, text: string }
enum Level { low, high }
endpoint llm { url: \"sim:a100/qwen2.5-7b\" }
source queries: Query from csv(\"queries.csv\")
index docs: Doc from jsonl(\"docs.jsonl\") { embed: .text }
sink answers: Answer to jsonl(\"answers.jsonl\")
prompt reply(context: string, question: string) -> string \"\"\"
  Grüße 🦀 {{ context }} {{ question }}
\"\"\"
flow ask {
  from queries
  where .text != \"ä🦀\" and length(.text) > top_k
  stage hits = search(docs, .text, k: top_k)
  stage best = rerank(hits, .text, keep: 2)
  stage answer = generate(reply(join(best.text, \" \"), .text)) on llm { max_tokens: 8 }
  emit Answer { id: .id, text: answer.text } into answers
}
";

#[test]
fn mistakes_are_shown_when_a_text_is_opened_and_when_it_changes() {
    let mut editor = Editor::of(PROGRAM);
    assert_eq!(editor.findings(), Vec::<Value>::new());
    let broken = PROGRAM.replace("max_tokens: 8", "/*🦀*/ max_tokns: 8").replace("/*🦀*/ ", "");
    editor.change(&broken);
    let found = editor.findings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["code"], "S0207");
    assert_eq!(found[0]["severity"], 1);
    assert_eq!(found[0]["range"]["start"], editor.place("max_tokns", 0));
    assert_eq!(found[0]["range"]["end"], editor.place("max_tokns", 9));
    assert!(found[0]["message"].as_str().unwrap().contains("did you mean `max_tokens`?"));
    // A mistake behind characters of several bytes and units.
    editor.change(&PROGRAM.replace("length(.text) > top_k", "length(.txt) > top_k"));
    let found = editor.findings();
    assert_eq!(found[0]["range"]["start"], editor.place(".txt", 1));
    editor.change(PROGRAM);
    assert_eq!(editor.findings(), Vec::<Value>::new());
    editor.end();
}

#[test]
fn a_change_of_a_part_is_made_at_its_place() {
    let mut editor = Editor::of(PROGRAM);
    editor.findings();
    let range = json!({
        "start": editor.place("top_k\n  stage", 0), "end": editor.place("top_k\n  stage", 5),
    });
    editor.version += 1;
    let params = json!({
        "textDocument": { "uri": editor.uri, "version": editor.version },
        "contentChanges": [{ "range": range, "text": "topk" }],
    });
    editor.tell("textDocument/didChange", params);
    editor.text = PROGRAM.replace("> top_k", "> topk");
    let found = editor.findings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["range"]["start"], editor.place("topk", 0));
    editor.end();
}

#[test]
fn hover_says_what_a_name_is() {
    let mut editor = Editor::of(PROGRAM);
    for (part, into, said) in [
        ("hits, .text", 1, "stage hits: [DocHit]"),
        ("> top_k", 3, "param top_k: int"),
        ("> top_k", 3, "How many documents are found."),
        ("docs, .text", 0, "index docs: Doc from jsonl"),
        ("llm { max", 1, "endpoint llm"),
        ("into answers", 6, "sink answers: Answer to jsonl"),
        (".text != ", 2, "field Query.text"),
        ("answer.text }", 9, "field Generated.text"),
        ("{{ question", 5, "parameter question"),
        ("Query from", 2, "type Query { id: string @key"),
        ("search(", 2, "`k`"),
        ("rerank(", 2, "`keep`: int"),
        ("generate(", 2, "options"),
        ("keep: 2", 1, "`keep`"),
        ("max_tokens", 3, "`max_tokens`"),
        ("length(", 2, "length("),
        ("csv(", 1, "csv"),
    ] {
        let text = editor.hover(part, into);
        assert!(text.contains(said), "{part}: `{said}` is not in\n{text}");
    }
    assert_eq!(editor.hover("sage 1", 5), "");
    editor.end();
}

#[test]
fn completion_offers_what_fits_the_place() {
    let mut editor = Editor::of(PROGRAM);
    let step = "  emit Answer { id: .id, text: answer.text } into answers\n";
    let mut with = |line: &str, wanted: &[&str], unwanted: &[&str]| {
        editor.change(&PROGRAM.replace(step, &format!("  {line}\n{step}")));
        let labels = editor.labels(&format!("\n  {line}"));
        for name in wanted {
            assert!(labels.iter().any(|label| label == name), "{line}: no {name} in {labels:?}");
        }
        for name in unwanted {
            assert!(labels.iter().all(|label| label != name), "{line}: {name} in {labels:?}");
        }
    };
    with("stage x = ge", &["generate", "hits", "top_k", "length", "reply"], &["csv", "llm"]);
    with("stage x = hits.", &["id", "title", "text", "score"], &["generate", "top_k"]);
    with("stage x = hits.ti", &["title", "score"], &["generate"]);
    with("stage x = best[0].", &["title"], &["hits"]);
    with("stage x = .", &["id", "text"], &["title", "hits"]);
    with("where .te", &["text"], &["title"]);
    with("stage x = embed(.text) on ", &["llm"], &["docs", "queries"]);
    with(
        "stage x = generate(\"a\") on llm { ",
        &["max_tokens", "timeout", "lane"],
        &["url", "slots"],
    );
    with("stage x = generate(\"a\") on llm { lane: ", &["control", "batch"], &["llm"]);
    with("stage x = rerank(hits, .text, ke", &["keep", "hits"], &["max_tokens"]);
    with("emit Answer { ", &["id", "text"], &["title"]);
    with("emit Answer { id: .id } into ", &["answers"], &["queries", "docs"]);
    with("st", &["stage", "where", "emit", "route"], &["param", "hits"]);
    let mut outside = |line: &str, wanted: &[&str], unwanted: &[&str]| {
        editor.change(&format!("{PROGRAM}{line}"));
        let labels = editor.labels(line);
        for name in wanted {
            assert!(labels.iter().any(|label| label == name), "{line}: no {name} in {labels:?}");
        }
        for name in unwanted {
            assert!(labels.iter().all(|label| label != name), "{line}: {name} in {labels:?}");
        }
    };
    outside("schedule { policy: ", &["fifo", "load_aware"], &["generate"]);
    outside("schedule { sl", &["slots", "queue"], &["url"]);
    outside("endpoint other { ", &["url", "concurrency"], &["slots"]);
    outside("source more: ", &["Query", "Level", "string"], &["queries"]);
    outside("source more: Query from ", &["csv", "jsonl", "stdin"], &["markdown"]);
    outside("index more: Doc from ", &["markdown"], &["stdin"]);
    outside("sink more: Doc to ", &["jsonl", "tally"], &["markdown"]);
    outside("par", &["param", "flow"], &["stage"]);
    outside("// a comment ", &[], &["param"]);
    editor.end();
}

#[test]
fn names_are_found_where_they_are_declared_and_used() {
    let mut editor = Editor::of(PROGRAM);
    let params = editor.params("hits, .text", 1);
    let found = editor.ask("textDocument/definition", params.clone());
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["range"]["start"], editor.place("hits = ", 0));
    let mut params = params;
    params["context"] = json!({ "includeDeclaration": true });
    let found = editor.ask("textDocument/references", params);
    assert_eq!(found.as_array().unwrap().len(), 2);
    let mut params = editor.params("param top_k", 7);
    params["context"] = json!({ "includeDeclaration": false });
    let found = editor.ask("textDocument/references", params);
    assert_eq!(found.as_array().unwrap().len(), 2);
    editor.end();
}

#[test]
fn a_new_name_is_given_everywhere_and_not_to_two_things() {
    let mut editor = Editor::of(PROGRAM);
    let renamed = |editor: &mut Editor, part: &str, into: usize, new: &str| {
        let mut params = editor.params(part, into);
        params["newName"] = new.into();
        let edit = editor.ask("textDocument/rename", params);
        let uri = editor.uri.clone();
        editor.edited(&edit["changes"][uri])
    };
    assert_eq!(
        renamed(&mut editor, "question: string", 2, "q"),
        PROGRAM.replace("question", "q"),
        "in the template, too"
    );
    assert_eq!(renamed(&mut editor, "> top_k", 3, "k_most"), PROGRAM.replace("top_k", "k_most"));
    assert_eq!(renamed(&mut editor, "Answer to", 3, "Reply"), PROGRAM.replace("Answer", "Reply"));
    let wanted = PROGRAM.replace("hits", "found");
    assert_eq!(renamed(&mut editor, "hits = ", 0, "found"), wanted);
    for (part, new) in [
        ("hits = ", "best"),
        ("hits = ", "stage"),
        ("hits = ", "top_k"),
        ("hits = ", "a b"),
        ("hits = ", "Hits"),
        ("hits = ", ""),
        ("docs, .text", "queries"),
        ("title: string", "name"),
    ] {
        let mut params = editor.params(part, 1);
        params["newName"] = new.into();
        let response = editor.response("textDocument/rename", params);
        assert!(response.get("error").is_some(), "{part} as `{new}`: {response}");
    }
    let params = editor.params("sage 1", 5);
    assert_eq!(editor.ask("textDocument/prepareRename", params), Value::Null);
    editor.end();
}

#[test]
fn imported_files_take_part() {
    let shared = "sage 1\ntype Row { id: string @key }\nparam most: int = 3\n";
    let text = "sage 1\nimport \"shared.sage\"\nsource rows: Row from csv(\"r.csv\")\nsink out: Row to \
                csv(\"o.csv\")\nflow f {\n  from rows\n  where length(.id) < most\n  emit Row { id: .id \
                } into out\n}\n";
    let mut editor = Editor::start();
    let shared_path = editor.sage.folder.path().join("shared.sage");
    std::fs::write(&shared_path, shared).unwrap();
    editor.ask("initialize", json!({ "capabilities": {} }));
    editor.open(text);
    assert_eq!(editor.findings(), Vec::<Value>::new());
    let params = editor.params("most", 1);
    let found = editor.ask("textDocument/definition", params);
    assert!(found[0]["uri"].as_str().unwrap().ends_with("/shared.sage"), "{found}");
    assert_eq!(found[0]["range"]["start"], json!({ "line": 2, "character": 6 }));
    let mut params = editor.params("most", 1);
    params["newName"] = "limit".into();
    let edit = editor.ask("textDocument/rename", params);
    assert_eq!(edit["changes"].as_object().unwrap().len(), 2, "{edit}");
    // A change of the other text that is not saved counts.
    let uri = format!("file://{}", shared_path.display());
    let document = json!({
        "uri": uri, "languageId": "sage", "version": 1, "text": shared.replace("most", "least"),
    });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let found = loop {
        let found = editor.findings();
        if !found.is_empty() {
            break found;
        }
    };
    assert!(found[0]["message"].as_str().unwrap().contains("unknown name `most`"), "{found:?}");
    editor.end();
}

#[test]
fn layout_and_fixes_are_edits() {
    let loose = "sage 1\nparam   x:int=1 // ä🦀\nendpoint e{ url:\"sim:a100/qwen2.5-7b\" }\n";
    let mut editor = Editor::of(loose);
    let params = json!({
        "textDocument": { "uri": editor.uri }, "options": { "tabSize": 2, "insertSpaces": true },
    });
    let edits = editor.ask("textDocument/formatting", params.clone());
    assert_eq!(
        editor.edited(&edits),
        "sage 1\nparam x: int = 1 // ä🦀\nendpoint e { url: \"sim:a100/qwen2.5-7b\" }\n"
    );
    editor.change("flow {");
    assert_eq!(editor.ask("textDocument/formatting", params), Value::Null);
    editor.change(&PROGRAM.replace("!= \"ä🦀\" and length(.text)", "!= \"ä🦀\" and lenght(.text)"));
    let place = editor.place("lenght", 2);
    let params = json!({
        "textDocument": { "uri": editor.uri }, "range": { "start": place, "end": place },
        "context": { "diagnostics": [] },
    });
    let actions = editor.ask("textDocument/codeAction", params);
    assert_eq!(actions.as_array().unwrap().len(), 1, "{actions}");
    assert_eq!(actions[0]["title"], "Change `lenght` to `length`");
    let uri = editor.uri.clone();
    let edits = &actions[0]["edit"]["changes"][uri];
    assert_eq!(editor.edited(edits), PROGRAM);
    editor.end();
}

#[test]
fn what_is_no_message_does_not_end_the_session() {
    let mut editor = Editor::start();
    let early = editor.response("textDocument/hover", json!({}));
    assert_eq!(early["error"]["code"], -32002);
    editor.ask("initialize", json!({ "capabilities": {} }));
    for text in ["{", "[]", "42", "{\"jsonrpc\":\"2.0\"}", "\u{0}", "{\"id\":[],\"method\":3}"] {
        editor.raw(text);
        let answer = editor.receive();
        assert_eq!(answer["error"]["code"], -32700, "{text}: {answer}");
        assert_eq!(answer["id"], Value::Null);
    }
    let unknown = editor.response("textDocument/unheardOf", json!({}));
    assert_eq!(unknown["error"]["code"], -32601);
    let wrong = editor.response("textDocument/hover", json!({ "position": "here" }));
    assert_eq!(wrong["error"]["code"], -32602);
    editor.tell("textDocument/didOpen", json!({ "textDocument": 3 }));
    editor.tell("$/unheardOf", json!({}));
    let params = json!({
        "textDocument": { "uri": "file:///nowhere.sage" }, "position": { "line": 0, "character": 0 },
    });
    assert_eq!(editor.ask("textDocument/hover", params), Value::Null);
    editor.end();
}

#[test]
fn half_written_texts_are_answered() {
    let mut editor = Editor::of(PROGRAM);
    // As it is typed, and with pieces missing.
    let ends = (0..PROGRAM.len()).filter(|at| PROGRAM.is_char_boundary(*at)).step_by(17);
    for end in ends {
        editor.change(&PROGRAM[..end]);
        let document = json!({ "uri": editor.uri });
        let last = PROGRAM[..end].matches('\n').count();
        for character in [0, 7, 400] {
            let position = json!({ "line": last, "character": character });
            let params = json!({ "textDocument": document, "position": position });
            editor.ask("textDocument/completion", params.clone());
            editor.ask("textDocument/hover", params.clone());
            editor.ask("textDocument/definition", params);
        }
    }
    editor.end();
}

#[test]
fn the_end_of_the_input_ends_the_server() {
    let mut editor = Editor::of(PROGRAM);
    drop(editor.input);
    assert_eq!(editor.child.wait().unwrap().code(), Some(1));
    // A frame that cannot be one ends it with a word.
    let sage = Sage::new().args("lsp").stdin("Content-Length: 99999999999\r\n\r\n");
    sage.go().exits(2).says("at most");
}
