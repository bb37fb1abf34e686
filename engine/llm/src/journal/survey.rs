//! Looking at a journal from outside and emptying it, also while runs use it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::folder::{self, Held};
use super::scan::walk;
use super::segment::{HEADER, Segment};
use super::{JournalError, Kind};

/// Models that are listed by name; the others are one row.
const MODELS: usize = 1000;

/// What is in a journal's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The folder.
    pub path: PathBuf,
    /// Who shares it.
    pub kind: Kind,
    /// Segments.
    pub segments: u64,
    /// Segments that a living process writes.
    pub in_use: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Whole entries; one recorded twice counts twice.
    pub entries: u64,
    /// When the oldest and the newest entry were recorded.
    pub recorded: Option<(SystemTime, SystemTime)>,
    /// Damaged places, torn tails of segments that nobody writes included.
    pub damaged: u64,
    /// Entries by model and by whether they are simulated.
    pub models: Vec<ModelUse>,
}

/// The entries of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUse {
    /// Its name.
    pub model: String,
    /// Whether a simulator answered.
    pub simulated: bool,
    /// Entries.
    pub entries: u64,
    /// Their bytes in the segments.
    pub bytes: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Tokens of their answers.
    pub completion_tokens: u64,
}

/// What emptying a journal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Segments that were removed.
    pub removed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Segments that stay because a living process writes them.
    pub in_use: u64,
    /// Segments that stay because an entry in them is younger than asked.
    pub younger: u64,
}

fn second(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

/// Read a journal's folder; takes no lock that a run could notice.
pub fn survey(path: &Path) -> Result<Survey, JournalError> {
    let (_, kind) = folder::find(path)?;
    let numbers =
        folder::list(path).map_err(|error| JournalError::io("read the folder", path, &error))?;
    let mut survey = Survey {
        path: path.to_owned(),
        kind,
        segments: 0,
        in_use: 0,
        bytes: 0,
        entries: 0,
        recorded: None,
        damaged: 0,
        models: Vec::new(),
    };
    let mut models = BTreeMap::new();
    for number in numbers {
        let name = folder::segment(path, number);
        match look(&name, &mut survey, &mut models) {
            Ok(()) => {}
            // Dropped by a run in this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::io("read", &name, &error)),
        }
    }
    survey.models = models.into_values().collect();
    Ok(survey)
}

fn look(
    name: &Path,
    survey: &mut Survey,
    models: &mut BTreeMap<(String, bool), ModelUse>,
) -> io::Result<()> {
    let file = File::open(name)?;
    let end = file.metadata()?.len();
    let mut start = vec![0; end.min(HEADER.len() as u64) as usize];
    file.read_exact_at(&mut start, 0)?;
    let from = (HEADER.len() as u64).min(end);
    let walked = walk(&file, from, end, u64::MAX, |head, payload, _, length| {
        survey.entries += 1;
        let at = second(head.recorded);
        let (oldest, newest) = survey.recorded.unwrap_or((at, at));
        survey.recorded = Some((oldest.min(at), newest.max(at)));
        let model = String::from_utf8_lossy(head.model(payload));
        let mut key = (model.into_owned(), head.simulated);
        if models.len() >= MODELS && !models.contains_key(&key) {
            key.0 = "(others)".into();
        }
        let row = models.entry(key).or_insert_with_key(|(model, simulated)| ModelUse {
            model: model.clone(),
            simulated: *simulated,
            entries: 0,
            bytes: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
        });
        row.entries += 1;
        row.bytes += u64::from(length);
        row.prompt_tokens = row.prompt_tokens.saturating_add(head.prompt_tokens);
        row.completion_tokens = row.completion_tokens.saturating_add(head.completion_tokens);
    })?;
    // A lock that readers share can be had when nobody writes.
    let free = Held::take(file, false)?.is_some();
    survey.segments += 1;
    survey.in_use += u64::from(!free);
    survey.bytes += end;
    survey.damaged += walked.damaged
        + u64::from(!HEADER.starts_with(&start))
        + u64::from(free && walked.next < end);
    Ok(())
}

/// Remove the segments of a journal that no living process writes and whose newest entry is at
/// least `older_than` old. Nothing else in the folder is touched.
pub fn clear(path: &Path, older_than: Option<Duration>) -> Result<Cleared, JournalError> {
    let (lock, kind) = folder::find(path)?;
    // The lock of a shared cache is left alone: a run that starts now must not find it taken.
    let held = match kind {
        Kind::Content => None,
        Kind::Run => Held::take(lock, true)
            .map_err(|error| JournalError::io("lock the journal in", path, &error))?,
    };
    let alone = kind == Kind::Content || held.is_some();
    let numbers =
        folder::list(path).map_err(|error| JournalError::io("read the folder", path, &error))?;
    let mut cleared = Cleared::default();
    for number in numbers {
        let name = folder::segment(path, number);
        let failed = |error: io::Error| JournalError::io("remove", &name, &error);
        // The process of a run relies on all its segments, not on the one it writes.
        if !alone {
            cleared.in_use += 1;
            continue;
        }
        let mut segment = match Segment::open(path, number) {
            Ok(segment) => segment,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        segment.catch_up(u64::MAX).map_err(failed)?;
        if !segment.is_ours() {
            continue;
        }
        if older_than.is_some_and(|age| is_younger(&name, age)) {
            cleared.younger += 1;
        } else if segment.remove().map_err(failed)? {
            cleared.removed += 1;
            cleared.bytes += segment.length;
        } else {
            cleared.in_use += 1;
        }
    }
    folder::sync(path).map_err(|error| JournalError::io("sync", path, &error))?;
    Ok(cleared)
}

/// Appending sets the time of the file, so that is when its newest entry was recorded.
fn is_younger(name: &Path, age: Duration) -> bool {
    let modified = fs::metadata(name).and_then(|metadata| metadata.modified());
    let elapsed = modified.map(|at| at.elapsed().unwrap_or(Duration::ZERO));
    elapsed.is_ok_and(|elapsed| elapsed < age)
}
