//! The tool `direct_loop` as a program of its own.

fn main() -> anyhow::Result<()> {
    sage_benches::tools::direct_loop(&std::env::args().collect::<Vec<_>>())
}
