//! The verbs of writing a program, on the built binary: `fmt`, `check --fix`, `check --format json`
//! and `completions`.

mod support;

use serde_json::Value;
use support::{Sage, again};

/// Right, and laid out in no way at all.
const LOOSE: &str = "sage 1
param   least:int=2
type Query{id:string@key,text:string}
type Size {id:string@key,n:int}
source queries:Query from csv(\"queries.csv\")
sink sizes:Size to csv(\"sizes.csv\") // the sizes
flow sizes_of{
from queries
   where length( .text )>least
stage n=length(.text)
emit Size{id:.id,n:n} into sizes
}
";

/// One letter wrong in each line that ends in a comment.
const MISSPELT: &str = "sage 1
type Query { id: string @key, text: string }
type Answer { id: string @key, text: strin }  // built-in type
source queries: Query from cvs(\"queries.csv\") // source
sink answers: Anser to jsonl(\"answers.jsonl\") // declared type
index docs: Query from jsonl(\"docs.jsonl\") { embed: .text }
endpoint llm { url: \"sim:a100/qwen2.5-7b\", concurency: 4 } // option of an endpoint
flow ask {
  from qeries // source by name
  where length(.txt) > 2 // field of the record
  stage hits = search(docs, .text, kk: 3) // parameter
  stage best = rerank(hit, .text) // stage
  stage answer = generate(best[0].text ?? .text) on lm { max_token: 8 } // endpoint and option
  emit Answer { id: .id, txt: answer.txt } into answer // fields and sink
}
schedule { policy: fifoo } // policy
";

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn fmt_writes_the_usual_layout_and_then_has_nothing_to_do() {
    let first = Sage::new().file("a.sage", LOOSE);
    again(&first, "fmt a.sage").go().exits(0).says("a.sage: formatted");
    let text = std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap();
    assert!(text.contains("\n  where length(.text) > least\n"), "{text}");
    assert!(text.contains("\nsink sizes: Size to csv(\"sizes.csv\") // the sizes\n"), "{text}");
    let second = again(&first, "fmt a.sage").go().exits(0);
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("", ""));
    again(&first, "fmt --check a.sage").go().exits(0);
    // As a filter it gives the same text, and reads no file.
    let filter = Sage::new().args("fmt -").stdin(LOOSE).go().exits(0);
    assert_eq!(filter.stdout, text);
}

#[test]
fn fmt_check_shows_what_would_change_and_writes_nothing() {
    let first = Sage::new().file("a.sage", LOOSE).file("b.sage", "sage 1\n");
    let done = again(&first, "fmt --check a.sage b.sage").go().exits(1);
    assert!(done.stdout.contains("-stage n=length(.text)\n"), "{}", done.stdout);
    assert!(done.stdout.contains("+  stage n = length(.text)\n"), "{}", done.stdout);
    assert!(!done.stdout.contains("b.sage"), "{}", done.stdout);
    done.says("1 of 2 files would change");
    assert_eq!(std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap(), LOOSE);
}

#[test]
fn fmt_leaves_what_it_cannot_read_and_goes_on_with_the_rest() {
    let broken = "sage 1\nflow f {\n   from  queries\n";
    let first = Sage::new().file("broken.sage", broken).file("a.sage", LOOSE);
    again(&first, "fmt broken.sage a.sage")
        .go()
        .exits(1)
        .says("error[S0102]")
        .says("broken.sage: left as it is, for its mistakes")
        .says("a.sage: formatted");
    let left = std::fs::read_to_string(first.folder.path().join("broken.sage")).unwrap();
    assert_eq!(left, broken);
    Sage::new().args("fmt none.sage").go().exits(1).says("none.sage");
}

#[test]
fn check_fix_corrects_misspelt_names_of_every_kind() {
    let first = Sage::new()
        .file("a.sage", MISSPELT)
        .file("queries.csv", "id,text\n")
        .file("docs.jsonl", "{\"id\": \"d1\", \"text\": \"tasks\"}\n");
    let before = again(&first, "check a.sage --format json").go().exits(1);
    let mistakes = json(&before.stdout);
    assert!(mistakes.len() >= 8, "{}", before.stdout);
    again(&first, "check a.sage --fix").go().exits(0).says(" fixes");
    let text = std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap();
    for part in [
        "text: string }  //",
        "from csv(",
        "answers: Answer to",
        "concurrency: 4",
        "from queries //",
        "length(.text) > 2",
        "k: 3)",
        "rerank(hits, .text)",
        "on llm { max_tokens: 8 }",
        "text: answer.text } into answers //",
        "policy: fifo }",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    // Nothing else was touched: line for line, only words differ.
    assert_eq!(text.lines().count(), MISSPELT.lines().count());
    again(&first, "check a.sage --fix").go().exits(0);
    assert_eq!(std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap(), text);
}

#[test]
fn check_fix_renames_a_type_wherever_it_stands() {
    let text = "sage 1\ntype ticket { id: string @key, text: string }\nsource tickets: ticket from \
                csv(\"t.csv\")\nsink done: ticket to csv(\"done.csv\")\nflow f {\n  from tickets\n  where \
                .text != \"ticket\" && .id != \"\"\n  emit ticket { id: .id, text: .text } into \
                done\n}\ntest \"one\" {\n  given ticket { id: \"1\", text: \"a ticket\" }\n  expect \
                done.count == 1\n}\n";
    let first = Sage::new().file("a.sage", text).file("t.csv", "id,text\n");
    let before = again(&first, "check a.sage --format json").go().exits(1);
    let named = json(&before.stdout).into_iter().find(|it| it["code"] == "S0112").unwrap();
    assert_eq!(named["fix"]["besides"].as_array().unwrap().len(), 4, "{named}");
    again(&first, "check a.sage --fix").go().exits(0);
    let text = std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap();
    assert_eq!(text.matches("Ticket").count(), 5, "{text}");
    assert!(text.contains("where .text != \"ticket\" and .id != \"\""), "{text}");
    again(&first, "test a.sage").go().exits(0);
}

#[test]
fn check_names_all_data_that_is_not_there_at_once() {
    let text = "sage 1\ntype Row { id: string @key, text: string }\nsource rows: Row from \
                csv(\"rows.csv\")\nsource more: Row from jsonl(\"more.jsonl\")\nsource idle: Row from \
                csv(\"idle.csv\")\nindex docs: Row from jsonl(\"docs.jsonl\")\nsink out to \
                jsonl(\"out.jsonl\")\nflow f {\n  from rows\n  stage hits = search(docs, .text, k: 1)\n  \
                join more on .id == more.id\n  emit { id: .id, hits: hits.id } into out\n}\n";
    let first = Sage::new().file("a.sage", text).file("docs.jsonl", "");
    let done = again(&first, "check a.sage").go().exits(1);
    for part in ["S0512", "cannot open `rows.csv`", "a.sage:3:27", "cannot open `more.jsonl`"] {
        assert!(done.stderr.contains(part), "`{part}` is not in\n{}", done.stderr);
    }
    assert_eq!(done.stderr.matches("error[").count(), 2, "{}", done.stderr);
    let ran = again(&first, "run a.sage --out out").go().exits(1);
    for part in ["S0512", "cannot open `rows.csv`", "a.sage:3:27", "cannot open `more.jsonl`"] {
        assert!(ran.stderr.contains(part), "`{part}` is not in\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("`a.sage` has 2 mistakes"), "{}", ran.stderr);
}

#[test]
fn data_in_another_case_is_known_and_mended() {
    let text = "sage 1\ntype Row { id: string @key }\nsource rows: Row from csv(\"Rows.csv\")\n\
                sink out: Row to csv(\"out.csv\")\nflow f {\n  from rows\n  emit Row { id: .id } into \
                out\n}\n";
    let first = Sage::new().file("a.sage", text).file("rows.csv", "id\n1\n");
    again(&first, "run a.sage --out out").go().exits(1).says("write `\"rows.csv\"`");
    again(&first, "check a.sage --fix").go().exits(0);
    let mended = std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap();
    assert_eq!(mended, text.replace("Rows.csv", "rows.csv"));
}

#[test]
fn check_fix_says_what_is_left_to_do_in_other_files() {
    let types = "sage 1\ntype row { id: string @key }\n";
    let program = "sage 1\nimport \"types.sage\"\nsource rows: row from csv(\"rows.csv\")\nsink out: row \
                   to csv(\"out.csv\")\nflow f {\n  from rows\n  emit row { id: .id } into out\n}\n";
    let first = Sage::new()
        .file("types.sage", types)
        .file("a.sage", program)
        .file("b.sage", "sage 1\nimport \"other.sage\"\n")
        .file("rows.csv", "id\n1\n");
    let waits = "types.sage: 1 fix waits in this imported file: `sage-flow check --fix types.sage`";
    again(&first, "check --fix a.sage").go().exits(1).says(waits);
    let told = again(&first, "check --fix types.sage").go().exits(0);
    assert!(told.stderr.contains("a.sage:3: still says `row`"), "{}", told.stderr);
    assert!(!told.stderr.contains("b.sage"), "{}", told.stderr);
    again(&first, "check --fix a.sage").go().exits(0);
    let read = |name: &str| std::fs::read_to_string(first.folder.path().join(name)).unwrap();
    assert_eq!(read("types.sage"), types.replace("row", "Row"));
    assert_eq!(read("a.sage"), program.replace(": row", ": Row").replace("emit row", "emit Row"));
}

#[test]
fn check_fix_leaves_what_is_not_for_a_tool_to_decide() {
    let text = "sage 1\ntype T { id: string @key, first: int, fist: int }\nsource s: T from csv(\"s.csv\")\n\
                sink o: T to csv(\"o.csv\")\nflow f {\n  from s\n  emit T { id: .id, first: .firt, \
                fist: .fist } into o\n}\n";
    let first = Sage::new().file("a.sage", text).file("s.csv", "id,first,fist\n");
    again(&first, "check a.sage --fix").go().exits(1).says("did you mean `first` or `fist`?");
    assert_eq!(std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap(), text);
}

#[test]
fn check_fix_writes_nothing_behind_what_cannot_be_read() {
    // The quotes of the prompt lack one, so its prose looks like a program.
    let text =
        MISSPELT.replacen("sage 1\n", "sage 1\nprompt p() \"\"Don't say 'no' && rest\"\"\"\n", 1);
    let first = Sage::new().file("a.sage", &text).file("queries.csv", "id,text\n");
    again(&first, "check a.sage --fix").go().exits(1).says("cannot be read");
    assert_eq!(std::fs::read_to_string(first.folder.path().join("a.sage")).unwrap(), text);
}

#[test]
fn check_writes_what_it_found_as_json() {
    let first = Sage::new().file("a.sage", MISSPELT);
    let done = again(&first, "check a.sage --format json").go().exits(1);
    let found = json(&done.stdout);
    let policy = found.iter().find(|it| it["message"] == "unknown policy `fifoo`").unwrap();
    assert_eq!(policy["code"], "S0212");
    assert_eq!(policy["severity"], "error");
    assert_eq!((policy["line"].as_u64(), policy["column"].as_u64()), (Some(16), Some(20)));
    assert_eq!(policy["file"], "a.sage");
    assert_eq!(policy["help"], "did you mean `fifo`?");
    assert_eq!(policy["fix"]["replacement"], "fifo");
    let span = &policy["fix"]["span"];
    let place = span["start"].as_u64().unwrap() as usize..span["end"].as_u64().unwrap() as usize;
    assert_eq!(&MISSPELT[place], "fifoo");
    // A program that is right is an empty list, and nothing else stands beside it.
    let right = Sage::new().file("a.sage", LOOSE).file("queries.csv", "id,text\n");
    let done = right.args("check a.sage --format json").go().exits(0);
    assert_eq!(json(&done.stdout), Vec::<Value>::new());
}

#[test]
fn one_mistake_of_syntax_is_one_message() {
    for line in [
        "retry: backoff(max: 4, cap:=10s), url: \"sim:a100/qwen2.5-7b\"",
        "url: [\"sim:a100/qwen2.5-7b\",=\"sim:a100/qwen2.5-7b\"], concurrency: 2",
    ] {
        let text = format!("sage 1\nendpoint llm {{ {line} }}\n");
        let done = Sage::new().file("a.sage", &text).args("check a.sage --format json").go();
        let found = json(&done.stdout);
        let syntax: Vec<&Value> = found.iter().filter(|it| it["code"] == "S0101").collect();
        assert_eq!(syntax.len(), 1, "{line}: {}", done.stdout);
    }
}

#[test]
fn completions_are_scripts_that_know_the_verbs() {
    for (shell, mark) in [
        ("bash", "_sage__flow()"),
        ("zsh", "#compdef sage-flow"),
        ("fish", "complete -c sage-flow"),
    ] {
        let done = Sage::new().args(&format!("completions {shell}")).go().exits(0);
        assert!(done.stdout.contains(mark), "{shell}: {mark}");
        for verb in ["run", "check", "experiment", "completions"] {
            assert!(done.stdout.contains(verb), "{shell}: {verb}");
        }
    }
    let fish = Sage::new().args("completions fish").go().stdout;
    assert!(fish.contains("using_subcommand list\" -f -a policies"), "values of arguments");
    let bash = Sage::new().args("completions bash").go().stdout;
    let script = Sage::new().file("sage.bash", &bash);
    let status = std::process::Command::new("bash")
        .args(["-n", "sage.bash"])
        .current_dir(script.folder.path())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "bash cannot read the script");
    Sage::new().args("completions tcsh").go().exits(1);
}
