#![no_main]
// Panics within the crate that reads Parquet are caught and are errors; the hook of libFuzzer would
// end the process before that. What is not caught ends it all the same.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| {
        if !panic.location().is_some_and(|at| at.file().contains("/parquet-")) {
            eprintln!("{panic}");
        }
    })),
    |input: &[u8]| sage_dataflow::fuzzing::parquet_file(input)
);
