//! `run`: a pipeline on worker processes of this host.

use crate::args::RunArguments;
use crate::exit::{Exit, usage};
use crate::program;
use crate::run;

pub(crate) fn run(arguments: RunArguments) -> anyhow::Result<Exit> {
    let [file] = arguments.files.as_slice() else {
        return Err(usage(
            "several programs at once are not supported by this version; run them one by one",
        ));
    };
    let mut plan = program::one_plan(file, &arguments.sets, arguments.flow.as_deref())?;
    run::options::apply(&mut plan, &arguments)?;
    let options = run::options::Options::new(file, &arguments)?;
    run::supervise(plan, &options)
}
