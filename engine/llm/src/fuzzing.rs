//! What a fuzzer may throw at this crate, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

pub use crate::client::fuzzing::{client_answer, client_stream};
pub use crate::gateway::fuzzing::{failure_body, headers, metrics_page};
pub use crate::gateway::reuse::fuzzing::{kept_answer, kept_stream, request_body};
pub use crate::journal::fuzzing::journal_files;

#[cfg(test)]
mod tests {
    use fuzz_input::try_all;

    #[test]
    fn answers_are_whole_or_an_error() {
        try_all("client_answer", 2000, super::client_answer);
        try_all("failure_body", 1000, super::failure_body);
    }

    #[test]
    fn streams_are_read_alike_however_they_are_cut() {
        try_all("client_stream", 2000, super::client_stream);
    }

    #[test]
    fn what_is_kept_is_told_again() {
        try_all("kept_answer", 2000, super::kept_answer);
        try_all("kept_stream", 2000, super::kept_stream);
    }

    #[test]
    fn a_part_of_a_request_asks_for_that_part() {
        try_all("request_body", 2000, super::request_body);
    }

    #[test]
    fn headers_and_metrics_of_servers_stay_within_bounds() {
        try_all("headers", 2000, super::headers);
        try_all("metrics_page", 1000, super::metrics_page);
    }

    #[test]
    fn a_damaged_journal_never_alters_an_answer() {
        try_all("journal_files", 60, super::journal_files);
    }
}
