//! What a fuzzer may throw at this crate, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

use std::path::Path;

pub use crate::commit::fuzzing::{commit_files, commit_record, read_log};
pub use crate::sources::fuzzing::{csv_rows, jsonl_rows, topic_messages};

/// A file of arrival times: either an error that names a line, or times in order, and as many as
/// there are lines that say something.
pub fn trace(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.txt");
    std::fs::write(&path, input).expect("a file");
    match crate::arrivals::read_trace(Path::new(&path)) {
        Ok(times) => {
            assert!(times.is_sorted());
            let text = std::str::from_utf8(input).expect("it was read as text");
            let lines = text.lines().map(str::trim);
            let said = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            assert_eq!(times.len(), said);
        }
        Err(why) => assert!(why.to_string().contains("trace.txt"), "{why}"),
    }
}

#[cfg(test)]
mod tests {
    use fuzz_input::try_all;

    #[test]
    fn rows_of_sources_are_read_or_said_to_be_bad() {
        try_all("csv_rows", 600, super::csv_rows);
        try_all("jsonl_rows", 600, super::jsonl_rows);
        try_all("topic_messages", 400, super::topic_messages);
    }

    #[test]
    fn arrival_times_are_in_order_or_an_error() {
        try_all("trace", 400, super::trace);
    }

    #[test]
    fn a_record_of_commits_means_one_thing_or_nothing() {
        try_all("commit_record", 2000, super::commit_record);
    }

    #[test]
    fn files_of_commits_give_what_was_committed_or_an_error() {
        try_all("commit_files", 60, super::commit_files);
    }

    #[test]
    fn the_log_of_what_was_read_is_what_was_written_or_an_error() {
        try_all("read_log", 600, super::read_log);
    }
}
