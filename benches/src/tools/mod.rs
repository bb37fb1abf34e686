//! The tools: each is a program of its own and, under the same name, a tool of `figures`.

mod codecs;
mod compute_single;
mod direct_loop;
mod load;
mod make_rows;
mod stub;

pub use codecs::main as codecs;
pub use compute_single::main as compute_single;
pub use direct_loop::main as direct_loop;
pub use load::main as load;
pub use make_rows::main as make_rows;
pub use stub::main as stub_endpoint;

#[cfg(feature = "codec-abomonation")]
pub(crate) use codecs::Carried;
pub(crate) use codecs::{Kind, Measured};

/// Start the tool called `name`; `args` begin with that name, as a program's do.
pub fn start(name: &str, args: &[String]) -> anyhow::Result<()> {
    match name {
        "codecs" => codecs(args),
        "compute_single" => compute_single(args),
        "direct_loop" => direct_loop(args),
        "load" => load(args),
        "make_rows" => make_rows(args),
        "stub_endpoint" => stub_endpoint(args),
        _ => anyhow::bail!("there is no tool `{name}`"),
    }
}

/// Print one JSON object as a line.
#[expect(clippy::print_stdout, reason = "a tool's result is its output")]
fn say(report: &serde_json::Value) -> anyhow::Result<()> {
    println!("{report}");
    Ok(std::io::Write::flush(&mut std::io::stdout())?)
}
