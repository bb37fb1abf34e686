//! `decisions.csv`: one line per decision of the scheduling operator, enough to see why a task went
//! where it went and to ask what another policy would have done.
//!
//! `in_flight` are the tasks on each worker, separated by spaces. What the policy could see of the
//! task follows it: `priority`, `due_ms` since the run began, the keys `flow` and `affinity` (0 where
//! the program does not say), and the estimates `expected_ms` and `critical_ms`. Empty is not known.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sage_core::schedule::{Decision, Outcome};

use crate::error::DataflowError;

/// Name of the file in a run's output folder.
pub const DECISIONS: &str = "decisions.csv";

const HEADER: &[u8] = b"task_id,decided_ms,decision_us,queue,chosen,reason,in_flight,\
    priority,due_ms,flow,affinity,expected_ms,critical_ms\n";

/// A line is not longer than this.
const LONGEST: u64 = 1 << 16;

pub(crate) struct DecisionLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl DecisionLog {
    /// A run that goes on adds to the decisions that were taken before.
    pub(crate) fn create(out: &Path, goes_on: bool) -> Result<Self, DataflowError> {
        let path = out.join(DECISIONS);
        let failed = |reason| DataflowError::File { action: "create", path: path.clone(), reason };
        let mut options = File::options();
        let file = options.create(true).read(true).append(true).open(&path).map_err(failed)?;
        let whole = if goes_on { whole_lines(&file).map_err(failed)? } else { 0 };
        file.set_len(whole).map_err(failed)?;
        let mut file = BufWriter::new(file);
        if whole == 0 {
            file.write_all(HEADER).map_err(failed)?;
        }
        Ok(DecisionLog { path, file })
    }

    /// `loads`: tasks in flight on every worker when it was taken.
    pub(crate) fn record(
        &mut self,
        now_ns: u64,
        spent_ns: u64,
        decision: &Decision,
        loads: impl Iterator<Item = u32>,
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
        loads: impl Iterator<Item = u32>,
    ) -> std::io::Result<()> {
        let (ms, us) = (now_ns as f64 / 1e6, spent_ns as f64 / 1e3);
        write!(self.file, "{},{ms:.3},{us:.2},{},", decision.task.id, decision.queue_len)?;
        match decision.outcome {
            Outcome::Placed { worker } => write!(self.file, "{worker}")?,
            Outcome::Shed { .. } => write!(self.file, "shed")?,
            Outcome::Late => write!(self.file, "late")?,
        }
        write!(self.file, ",{},", decision.reason.replace(',', ";"))?;
        for (i, load) in loads.enumerate() {
            write!(self.file, "{}{load}", if i > 0 { " " } else { "" })?;
        }
        let task = &decision.task;
        write!(self.file, ",{},", task.priority)?;
        milliseconds(&mut self.file, task.due_ns)?;
        write!(self.file, ",{},{},", task.flow, task.affinity)?;
        milliseconds(&mut self.file, task.expected_ns)?;
        self.file.write_all(b",")?;
        milliseconds(&mut self.file, task.critical_ns)?;
        writeln!(self.file)
    }
}

/// Length of a file without half a line at its end.
fn whole_lines(mut file: &File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| from + at as u64 + 1))
}

fn milliseconds(file: &mut impl Write, ns: Option<u64>) -> std::io::Result<()> {
    ns.map_or(Ok(()), |ns| write!(file, "{:.3}", ns as f64 / 1e6))
}
