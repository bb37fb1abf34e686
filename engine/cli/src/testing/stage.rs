//! Sets a test up: the records that are given lie in a file, and every sink writes lines that can
//! be read back with their types.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use bumpalo::Bump;
use sage_core::expr::{Program, Templates};
use sage_core::record::write_json;
use sage_dsl::plan::{BadRows, Expr, Node, Plan, RelationStep, SourcePlan};
use sage_dsl::testing::{Given, Test};
use sage_dsl::types::{Type, Value};

/// Lines of JSON, as source and as sink.
const FORMAT: &str = "jsonl";

/// The plan of a test that has its files in `folder`.
pub(super) fn staged(test: &Test, folder: &Path) -> anyhow::Result<Plan> {
    let mut plan = test.plan.clone();
    let templates = Templates::compile(&plan.templates)?;
    for (number, sink) in plan.sinks.iter_mut().enumerate() {
        FORMAT.clone_into(&mut sink.kind);
        // Whatever else it says, such as which changes it wants, still holds.
        sink.args.retain(|(name, _)| name != "path");
        sink.args.push(("path".to_owned(), Value::String(file_of(number))));
    }
    let write = |source: &mut SourcePlan, records: &[Expr], name: &str| -> anyhow::Result<()> {
        let mut text = Vec::new();
        let ty = Type::Record(source.record.clone());
        for record in records {
            let arena = Bump::new();
            let program = Program::compile(record)?;
            write_json(&mut text, &ty, program.evaluate(&[], &templates, &arena)?);
            text.push(b'\n');
        }
        let path = folder.join(name);
        let failed = || format!("cannot write `{}`", path.display());
        std::fs::write(&path, text).with_context(failed)?;
        reads(source, &path);
        Ok(())
    };
    for node in &mut plan.nodes {
        match (node, &test.given) {
            (Node::Source(source), Given::Records(records)) => {
                write(source, records, "given.jsonl")?;
            }
            (Node::Relate(relation), _) => {
                for (number, step) in relation.steps.iter_mut().enumerate() {
                    if let RelationStep::Join(join) = step
                        && let Some(records) = test.beside.get(&join.source.name)
                    {
                        write(&mut join.source, records, &format!("joined-{number}.jsonl"))?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(plan)
}

/// Let a source read the lines of `path`; one that cannot be read is a mistake of ours.
fn reads(source: &mut SourcePlan, path: &Path) {
    FORMAT.clone_into(&mut source.kind);
    source.args = vec![("path".to_owned(), Value::String(path.to_string_lossy().into_owned()))];
    source.fields = Vec::new();
    source.bad_rows = BadRows::Fail;
}

/// File of a sink within the folder of a test.
pub(super) fn file_of(sink: usize) -> String {
    let mut name = String::from("sink-");
    let _ = write!(name, "{sink}.{FORMAT}");
    name
}
