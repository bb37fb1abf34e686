//! What a fuzzer may throw at this crate, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

pub use crate::service::fuzzing::{service_body, service_bytes};

#[cfg(test)]
mod tests {
    use fuzz_input::try_all;

    #[test]
    fn a_body_is_a_sound_record_or_a_reason() {
        try_all("service_body", 2000, super::service_body);
    }

    #[test]
    fn any_bytes_of_a_client_are_answered_alike_however_they_come() {
        try_all("service_bytes", 600, super::service_bytes);
    }
}
