//! "Did you mean": at most three names close to a misspelt one.

/// A sentence with the names of `known` closest to `given`, if any is close.
pub(crate) fn did_you_mean<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let close = closest(given, known);
    let quoted: Vec<String> = close.iter().map(|name| format!("`{name}`")).collect();
    let (last, rest) = quoted.split_last()?;
    Some(if rest.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", rest.join(", "))
    })
}

/// Names of `known` that `given` may be a misspelling of, best first, at most three.
pub(crate) fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // The distance is quadratic; nobody misspells a name this long.
    if given.len() > 64 {
        return Vec::new();
    }
    let wanted = given.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        // Cheap first: half of the letters have to agree. And a list has an end.
        .filter(|name| {
            let (a, b) = (name.len(), given.len());
            a <= 64 && 2 * a.min(b) >= a.max(b)
        })
        .take(1_000)
        .map(|name| (score(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.74)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// 1 is equal. Transpositions and a shared beginning count in favour; short words need to be
/// closer, or everything resembles everything.
fn score(a: &str, b: &str) -> f64 {
    let similar = strsim::jaro_winkler(a, b);
    let edits = strsim::normalized_damerau_levenshtein(a, b);
    if edits < 0.5 { 0.0 } else { similar.max(edits + 0.1) }
}

/// Names in backticks, for "one of ...".
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_offered_best_first() {
        let known = ["timeout", "temperature", "max_tokens", "lane"];
        assert_eq!(did_you_mean("timout", known).as_deref(), Some("did you mean `timeout`?"));
        assert_eq!(did_you_mean("zzz", known), None);
    }
}
