//! The tool `codecs` as a program of its own.

fn main() -> anyhow::Result<()> {
    sage_benches::tools::codecs(&std::env::args().collect::<Vec<_>>())
}
