//! The tool `make_rows` as a program of its own.

fn main() -> anyhow::Result<()> {
    sage_benches::tools::make_rows(&std::env::args().collect::<Vec<_>>())
}
