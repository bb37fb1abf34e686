#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| sage_http::fuzzing::service_bytes(input));
