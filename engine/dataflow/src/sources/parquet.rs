//! `parquet`: records from a file of columns, which are found by their names.

use sage_dsl::catalog::{Kind, Param, Signature};

use super::SourceEntry;
use super::live::{REREAD, ROUNDS, UNTIL_IDLE};
use crate::columns::{self, KIND};

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: KIND,
        summary: "a Parquet file, or a folder of them; columns are found by name (in programs built with `parquet`)",
        params: &[
            Param { name: "path", kind: Kind::Path, default: None, doc: "the file, or the folder whose parts are read in the order of their names" },
            REREAD,
            UNTIL_IDLE,
            ROUNDS,
        ],
        example: "source queries: Query from parquet(\"data/queries.parquet\")",
        takes_fields: false,
    },
    open: columns::open,
};
