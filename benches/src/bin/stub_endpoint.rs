//! The tool `stub_endpoint` as a program of its own.

fn main() -> anyhow::Result<()> {
    sage_benches::tools::stub_endpoint(&std::env::args().collect::<Vec<_>>())
}
