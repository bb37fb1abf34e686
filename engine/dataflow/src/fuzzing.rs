//! What a fuzzer may throw at this crate, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

use std::path::Path;

pub use crate::commit::fuzzing::{commit_files, commit_record, read_log};
pub use crate::sources::fuzzing::{csv_rows, jsonl_rows, topic_messages};

/// A file that changes, and who hears of the changes only.
pub fn change_feed(input: &[u8]) {
    crate::sources::change_feed(input);
}

/// The log of a source that is looked at again, under damage.
pub fn change_log(input: &[u8]) {
    crate::sources::change_log(input);
}

/// Any bytes as a Parquet file.
#[cfg(feature = "parquet")]
pub fn parquet_file(input: &[u8]) {
    crate::columns::fuzzing::parquet_file(input);
}

/// A page as people write them: title and text without ends that nobody sees, and no longer than the
/// page with all its entities. Read once more, as text, the words are the same.
pub fn html_page(input: &[u8]) {
    let html = String::from_utf8_lossy(input);
    let page = sage_core::text::page(&html);
    assert_eq!(page.text.trim(), page.text);
    assert!(page.text.len() <= 3 * html.len());
    let escaped = page.text.replace('&', "&amp;").replace('<', "&lt;");
    // A mark of byte order at the very beginning would be none of the text.
    let again = sage_core::text::page(&format!("begin {escaped}")).text;
    let words = again.split_whitespace().skip(1);
    assert!(words.eq(page.text.split_whitespace()), "{again}");
}

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
    fn changes_tell_what_is_there_and_their_log_what_was_told() {
        try_all("change_feed", 1500, super::change_feed);
        try_all("change_log", 300, super::change_log);
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn files_of_columns_are_rows_or_an_error() {
        try_all("parquet_file", 400, super::parquet_file);
    }

    #[test]
    fn any_page_is_read_as_a_reader_sees_it() {
        try_all("html_page", 2000, super::html_page);
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
