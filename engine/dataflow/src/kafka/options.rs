//! What a program says of a topic.

use std::time::Duration;

use sage_dsl::catalog::{Kind, Param};
use sage_dsl::plan::{SinkPlan, SourcePlan, lookup};
use sage_dsl::types::Value;

const BROKERS: Param = Param {
    name: "brokers",
    kind: Kind::String,
    default: None,
    doc: "addresses of brokers to begin with, `host:9092`; several with commas between",
};

const TOPIC: Param =
    Param { name: "topic", kind: Kind::String, default: None, doc: "name of the topic" };

/// Of the source.
pub(crate) const SOURCE: &[Param] = &[
    BROKERS,
    TOPIC,
    Param {
        name: "group",
        kind: Kind::String,
        default: Some("\"\""),
        doc: "consumer group: a new run begins at its offsets, and moves them when it ends",
    },
    Param {
        name: "start",
        kind: Kind::Word(&["earliest", "latest"]),
        default: Some("earliest"),
        doc: "where a new run begins in a partition for which no group has an offset",
    },
    Param {
        name: "until",
        kind: Kind::Word(&["end", "idle", "stopped"]),
        default: Some("stopped"),
        doc: "`end`: what was there when the run began; `idle`: nothing came for a while; `stopped`: until Ctrl-C",
    },
    Param {
        name: "idle",
        kind: Kind::Duration,
        default: Some("10s"),
        doc: "how long nothing has to come for `until: idle`",
    },
    Param {
        name: "patience",
        kind: Kind::Duration,
        default: Some("60s"),
        doc: "how long the brokers may be away before the run ends",
    },
];

/// Of the sink.
pub(crate) const SINK: &[Param] = &[
    BROKERS,
    TOPIC,
    Param {
        name: "key",
        kind: Kind::String,
        default: Some("\"\""),
        doc: "field whose value is the key of the message; the `@key` field unless said",
    },
    Param {
        name: "patience",
        kind: Kind::Duration,
        default: Some("60s"),
        doc: "how long a row may wait until the brokers have it, before the run ends",
    },
];

/// Where a new run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Earliest,
    Latest,
}

/// Where a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// At what was there when it began.
    End,
    /// When nothing came for so long.
    Idle(Duration),
    /// When it is told to.
    Stopped,
}

/// A source, in the engine's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceOptions {
    pub(crate) brokers: String,
    pub(crate) topic: String,
    /// Empty for none.
    pub(crate) group: String,
    pub(crate) start: Start,
    pub(crate) until: Until,
    pub(crate) patience: Duration,
}

impl SourceOptions {
    pub(crate) fn of(plan: &SourcePlan) -> Self {
        let args = Arguments(&plan.args);
        let start = if args.text("start") == "latest" { Start::Latest } else { Start::Earliest };
        let until = match args.text("until") {
            "end" => Until::End,
            "idle" => Until::Idle(args.duration("idle", 10)),
            _ => Until::Stopped,
        };
        SourceOptions {
            brokers: args.text("brokers").to_owned(),
            topic: args.text("topic").to_owned(),
            group: args.text("group").to_owned(),
            start,
            until,
            patience: args.duration("patience", 60),
        }
    }
}

/// A sink, in the engine's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SinkOptions {
    pub(crate) brokers: String,
    pub(crate) topic: String,
    /// Field whose value is the key of a message.
    pub(crate) key: Option<String>,
    pub(crate) patience: Duration,
}

impl SinkOptions {
    /// `Err` with what is wrong with them.
    pub(crate) fn of(plan: &SinkPlan) -> Result<Self, String> {
        let args = Arguments(&plan.args);
        let fields = &plan.record.fields;
        let key = match args.text("key") {
            "" => fields.iter().find(|field| field.key).map(|field| field.name.clone()),
            key if fields.iter().any(|field| field.name == key) => Some(key.to_owned()),
            key => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                return Err(format!(
                    "`key: \"{key}\"`: {} has no such field; it has {}",
                    plan.record.name,
                    names.join(", ")
                ));
            }
        };
        Ok(SinkOptions {
            brokers: args.text("brokers").to_owned(),
            topic: args.text("topic").to_owned(),
            key,
            patience: args.duration("patience", 60),
        })
    }
}

struct Arguments<'p>(&'p [(String, Value)]);

impl<'p> Arguments<'p> {
    fn text(&self, name: &str) -> &'p str {
        lookup(self.0, name).and_then(Value::as_str).unwrap_or_default()
    }

    fn duration(&self, name: &str, seconds: u64) -> Duration {
        let given = match lookup(self.0, name) {
            Some(Value::Duration(ns)) => u64::try_from(*ns).ok().map(Duration::from_nanos),
            _ => None,
        };
        given.unwrap_or(Duration::from_secs(seconds)).max(Duration::from_millis(100))
    }
}
