//! Answers of a service whose requests are run again: their clients have gone, so they go into a file.

use sage_dataflow::sinks::file_name;
use sage_dsl::plan::Plan;
use sage_dsl::types::Value as Constant;

use crate::run::report::OWN_FILES;

/// Let the sink that answers requests write to a file; its name, if the plan has such a sink.
pub(super) fn keep_answers(plan: &mut Plan) -> Option<String> {
    let at = plan.sinks.iter().position(|sink| sink.kind == "http_reply")?;
    let taken: Vec<String> = plan.sinks.iter().filter_map(file_name).collect();
    let free = |name: &String| !taken.contains(name) && !OWN_FILES.contains(&name.as_str());
    let names = (1..).map(|number| match number {
        1 => "answers.jsonl".to_owned(),
        number => format!("answers-{number}.jsonl"),
    });
    let name = names.take(taken.len() + OWN_FILES.len() + 1).find(free)?;
    let sink = plan.sinks.get_mut(at)?;
    "jsonl".clone_into(&mut sink.kind);
    sink.args = vec![("path".to_owned(), Constant::String(name.clone()))];
    Some(name)
}
