#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| sage_cluster::fuzzing::control_frames(input));
