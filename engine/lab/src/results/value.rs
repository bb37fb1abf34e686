//! The value of a column in the figures of one run.
//!
//! A column is a field of `metrics.json`, or follows from other fields of the same object.

use serde_json::{Map, Value};

use super::column;

/// What the column called `name`, or with this alias, is in the `metrics.json` of one run; `None`
/// where it was not measured, or needs more than one run.
///
/// ```
/// let metrics = serde_json::json!({"tasks_in": 4, "tasks_ok": 3, "cost": null});
/// let metrics = metrics.as_object().unwrap();
/// assert_eq!(sage_lab::results::value("tasks_ok", metrics), Some(3.0));
/// assert_eq!(sage_lab::results::value("success", metrics), Some(0.75));
/// assert_eq!(sage_lab::results::value("cost", metrics), None);
/// ```
pub fn value(name: &str, metrics: &Map<String, Value>) -> Option<f64> {
    let name = column(name).map_or(name, |column| column.name);
    let field = |name: &str| metrics.get(name).and_then(Value::as_f64);
    let found = match name {
        "success" => field("tasks_ok").zip(field("tasks_in")).map(|(ok, all)| ok / all),
        "endpoint_calls" => sum(each(metrics, "endpoint_stats", "calls")),
        "endpoint_shed" => sum(each(metrics, "endpoint_stats", "shed")),
        "endpoint_limit" => most(each(metrics, "endpoint_stats", "limit")),
        "endpoint_in_flight_max" => most(each(metrics, "endpoint_stats", "max_in_flight")),
        "ttft_p50_ms" | "ttft_p95_ms" | "ttft_p99_ms" => most(each(metrics, "stages", name)),
        name => field(name),
    };
    found.filter(|value| value.is_finite())
}

/// Field `name` of every object in the list `list`.
fn each<'m>(
    metrics: &'m Map<String, Value>,
    list: &str,
    name: &'m str,
) -> impl Iterator<Item = f64> + 'm {
    let items = metrics.get(list).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(move |item| item.get(name)?.as_f64())
}

/// `None` of nothing, which is not 0.
fn sum(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(|a, b| a + b)
}

fn most(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_added_up_and_nothing_is_not_zero() {
        let metrics = json!({
            "endpoint_stats": [{"calls": 3, "limit": 8, "shed": 0}, {"calls": 4, "limit": 2}],
            "stages": [{"ttft_p99_ms": null}, {"ttft_p99_ms": 12.5}, {"ttft_p99_ms": 2.0}],
            "tasks_in": 0, "tasks_ok": 0,
        });
        let metrics = metrics.as_object().unwrap();
        assert_eq!(value("calls", metrics), Some(7.0));
        assert_eq!(value("shed", metrics), Some(0.0));
        assert_eq!(value("endpoint_limit", metrics), Some(8.0));
        assert_eq!(value("ttft_p99", metrics), Some(12.5));
        for missing in ["success", "ttft_p50", "in_flight_max", "balance", "speedup"] {
            assert_eq!(value(missing, metrics), None, "{missing}");
        }
    }
}
