//! `fault`: disturbed endpoints, by the names that the simulator's `--fault` has for them.

use crate::ast::{self, ExprKind, TestPart};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::suggest::{self, did_you_mean};
use crate::testing::Fault;
use crate::types::Value;

/// What a fault takes.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    /// How often: a share of the calls.
    Share,
    /// A time.
    Time,
    /// A time of silence: when it begins, how long it is, and when it comes again.
    Window,
}

/// Names in programs, names of the simulator, and what they take.
const FAULTS: &[(&str, &str, Takes)] = &[
    ("latency", "latency", Takes::Time),
    ("extra_latency", "latency", Takes::Time),
    ("drop", "drop", Takes::Share),
    ("reset", "reset", Takes::Share),
    ("stall", "stall", Takes::Share),
    ("truncated", "truncated", Takes::Share),
    ("bad_json", "bad_json", Takes::Share),
    ("malformed", "bad_json", Takes::Share),
    ("wrong_schema", "wrong_schema", Takes::Share),
    ("slow_start", "slow_start", Takes::Time),
    ("retry_after", "retry_after", Takes::Time),
    ("outage", "outage", Takes::Window),
];

/// Longest time of a fault: a day.
const LONGEST_NS: i64 = 86_400_000_000_000;

const OUTAGE: &str = "an outage is written `{ at: 5s, for: 10s }`, and `{ at: 5s, for: 10s, every: \
                      1min }` if it comes again";

/// What may stand in a block of faults.
pub(crate) fn fault_names() -> Vec<&'static str> {
    FAULTS.iter().map(|(name, ..)| *name).chain(["status_429", "seed"]).collect()
}

impl Checker<'_> {
    pub(super) fn faults(&mut self, test: &ast::Test) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        for part in &test.parts {
            let TestPart::Fault(written) = part else { continue };
            let name = &written.endpoint;
            let known: Vec<String> = self.endpoints.iter().map(|it| it.name.clone()).collect();
            if !known.contains(&name.text) {
                let declare = format!("endpoint {} {{ url: ..., model: ... }}", name.text);
                self.wrong_reference(name, "endpoint", &known, &declare);
                continue;
            }
            if let Some(before) = faults.iter().find(|fault| fault.endpoint == name.text) {
                let message = format!("`{}` has its faults already", name.text);
                self.report(
                    Diagnostic::error(codes::BAD_FAULT, name.span, message)
                        .also(before.span, "here")
                        .help("write all of them into one block"),
                );
                continue;
            }
            faults.push(self.fault(written));
        }
        faults
    }

    fn fault(&mut self, written: &ast::Fault) -> Fault {
        let mut rules: Vec<String> = Vec::new();
        let mut seed = 0;
        for entry in &written.block.entries {
            if entry.key.text == "outage" {
                rules.extend(self.outage(entry));
                continue;
            }
            let value = self.expr(&entry.value, &Scope::constant(), None);
            if value.is_poison() {
                continue;
            }
            let value = value.value().cloned();
            if entry.key.text == "seed" {
                let given = value.as_ref().and_then(Value::as_int).and_then(|n| n.try_into().ok());
                match given {
                    Some(given) => seed = given,
                    None => self.bad_fault(entry, "`seed` is a whole number, as in `seed: 7`"),
                }
            } else if let Some((rule, takes)) = self.known_fault(&entry.key) {
                match (takes, value) {
                    (Takes::Share, Some(Value::Percent(share))) if (0.0..=1.0).contains(&share) => {
                        rules.push(format!("{rule}={}%", share * 100.0));
                    }
                    (Takes::Time, Some(Value::Duration(ns))) if (0..=LONGEST_NS).contains(&ns) => {
                        rules.push(format!("{rule}={}ms", ns as f64 / 1e6));
                    }
                    (Takes::Share, _) => {
                        self.bad_fault(entry, "it takes a share of the calls, as in `30%`");
                    }
                    (Takes::Time | Takes::Window, _) => {
                        self.bad_fault(entry, "it takes a time of a day at most, as in `500ms`");
                    }
                }
            }
        }
        let endpoint = written.endpoint.text.clone();
        Fault { endpoint, rules: rules.join(","), seed, span: written.endpoint.span }
    }

    /// `outage: { at: 5s, for: 10s, every: 1min }` as the simulator writes it.
    fn outage(&mut self, entry: &ast::Entry) -> Option<String> {
        let ExprKind::Record(None, block) = &entry.value.kind else {
            self.bad_fault(entry, OUTAGE);
            return None;
        };
        let (mut at, mut length, mut every) = (Some(0), None, None);
        for part in &block.entries {
            let place = match part.key.text.as_str() {
                "at" => &mut at,
                "for" => &mut length,
                "every" => &mut every,
                _ => {
                    self.bad_fault(part, OUTAGE);
                    return None;
                }
            };
            let value = self.expr(&part.value, &Scope::constant(), None);
            if value.is_poison() {
                return None;
            }
            *place = match value.value() {
                Some(Value::Duration(ns)) if (0..=LONGEST_NS).contains(ns) => Some(*ns),
                _ => {
                    self.bad_fault(part, "it takes a time of a day at most, as in `500ms`");
                    return None;
                }
            };
        }
        let (Some(at), Some(length)) = (at, length) else {
            self.bad_fault(entry, OUTAGE);
            return None;
        };
        if every.is_some_and(|every| every <= length) {
            self.bad_fault(entry, "an outage is shorter than the time after which it comes again");
            return None;
        }
        let shown = |ns: i64| format!("{}ms", ns as f64 / 1e6);
        let every = every.map_or(String::new(), |every| format!(":every={}", shown(every)));
        Some(format!("outage={}+{}{every}", shown(at), shown(length)))
    }

    fn bad_fault(&mut self, entry: &ast::Entry, help: &str) {
        let message = format!("this does not fit `{}`", entry.key.text);
        self.report(Diagnostic::error(codes::BAD_FAULT, entry.value.span, message).help(help));
    }

    /// The simulator's name of a fault, and what it takes.
    fn known_fault(&mut self, key: &ast::Name) -> Option<(String, Takes)> {
        let text = key.text.as_str();
        if let Some((_, rule, takes)) = FAULTS.iter().find(|(name, ..)| *name == text) {
            return Some(((*rule).to_owned(), *takes));
        }
        if let Some(status) = text.strip_prefix("status_") {
            let good = status.parse().is_ok_and(|code: u16| (400..600).contains(&code));
            if good {
                return Some((text.to_owned(), Takes::Share));
            }
            let message = format!("`{text}` is no status that a call fails with");
            let help = "the number is one from 400 to 599, as in `status_429`";
            self.report(Diagnostic::error(codes::BAD_FAULT, key.span, message).help(help));
            return None;
        }
        let names = || fault_names().into_iter();
        let help = did_you_mean(text, names())
            .unwrap_or_else(|| format!("there are {}", suggest::list(names())));
        let message = format!("there is no fault `{text}`");
        let close = suggest::closest(text, names());
        let mut diagnostic = Diagnostic::error(codes::BAD_FAULT, key.span, message).help(help);
        if let [only] = close[..] {
            diagnostic = diagnostic.fix(key.span, only);
        }
        self.report(diagnostic);
        None
    }
}
