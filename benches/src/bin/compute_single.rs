//! The tool `compute_single` as a program of its own.

fn main() -> anyhow::Result<()> {
    sage_benches::tools::compute_single(&std::env::args().collect::<Vec<_>>())
}
