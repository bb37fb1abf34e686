//! The source itself: looks, waits, and looks again.
//!
//! A look is given away while it goes on, a few rows at a time. That something is gone is only known
//! when a look has seen all, and the file was the same from its begin to its end.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use rustc_hash::FxHashSet;
use sage_core::record::{Items, write_json_object};
use sage_core::text::fnv1a;
use sage_dsl::plan::SourcePlan;

use super::Rhythm;
use super::changes::Changes;
use super::log::Log;
use super::stamp::Stamp;
use crate::error::DataflowError;
use crate::sources::{BadRow, Batch, Source, open_plain};

/// Rows that are read at a time.
const ROWS: usize = 1_024;
/// Batches that are brought to the disk at a time, and bytes.
const BATCHES: usize = 256;
const BYTES: usize = 4 << 20;
/// Longest sleep, so that somebody who has gone away is noticed.
const NAP: Duration = Duration::from_millis(200);

pub(super) struct Looking {
    plan: SourcePlan,
    path: PathBuf,
    rhythm: Rhythm,
    changes: Changes,
    log: Log,
    /// Until all that was told before is told again.
    recalling: bool,
    /// Whether there was anything; whoever never saw anything has nothing to go on with.
    goes_on: bool,
    look: Option<Look>,
    /// Of what was looked at last, if it stood still.
    seen: Option<Stamp>,
    looks: u64,
    next_look: Instant,
    last_change: Instant,
    /// Rows that could not be read in the last look, and in this one.
    bad_before: FxHashSet<u64>,
    bad_now: FxHashSet<u64>,
    /// Of this look those of which nobody knows what records they are, wherever they stand; and
    /// those that were there already when all records were seen, so they are none of them.
    nameless: FxHashSet<u64>,
    strange: FxHashSet<u64>,
    /// On the disk.
    ready: VecDeque<Batch>,
    ended: bool,
}

/// A look that is under way.
struct Look {
    source: Box<dyn Source>,
    stamp: Option<Stamp>,
    /// Not a whole batch yet.
    rest: Batch,
}

impl Looking {
    pub(super) fn new(
        plan: SourcePlan,
        path: PathBuf,
        rhythm: Rhythm,
        changes: Changes,
        log: Log,
    ) -> Self {
        let now = Instant::now();
        Looking {
            plan,
            path,
            rhythm,
            changes,
            log,
            recalling: true,
            goes_on: false,
            look: None,
            seen: None,
            looks: 0,
            next_look: now,
            last_change: now,
            bad_before: FxHashSet::default(),
            bad_now: FxHashSet::default(),
            nameless: FxHashSet::default(),
            strange: FxHashSet::default(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    fn recall(&mut self) -> Result<Option<Batch>, DataflowError> {
        if let Some(batch) = self.log.earlier()? {
            batch.rows.iter().for_each(|row| self.changes.recall(row));
            self.bad_before.extend(batch.bad.iter().map(mark));
            self.goes_on = true;
            return Ok(Some(batch));
        }
        self.recalling = false;
        self.last_change = Instant::now();
        Ok(None)
    }

    /// Begin a look, unless nothing has changed since the last one.
    fn begin(&mut self, fresh: &mut VecDeque<Batch>) -> Result<(), DataflowError> {
        let stamp = Stamp::of(&self.path).ok();
        if stamp.is_some() && stamp == self.seen {
            self.end_of_look();
            return Ok(());
        }
        match open_plain(&self.plan) {
            Ok(source) => {
                self.changes.begin();
                self.nameless.clear();
                self.look = Some(Look { source, stamp, rest: Batch::default() });
                Ok(())
            }
            Err(error) if !self.goes_on => Err(error),
            Err(error) => {
                self.trouble(&error, fresh);
                self.end_of_look();
                Ok(())
            }
        }
    }

    /// What goes wrong with a whole look is told once; it may be over at the next one.
    fn trouble(&mut self, error: &DataflowError, fresh: &mut VecDeque<Batch>) {
        let bad = BadRow::new(self.path.display().to_string(), b"", error.to_string());
        self.seen = None;
        // It has not seen all, so what was wrong before may still be.
        self.bad_before.extend(self.bad_now.drain());
        if self.bad_before.insert(mark(&bad)) {
            fresh.push_back(Batch { bad: vec![bad], ..Batch::default() });
        }
    }

    fn end_of_look(&mut self) {
        self.looks += 1;
        self.goes_on = true;
        self.next_look = Instant::now() + self.rhythm.every;
    }

    /// Read on in a look, with batches of so many rows; `false` when it is over.
    fn go_on(
        &mut self,
        look: &mut Look,
        rows: usize,
        fresh: &mut VecDeque<Batch>,
    ) -> Result<bool, DataflowError> {
        let mut batch = Batch::default();
        let read = look.source.read(&mut batch, ROWS);
        for mut bad in batch.bad {
            match bad.key.take() {
                Some(key) => self.changes.keep(&key),
                None => drop(self.nameless.insert(fnv1a(bad.text.as_bytes()))),
            }
            self.bad(bad, &mut look.rest);
            cut(&mut look.rest, rows, fresh);
        }
        for row in batch.rows.iter() {
            if self.changes.see(row, &mut look.rest.rows).is_err() {
                let mut text = Vec::new();
                write_json_object(&mut text, &self.plan.record, Items::new(row));
                let reason = "its key is that of a row before it; each may be there once";
                let bad = BadRow::new(self.path.display().to_string(), &text, reason);
                self.bad(bad, &mut look.rest);
            }
            cut(&mut look.rest, rows, fresh);
        }
        match read {
            Ok(true) => return Ok(true),
            Ok(false) => {
                // What was replaced while it was read is looked at again before it is believed.
                let after = Stamp::of(&self.path).ok();
                let still = after.is_some() && after == look.stamp;
                if still {
                    let unsure = !self.nameless.is_subset(&self.strange);
                    let held = self.changes.end(unsure, |write| {
                        write(&mut look.rest.rows);
                        cut(&mut look.rest, rows, fresh);
                    });
                    if held == 0 {
                        self.strange = std::mem::take(&mut self.nameless);
                    }
                }
                let settled = after.is_some_and(|stamp| stamp.is_settled(now_ns()));
                self.seen = after.filter(|_| still && settled);
                self.bad_before = std::mem::take(&mut self.bad_now);
            }
            Err(error) if !self.goes_on => return Err(error),
            Err(error) => self.trouble(&error, fresh),
        }
        cut(&mut look.rest, 1, fresh);
        self.end_of_look();
        Ok(false)
    }

    fn bad(&mut self, bad: BadRow, rest: &mut Batch) {
        let mark = mark(&bad);
        self.bad_now.insert(mark);
        if !self.bad_before.contains(&mark) {
            rest.bad.push(bad);
        }
    }

    /// Whether this was the last look.
    fn is_over(&self) -> bool {
        let idle = |most: Duration| self.last_change.elapsed() >= most;
        self.rhythm.rounds.is_some_and(|most| self.looks >= most)
            || self.rhythm.until_idle.is_some_and(idle)
    }
}

impl Source for Looking {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        if self.recalling
            && let Some(earlier) = self.recall()?
        {
            *batch = earlier;
            return Ok(true);
        }
        if let Some(next) = self.ready.pop_front() {
            *batch = next;
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        let mut fresh = VecDeque::new();
        if self.look.is_none() {
            let wait = self.next_look.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait.min(NAP));
                return Ok(true);
            }
            self.begin(&mut fresh)?;
        }
        if let Some(mut look) = self.look.take() {
            let mut more = true;
            while more && fresh.len() < BATCHES && size(&fresh) < BYTES {
                more = self.go_on(&mut look, rows, &mut fresh)?;
            }
            self.look = more.then_some(look);
        }
        if !fresh.is_empty() {
            self.log.append(&fresh)?;
            self.last_change = Instant::now();
            self.ready = fresh;
        }
        self.ended = self.look.is_none() && self.is_over();
        Ok(true)
    }
}

/// Give away what is as large as a batch.
fn cut(rest: &mut Batch, rows: usize, fresh: &mut VecDeque<Batch>) {
    let there = rest.rows.len() + rest.bad.len();
    if there > 0 && there >= rows {
        fresh.push_back(std::mem::take(rest));
    }
}

fn size(batches: &VecDeque<Batch>) -> usize {
    batches.iter().map(|batch| batch.rows.byte_len()).sum()
}

fn mark(bad: &BadRow) -> u64 {
    fnv1a(format!("{}\0{}\0{}", bad.place, bad.text, bad.reason).as_bytes())
}

fn now_ns() -> i128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as i128)
}
