//! The binary `sage-flow`; see the library.

fn main() -> std::process::ExitCode {
    sage_flow::main()
}
