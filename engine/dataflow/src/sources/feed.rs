//! The thread that reads a source and hands tasks to the dataflow through a short, bounded queue.
//!
//! When the dataflow does not take tasks the queue fills and the reading stops: that is the whole
//! of the backpressure towards a file or a pipe.
//!
//! A task is known by its number in source order. In a run that goes on, the tasks that were done
//! before are read and left out here, and so are the unreadable rows that were buried before.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use roaring::RoaringTreemap;
use sage_core::record::{Datum, Items, Rows, pack};
use sage_core::web::Web;
use sage_dsl::plan::SourcePlan;
use timely::scheduling::SyncActivator;

use super::{BadRow, Batch, Kept, Place, Source, is_watched, open_for};
use crate::commit::Came;
use crate::error::DataflowError;

/// How a source is read.
#[derive(Debug, Clone)]
pub(crate) struct FeedSettings {
    /// The run's folder.
    pub(crate) out: PathBuf,
    /// Which set of workers this is.
    pub(crate) generation: u32,
    /// Rows per task.
    pub(crate) morsel: usize,
    /// Exactly so many records, unreadable ones and those that are left out once included: cut when the
    /// source is longer, read again when it is shorter.
    pub(crate) tasks: Option<u64>,
    /// At most so many records.
    pub(crate) limit: Option<u64>,
    /// Tasks that were done before.
    pub(crate) done: Arc<RoaringTreemap>,
    /// Unreadable rows that were buried before; the first ones, since they are met in order.
    pub(crate) buried: u64,
    /// Where a source that is looked at again keeps what it gives; without it, it is read once.
    pub(crate) place: Option<Place>,
    /// Makes the requests of a source that needs some.
    pub(crate) web: Option<Arc<dyn Web>>,
    /// Where a service notes how many requests have come.
    pub(crate) came: Option<Arc<Came>>,
}

/// A task that is to be done.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// Number in source order.
    pub(crate) id: u64,
    pub(crate) rows: Rows,
    /// How often the source had been read before.
    pub(crate) round: u32,
    /// Records of done tasks since the task before.
    pub(crate) skipped: u64,
    /// Whether its records came too late, so that nothing is done with them.
    pub(crate) late: bool,
}

/// What the thread hands over.
pub(crate) enum Fed {
    /// One task.
    Task(Fresh),
    /// A row that could not be read.
    Bad(BadRow),
    /// So many records were left out, in all.
    LeftOut(u64),
    /// The source ended, well or not.
    End(Result<(), DataflowError>),
}

/// The receiving side.
pub(crate) struct Feeder {
    receiver: Receiver<Fed>,
}

/// Tasks waiting between the thread and the dataflow.
const QUEUE: usize = 64;

impl Feeder {
    /// Start reading. `wake` is activated when something is there.
    pub(crate) fn start(plan: SourcePlan, settings: FeedSettings, wake: SyncActivator) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("source".into())
            .spawn(move || {
                let buried = settings.buried;
                let mut hand = Hand { sender, wake, number: 0, skipped: 0, buried };
                let result = feed(&plan, &settings, &mut hand);
                // The dataflow may be gone already; then nobody needs to know.
                let _ = hand.give(Fed::End(result));
            })
            .map_or_else(
                |_| Feeder { receiver: std::sync::mpsc::channel().1 },
                |_| Feeder { receiver },
            )
    }

    /// The next item, if one is there.
    pub(crate) fn next(&mut self) -> Option<Fed> {
        match self.receiver.try_recv() {
            Ok(fed) => Some(fed),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(gone()),
        }
    }

    /// The next item, however long it takes.
    pub(crate) fn wait(&mut self) -> Fed {
        self.receiver.recv().unwrap_or_else(|_| gone())
    }
}

fn gone() -> Fed {
    let message = "the thread that reads the source ended without a word";
    Fed::End(Err(DataflowError::Broken(message.into())))
}

struct Hand {
    sender: SyncSender<Fed>,
    wake: SyncActivator,
    /// Of the next task.
    number: u64,
    /// Records of done tasks since the last one.
    skipped: u64,
    /// Unreadable rows to come that were buried before.
    buried: u64,
}

/// The dataflow has gone away.
struct Gone;

impl Hand {
    fn give(&mut self, fed: Fed) -> Result<(), Gone> {
        self.sender.send(fed).map_err(|_| Gone)?;
        self.wake.activate().map_err(|_| Gone)
    }
}

fn feed(plan: &SourcePlan, settings: &FeedSettings, hand: &mut Hand) -> Result<(), DataflowError> {
    let most = settings.tasks.or(settings.limit).unwrap_or(u64::MAX);
    let mut given = 0;
    let mut round = 0;
    while given < most {
        let before = given;
        let mut source = open_for(plan, settings.place.as_ref())?;
        source.keep(&Kept {
            out: settings.out.clone(),
            generation: settings.generation,
            done: Arc::clone(&settings.done),
            buried: settings.buried,
            most: most - given,
            round,
            web: settings.web.clone(),
        })?;
        if read_once(source.as_mut(), plan, settings, round, most, &mut given, hand)?.is_err() {
            return Ok(());
        }
        let left_out = source.left_out();
        if round == 0 && left_out > 0 && hand.give(Fed::LeftOut(left_out)).is_err() {
            return Ok(());
        }
        round += 1;
        // A source is read again only to fill up the asked number of tasks, and only while that
        // brings anything.
        if settings.tasks.is_none() || given == before || is_watched(plan) {
            break;
        }
    }
    Ok(())
}

fn read_once(
    source: &mut dyn Source,
    plan: &SourcePlan,
    settings: &FeedSettings,
    round: u64,
    most: u64,
    given: &mut u64,
    hand: &mut Hand,
) -> Result<Result<(), Gone>, DataflowError> {
    let (mut more, mut left_out) = (true, 0);
    while more && *given < most {
        let want = (settings.morsel as u64).min(most - *given) as usize;
        let mut batch = Batch::default();
        more = source.read(&mut batch, want)?;
        *given += batch.passed.messages();
        hand.number += batch.passed.tasks;
        hand.skipped += batch.passed.records;
        hand.buried = hand.buried.saturating_sub(batch.passed.bad);
        // Rows that are no records count once, and so do those that are left out: a source that has as
        // many rows as are asked for is not read again because of them.
        if round == 0 {
            let so_far = source.left_out();
            *given += so_far - left_out;
            left_out = so_far;
            for bad in batch.bad {
                *given += 1;
                if hand.buried > 0 {
                    hand.buried -= 1;
                } else if hand.give(Fed::Bad(bad)).is_err() {
                    return Ok(Err(Gone));
                }
            }
        }
        if batch.rows.is_empty() && batch.late.is_empty() {
            // A source that waits for changes is to notice that nobody wants them any more.
            if hand.wake.activate().is_err() {
                return Ok(Err(Gone));
            }
            continue;
        }
        for (rows, late) in [(batch.rows, false), (batch.late, true)] {
            if rows.is_empty() {
                continue;
            }
            let records = rows.len() as u64;
            *given += records;
            let id = hand.number;
            hand.number += 1;
            if settings.done.contains(id) {
                hand.skipped += records;
                continue;
            }
            let rows = if round == 0 { rows } else { renamed(&rows, plan.key, round) };
            let round = u32::try_from(round).unwrap_or(u32::MAX);
            let skipped = std::mem::take(&mut hand.skipped);
            if hand.give(Fed::Task(Fresh { id, rows, round, skipped, late })).is_err() {
                return Ok(Err(Gone));
            }
        }
    }
    Ok(Ok(()))
}

/// In round r the key of a record is `<key>#r`, so that keys stay unique.
pub(crate) fn renamed(rows: &Rows, key: Option<usize>, round: u64) -> Rows {
    let Some(key) = key else { return rows.clone() };
    let mut renamed = Rows::with_capacity(rows.len(), rows.byte_len() + 8 * rows.len());
    for row in rows.iter() {
        renamed.push(|out| {
            for (column, datum) in Items::new(row).enumerate() {
                match datum {
                    Datum::Str(name) if column == key => {
                        pack(out, Datum::Str(&format!("{name}#{round}")));
                    }
                    _ => pack(out, datum),
                }
            }
        });
    }
    renamed
}
