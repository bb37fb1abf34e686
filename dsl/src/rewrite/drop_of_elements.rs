//! Where each element of a list is a record, what these have in common stands in all of them: the text
//! of a document in each of its chunks. What nobody reads of it is left behind in the source.
//!
//! Unlike those of a record that is whole, such fields are missed by nobody: a dead letter is of the
//! element, and has what is needed to try it again.

use std::collections::BTreeSet;

use super::Rule;
use super::narrow::{read_by, read_by_schedule};
use crate::lower::columns_read;
use crate::plan::{Node, Plan};

pub(super) static RULE: Rule = Rule {
    name: "drop what elements have in common",
    summary: "an element does not carry what nobody reads of the record that it is of",
    required: false,
    apply,
};

fn apply(plan: &mut Plan) {
    let mut read: BTreeSet<usize> = read_by_schedule(plan);
    plan.nodes.iter().for_each(|node| read.extend(read_by(node)));
    let Some(Node::Source(source)) = plan.nodes.first_mut() else { return };
    read.extend(source.key);
    let distinct = source.expand.iter().filter_map(|expand| expand.distinct.as_ref());
    let times = source.watermark.iter().map(|watermark| &watermark.at);
    let looked_at = times.chain(distinct.clone().flat_map(|it| &it.keys));
    looked_at.for_each(|expr| read.extend(columns_read(expr)));
    let steps = source.watermark.iter().flat_map(|it| &it.before);
    let steps = steps.chain(distinct.flat_map(|it| &it.before));
    steps.for_each(|step| read.extend(step.reads()));
    if let Some(expand) = &mut source.expand {
        expand.drops = (0..expand.column).filter(|column| !read.contains(column)).collect();
    }
}
