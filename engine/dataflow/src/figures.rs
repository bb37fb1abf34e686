//! The rows of `measure` blocks: figures of a run while it goes on, in files of their own.
//!
//! All events of a run come together on the first worker, so its figures are of the whole cluster
//! and nothing is added up twice. They are written as they come, beside the sinks and not by them:
//! they tell how the run went, which is another story each time, and are no results that would have
//! to be there exactly once.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sage_core::event::Event;
use sage_core::metrics::{Recorder, SAMPLE_HEADER, Sample, Sampler, TaskRow};
use sage_dsl::plan::{MeasurePlan, Plan};

use crate::error::DataflowError;

/// The figures of all `measure` blocks of a plan.
#[derive(Default)]
pub struct Figures(Vec<Stream>);

/// Those of one block.
struct Stream {
    sampler: Sampler,
    csv: bool,
    /// What is added to the times of this generation, so that they go on from the rows before.
    offset_s: f64,
    path: PathBuf,
    /// `None` for the standard output.
    file: Option<BufWriter<File>>,
}

impl Figures {
    /// Files within the folder `out` of a run on so many nodes; `again` is the time if the run goes on
    /// and its rows follow those that are there.
    pub fn create(
        plan: &Plan,
        out: &Path,
        nodes: usize,
        again: Option<u64>,
    ) -> Result<Figures, DataflowError> {
        let stages: Vec<String> = plan.stages().map(|stage| stage.name.clone()).collect();
        let stream = |measure: &MeasurePlan| {
            let sampler = Sampler::new(measure, nodes, &stages);
            let csv = measure.kind == "csv";
            let path = measure.file().map_or_else(|| "standard output".into(), |it| out.join(it));
            let mut stream = Stream { sampler, csv, offset_s: 0.0, path, file: None };
            if let Some(now_ns) = again {
                stream.sampler.begin(now_ns);
            }
            if measure.file().is_some() {
                let opened = open(&stream.path, csv, again.is_some());
                let (file, last_s) = opened.map_err(|reason| stream.failed("create", reason))?;
                stream.file = Some(file);
                // The clock of another command begins anew; that of this one has gone on.
                let now_s = again.unwrap_or(0) as f64 / 1e9;
                stream.offset_s = (last_s - now_s).max(0.0);
            }
            Ok(stream)
        };
        plan.measures.iter().map(stream).collect::<Result<_, _>>().map(Figures)
    }

    /// Take in an event, and the row that the recorder made of it.
    pub fn observe(&mut self, event: &Event, row: Option<&TaskRow>) {
        self.0.iter_mut().for_each(|stream| stream.sampler.observe(event, row));
    }

    /// Write what is due, as things are now.
    pub fn write(&mut self, now_ns: u64, recorder: &Recorder) -> Result<(), DataflowError> {
        let due = self.0.iter_mut().filter(|stream| stream.sampler.due_ns() <= now_ns);
        due.into_iter().try_for_each(|stream| stream.write(now_ns, recorder))
    }

    /// Write what was due until then, each at its own time: for a clock that jumps.
    pub fn advance(&mut self, to_ns: u64, recorder: &Recorder) -> Result<(), DataflowError> {
        for stream in &mut self.0 {
            while stream.sampler.due_ns() <= to_ns {
                stream.write(stream.sampler.due_ns(), recorder)?;
            }
        }
        Ok(())
    }

    /// Write what is left of the last interval.
    pub fn finish(&mut self, now_ns: u64, recorder: &Recorder) -> Result<(), DataflowError> {
        let left = self.0.iter_mut().filter(|stream| stream.sampler.pending());
        left.into_iter().try_for_each(|stream| stream.write(now_ns, recorder))
    }
}

impl Stream {
    fn write(&mut self, now_ns: u64, recorder: &Recorder) -> Result<(), DataflowError> {
        let mut samples = self.sampler.take(now_ns, recorder);
        samples.iter_mut().for_each(|sample| sample.at_s += self.offset_s);
        let mut text = String::new();
        for sample in &samples {
            text.push_str(&if self.csv { sample.to_csv() } else { Sample::to_json(sample) });
            text.push('\n');
        }
        let written = if let Some(file) = &mut self.file {
            file.write_all(text.as_bytes()).and_then(|()| file.flush())
        } else {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        };
        written.map_err(|reason| self.failed("write", reason))
    }

    fn failed(&self, action: &'static str, reason: std::io::Error) -> DataflowError {
        DataflowError::File { action, path: self.path.clone(), reason }
    }
}

/// The file, and when its last row was written, seconds since the run began.
fn open(path: &Path, csv: bool, again: bool) -> std::io::Result<(BufWriter<File>, f64)> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if again && let Ok(old) = std::fs::read(path) {
        let file = File::options().append(true).open(path)?;
        // A worker that was killed may have left half a line.
        let whole = old.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        if whole > 0 {
            return Ok((BufWriter::new(file), last_s(&old[..whole], csv)));
        }
    }
    let mut file = BufWriter::new(File::create(path)?);
    if csv {
        writeln!(file, "{SAMPLE_HEADER}")?;
    }
    file.flush()?;
    Ok((file, 0.0))
}

/// The time of the last row.
fn last_s(rows: &[u8], csv: bool) -> f64 {
    let line = rows.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let at_s = if csv {
        line.split(',').next().and_then(|cell| cell.parse().ok())
    } else {
        let row: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        row.and_then(|row| row["at_s"].as_f64())
    };
    at_s.filter(|at_s: &f64| at_s.is_finite()).unwrap_or(0.0)
}
