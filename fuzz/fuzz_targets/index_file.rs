#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| sage_retrieval::fuzzing::index_file(input));
