//! Figures as other tools call them: `p99_latency`, `error_rate`, `queue_length`.

use crate::measures::{MEASURES, STATISTICS};

/// Words for the families of columns, in results and in measured figures.
const FAMILIES: &[(&str, &[&str])] = &[
    ("latency", &["latency", "e2e", "response", "response_time", "rt", "lat", "duration", "time"]),
    ("ttft", &["ttft", "first_token", "time_to_first_token"]),
    ("queueing", &["queueing", "queue", "queue_time", "wait", "wait_time", "waiting"]),
    ("scheduling", &["scheduling"]),
    ("execution", &["execution", "exec", "service", "service_time"]),
    ("decision", &["decision"]),
    ("dispatch", &["dispatch"]),
];

/// Words for statistics.
const WORDS: &[(&str, &[&str])] = &[
    ("mean", &["mean", "avg", "average"]),
    ("p50", &["p50", "median"]),
    ("p90", &["p90"]),
    ("p95", &["p95"]),
    ("p99", &["p99", "p98", "p999", "p99_9"]),
    ("max", &["max", "maximum", "worst"]),
];

/// Columns of results that are asked for by other words.
const COLUMNS: &[(&[&str], &str)] = &[
    (
        &["error_rate", "failure_rate", "errors_rate", "fail_rate", "error_ratio"],
        "the share that succeeded is `success`, as in `success >= 99%`",
    ),
    (&["success_rate", "ok_rate", "availability"], "write `success`, as in `success >= 99%`"),
    (
        &[
            "errors",
            "error",
            "failures",
            "failure",
            "failed",
            "dead_letters",
            "dead_letter",
            "tasks_failed",
            "error_count",
        ],
        "records that failed for good are `dead`, as in `dead == 0`",
    ),
    (&["late_rate", "deadline_misses", "missed"], "records whose time was up are `late`"),
    (
        &["tokens_per_s", "tokens_per_second", "tokens", "total_tokens", "tps"],
        "there are `prompt_tokens` and `completion_tokens`, of the whole run",
    ),
    (
        &["rps", "qps", "rate", "requests_per_second"],
        "write `throughput`, as in `throughput > 10/s`",
    ),
    (&["total_cost", "price", "dollars", "spend"], "what the calls cost is `cost`"),
    (&["queue_length", "queue_depth", "backlog"], "records without an outcome are `pending`"),
];

/// Measured figures that are asked for by other words.
const FIGURES: &[(&[&str], &str)] = &[
    (
        &["queue_length", "queue", "queue_depth", "queue_size", "backlog", "pending", "waiting"],
        "tasks_pending",
    ),
    (&["dead", "dead_letters", "errors", "error", "failures", "failed_tasks"], "tasks_dead"),
    (&["ok", "done", "success", "succeeded", "completed"], "tasks_ok"),
    (&["late", "missed"], "tasks_late"),
    (&["tokens", "output_tokens", "generated_tokens", "total_tokens"], "completion_tokens"),
    (&["input_tokens"], "prompt_tokens"),
    (&["ttft", "time_to_first_token"], "first_token"),
    (&["rps", "qps", "rate", "tasks_per_s", "throughput_per_s"], "throughput"),
    (&["requests", "endpoint_calls"], "calls"),
    (&["active", "running", "concurrency"], "in_flight"),
    (&["records", "input", "arrivals"], "tasks_in"),
];

/// What is said of a column that results do not have.
pub(super) struct Meant {
    pub(super) help: String,
    /// The column, where only the order of its words is another.
    pub(super) fix: Option<String>,
}

/// The column of `columns` that `name` asks for by other words.
pub(super) fn column<'c>(
    name: &str,
    columns: impl Iterator<Item = &'c str> + Clone,
) -> Option<Meant> {
    if let Some((_, help)) = COLUMNS.iter().find(|(names, _)| names.contains(&name)) {
        return Some(Meant { help: (*help).to_owned(), fix: None });
    }
    let (family, word, statistic) = parts(name)?;
    let begins = |column: &&str| column.strip_prefix(family).is_some_and(|it| it.starts_with('_'));
    let of_family: Vec<&str> = columns.filter(begins).collect();
    let wanted = format!("{family}_{statistic}_");
    let found = of_family.iter().find(|column| format!("{column}_").starts_with(&wanted));
    let exact = word == statistic;
    Some(match found {
        Some(column) if exact => {
            let help = format!("write `{statistic}({family})`, which is `{column}`");
            let turned = name == format!("{word}_{family}");
            let fix = turned.then(|| format!("{statistic}({family})"));
            Meant { help, fix }
        }
        Some(column) => Meant {
            help: format!("there is `{statistic}({family})`, which is `{column}`"),
            fix: None,
        },
        None if of_family.is_empty() => return None,
        None => {
            let known: Vec<String> = of_family.iter().map(|it| format!("`{it}`")).collect();
            Meant { help: format!("of `{family}` there are {}", known.join(", ")), fix: None }
        }
    })
}

/// The family, the word for a statistic as it is written, and the statistic it asks for.
fn parts(name: &str) -> Option<(&'static str, &str, &'static str)> {
    let name = ["_ms", "_s", "_us"].iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
    let statistic = |word: &str| {
        WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(statistic, _)| *statistic)
    };
    let family = |word: &str| {
        FAMILIES.iter().find(|(_, words)| words.contains(&word)).map(|(family, _)| *family)
    };
    for (one, two) in [name.split_once('_'), name.rsplit_once('_')].into_iter().flatten() {
        for (word, rest) in [(one, two), (two, one)] {
            if let (Some(statistic), Some(family)) = (statistic(word), family(rest)) {
                return Some((family, word, statistic));
            }
        }
    }
    family(name)
        .filter(|family| *family != name || name == "ttft")
        .map(|family| (family, "", "mean"))
}

/// The measured figure that `name` asks for by other words.
pub(super) fn figure(name: &str) -> Option<String> {
    if let Some((_, figure)) = FIGURES.iter().find(|(names, _)| names.contains(&name)) {
        return Some((*figure).to_owned());
    }
    let (family, _, statistic) = parts(name)?;
    let family = if family == "ttft" { "first_token" } else { family };
    let known = MEASURES.iter().any(|spec| spec.name == family && spec.statistics);
    (known && STATISTICS.contains(&statistic)).then(|| format!("{family}.{statistic}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_in_any_order() {
        let columns = ["latency_mean_ms", "latency_p99_ms", "queueing_p95_ms", "ttft_p99_ms"];
        let help = |name: &str| column(name, columns.into_iter()).map(|it| (it.help, it.fix));
        let (text, fix) = help("p99_latency").unwrap_or_default();
        assert_eq!(text, "write `p99(latency)`, which is `latency_p99_ms`");
        assert_eq!(fix.as_deref(), Some("p99(latency)"));
        let (text, fix) = help("avg_latency").unwrap_or_default();
        assert!(text.contains("`mean(latency)`"), "{text}");
        assert_eq!(fix, None);
        assert!(help("max_latency").is_some_and(|(text, _)| text.contains("there are")));
        assert!(help("nothing").is_none());
        assert_eq!(figure("p99_ttft").as_deref(), Some("first_token.p99"));
    }

    #[test]
    fn figures_exist_and_what_exists_is_not_foreign() {
        for (names, figure) in FIGURES {
            let known = |name: &str| MEASURES.iter().any(|spec| spec.name == name);
            assert!(known(figure) && !names.iter().any(|name| known(name)), "{figure}");
        }
    }
}
