//! Machine, commit, seed and parameters: what is needed to make the figures again.

use serde_json::Value;

use crate::plots::escape;
use crate::results::Results;

pub(super) fn section(results: &Results) -> String {
    let Some(setup) = results.setup.as_object().filter(|setup| !setup.is_empty()) else {
        return String::new();
    };
    let mut text = String::from("<h2>Setup</h2>\n<dl>\n");
    for (name, value) in setup {
        let words = match value {
            Value::Null => "unknown".to_owned(),
            Value::String(words) => words.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            // The rest is below.
            Value::Array(_) | Value::Object(_) => continue,
        };
        let name = name.replace('_', " ");
        text.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(&name), escape(&words)));
    }
    text.push_str("</dl>\n");
    if setup.values().any(|value| value.is_array() || value.is_object()) {
        let all = serde_json::to_string_pretty(&results.setup).unwrap_or_default();
        text.push_str(&format!(
            "<details><summary>setup.json</summary>\n<pre>{}</pre></details>\n",
            escape(&all)
        ));
    }
    text
}
