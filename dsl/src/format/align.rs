//! What stands below each other in neighbouring lines: the braces of one-line blocks of a kind, the `=`
//! of stages, and comments at the ends of lines.

use super::indent::Line;

/// A line is not made longer than this for the sake of its neighbours.
const LONGEST: usize = 110;
/// Neighbours whose widths differ by more have little to do with each other.
const FAR: usize = 40;

/// Lines up the `{` of types, claims and sweep points that stand in one line each, and the `=` of
/// stages.
pub(super) fn names(lines: &mut [Line<'_>]) {
    for end in [type_end, claim_end, point_end, stage_end] {
        below_each_other(lines, end);
    }
}

fn whole(code: &str) -> bool {
    code.trim_end_matches(',').ends_with('}') && !code.contains('\n')
}

fn type_end(code: &str) -> Option<usize> {
    (code.starts_with("type ") && whole(code)).then(|| code.find(" {")).flatten()
}

fn claim_end(code: &str) -> Option<usize> {
    let named = code.starts_with("claim \"") && whole(code);
    named.then(|| code.find("\" {").map(|quote| quote + 1)).flatten()
}

/// `name { ... }` or `"name" { ... }`, as points of a sweep are.
fn point_end(code: &str) -> Option<usize> {
    let name = match code.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => code.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')?,
    };
    (name > 0 && whole(code) && code[name..].starts_with(" {")).then_some(name)
}

fn stage_end(code: &str) -> Option<usize> {
    (code.starts_with("stage ") && !code.contains('\n')).then(|| code.find(" =")).flatten()
}

/// Widens neighbouring lines at the place that `end` gives, so that what follows there lines up.
fn below_each_other(lines: &mut [Line<'_>], end: impl Fn(&str) -> Option<usize>) {
    let has = |line: &Line<'_>| end(&line.code).is_some();
    groups(lines, has, |group| {
        let ends: Vec<usize> = group.iter().filter_map(|line| end(&line.code)).collect();
        let widest = ends.iter().copied().max().unwrap_or(0);
        let fits = |line: &Line<'_>, at: &usize| {
            line.indent + line.code.chars().count() + widest - at <= LONGEST
        };
        let near = ends.iter().all(|at| widest - at <= FAR);
        if !near || !group.iter().zip(&ends).all(|(line, at)| fits(line, at)) {
            return;
        }
        for (line, at) in group.iter_mut().zip(ends) {
            line.code.insert_str(at, &" ".repeat(widest - at));
        }
    });
}

/// Lines up comments behind code.
pub(super) fn comments(lines: &mut [Line<'_>]) {
    let has = |line: &Line<'_>| {
        line.comment.is_some() && !line.code.is_empty() && !line.code.contains('\n')
    };
    groups(lines, has, |group| {
        let width = |line: &Line<'_>| line.indent + line.code.chars().count();
        let widest = group.iter().map(width).max().unwrap_or(0);
        let narrowest = group.iter().map(width).min().unwrap_or(0);
        if widest - narrowest > FAR {
            return;
        }
        for line in group {
            line.gap = widest - width(line) + 1;
        }
    });
}

/// Calls `set` with each run of neighbouring lines of one indentation that are `alike`.
fn groups<'a>(
    lines: &mut [Line<'a>],
    alike: impl Fn(&Line<'a>) -> bool,
    mut set: impl FnMut(&mut [Line<'a>]),
) {
    let mut start = 0;
    while start < lines.len() {
        let first = &lines[start];
        if !alike(first) {
            start += 1;
            continue;
        }
        let indent = first.indent;
        let more = lines[start + 1..]
            .iter()
            .take_while(|line| alike(line) && !line.blank_before && line.indent == indent)
            .count();
        set(&mut lines[start..=start + more]);
        start += 1 + more;
    }
}
