//! The records that a source gives to its flow.

use super::Plan;
use crate::types::{Field, RecordType, Type, Value};

impl Plan {
    /// The columns of a record when it enters the flow: those of the source, and where each element of a
    /// list is a record all columns up to the element; those that nobody reads are null and may be
    /// left out. `None` without a source.
    pub fn given(&self) -> Option<RecordType> {
        let source = self.source()?;
        let mut record = source.record.clone();
        let Some(expand) = &source.expand else { return Some(record) };
        let own = record.fields.len();
        let more = self.columns.iter().take(expand.column + 1).skip(own);
        record.fields.extend(more.map(|column| Field {
            name: column.name.clone(),
            ty: column.ty.clone(),
            default: None,
            key: false,
        }));
        for (at, field) in record.fields.iter_mut().enumerate() {
            // An arm that did not run leaves null in its columns, too.
            if expand.drops.contains(&at) || (own..expand.column).contains(&at) {
                let ty = std::mem::replace(&mut field.ty, Type::Unknown);
                field.ty = match ty {
                    Type::Optional(_) => ty,
                    ty => Type::Optional(Box::new(ty)),
                };
                field.default = Some(Value::Null);
            }
        }
        Some(record)
    }
}
