//! The twin: runs in virtual time, from the same programs and data as runs on processes.
//!
//! ```text
//! TwinRun: jobs, seed, nodes
//!   '- Workshop: indexes, demands (kept) -> Model -> sage_twin::simulate -> events
//!                                                                  '- Course: figures of each job
//!                                                                        '- folder as of a run
//! ```
//! The workshop evaluates the user's own flow on the user's own data, and asks the simulator's code
//! what it would answer. So the twin knows of every record what a run would find out; what it does
//! not measure is how long that takes, and everything it writes says so.

mod arguments;
mod backend;
mod bottleneck;
mod course;
mod demands;
mod endpoints;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod indexes;
mod losses;
mod model;
mod predict;
mod recording;
mod replay;
mod report;
mod setting;
mod table;
pub(crate) mod together;

pub(crate) use arguments::{TwinArguments, stand_in};
pub(crate) use backend::TwinBackend;
pub(crate) use course::{Course, JobCourse, run};
pub(crate) use demands::answer as foretold;
pub(crate) use endpoints::{Servers, Unknown};
pub(crate) use indexes::Indexes;
pub(crate) use model::{Worked, WorkedJob, Workshop};
pub(crate) use predict::{annotated, as_json};
pub(crate) use recording::Recording;
pub(crate) use replay::{Change, replay};
pub(crate) use report::{BACKEND, LABEL, Report, reports, verdict_lines, write_jobs, write_setups};
pub(crate) use setting::{Cluster, TwinJob, TwinRun};
