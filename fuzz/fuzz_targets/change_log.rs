#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| sage_dataflow::fuzzing::change_log(input));
