//! Lists of found documents, the value of `retrieve`, `search` and `rerank`.
//!
//! A hit is the document's own columns followed by its score. Documents come as packed rows, so a
//! list of hits is made by copying bytes.

use sage_core::index::{Hit, Index};
use sage_core::record::{Datum, Items, pack, pack_list, pack_record};
use sage_dsl::types::{Field, RecordType, Type};

/// Type of the hits of an index whose documents are of type `documents`.
pub(super) fn hits_of(documents: &Type) -> Result<Type, String> {
    let Type::Record(record) = documents else {
        return Err("the documents of an index are records".into());
    };
    let mut fields: Vec<_> = record.fields.iter().filter(|f| f.name != "score").cloned().collect();
    fields.push(Field { name: "score".into(), ty: Type::Float, default: None, key: false });
    let name = format!("{}Hit", record.name);
    Ok(Type::List(Box::new(Type::Record(RecordType { name, fields }))))
}

/// Pack found documents.
pub(super) fn pack_hits(out: &mut Vec<u8>, index: &dyn Index, hits: &[Hit]) {
    pack_list(out, |out| {
        for hit in hits {
            let Some(document) = index.document(hit.document) else { continue };
            pack_record(out, |out| {
                out.extend_from_slice(document);
                pack(out, Datum::Float(f64::from(hit.score)));
            });
        }
    });
}

/// Position of the text field of a list of hits: `text`, or the last string field.
pub(super) fn text_field(hits: &Type) -> Result<usize, String> {
    let Type::List(item) = hits else {
        return Err(format!("expected a list of hits, found {hits}"));
    };
    let Type::Record(record) = item.as_ref() else {
        return Err(format!("expected a list of hits, found {hits}"));
    };
    record
        .field("text")
        .map(|(position, _)| position)
        .or_else(|| record.fields.iter().rposition(|field| field.ty == Type::String))
        .ok_or_else(|| format!("{} has no text field", record.name))
}

/// Copy a hit with a new score.
pub(super) fn pack_rescored(out: &mut Vec<u8>, hit: Items<'_>, score: f32) {
    let last = hit.len().saturating_sub(1);
    pack_record(out, |out| {
        hit.take(last).for_each(|datum| pack(out, datum));
        pack(out, Datum::Float(f64::from(score)));
    });
}
