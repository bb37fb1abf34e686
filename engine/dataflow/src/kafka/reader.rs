//! From the partitions of a topic to batches in an order that stays.
//!
//! First what an earlier generation noted and did not finish is read again, batch by batch, then what
//! is new. A new batch is put into order by partition and offset and noted in the ledger, before
//! anybody works on it. Tasks are cut within a batch, never over its end, so the same batches make the
//! same tasks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use roaring::RoaringTreemap;

use super::{Message, Polled, SourceOptions, Start, Topic, Until};
use crate::commit::ledger::{self, Batch, Head, Ledger, Noted, Passed, Range, is_done};
use crate::error::DataflowError;
use crate::sources::Kept;

/// Most messages of a batch.
const MOST: u64 = 500;
/// A batch of so many bytes is full.
const MOST_BYTES: usize = 4 << 20;
/// How long a batch waits for more once it has a message: many small batches are many syncs.
const LINGER: Duration = Duration::from_millis(5);
/// How long a read waits for a first message, so that the end of a run is seen.
const WAIT: Duration = Duration::from_millis(200);

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Messages, in order.
    Messages(Vec<Message>),
    /// Tasks that are done, behind each other.
    Passed(Passed),
    /// Nothing for now.
    Nothing,
    /// There is no more.
    End,
}

/// Why there is no next.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// With the topic.
    Topic(String),
    /// With the files of the run.
    Files(DataflowError),
}

impl From<String> for Trouble {
    fn from(message: String) -> Self {
        Trouble::Topic(message)
    }
}

impl From<DataflowError> for Trouble {
    fn from(error: DataflowError) -> Self {
        Trouble::Files(error)
    }
}

/// Counts what messages make, in tasks of so many.
pub(crate) type Makes<'m> = &'m mut dyn FnMut(&[Message]) -> Passed;

/// Reads a topic.
pub(crate) struct Reader {
    topic: Box<dyn Topic>,
    options: SourceOptions,
    /// `None` while nobody keeps what is read: a look at the topic.
    ledger: Option<Ledger>,
    done: Arc<RoaringTreemap>,
    buried: u64,
    most: u64,
    /// Noted before, and not given again yet.
    again: VecDeque<Batch>,
    /// What is behind.
    passed: Passed,
    /// Of it, what was not told yet.
    untold: Passed,
    /// Messages that were noted, over all generations.
    noted: u64,
    next: BTreeMap<i32, i64>,
    ends: Option<BTreeMap<i32, i64>>,
    /// Partitions whose end was reached.
    ended: BTreeSet<i32>,
    live: bool,
    last: Instant,
}

impl Reader {
    /// Of a topic, to its present end, with nothing kept.
    pub(crate) fn look(mut topic: Box<dyn Topic>, options: SourceOptions) -> Result<Self, String> {
        let head = begin(topic.as_mut(), &options, true)?;
        Ok(Reader::of(topic, options, Noted { head, batches: Vec::new() }))
    }

    /// Of a topic, from where the run is.
    pub(crate) fn keep(
        mut topic: Box<dyn Topic>,
        options: SourceOptions,
        kept: &Kept,
    ) -> Result<Self, Trouble> {
        let noted = if let Some(mut noted) = ledger::read(&kept.out)? {
            noted.shorten(&kept.done, kept.buried);
            check(&mut noted, &topic.bounds()?, &kept.done)?;
            noted
        } else {
            let head = begin(topic.as_mut(), &options, options.until == Until::End)?;
            Noted { head, batches: Vec::new() }
        };
        let ledger = Ledger::begin(&kept.out, kept.generation, &noted)?;
        let reader = Reader::of(topic, options, noted);
        Ok(Reader {
            ledger: Some(ledger),
            done: Arc::clone(&kept.done),
            buried: kept.buried,
            most: kept.most,
            ..reader
        })
    }

    fn of(topic: Box<dyn Topic>, options: SourceOptions, noted: Noted) -> Self {
        let messages = noted.batches.iter().map(|batch| batch.makes.messages()).sum::<u64>();
        Reader {
            topic,
            options,
            ledger: None,
            done: Arc::default(),
            buried: 0,
            most: u64::MAX,
            noted: noted.head.passed.messages().saturating_add(messages),
            next: noted.next(),
            ends: noted.head.ends,
            again: noted.batches.into(),
            passed: Passed::default(),
            untold: noted.head.passed,
            ended: BTreeSet::new(),
            live: false,
            last: Instant::now(),
        }
    }

    /// What comes next; `makes` counts what its messages make.
    pub(crate) fn next(&mut self, makes: Makes<'_>) -> Result<Next, Trouble> {
        if self.untold != Passed::default() {
            self.passed.add(self.untold);
            return Ok(Next::Passed(std::mem::take(&mut self.untold)));
        }
        if let Some(batch) = self.again.pop_front() {
            let before = self.passed;
            self.passed.add(batch.makes);
            if is_done(batch.makes, before, &self.done, self.buried) {
                return Ok(Next::Passed(batch.makes));
            }
            let messages = self.fetch_again(&batch)?;
            if makes(&messages) != batch.makes {
                let message = "messages that were read before are others now; was the topic made \
                               anew? --fresh begins the run anew";
                return Err(message.to_owned().into());
            }
            return Ok(Next::Messages(messages));
        }
        if !self.live {
            let wanted = self.unfinished();
            if !wanted.is_empty() {
                self.topic.read_from(&wanted)?;
            }
            self.live = true;
            self.last = Instant::now();
        }
        let room = self.most.saturating_sub(self.noted).min(MOST);
        if room == 0 || self.ends.is_some() && self.unfinished().is_empty() {
            return Ok(Next::End);
        }
        let mut messages = self.gather(room as usize)?;
        if messages.is_empty() {
            let idle =
                matches!(self.options.until, Until::Idle(idle) if self.last.elapsed() >= idle);
            let ended = self.ends.is_some() && self.unfinished().is_empty();
            return Ok(if idle || ended { Next::End } else { Next::Nothing });
        }
        messages.sort_by_key(|message| (message.partition, message.offset));
        let batch = Batch { ranges: Reader::ranges(&messages), makes: makes(&messages) };
        if let Some(ledger) = &mut self.ledger {
            ledger.append(&batch)?;
        }
        self.next.extend(batch.ranges.iter().map(|range| (range.partition, range.next)));
        self.passed.add(batch.makes);
        self.noted += messages.len() as u64;
        self.last = Instant::now();
        Ok(Next::Messages(messages))
    }

    /// Partitions of which something is still to be read.
    fn unfinished(&self) -> BTreeMap<i32, i64> {
        let unfinished = |(partition, next): &(&i32, &i64)| match &self.ends {
            None => true,
            Some(ends) => {
                !self.ended.contains(*partition)
                    && ends.get(*partition).is_some_and(|end| *next < end)
            }
        };
        self.next.iter().filter(unfinished).map(|(partition, next)| (*partition, *next)).collect()
    }

    fn gather(&mut self, room: usize) -> Result<Vec<Message>, String> {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        let mut until = Instant::now() + WAIT;
        while messages.len() < room && bytes < MOST_BYTES {
            let wait = until.saturating_duration_since(Instant::now());
            match self.topic.poll(wait)? {
                Polled::Message(message) => {
                    let end = self.ends.as_ref().and_then(|ends| ends.get(&message.partition));
                    if end.is_some_and(|end| message.offset >= *end) {
                        self.ended.insert(message.partition);
                    } else {
                        if messages.is_empty() {
                            until = Instant::now() + LINGER;
                        }
                        bytes += message.value.as_ref().map_or(0, Vec::len);
                        messages.push(message);
                    }
                }
                Polled::End(partition) => {
                    self.ended.insert(partition);
                }
                Polled::Nothing => {}
            }
            if Instant::now() >= until || self.ends.is_some() && self.unfinished().is_empty() {
                break;
            }
        }
        Ok(messages)
    }

    fn ranges(messages: &[Message]) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for message in messages {
            let Message { partition, offset, .. } = *message;
            match ranges.last_mut().filter(|range| range.partition == partition) {
                Some(range) => {
                    range.next = offset + 1;
                    range.messages += 1;
                }
                None => {
                    ranges.push(Range { partition, first: offset, next: offset + 1, messages: 1 });
                }
            }
        }
        ranges
    }

    /// The messages of a batch that was noted before.
    fn fetch_again(&mut self, batch: &Batch) -> Result<Vec<Message>, String> {
        let mut open: BTreeMap<i32, Range> =
            batch.ranges.iter().map(|range| (range.partition, *range)).collect();
        let wanted = open.iter().map(|(partition, range)| (*partition, range.first)).collect();
        self.topic.read_from(&wanted)?;
        let mut messages = Vec::new();
        let began = Instant::now();
        while !open.is_empty() {
            if began.elapsed() > self.options.patience {
                return Err(format!(
                    "messages that were read before did not come within {:?}; the same command goes \
                     on from here",
                    self.options.patience
                ));
            }
            let (partition, behind) = match self.topic.poll(WAIT)? {
                Polled::Nothing => continue,
                Polled::End(partition) => (partition, i64::MAX),
                Polled::Message(message) => {
                    let (partition, offset) = (message.partition, message.offset);
                    let wanted = open.get_mut(&partition);
                    if let Some(range) = wanted.filter(|r| (r.first..r.next).contains(&offset)) {
                        range.messages = range.messages.saturating_sub(1);
                        messages.push(message);
                    }
                    (partition, offset + 1)
                }
            };
            let Some(range) = open.get(&partition).filter(|range| behind >= range.next) else {
                continue;
            };
            if range.messages > 0 {
                return Err(format!(
                    "{} messages before offset {} of partition {partition} were read before and are \
                     not there any more; --fresh begins the run anew",
                    range.messages, range.next
                ));
            }
            open.remove(&partition);
        }
        messages.sort_by_key(|message| (message.partition, message.offset));
        Ok(messages)
    }
}

/// Where a new run begins, and ends if it is `bounded`.
fn begin(topic: &mut dyn Topic, options: &SourceOptions, bounded: bool) -> Result<Head, String> {
    let bounds = topic.bounds()?;
    let group = if options.group.is_empty() { BTreeMap::new() } else { topic.of_group()? };
    let next = bounds.iter().map(|(partition, (oldest, end))| {
        let start = match (group.get(partition), options.start) {
            // What the broker has thrown away meanwhile is gone.
            (Some(offset), _) => (*offset).clamp(*oldest, *end),
            (None, Start::Earliest) => *oldest,
            (None, Start::Latest) => *end,
        };
        (*partition, start)
    });
    let next = next.collect();
    let ends =
        bounded.then(|| bounds.iter().map(|(partition, (_, end))| (*partition, *end)).collect());
    Ok(Head { next, ends, passed: Passed::default() })
}

/// Whether what is still to be read is there; partitions that were added begin at their beginning.
fn check(
    noted: &mut Noted,
    bounds: &BTreeMap<i32, (i64, i64)>,
    done: &RoaringTreemap,
) -> Result<(), String> {
    let next = noted.next();
    let mut wanted = next.clone();
    let mut before = noted.head.passed;
    let mut open: Vec<&Range> = Vec::new();
    for batch in &noted.batches {
        // Unreadable rows that are not buried yet are met when the batch is read.
        if !is_done(batch.makes, before, done, u64::MAX) {
            open.extend(&batch.ranges);
        }
        before.add(batch.makes);
    }
    for range in open.into_iter().rev() {
        wanted.insert(range.partition, range.first);
    }
    for (partition, wanted) in &wanted {
        let Some((oldest, end)) = bounds.get(partition) else {
            return Err(format!(
                "the topic has no partition {partition} any more; was it made anew? --fresh begins \
                 the run anew"
            ));
        };
        let reached = noted.head.ends.as_ref().and_then(|ends| ends.get(partition));
        if wanted < oldest && reached.is_none_or(|reached| wanted < reached) {
            return Err(format!(
                "the run goes on at offset {wanted} of partition {partition}, and what the brokers \
                 keep begins at {oldest}: {} messages are lost; --fresh begins the run anew with what \
                 is there",
                oldest.saturating_sub(*wanted)
            ));
        }
        if next.get(partition).is_some_and(|next| next > end) {
            return Err(format!(
                "partition {partition} ends at offset {end}, before what was read of it; was the \
                 topic made anew? --fresh begins the run anew"
            ));
        }
    }
    for (partition, (oldest, _)) in bounds {
        noted.head.next.entry(*partition).or_insert(*oldest);
    }
    Ok(())
}
