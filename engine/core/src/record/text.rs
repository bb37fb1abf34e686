//! Values as plain text: cells of a CSV file, values of a command line.

use sage_dsl::types::Type;

use super::datum::Datum;
use super::json::write_json;
use super::pack::{pack, pack_list};
use super::quantity::{expected, real, show, whole};

/// Parse one cell as a value of type `ty` and append it to `out`; the error says what is wrong with
/// the cell, not where it stands.
pub fn parse_text(out: &mut Vec<u8>, ty: &Type, cell: &str) -> Result<(), String> {
    match ty {
        Type::String => pack(out, Datum::Str(cell)),
        Type::Int | Type::Tokens | Type::Size | Type::Time | Type::Duration => {
            pack(out, Datum::Int(whole(ty, cell)?));
        }
        Type::Float | Type::Rate | Type::Percent => pack(out, Datum::Float(real(ty, cell)?)),
        Type::Bool => match cell.trim() {
            "true" | "True" | "TRUE" | "1" | "yes" => pack(out, Datum::Bool(true)),
            "false" | "False" | "FALSE" | "0" | "no" => pack(out, Datum::Bool(false)),
            _ => return Err(expected("true or false", cell)),
        },
        Type::Bytes => pack(out, Datum::Bytes(cell.as_bytes())),
        Type::Enum(choices) => {
            let word = cell.trim();
            if !choices.variants.iter().any(|variant| variant == word) {
                let all = choices.variants.join(", ");
                return Err(expected(&format!("one of {all}"), cell));
            }
            pack(out, Datum::Str(word));
        }
        Type::Optional(inner) => {
            if cell.is_empty() {
                pack(out, Datum::Null);
            } else {
                parse_text(out, inner, cell)?;
            }
        }
        // Lists in a cell are separated by `;`: a cell written by the CSV sink is JSON.
        Type::List(item) if !cell.trim_start().starts_with('[') => {
            let mut result = Ok(());
            pack_list(out, |out| {
                for part in cell.split(';').map(str::trim).filter(|part| !part.is_empty()) {
                    if result.is_ok() {
                        result = parse_text(out, item, part);
                    }
                }
            });
            result?;
        }
        Type::List(_) | Type::Record(_) | Type::Vector(_) | Type::Unknown => {
            super::json::parse_json(out, ty, cell.as_bytes())?;
        }
    }
    Ok(())
}

/// Append `datum` as plain text: strings bare, null empty, everything composed as JSON.
pub fn write_text(out: &mut Vec<u8>, ty: &Type, datum: Datum<'_>) {
    match datum {
        Datum::Str(text) => out.extend_from_slice(text.as_bytes()),
        Datum::Null => {}
        Datum::Int(n) => match show(ty, n) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => write_json(out, ty, datum),
        },
        other => write_json(out, ty, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_no_finite_number_is_no_number() {
        let parse = |ty: &Type, cell: &str| parse_text(&mut Vec::new(), ty, cell);
        for ty in [Type::Float, Type::Rate, Type::Percent, Type::Optional(Box::new(Type::Float))] {
            assert_eq!(parse(&ty, " -1.5e3 "), Ok(()));
            for odd in ["NaN", "inf", "-infinity", "1e400"] {
                let why = parse(&ty, odd).unwrap_err();
                assert!(why.contains("finite") && why.contains(odd), "{why}");
            }
        }
        let vector = Type::Vector(None);
        assert_eq!(parse(&vector, "[1e38, -2]"), Ok(()));
        assert!(parse(&vector, "[1e39]").unwrap_err().contains("32 bits"));
    }
}
