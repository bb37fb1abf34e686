//! `decisions.csv`: one line per decision of the scheduling operator, enough to see why a task went
//! where it went and to ask what another policy would have done.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sage_core::schedule::{Decision, Outcome};

use crate::error::DataflowError;

/// Name of the file in a run's output folder.
pub const DECISIONS: &str = "decisions.csv";

pub(crate) struct DecisionLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl DecisionLog {
    pub(crate) fn create(out: &Path) -> Result<Self, DataflowError> {
        let path = out.join(DECISIONS);
        let failed = |reason| DataflowError::File { action: "create", path: path.clone(), reason };
        let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
        file.write_all(b"task_id,decided_ms,decision_us,queue,chosen,reason,in_flight\n")
            .map_err(failed)?;
        Ok(DecisionLog { path, file })
    }

    /// `loads`: tasks in flight on every worker when it was taken.
    pub(crate) fn record(
        &mut self,
        now_ns: u64,
        spent_ns: u64,
        decision: &Decision,
        loads: &[u32],
    ) -> Result<(), DataflowError> {
        self.write(now_ns, spent_ns, decision, loads).map_err(|reason| DataflowError::File {
            action: "write",
            path: self.path.clone(),
            reason,
        })
    }

    fn write(
        &mut self,
        now_ns: u64,
        spent_ns: u64,
        decision: &Decision,
        loads: &[u32],
    ) -> std::io::Result<()> {
        let (ms, us) = (now_ns as f64 / 1e6, spent_ns as f64 / 1e3);
        write!(self.file, "{},{ms:.3},{us:.2},{},", decision.task.id, decision.queue_len)?;
        match decision.outcome {
            Outcome::Placed { worker } => write!(self.file, "{worker}")?,
            Outcome::Shed { .. } => write!(self.file, "shed")?,
            Outcome::Late => write!(self.file, "late")?,
        }
        write!(self.file, ",{},", decision.reason.replace(',', ";"))?;
        for (i, load) in loads.iter().enumerate() {
            write!(self.file, "{}{load}", if i > 0 { " " } else { "" })?;
        }
        writeln!(self.file)
    }
}
