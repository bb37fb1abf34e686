#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| sage_llm::fuzzing::metrics_page(input));
