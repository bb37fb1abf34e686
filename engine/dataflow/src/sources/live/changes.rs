//! From looks at records to the changes between them: what came, what is another now, what went.
//!
//! Of each record only its key and a hash of the rest are kept. Nothing here reads a file or a clock.

use rustc_hash::{FxHashMap, FxHashSet};
use sage_core::record::{
    Datum, Items, Rows, pack, pack_list, pack_record, pack_value, pack_vector,
};
use sage_core::text::fnv1a;
use sage_dsl::types::{RecordType, Type};

/// Words for what became of a record.
pub(super) const WORDS: [&str; 3] = [INSERT, "update", DELETE];
pub(super) const INSERT: &str = "insert";
const DELETE: &str = "delete";

/// What is known of the records, and of the look that is under way.
#[derive(Debug)]
pub(super) struct Changes {
    record: RecordType,
    key: usize,
    /// The column that says what became of a record.
    op: usize,
    known: FxHashMap<Box<[u8]>, Known>,
    look: u64,
    /// Of records that cannot be read in this look.
    unread: FxHashSet<Box<[u8]>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    mark: Mark,
    /// The look that saw it last.
    look: u64,
}

/// What tells one version of a record from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark(u64, usize);

/// Two records of one look have the same key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twice;

impl Changes {
    pub(super) fn new(record: RecordType, key: usize, op: usize) -> Self {
        Changes {
            record,
            key,
            op,
            known: FxHashMap::default(),
            look: 0,
            unread: FxHashSet::default(),
        }
    }

    /// A look begins.
    pub(super) fn begin(&mut self) {
        self.look += 1;
        self.unread.clear();
    }

    /// The record with this key, packed, is there in this look, but cannot be read: what it was
    /// before stays, unless it comes once more.
    pub(super) fn keep(&mut self, key: &[u8]) {
        let mut own = Vec::new();
        pack(&mut own, Items::new(key).get(0));
        self.unread.insert(own.into());
    }

    /// A record of this look; appended to `out` with its word if it is new or another one.
    pub(super) fn see(&mut self, row: &[u8], out: &mut Rows) -> Result<(), Twice> {
        let (key, mark) = self.of(row);
        let now = Known { mark, look: self.look };
        let word = match self.known.get_mut(&key) {
            Some(before) if before.look == self.look => return Err(Twice),
            Some(before) => {
                let same = before.mark == mark;
                *before = now;
                if same {
                    return Ok(());
                }
                WORDS[1]
            }
            None => {
                self.known.insert(key, now);
                INSERT
            }
        };
        out.push(|out| self.with_word(row, word, out));
        Ok(())
    }

    /// The look is over, and has seen all there is: what it has not seen is gone. If some rows
    /// could be any record, it may be among them and stays. Says how many records stay so.
    pub(super) fn end(&mut self, unsure: bool, mut gone: impl FnMut(&dyn Fn(&mut Rows))) -> usize {
        let unseen = self.known.iter().filter(|(_, known)| known.look != self.look);
        let mut keys: Vec<Box<[u8]>> = unseen.map(|(key, _)| key.clone()).collect();
        keys.retain(|key| !self.unread.contains(key));
        if unsure {
            return keys.len();
        }
        keys.sort();
        for key in keys {
            self.known.remove(&key);
            gone(&|rows| rows.push(|out| self.deletion(&key, out)));
        }
        0
    }

    /// A change that was told before.
    pub(super) fn recall(&mut self, row: &[u8]) {
        let (key, mark) = self.of(row);
        if Items::new(row).get(self.op) == Datum::Str(DELETE) {
            self.known.remove(&key);
        } else {
            self.known.insert(key, Known { mark, look: self.look });
        }
    }

    /// Key, and mark of all but the word.
    fn of(&self, row: &[u8]) -> (Box<[u8]>, Mark) {
        let (mut key, mut rest) = (Vec::new(), Vec::with_capacity(row.len()));
        for (column, datum) in Items::new(row).enumerate() {
            if column == self.key {
                pack(&mut key, datum);
            } else if column != self.op {
                pack(&mut rest, datum);
            }
        }
        (key.into(), Mark(fnv1a(&rest), rest.len()))
    }

    fn with_word(&self, row: &[u8], word: &str, out: &mut Vec<u8>) {
        for (column, datum) in Items::new(row).enumerate() {
            pack(out, if column == self.op { Datum::Str(word) } else { datum });
        }
    }

    fn deletion(&self, key: &[u8], out: &mut Vec<u8>) {
        for (column, field) in self.record.fields.iter().enumerate() {
            match &field.default {
                _ if column == self.key => out.extend_from_slice(key),
                _ if column == self.op => pack(out, Datum::Str(DELETE)),
                Some(default) => pack_value(out, default),
                None => empty(&field.ty, out),
            }
        }
    }
}

/// A value that stands where there is none; no stage reads it.
fn empty(ty: &Type, out: &mut Vec<u8>) {
    match ty {
        Type::Int | Type::Time | Type::Duration | Type::Size | Type::Tokens => {
            pack(out, Datum::Int(0));
        }
        Type::Float | Type::Rate | Type::Percent => pack(out, Datum::Float(0.0)),
        Type::Bool => pack(out, Datum::Bool(false)),
        Type::String => pack(out, Datum::Str("")),
        Type::Bytes => pack(out, Datum::Bytes(&[])),
        Type::Vector(_) => pack_vector(out, &[]),
        Type::List(_) => pack_list(out, |_| {}),
        Type::Optional(_) | Type::Unknown => pack(out, Datum::Null),
        Type::Enum(it) => pack(out, Datum::Str(it.variants.first().map_or("", String::as_str))),
        Type::Record(record) => {
            pack_record(out, |out| record.fields.iter().for_each(|field| empty(&field.ty, out)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use sage_dsl::types::Field;

    use super::*;

    fn changes() -> Changes {
        let field = |name: &str, ty| Field { name: name.into(), ty, default: None, key: false };
        let fields = vec![
            field("op", Type::String),
            field("id", Type::Int),
            field("text", Type::Optional(Box::new(Type::String))),
        ];
        Changes::new(RecordType { name: "Row".into(), fields }, 1, 0)
    }

    fn row(id: u8, text: u8) -> Vec<u8> {
        let mut row = Vec::new();
        pack(&mut row, Datum::Str(INSERT));
        pack(&mut row, Datum::Int(i64::from(id)));
        let text = "x".repeat(text.into());
        pack(&mut row, if text.is_empty() { Datum::Null } else { Datum::Str(&text) });
        row
    }

    /// What a reader of the changes takes to be there.
    #[derive(Default)]
    struct Reader(BTreeMap<i64, Vec<u8>>);

    impl Reader {
        fn hear(&mut self, rows: &Rows) {
            for row in rows.iter() {
                let id = Items::new(row).get(1).as_int().unwrap();
                let before = match Items::new(row).get(0).as_str().unwrap() {
                    DELETE => self.0.remove(&id),
                    word => {
                        let mut rest = Vec::new();
                        pack(&mut rest, Items::new(row).get(2));
                        assert_ne!(self.0.get(&id), Some(&rest), "nothing has changed");
                        assert_eq!(word == "update", self.0.contains_key(&id));
                        self.0.insert(id, rest);
                        continue;
                    }
                };
                assert!(before.is_some(), "what was not there cannot go");
            }
        }
    }

    proptest! {
        #[test]
        fn the_changes_of_every_look_make_of_the_one_before_what_it_saw(
            looks in prop::collection::vec(prop::collection::btree_map(0_u8..12, 0_u8..4, 0..12), 1..8),
            resumed in 0_usize..8,
            // Looks that do not see all.
            broken in prop::collection::vec(any::<bool>(), 8),
            // Records that are there and cannot be read, and whether other rows could be any.
            unread in prop::collection::vec(prop::collection::btree_set(0_u8..12, 0..4), 8),
            unsure in prop::collection::vec(prop::bool::weighted(0.2), 8),
        ) {
            let mut changes = changes();
            let (mut reader, mut told) = (Reader::default(), Rows::default());
            let mut there: BTreeMap<u8, u8> = BTreeMap::new();
            for (number, look) in looks.into_iter().enumerate() {
                if number == resumed {
                    // Another process goes on with what was told.
                    changes = self::changes();
                    told.iter().for_each(|row| changes.recall(row));
                }
                let mut rows = Rows::default();
                changes.begin();
                for (id, text) in &look {
                    changes.see(&row(*id, *text), &mut rows).unwrap();
                    prop_assert_eq!(changes.see(&row(*id, *text), &mut rows), Err(Twice));
                }
                for id in &unread[number] {
                    let mut key = Vec::new();
                    pack(&mut key, Datum::Int(i64::from(*id)));
                    changes.keep(&key);
                }
                if broken[number] {
                    there.extend(look);
                } else {
                    let gone = |id: &u8| !look.contains_key(id) && !unread[number].contains(id);
                    let stay = there.keys().filter(|id| gone(id)).count();
                    let held = changes.end(unsure[number], |write| write(&mut rows));
                    prop_assert_eq!(held, if unsure[number] { stay } else { 0 });
                    there.retain(|id, _| unsure[number] || !gone(id));
                    there.extend(look);
                }
                reader.hear(&rows);
                rows.iter().for_each(|row| told.push(|out| out.extend_from_slice(row)));
                let wanted: BTreeMap<i64, Vec<u8>> = there
                    .iter()
                    .map(|(id, text)| {
                        let mut rest = Vec::new();
                        pack(&mut rest, Items::new(&row(*id, *text)).get(2));
                        (i64::from(*id), rest)
                    })
                    .collect();
                prop_assert_eq!(&reader.0, &wanted);
            }
        }
    }
}
