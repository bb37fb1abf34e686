//! The files for editors know the words of the language, and are what editors can read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn json(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join("editors/vscode").join(path)).expect(path);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words between the first brackets of a pattern.
fn words(pattern: &Value) -> BTreeSet<String> {
    let pattern = pattern.as_str().expect("a pattern");
    let list = pattern.split('(').find(|part| part.contains('|')).expect("a list");
    let list = list.split(')').next().expect("its end");
    list.split('|').map(str::to_owned).collect()
}

#[test]
fn the_colours_know_every_keyword() {
    let grammar = std::fs::read_to_string(root().join("dsl/src/grammar.pest")).expect("grammar");
    let keywords: BTreeSet<String> = grammar
        .lines()
        .filter(|line| line.starts_with("kw_"))
        .filter_map(|line| line.split('"').nth(1).map(str::to_owned))
        .collect();
    assert!(keywords.len() > 40, "{keywords:?}");
    let colours = json("syntaxes/sage.tmLanguage.json");
    let mut known = words(&colours["repository"]["declarations"]["match"]);
    known.extend(words(&colours["repository"]["keywords"]["match"]));
    assert_eq!(known, keywords, "left: the colours, right: grammar.pest");
}

#[test]
fn the_colours_have_what_they_refer_to() {
    let colours = json("syntaxes/sage.tmLanguage.json");
    let patterns = colours["patterns"].as_array().expect("patterns");
    for name in patterns.iter().filter_map(|pattern| pattern["include"].as_str()) {
        let name = name.trim_start_matches('#');
        assert!(colours["repository"][name].is_object(), "{name}");
    }
}

#[test]
fn the_extension_refers_to_its_files_and_starts_the_verb() {
    let manifest = json("package.json");
    let contributes = &manifest["contributes"];
    let files = [
        &manifest["main"],
        &contributes["grammars"][0]["path"],
        &contributes["languages"][0]["configuration"],
    ];
    for file in files.map(|file| file.as_str().expect("a path")) {
        assert!(root().join("editors/vscode").join(file).is_file(), "{file}");
    }
    json("language-configuration.json");
    let colours = json("syntaxes/sage.tmLanguage.json");
    assert_eq!(contributes["grammars"][0]["scopeName"], colours["scopeName"]);
    let script = std::fs::read_to_string(root().join("editors/vscode/extension.js")).expect("js");
    assert!(script.contains("args: [\"lsp\"]"));
}

#[test]
fn a_packed_extension_brings_what_it_needs() {
    let manifest = json("package.json");
    assert!(manifest["dependencies"].as_object().is_some_and(|needed| !needed.is_empty()));
    let left_out = std::fs::read_to_string(root().join("editors/vscode/.vscodeignore"));
    let left_out = left_out.expect(".vscodeignore");
    assert!(!left_out.contains("node_modules"), "its client of the protocol would be missing");
}
