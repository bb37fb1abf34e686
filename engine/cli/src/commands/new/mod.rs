//! `new`: a pipeline to begin with, that runs as it is.

mod templates;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sage_dsl::types::Value;

use crate::exit::{Exit, usage};
use crate::program;
use templates::{File, Template};

const EXAMPLES: &str = "\
Examples:
  sage-flow new rag
  sage-flow new rag answers --docs ~/notes     (over Markdown files of your own)
  sage-flow new classify tickets

Each is a program with a little data and a README; it runs on the simulated model.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NewArguments {
    /// What to begin with
    #[arg(value_enum, value_name = "TEMPLATE")]
    template: Template,
    /// Folder of the new files [default: one with the name of the template]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Search the Markdown files of this folder (rag only)
    #[arg(long, value_name = "FOLDER")]
    docs: Option<PathBuf>,
}

/// The line of `rag.sage` that says which folder is searched.
const FOLDER_LINE: &str = "param folder: string = \"docs\"";

/// What its README says of that.
const README_FOLDER: &str = "passages of `docs`";
const README_LINE: &str =
    "For documents of your own change the line `param folder: string = \"docs\"`";

pub(crate) fn new(arguments: &NewArguments) -> anyhow::Result<Exit> {
    let template = arguments.template;
    let name = template.to_possible_value().map_or(String::new(), |it| it.get_name().to_owned());
    if arguments.docs.is_some() && template != Template::Rag {
        return Err(usage(format!("--docs is for `new rag`; `{name}` reads no documents")));
    }
    let docs = arguments.docs.as_deref().map(documents).transpose()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| PathBuf::from(&name));
    let files: Vec<&File> = templates::files(template)
        .iter()
        .filter(|file| docs.is_none() || !file.name.starts_with("docs/"))
        .collect();
    for file in &files {
        let path = folder.join(file.name);
        if path.symlink_metadata().is_ok() {
            return Err(usage(format!(
                "`{}` is there already, and nothing is overwritten; name another folder: `sage-flow \
                 new {name} OTHER`",
                path.display()
            )));
        }
    }
    for file in &files {
        let text = match &docs {
            Some(docs) if file.name == "rag.sage" => {
                file.text.replace(FOLDER_LINE, &format!("param folder: string = {}", quoted(docs)))
            }
            Some(docs) if file.name == "README.md" => {
                let own = file.text.replace(README_FOLDER, &format!("passages of `{docs}`"));
                own.replace(README_LINE, "For other documents change the line `param folder: ...`")
            }
            _ => file.text.to_owned(),
        };
        write(&folder.join(file.name), &text)?;
    }
    print!("{}", report(&name, &folder, &files)?);
    Ok(Exit::Complete)
}

/// The folder as a program anywhere may name it, if there is anything to search in it.
fn documents(folder: &Path) -> anyhow::Result<String> {
    let shown = folder.display();
    let absolute = folder
        .canonicalize()
        .map_err(|error| usage(format!("cannot read the folder `{shown}`: {error}")))?;
    if !absolute.is_dir() {
        return Err(usage(format!("`{shown}` is no folder; --docs wants one with Markdown files")));
    }
    let named = absolute
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| usage(format!("the path of `{shown}` is not UTF-8")))?;
    let read = sage_retrieval::documents::find("markdown").map(|markdown| {
        let path = markdown.signature.params[0].name.to_owned();
        (markdown.read)(&[(path, Value::String(named.clone()))])
    });
    if let Some(Err(error)) = read {
        eprintln!("warning: nothing can be searched in `{shown}` yet: {error}");
    }
    Ok(named)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Writes a file that is not there.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed =
        |error: std::io::Error| usage(format!("cannot write `{}`: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

/// What was made, and what comes next.
fn report(name: &str, folder: &Path, files: &[&File]) -> anyhow::Result<String> {
    let mut out = String::new();
    for file in files {
        writeln!(out, "made {}", folder.join(file.name).display())?;
    }
    let program = folder.join(format!("{name}.sage"));
    let compiled = program::compile(&program, &[])?;
    if compiled.failed() {
        program::show(&compiled);
        return Err(usage(format!("`{}` has mistakes", program.display())));
    }
    let program = program.display();
    writeln!(out, "\nnext:\n  sage-flow check {program}")?;
    writeln!(out, "  sage-flow test {program}")?;
    writeln!(out, "  sage-flow run {program} --out {}", folder.join("out").display())?;
    writeln!(out, "  sage-flow graph {program} > {}", folder.join("plan.svg").display())?;
    Ok(out)
}
