//! The page of a code: what it means, and the same piece of a program wrong and mended.

use std::fmt::Write as _;

use sage_dsl::{Code, Within};

/// For a terminal.
pub(super) fn plain(code: &Code) -> String {
    let mut out = format!("{}: {}\n\n{}\n", code.code, code.title, code.explanation.trim());
    for (title, text) in examples(code) {
        let _ = writeln!(out, "\n{title}:\n  {}", text.replace('\n', "\n  "));
    }
    out
}

/// For the book.
pub(super) fn markdown(code: &Code) -> String {
    let explanation = code.explanation.trim();
    let mut out = format!("\n## {}: {}\n\n{explanation}\n", code.code, code.title);
    for (at, (title, text)) in examples(code).into_iter().enumerate() {
        // What is wrong is no program.
        let language = if at == 0 || code.within == Within::Command { "text" } else { "sage" };
        let _ = write!(out, "\n{title}:\n\n```{language}\n{text}\n```\n");
    }
    out
}

fn examples(code: &Code) -> [(String, &'static str); 2] {
    let place = match code.within {
        Within::File | Within::Declarations | Within::Command => "",
        Within::Steps | Within::Flow => ", in a flow",
        Within::Test => ", in a test",
        Within::Experiment => ", in an experiment",
    };
    [(format!("wrong{place}"), code.wrong), ("right".to_owned(), code.right)]
}

#[cfg(test)]
mod tests {
    use sage_dsl::{CODES, Request};

    use super::*;
    use crate::catalog::catalog;

    /// What the examples refer to.
    const AROUND: &str = r#"sage 1
enum Level { simple, hard }
type Query { id: string @key, text: string, priority: int = 0, level: Level = simple, tags: [string] = [], at: int = 0 }
type Doc { id: string @key, title: string, text: string }
type Answer { id: string @key, text: string }
type Count { n: int }
type Customer { id: string @key, name: string }
endpoint llm { url: "sim:a100/qwen2.5-7b" }
source queries: Query from csv("queries.csv")
source customers: Customer from csv("customers.csv")
index docs: Doc from markdown("docs") { embed: .text, search: bm25 }
sink answers: Answer to jsonl("answers.jsonl")
sink counts: Count to csv("counts.csv")
prompt level_of(question: string) -> Level """{{ question }}"""
prompt reply(question: string) -> string """{{ question }}"""
"#;

    const ASK: &str = r"
flow ask {
  from queries
  stage answer = generate(reply(.text)) on llm
  emit Answer { id: .id, text: answer.text } into answers
}
";

    const HASH: &str = r"
flow hash {
  from customers
  emit Answer { id: .id, text: .name } into answers
}
";

    /// Files that examples import.
    const FILES: &[(&str, &str)] = &[
        ("common.sage", "sage 1\nparam most: int = 3\n"),
        ("other.sage", "sage 1\nparam most: int = 4\n"),
        ("circle.sage", "sage 1\nimport \"example.sage\"\n"),
        ("work.sage", WORK),
        ("more/work.sage", WORK),
    ];

    const WORK: &str = "sage 1
type Row { id: string @key }
source rows: Row from csv(\"rows.csv\")
sink kept: Row to csv(\"kept.csv\")
flow work {
  from rows
  emit Row { id: .id } into kept
}
";

    fn program(code: &Code, piece: &str) -> String {
        match code.within {
            Within::File | Within::Command => piece.to_owned(),
            Within::Declarations => format!("{AROUND}{ASK}{piece}\n"),
            Within::Steps => format!(
                "{AROUND}flow ask {{\n  from queries\n{piece}\n  emit Answer {{ id: .id, text: .text \
                 }} into answers\n}}\n"
            ),
            Within::Flow => format!("{AROUND}flow ask {{\n{piece}\n}}\n"),
            Within::Test => format!("{AROUND}{ASK}test \"t\" {{\n{piece}\n}}\n"),
            Within::Experiment => format!("{AROUND}{ASK}{HASH}experiment e {{\n{piece}\n}}\n"),
        }
    }

    /// What is found in a program; that a piece does not use all that is around it says nothing.
    fn found(code: &Code, piece: &str) -> Vec<String> {
        let text = program(code, piece);
        let catalog = catalog();
        let compiled = sage_dsl::compile(Request {
            path: "example.sage",
            text: &text,
            overrides: &[],
            env: &|_| None,
            load: &|wanted| {
                if wanted == "example.sage" {
                    return Ok(text.clone());
                }
                let file = FILES.iter().find(|(path, _)| *path == wanted);
                file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
            },
            catalog: &catalog,
        });
        compiled
            .diagnostics
            .iter()
            .filter(|found| found.code == code.code || !["S0407", "S0409"].contains(&found.code))
            .map(|found| format!("{} {}", found.code, found.message))
            .collect()
    }

    /// Found by a run only.
    const OF_A_RUN: &str = "S0706";

    #[test]
    fn the_wrong_example_of_a_code_gives_it_and_the_right_one_gives_none() {
        let mut shown = 0;
        let mut mistakes = Vec::new();
        for code in CODES.iter().filter(|code| code.within != Within::Command) {
            shown += 1;
            let (wrong, right) = (found(code, code.wrong), found(code, code.right));
            let own = wrong.iter().any(|found| found.starts_with(code.code));
            let others = wrong.iter().any(|found| !found.starts_with(code.code));
            if (!own || others) && code.code != OF_A_RUN {
                mistakes.push(format!("{} wrong gives {wrong:#?}", code.code));
            }
            if !right.is_empty() {
                mistakes.push(format!("{} right gives {right:#?}", code.code));
            }
        }
        assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
        assert!(shown > 100, "{shown}");
    }

    #[test]
    fn every_page_says_what_and_why_and_shows_both() {
        for code in CODES {
            assert!(code.explanation.len() >= 120, "{}: {}", code.code, code.explanation);
            let pages = [plain(code), markdown(code)];
            for page in pages {
                assert!(page.contains("wrong") && page.contains("right"), "{page}");
                let first = code.wrong.lines().next().unwrap_or_default();
                assert!(page.contains(first), "{page}");
            }
        }
    }
}
