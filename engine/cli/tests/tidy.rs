//! The rules of the project that no compiler checks: how files look, which way the crates' arrows
//! point, and that what the documentation shows is what the binary does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Most lines of a source file, tests not counted.
const MOST_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything below `folder` that ends in `.extension`, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    ["dsl", "engine"].iter().flat_map(|folder| files(&root().join(folder), "rs")).collect()
}

fn is_test(path: &Path) -> bool {
    let inside = |part: &str| path.components().any(|component| component.as_os_str() == part);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    ["tests", "benches", "fuzz"].into_iter().any(inside)
        || stem == "tests"
        || stem.ends_with("_tests")
}

/// `README.md` and the pages of `docs`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    pages.extend(files(&root().join("docs"), "md"));
    pages
}

fn no_problems(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn source_files_begin_with_what_they_are_and_stay_short() {
    let marks = [concat!("db", "g!("), concat!("to", "do!("), concat!("FIX", "ME")];
    let mut problems = Vec::new();
    for path in sources() {
        let text = read(&path);
        let place = path.display();
        for (number, line) in (1..).zip(text.lines()) {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                problems.push(format!("{place}:{number}: `{mark}` is left over"));
            }
        }
        if is_test(&path) {
            continue;
        }
        if !text.starts_with("//!") {
            problems
                .push(format!("{place}: does not begin with `//!`, one sentence on what it is"));
        }
        let own = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        let lines = own.lines().count();
        if lines > MOST_LINES {
            problems.push(format!("{place}: {lines} lines, more than {MOST_LINES}; split it"));
        }
    }
    no_problems(&problems);
}

/// Names of a crate's normal dependencies, as `Cargo.toml` lists them.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in read(manifest).lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section == "dependencies" || section.ends_with(".dependencies");
            if let Some((before, name)) = section.split_once("dependencies.")
                && !before.ends_with('-')
            {
                found.insert(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            let name: String =
                line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            if !name.is_empty() {
                found.insert(name);
            }
        }
    }
    found
}

/// The shipped crates by name, each with its normal dependencies.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let engine = fs::read_dir(root().join("engine")).expect("engine");
    let engine = engine.map(|entry| entry.expect("an entry").path());
    for folder in engine.chain([root().join("dsl")]) {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let text = read(&manifest);
        let name = text.lines().find_map(|line| line.strip_prefix("name = "));
        let name = name.unwrap_or_else(|| panic!("{} has no name", manifest.display()));
        found.insert(name.trim_matches('"').to_owned(), dependencies(&manifest));
    }
    found
}

fn code_words(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_arrows_between_crates_are_those_of_the_architecture() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `sage-")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let name = code_words(cells[0]).pop_first().expect("a name");
        drawn.insert(name, code_words(cells.get(1).copied().unwrap_or_default()));
    }
    let real: BTreeMap<String, BTreeSet<String>> = crates()
        .into_iter()
        .map(|(name, all)| (name, all.into_iter().filter(|d| d.starts_with("sage-")).collect()))
        .collect();
    assert_eq!(drawn, real, "left: the table in ARCHITECTURE.md, right: the Cargo.toml files");
}

/// What each package in `Cargo.lock` depends on, by name; versions are joined.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in read(&root().join("Cargo.lock")).split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = "));
        let name = name.unwrap_or_default().trim_matches('"').to_owned();
        let list = package.split_once("dependencies = [").map_or("", |(_, list)| list);
        let names = list.lines().filter_map(|line| line.trim().strip_prefix('"'));
        let names = names.filter_map(|line| line.split([' ', '"']).next()).map(str::to_owned);
        found.entry(name).or_default().extend(names);
    }
    found
}

/// Everything `name` is built from.
fn closure(
    name: &str,
    crates: &BTreeMap<String, BTreeSet<String>>,
    locked: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        // Of the project's own crates the lock file lists what only their tests need, too.
        let of = crates.get(&name).or_else(|| locked.get(&name)).cloned().unwrap_or_default();
        open.extend(of.iter().filter(|next| !all.contains(*next)).cloned());
        all.extend(of);
    }
    all
}

#[test]
fn timely_and_tokio_do_not_meet_below_the_binary() {
    const TIMELY: [&str; 2] = ["timely", "differential-dataflow"];
    const HTTP: [&str; 4] = ["tokio", "hyper", "reqwest", "axum"];
    let (crates, locked) = (crates(), locked());
    let mut problems = Vec::new();
    for (name, banned) in [
        ("sage-dataflow", &HTTP[..]),
        ("sage-llm", &TIMELY[..]),
        // Its tunnels run on tokio; of HTTP it knows nothing.
        ("sage-cluster", &[TIMELY.as_slice(), &HTTP[1..]].concat()),
        ("sage-retrieval", &[TIMELY.as_slice(), &HTTP].concat()),
        ("sage-core", &[TIMELY.as_slice(), &HTTP].concat()),
        ("sage-dsl", &[TIMELY.as_slice(), &HTTP].concat()),
    ] {
        assert!(crates.contains_key(name), "there is no crate {name}");
        let all = closure(name, &crates, &locked);
        for banned in banned.iter().filter(|banned| all.contains(**banned)) {
            problems.push(format!("{name} is built from {banned}"));
        }
    }
    no_problems(&problems);
    let all = closure("sage-flow", &crates, &locked);
    assert!(TIMELY.iter().chain(&HTTP).all(|name| all.contains(*name)), "the binary has them all");
}

fn sage_flow(arguments: &[&str], folder: &Path, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sage-flow"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("SAGE_LLM_URL")
        .env("SAGE_STATE_DIR", folder.join(".state"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A program that reads no input may be gone before it is written.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the binary ends")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn everything_in_the_registries_is_documented() {
    let text: String = pages().iter().map(|page| read(page)).collect();
    let mut problems = Vec::new();
    for what in ["stages", "sources", "documents", "sinks", "policies", "profiles", "functions"] {
        let output = sage_flow(&["list", what, "--json"], &root(), "");
        assert!(output.status.success(), "list {what}: {}", said(&output));
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let listed = listed.as_array().expect("a list");
        assert!(!listed.is_empty(), "no {what}");
        for name in listed.iter().filter_map(|entry| entry["name"].as_str()) {
            if !text.contains(&format!("`{name}")) {
                problems.push(format!("{what}: neither README.md nor docs/*.md mentions `{name}`"));
            }
        }
    }
    no_problems(&problems);
}

/// A fenced block: what stands behind the fence, where it begins, its lines.
struct Block {
    info: String,
    line: usize,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(info) = content.strip_prefix("```") {
            inside = !inside;
            if inside {
                blocks.push(Block { info: info.to_owned(), line, text: String::new() });
            }
        } else if let (true, Some(block)) = (inside, blocks.last_mut()) {
            block.text += content;
            block.text.push('\n');
        }
    }
    blocks
}

/// Write each block to a file when its fence names one, as in "```csv data/queries.csv".
fn unpack(blocks: &[Block], folder: &Path) {
    for block in blocks {
        if let Some(name) = block.info.split_whitespace().nth(1) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, &block.text).expect("written");
        }
    }
}

#[test]
fn programs_in_the_documentation_are_right() {
    let mut problems = Vec::new();
    let (mut programs, mut tested) = (0, 0);
    for page in pages() {
        let blocks = blocks(&read(&page));
        let folder = tempfile::tempdir().expect("a folder");
        unpack(&blocks, folder.path());
        for block in blocks.iter().filter(|block| block.text.starts_with("sage 1\n")) {
            programs += 1;
            let place = format!("{}:{}", page.display(), block.line);
            if !block.info.starts_with("sage") {
                problems.push(format!("{place}: a program stands in a block marked `sage`"));
            }
            let name = block.info.split_whitespace().nth(1).unwrap_or("program.sage");
            fs::write(folder.path().join(name), &block.text).expect("written");
            let output = sage_flow(&["check", name], folder.path(), "");
            // What needs a feature is right as far as this build can tell.
            let checked = said(&output);
            let mut errors = checked.lines().filter(|line| line.starts_with("error"));
            let lacks = |line: &str| line.contains("this sage-flow was built without");
            if !output.status.success() && !errors.all(lacks) {
                problems.push(format!("{place}: {checked}"));
            }
            if block.text.contains("\ntest \"") {
                tested += 1;
                let output = sage_flow(&["test", name], folder.path(), "");
                if !output.status.success() {
                    problems.push(format!("{place}: {}", said(&output)));
                }
            }
        }
    }
    no_problems(&problems);
    assert!(programs > 1 && tested > 1, "{programs} programs found, {tested} with tests");
}

#[test]
fn programs_in_the_readme_run() {
    let blocks = blocks(&read(&root().join("README.md")));
    let folder = tempfile::tempdir().expect("a folder");
    unpack(&blocks, folder.path());
    let programs = blocks.iter().filter(|block| block.text.starts_with("sage 1\n"));
    for name in programs.filter_map(|block| block.info.split_whitespace().nth(1)) {
        let out = format!("out-{name}");
        let arguments = ["run", name, "--workers", "2", "--quiet", "--out", &out];
        let output = sage_flow(&arguments, folder.path(), "to be or not to be\nshort\n");
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
    }
}

/// Command lines of the binary in a page: in code spans, and alone on a line of a block.
fn commands(text: &str) -> Vec<String> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let lines: Vec<String> =
        blocks(text).iter().flat_map(|block| block.text.lines().map(str::to_owned)).collect();
    let ours = |line: &str| {
        let starts = ["sage-flow ", "cargo run --release -- "];
        starts.iter().find_map(|start| line.strip_prefix(start)).map(str::to_owned)
    };
    spans.chain(lines.iter().map(String::as_str)).filter_map(ours).collect()
}

#[test]
fn commands_in_the_documentation_exist() {
    let verbs = said(&sage_flow(&["--help"], &root(), ""));
    let mut problems = Vec::new();
    for page in pages().into_iter().chain([root().join("CONTRIBUTING.md")]) {
        for command in commands(&read(&page)) {
            let place = format!("{}: `sage-flow {command}`", page.display());
            let verb = command.split_whitespace().next().unwrap_or_default();
            if verb.starts_with('-') {
                continue;
            }
            if !verbs.lines().any(|line| line.split_whitespace().next() == Some(verb)) {
                problems.push(format!("{place}: there is no verb {verb}"));
                continue;
            }
            let help = said(&sage_flow(&[verb, "--help"], &root(), ""));
            for option in command.split_whitespace().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or(option);
                if !help.split([' ', ',', '\n']).any(|word| word == option) {
                    problems.push(format!("{place}: {verb} has no option {option}"));
                }
            }
        }
    }
    no_problems(&problems);
}

#[test]
fn the_script_of_the_checks_runs_the_test_command_of_the_readme() {
    let readme = read(&root().join("README.md"));
    let section = readme.split("\n## Test\n").nth(1).expect("README.md has a section `Test`");
    let command = blocks(section).swap_remove(0).text;
    let script = read(&root().join(".ci/run"));
    let runs = script.lines().any(|line| line.trim().trim_start_matches("step ") == command.trim());
    assert!(runs, ".ci/run does not run `{}`", command.trim());
}

#[test]
fn links_between_files_lead_somewhere() {
    let mut problems = Vec::new();
    let mut pages = pages();
    let names = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "experiments/README.md",
        "results/README.md",
    ];
    pages.extend(names.map(|name| root().join(name)));
    for page in pages {
        for target in read(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let folder = page.parent().expect("a folder");
            if !path.is_empty() && !path.contains("://") && !folder.join(path).exists() {
                problems.push(format!("{}: there is no {target}", page.display()));
            }
        }
    }
    no_problems(&problems);
}
