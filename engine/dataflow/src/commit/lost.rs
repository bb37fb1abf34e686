//! Requests whose process ended before they did: they cannot be asked again, so they are settled.
//!
//! The numbers of requests follow one another. A number that was given out and is not among the done
//! tasks is that of a request which nobody works on any more. It ends as a dead letter, in the base
//! that the next generation starts from, so it counts once, whatever is lost later.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use roaring::RoaringTreemap;

use super::came;
use super::entry::Commit;
use super::extent::{Content, Grown};
use super::frame::{self, Says};
use super::layout::{self, part_name, replace, sync_folder};
use super::recovery::recover;
use crate::error::DataflowError;
use crate::outlets::{DEAD_LETTERS, lost_letter};
use crate::sinks::parts_folder;

/// More than this beyond the last done task is no count of requests.
const MOST: u64 = 1 << 17;
/// No worker has such a number.
const PEER: usize = 9_999;

/// Put the run of a service in `out` back to what it has committed, as [`recover`] does, and settle
/// the requests that were lost; as far as anybody knows, `came` were taken in over all generations.
/// No worker may be writing.
pub fn recover_service(out: &Path, came: u64) -> Result<Commit, DataflowError> {
    let mut whole = recover(out)?;
    let next = whole.done.max().map_or(0, |last| last + 1);
    // Who reports is told of it now and then; what is noted with each request is later.
    let came = came.max(came::noted(out)?);
    let mut lost = RoaringTreemap::new();
    lost.insert_range(0..came.clamp(next, next + MOST));
    lost -= &whole.done;
    if lost.is_empty() {
        came::forget(out)?;
        return Ok(whole);
    }
    let names = (0..=PEER).rev().map(|peer| part_name(DEAD_LETTERS, whole.generation, peer));
    let Some(name) = names.into_iter().find(|name| !whole.files.contains_key(name)) else {
        return Ok(whole);
    };
    let (mut letters, mut grown) = (Vec::new(), Grown::default());
    for number in &lost {
        let letter = lost_letter(number);
        grown.add(&letter, 1);
        letters.extend_from_slice(&letter);
    }
    let path = out.join(&name);
    let failed = |reason| DataflowError::File { action: "write", path: path.clone(), reason };
    // Until the base names it, it counts for nothing and is removed by the next recovery.
    let mut file = File::create(&path).map_err(failed)?;
    file.write_all(&letters).and_then(|()| file.sync_all()).map_err(failed)?;
    sync_folder(&parts_folder(out))?;
    whole.files.insert(name, grown.extent(Content::Rows));
    whole.outcomes.dead += lost.len();
    whole.done |= lost;
    let mut bytes = Vec::new();
    frame::append(&mut bytes, Says::All, &whole.encode());
    replace(&layout::base(out), &bytes)?;
    came::forget(out)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::read;

    #[test]
    fn what_was_lost_is_a_dead_letter_once_however_often_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let settled = recover_service(out, 3).unwrap();
        assert_eq!((settled.outcomes.dead, settled.done.len()), (3, 3));
        let again = recover_service(out, 3).unwrap();
        assert_eq!(again, settled);
        // More were lost before any worker of the next generation committed.
        let more = recover_service(out, 5).unwrap();
        assert_eq!((more.outcomes.dead, more.outcomes.total(), more.files.len()), (5, 5, 2));
        assert_eq!(read(out).unwrap(), more);
        let text: String = more
            .files
            .keys()
            .rev()
            .map(|name| std::fs::read_to_string(out.join(name)).unwrap())
            .collect();
        let tasks: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|letter| letter["task"].as_u64().unwrap())
            .collect();
        assert_eq!(tasks, [0, 1, 2, 3, 4]);
        // What was noted with each request counts, and that of an earlier generation does not.
        let later = super::super::Came::begin(out, 3).unwrap();
        later.note(7).unwrap();
        super::super::Came::begin(out, 2).unwrap().note(6).unwrap();
        let noted = recover_service(out, 5).unwrap();
        assert_eq!((noted.outcomes.dead, noted.done.max()), (7, Some(6)));
        // A process that was given up writes to a file that is not there any more.
        later.note(70).unwrap();
        assert_eq!(recover_service(out, 0).unwrap(), noted);
        // A count that cannot be one is not believed.
        assert_eq!(recover_service(out, u64::MAX).unwrap().done.len(), 7 + MOST);
    }
}
