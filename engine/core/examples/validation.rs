//! Prints the model of vLLM against published measurements, as a Markdown table.

#![allow(clippy::print_stdout, reason = "its purpose")]

fn main() {
    print!("{}", sage_core::vllm::validation::markdown(&sage_core::vllm::validation::validation()));
}
