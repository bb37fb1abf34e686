//! "Did you mean": at most three names close to a misspelt one, and the fix that a single one is.

use crate::diagnostic::Diagnostic;
use crate::span::{SourceMap, Span};

/// How the help of a suggestion begins, before the name; [`offer_fix`] knows it by that.
const ASKED: [&str; 2] = ["did you mean `", "did you mean the field `"];

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
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let within = short.len() >= 4 && long.split('_').any(|part| part == short)
        || short.len() >= 5 && long.starts_with(short);
    let slip = strsim::damerau_levenshtein(a, b) == 1;
    let alike = within || slip || similar > 0.88;
    if edits < 0.5 || edits < 0.599 && !alike {
        return 0.0;
    }
    similar.max(edits + 0.1)
}

/// Makes a suggestion of a single name a fix, where the misspelt one is all that was pointed at.
///
/// It is done for all findings at once, so that no place that suggests can forget it. Of several
/// names none is taken: which was meant is not for a tool to guess.
pub(crate) fn offer_fix(diagnostic: &mut Diagnostic, sources: &SourceMap) {
    let (None, Some(span), Some(help)) = (&diagnostic.fix, diagnostic.span(), &diagnostic.help)
    else {
        return;
    };
    let asked = ASKED.iter().find_map(|asked| help.strip_prefix(asked)?.strip_suffix("`?"));
    let Some(name) = asked.filter(|name| !name.contains('`')) else { return };
    let (start, given) = unquoted(span.start, sources.text(span));
    let is_word = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte))
    };
    let plain = |text: &'_ str| text.trim_start_matches('.').to_owned();
    if is_word(given) && is_slip(&plain(given), &plain(name)) {
        let end = start + given.len() as u32;
        diagnostic.fix = Some(crate::diagnostic::Fix::new(Span { start, end, ..span }, name));
    }
}

/// Whether one is the other with a letter or two wrong: less than a suggestion may ask for, since a
/// fix is made unasked. `median` is not `mean`.
fn is_slip(given: &str, name: &str) -> bool {
    let most = if given.len() < 8 { 1 } else { 2 };
    given.len() <= 64 && strsim::damerau_levenshtein(given, name) <= most
}

/// What stands between quotes, and where it begins.
fn unquoted(start: u32, text: &str) -> (u32, &str) {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inside.map_or((start, text), |inside| (start + 1, inside))
}

/// Names of types in other languages, and what is written here: a type, or a sentence where there is
/// none.
const FOREIGN_TYPES: &[(&str, &str)] = &[
    ("str", "string"),
    ("text", "string"),
    ("varchar", "string"),
    ("char", "string"),
    ("uuid", "string"),
    ("json", "string"),
    ("integer", "int"),
    ("i8", "int"),
    ("i16", "int"),
    ("i32", "int"),
    ("i64", "int"),
    ("u8", "int"),
    ("u32", "int"),
    ("u64", "int"),
    ("int32", "int"),
    ("int64", "int"),
    ("uint", "int"),
    ("usize", "int"),
    ("long", "int"),
    ("short", "int"),
    ("bigint", "int"),
    ("number", "float"),
    ("double", "float"),
    ("real", "float"),
    ("f32", "float"),
    ("f64", "float"),
    ("float64", "float"),
    ("decimal", "float"),
    ("numeric", "float"),
    ("boolean", "bool"),
    ("datetime", "time"),
    ("timestamp", "time"),
    ("date", "time"),
    ("interval", "duration"),
    ("timedelta", "duration"),
    ("blob", "bytes"),
    ("list", "[T]"),
    ("array", "[T]"),
    ("vec", "[T]"),
    ("optional", "T?"),
    ("option", "T?"),
    ("map", NO_MAPS),
    ("dict", NO_MAPS),
    ("object", NO_MAPS),
    ("any", NO_ANY),
    ("unknown", NO_ANY),
    ("void", NO_ANY),
];

const NO_MAPS: &str = "there are no maps: declare a `type` with a field for each key";
const NO_ANY: &str =
    "every field has one type, such as `string`; what may be missing has `?` behind it";

/// What a type of another language is called here, in whatever case it is written.
pub(crate) fn foreign_type(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let own = crate::check::BUILT_IN.iter().map(|(own, _)| *own).find(|own| *own == lower);
    let foreign = || FOREIGN_TYPES.iter().find(|(foreign, _)| *foreign == lower).map(|it| it.1);
    own.filter(|own| *own != name).or_else(foreign)
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

    #[test]
    fn a_single_suggestion_is_a_fix_and_several_are_none() {
        let fix = |text: &str, help: &str| {
            let mut sources = SourceMap::default();
            let file = sources.add("x.sage", text);
            let span = Span { file, start: 0, end: text.len() as u32 };
            let mut found = Diagnostic::error("S0201", span, "").help(help);
            offer_fix(&mut found, &sources);
            found.fix.map(|fix| (fix.span.start, fix.span.end, fix.replacement))
        };
        let to = |start, end, name: &str| Some((start, end, name.to_owned()));
        assert_eq!(fix("timout", "did you mean `timeout`?"), to(0, 6, "timeout"));
        assert_eq!(fix("\"bm52\"", "did you mean `bm25`?"), to(1, 5, "bm25"));
        assert_eq!(fix("txt", "did you mean the field `.text`?"), to(0, 3, ".text"));
        assert_eq!(fix("tex", "did you mean `text` or `next`?"), None);
        assert_eq!(fix("f(tex)", "did you mean `text`?"), None, "more than the name");
        assert_eq!(fix("(other)", "did you mean `text`?"), None);
    }
}
