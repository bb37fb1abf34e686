//! Files that are none: a pipe that nobody writes to, a device that has no end. Whatever names them
//! is told so, at once; and a command that has much to read before it begins can be stopped.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::process::Command;

use support::{Sage, again, send, wait_until};

fn program(source: &str, more: &str) -> String {
    format!(
        r#"sage 1
{more}type Row {{ id: string @key }}
source rows: Row from {source}
sink outs: Row to jsonl("outs.jsonl")
flow f {{
  from rows
  emit Row {{ id: .id }} into outs
}}
"#
    )
}

fn with_pipe() -> Sage {
    let sage = Sage::new();
    let pipe = sage.folder.path().join("pipe.jsonl");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    sage
}

#[test]
fn sources_that_are_no_files_are_refused_before_they_are_opened() {
    for source in ["jsonl(\"pipe.jsonl\")", "csv(\"pipe.jsonl\")", "jsonl(\"/dev/zero\")"] {
        let sage = with_pipe().file("p.sage", program(source, ""));
        let sage = sage.file("t.sage", {
            program(source, "") + "test \"t\" {\n  given 2 of rows\n  expect dead == 0\n}\n"
        });
        let said = "is a pipe or a device, not a file";
        for command in ["check p.sage", "run p.sage --workers 1 --out out", "simulate p.sage"] {
            let done = again(&sage, command).go();
            let all = done.stdout.clone() + &done.stderr;
            // What data a program will have is not for `check` to say.
            let code = if command.starts_with("check") { done.code } else { Some(1) };
            assert!(done.code == code && all.contains(said), "{source} {command}\n{all}");
        }
        let done = again(&sage, "test t.sage").go();
        let all = done.stdout + &done.stderr;
        assert!(done.code != Some(0) && all.contains(said), "{source}\n{all}");
    }
}

#[test]
fn documents_that_are_no_files_are_refused() {
    let text = r#"sage 1
type Doc { id: string @key, text: string }
type Row { id: string @key }
index docs: Doc from jsonl("pipe.jsonl") { embed: .text, search: bm25 }
source rows: Row from generate(count: 1)
sink outs: Row to jsonl("outs.jsonl")
flow f {
  from rows
  stage near = search(docs, .id, k: 1)
  emit Row { id: .id } into outs
}
"#;
    let sage = with_pipe().file("p.sage", text);
    let done = again(&sage, "run p.sage --workers 1 --out out").go().exits(1);
    done.says("is a pipe or a device, not a file");
}

#[test]
fn programs_and_imports_are_files_and_no_larger_than_programs_are() {
    let large = format!("# {}\n", "x".repeat(1 << 20));
    for (name, said) in [
        ("pipe.jsonl", "it is a pipe or a device"),
        ("/dev/zero", "it is a pipe or a device"),
        ("large.sage", "it has more than 1048576 bytes"),
    ] {
        let text = program("generate(count: 1)", &format!("import \"{name}\"\n"));
        let sage = with_pipe().file("p.sage", text).file("large.sage", &large);
        let done = again(&sage, "check p.sage").go();
        let all = done.stdout + &done.stderr;
        assert!(done.code == Some(1) && all.contains(said), "{name}\n{all}");
    }
    let done = again(&with_pipe(), "check pipe.jsonl").go();
    let all = done.stdout + &done.stderr;
    assert!(done.code == Some(1) && all.contains("a program is a file"), "{all}");
}

#[test]
fn a_command_that_reads_before_it_begins_can_be_stopped() {
    // A file with a hole; to tell one run from another all of it is read.
    let sage = Sage::new().file("p.sage", program("jsonl(\"rows.jsonl\")", ""));
    let rows = sage.folder.path().join("rows.jsonl");
    std::fs::File::create(&rows).unwrap().set_len(1 << 40).unwrap();
    for signal in ["-INT", "-TERM"] {
        let child = again(&sage, "run p.sage --workers 1 --out out").start();
        let open = format!("/proc/{}/fd", child.id());
        wait_until(|| {
            let files = std::fs::read_dir(&open).into_iter().flatten().flatten();
            files.filter_map(|file| file.path().read_link().ok()).any(|file| file == rows)
        });
        send(signal, child.id());
        let done = sage.done(child.wait_with_output().unwrap());
        done.exits(130).says("interrupted before the run began");
    }
}

#[test]
fn a_folder_within_that_of_a_run_may_be_no_link() {
    let text = program("generate(count: 3)", "").replace("outs.jsonl", "sub/outs.jsonl");
    let sage = Sage::new().file("p.sage", text);
    let folder = sage.folder.path();
    again(&sage, "run p.sage --workers 1 --out out").go().exits(0);
    std::fs::create_dir(folder.join("elsewhere")).unwrap();
    std::fs::remove_dir_all(folder.join("out/sub")).unwrap();
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("out/sub")).unwrap();
    let done = again(&sage, "run p.sage --workers 1 --out out").go().exits(1);
    done.says("is a link, and the rows of `sub/outs.jsonl` would be written elsewhere");
    assert_eq!(std::fs::read_dir(folder.join("elsewhere")).unwrap().count(), 0);
}

#[test]
fn keys_are_warned_of_and_hidden_in_reports() {
    let text = r#"sage 1
param secret: string = env("MY_TOKEN", "")
param team: string = env("MY_TEAM", "none")
type Row { id: string @key }
source rows: Row from generate(count: 2)
sink outs: Row to jsonl("outs.jsonl")
flow f {
  from rows
  where .id != secret and .id != team
  emit Row { id: .id } into outs
}
"#;
    let sage = Sage::new().file("p.sage", text).env("MY_TOKEN", "open-sesame");
    let sage = sage.env("MY_TEAM", "search").args("run p.sage --workers 1 --out out");
    let done =
        sage.go().exits(0).says("S0502").says("what `MY_TOKEN` holds is written into the plan");
    assert!(!done.stderr.contains("MY_TEAM"), "{}", done.stderr);
    let params = |name: &str| {
        let text: serde_json::Value = serde_json::from_str(&done.read(name)).unwrap();
        text["params"].to_string()
    };
    for name in ["setup.json", "plan.json"] {
        let params = params(name);
        assert!(params.contains("***") && params.contains("search"), "{params}");
        assert!(!params.contains("open-sesame"), "{params}");
    }
    for (options, name) in [
        ("\"http://h:1/?a=1&api_key=x\"", "api_key"),
        ("\"http://h:1/\", header: \"X-Api-Key: x\"", "X-Api-Key"),
    ] {
        let text = program(&format!("http_get({options})"), "");
        let done = Sage::new().file("p.sage", text).args("check p.sage").go();
        let all = done.stdout + &done.stderr;
        assert!(
            all.contains("S0502") && all.contains(&format!("`{name}` looks like a key")),
            "{all}"
        );
    }
}

#[test]
fn what_a_run_left_is_read_only_from_files() {
    for (name, device) in [("pipe.jsonl", None), ("zero", Some("/dev/zero"))] {
        let sage = with_pipe().file("p.sage", program("jsonl(\"rows.jsonl\")", ""));
        let sage = sage.file("rows.jsonl", "{\"id\":\"a\"}\nno row\n");
        let folder = sage.folder.path().to_owned();
        again(&sage, "run p.sage --workers 1 --out out").go().exits(3);
        let special = folder.join(name);
        if let Some(device) = device {
            std::os::unix::fs::symlink(device, &special).unwrap();
        }
        let refused = |command: &str| {
            let done = again(&sage, command).go();
            let all = done.stdout + &done.stderr;
            assert!(done.code != Some(0) && all.contains("not a file"), "{command}\n{all}");
        };
        refused(&format!("retry {name} --program p.sage"));
        refused(&format!("run p.sage --out o --launcher ssh --hosts {name}"));
        for (file, commands) in [
            ("dead_letters.jsonl", ["retry out", "retry out/dead_letters.jsonl"]),
            ("plan.json", ["retry out", "replay out"]),
            ("setup.json", ["replay out", "replay out --json"]),
            ("tasks.csv", ["replay out", "replay out --json"]),
        ] {
            let path = folder.join("out").join(file);
            let kept = folder.join("kept");
            std::fs::rename(&path, &kept).unwrap();
            std::os::unix::fs::symlink(&special, &path).unwrap();
            commands.into_iter().for_each(refused);
            std::fs::rename(&kept, &path).unwrap();
        }
    }
}

#[test]
fn a_link_to_nowhere_is_called_that() {
    let sage = Sage::new().file("p.sage", program("jsonl(\"broken\")", ""));
    std::os::unix::fs::symlink("gone.jsonl", sage.folder.path().join("broken")).unwrap();
    let done = again(&sage, "check p.sage").go();
    let all = done.stdout + &done.stderr;
    assert!(all.contains("leads nowhere: `gone.jsonl`"), "{all}");
    assert!(!all.contains("capital"), "{all}");
}
