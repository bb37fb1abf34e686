# What to do here; `just --list` shows it.

# Every check, as the build server runs them.
check:
    .ci/run

test:
    cargo test --workspace

# Nanoseconds per decision of each policy; the other figures are in benches/README.md.
bench:
    cargo bench -p sage-core --bench decide

# The ssh launcher on hosts made of network namespaces, one of which is cut off (needs root and sshd).
netns hosts="4":
    tests/netns/run.sh {{ hosts }}

# Run a pipeline: `just run pipelines/rag.sage --workers 16`.
run *arguments:
    cargo run --release -- run {{ arguments }}

# Licences, advisories and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check
