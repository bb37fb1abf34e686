//! From a profile to a file that people can read and change.

use std::fmt::Write;

use super::keys::{Field, KEYS};
use crate::vllm::profile::{Profile, Scheduling};

impl Profile {
    /// The profile as a file, each key with its unit, `head` above it as comments.
    ///
    /// Reading it back gives the same profile.
    pub fn to_toml(&self, head: &str) -> String {
        let mut profile = self.clone();
        let mut out: String =
            head.lines().map(|line| format!("# {line}\n").replace(" \n", "\n")).collect();
        let mut section = "";
        for key in KEYS {
            let value = match key.field {
                Field::Text(of) => quoted(of(&mut profile)),
                Field::Number(of) => number(*of(&mut profile)),
                Field::Count(of) => of(&mut profile).to_string(),
                Field::Flag(of) => of(&mut profile).to_string(),
                Field::KvTokens => {
                    (u64::from(self.kv_blocks) * u64::from(self.block_size)).to_string()
                }
                Field::Scheduling => match self.scheduling {
                    Scheduling::Fcfs => "\"fcfs\"".into(),
                    Scheduling::Priority => "\"priority\"".into(),
                },
                Field::BaseName | Field::BaseNumber | Field::BaseCount | Field::BaseShare(_) => {
                    continue;
                }
            };
            // Writing to a string cannot fail.
            if key.section != section {
                section = key.section;
                let unit = if section == "step" { " # milliseconds" } else { "" };
                let _ = writeln!(out, "\n[{section}]{unit}");
            }
            let setting = format!("{} = {value}", key.name);
            let _ = writeln!(out, "{setting:<36} # {}", key.help);
        }
        out
    }
}

/// The shortest form that reads back as the same number, with a point.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for symbol in text.chars() {
        match symbol {
            '"' | '\\' => out.extend(['\\', symbol]),
            symbol if symbol.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(symbol));
            }
            symbol => out.push(symbol),
        }
    }
    out.push('"');
    out
}
