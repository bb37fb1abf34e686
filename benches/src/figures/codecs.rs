//! `codecs`: what crosses a process border costs, by codec.

use super::bench::Bench;
use crate::table::Table;
use crate::tools::{Kind, Measured};

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let millis = bench.amount(300).to_string();
    let ran = Bench::tool("codecs", &["--millis", &millis])?;
    let mut found: Vec<Measured> = serde_json::from_value(ran.report)?;
    found.sort_by_key(|measured| measured.kind as u8);
    for Measured { kind, codec, encode_ns, decode_ns, bytes } in found {
        let item = match kind {
            Kind::Event => "event",
            Kind::Question => "task of 1 row",
            Kind::Morsel => "task of 700 rows",
        };
        table.add(
            &format!("codec: {item}, {codec}"),
            "reported",
            format!(
                "encode {encode_ns:.1} ns, decode and scan {decode_ns:.1} ns, {bytes:.0} bytes"
            ),
        );
    }
    table.note(
        "codec: columnar encodes from items, so building its columns is included; \
         plain old data and abomonation start from a vector of items.",
    );
    if cfg!(not(feature = "codec-abomonation")) {
        table.note("codec: abomonation is measured with `--features codec-abomonation` only.");
    }
    Ok(())
}
