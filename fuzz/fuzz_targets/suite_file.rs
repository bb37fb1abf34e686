#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| sage_flow::fuzzing::suite_file(input));
