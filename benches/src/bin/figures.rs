//! `figures`: measure everything in turn and print one table.

fn main() -> anyhow::Result<()> {
    sage_benches::figures::main(&std::env::args().collect::<Vec<_>>())
}
