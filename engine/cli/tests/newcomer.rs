//! The path of a newcomer, as `docs/newcomer.md` tells it, done again command by command.
//!
//! `UPDATE_PAGES=1` writes what the commands say into the page; read it before it is kept.

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{STATE, Sage};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/newcomer.md")
}

/// What a command says, both streams as a terminal shows them.
fn said(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_sage-flow"));
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("({command}) 2>&1")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", binary.parent().unwrap().display()))
        .env("SAGE_STATE_DIR", folder.join(STATE))
        .env("NO_COLOR", "1")
        .env_remove("SAGE_LLM_URL")
        .env_remove("SAGE_FLOW_JOB")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The page with the answers of its commands, as they are now.
fn walked(text: &str) -> (String, usize) {
    let sage = Sage::new();
    let folder = sage.folder.path();
    let mut out = String::new();
    let mut commands = 0;
    let mut block: Option<(&str, String)> = None;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(info)) => {
                writeln!(out, "{line}").unwrap();
                block = Some((info, String::new()));
            }
            (Some((info, body)), Some(_)) => {
                if *info == "console" {
                    for command in body.lines().filter_map(|line| line.strip_prefix("$ ")) {
                        commands += 1;
                        let said = said(command, folder);
                        let tidy: Vec<&str> = said.lines().map(str::trim_end).collect();
                        writeln!(out, "$ {command}").unwrap();
                        tidy.iter().for_each(|line| writeln!(out, "{line}").unwrap());
                    }
                } else {
                    if let Some(name) = info.split(' ').nth(1) {
                        let path = folder.join(name);
                        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                        std::fs::write(path, &*body).unwrap();
                    }
                    out.push_str(body);
                }
                writeln!(out, "{line}").unwrap();
                block = None;
            }
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => writeln!(out, "{line}").unwrap(),
        }
    }
    (out, commands)
}

#[test]
fn the_path_of_a_newcomer_is_as_the_page_tells_it() {
    let told = std::fs::read_to_string(page()).unwrap();
    let (now, commands) = walked(&told);
    assert!(commands >= 15, "{commands}");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(page(), &now).unwrap();
        return;
    }
    assert_eq!(told, now, "left: the page, right: what happens; UPDATE_PAGES=1 takes it over");
    for code in ["S0203", "S0303", "S0201"] {
        assert!(now.contains(&format!("error[{code}]")), "{code} is not met");
    }
    assert!(now.contains("flow rag is right"));
}
