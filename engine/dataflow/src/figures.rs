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
    path: PathBuf,
    /// `None` for the standard output.
    file: Option<BufWriter<File>>,
}

impl Figures {
    /// Files within the folder `out` of a run on so many nodes; `again` if the run goes on and its
    /// rows follow those that are there.
    pub fn create(
        plan: &Plan,
        out: &Path,
        nodes: usize,
        again: bool,
    ) -> Result<Figures, DataflowError> {
        let stages: Vec<String> = plan.stages().map(|stage| stage.name.clone()).collect();
        let stream = |measure: &MeasurePlan| {
            let sampler = Sampler::new(measure, nodes, &stages);
            let csv = measure.kind == "csv";
            let path = measure.file().map_or_else(|| "standard output".into(), |it| out.join(it));
            let mut stream = Stream { sampler, csv, path, file: None };
            if measure.file().is_some() {
                let opened = open(&stream.path, csv, again);
                stream.file = Some(opened.map_err(|reason| stream.failed("create", reason))?);
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
        let samples = self.sampler.take(now_ns, recorder);
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

fn open(path: &Path, csv: bool, again: bool) -> std::io::Result<BufWriter<File>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if again && let Ok(old) = std::fs::read(path) {
        let file = File::options().append(true).open(path)?;
        // A worker that was killed may have left half a line.
        let whole = old.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        if whole > 0 {
            return Ok(BufWriter::new(file));
        }
    }
    let mut file = BufWriter::new(File::create(path)?);
    if csv {
        writeln!(file, "{SAMPLE_HEADER}")?;
    }
    file.flush()?;
    Ok(file)
}
