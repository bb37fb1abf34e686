//! Runs whose talk nobody hears: the standard error is closed, or takes nothing.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::support::{Sage, again};

const PROGRAM: &str = r#"sage 1
type Task { id: int @key }
source tasks: Task from generate(count: 60)
sink rows: Task to jsonl("rows.jsonl")
flow f {
  from tasks
  stage nap = sleep(5ms)
  emit Task { id: .id } into rows
}
"#;

fn sage() -> Sage {
    Sage::new().file("f.sage", PROGRAM).args("run f.sage --workers 2 --out out")
}

/// A pipe that is never read.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(OwnedFd::from(writer))
}

#[test]
fn a_run_that_nobody_listens_to_is_a_run_like_any_other() {
    for err in [closed(), Stdio::from(File::options().write(true).open("/dev/full").unwrap())] {
        let sage = sage();
        let status = sage.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(err).status();
        assert_eq!(status.unwrap().code(), Some(0));
        let listed = again(&sage, "jobs list").go().exits(0).stdout;
        assert!(listed.contains("complete") && !listed.contains("lost"), "{listed}");
        let done = again(&sage, "run f.sage --workers 2 --out out").go().exits(0);
        assert_eq!(done.lines("rows.jsonl").len(), 60);
    }
}

#[test]
fn what_takes_no_more_is_told_and_a_reader_that_has_seen_enough_is_not() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for (out, code, said) in [(full(), 2, "cannot be written"), (closed(), 141, "")] {
        let sage = Sage::new().args("list stages");
        let child = sage.command().stdout(out).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            if said.is_empty() { stderr.is_empty() } else { stderr.contains(said) },
            "{stderr}"
        );
    }
}
