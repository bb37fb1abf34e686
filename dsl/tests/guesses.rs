//! First guesses of newcomers, one change of a program each: the message leads, there is one, and a
//! fix, where there is one, makes a program that is right or the line that was meant.

mod common;

use common::{compile_with, plain};

const BASE: &str = r#"sage 1
enum Kind { a, b }
type Rev { id: string @key, text: string, stars: int? }
type Out { id: string @key, n: int, s: string }
param p: int = 3
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "Qwen/Qwen2.5-7B-Instruct" }
source revs: Rev from csv("reviews.csv")
sink out: Out to csv("out.csv")
prompt kind_of(t: string) -> Kind """Which? {{ t }}"""
flow f {
  from revs
  stage k = generate(kind_of(.text)) on llm
  stage n = length(.text)
  emit Out { id: .id, n: n, s: .text } into out
}
"#;

#[test]
fn dump() {
    let Ok(path) = std::env::var("GUESSES") else { return };
    for line in std::fs::read_to_string(path).unwrap().lines().filter(|it| !it.trim().is_empty()) {
        let (a, b) = line.split_once(" ==> ").unwrap_or((line.trim_end_matches(" ==>"), ""));
        let (a, b) = (a.replace("\\n", "\n"), b.replace("\\n", "\n"));
        let text = match a.strip_prefix('+') {
            Some(more) => format!("{BASE}{more}{b}\n"),
            None => BASE.replacen(&a, &b, 1),
        };
        println!("###### {line}");
        let found = compile_with("x.sage", &text, &[], &[]);
        let shown: Vec<String> = plain(&found)
            .lines()
            .filter(|l| !l.starts_with("    at"))
            .map(|l| l.replace("x.sage:", ""))
            .collect();
        println!("{}", shown.join("\n"));
    }
}
