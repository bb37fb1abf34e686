//! Rules of types, one expression at a time: the type of a stage that holds it.

mod common;

use common::{compile_with, plain};

const HEAD: &str = r#"sage 1
enum Level { low, high }
type Part { name: string, size: int }
type Row { id: string @key, n: int, x: float, s: string, b: bool, d: duration, t: time, l: [string],
  ints: [int], maybe: int?, level: Level, parts: [Part], part: Part }
param factor: int = 3
fn twice(v: int) -> int = v * 2
source rows: Row from csv("rows.csv")
sink out to stdout()
"#;

fn result(expression: &str) -> Result<String, String> {
    let text =
        format!("{HEAD}flow f {{\n  from rows\n  stage r = {expression}\n  emit into out\n}}\n");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    match compiled.plans.first() {
        Some(plan) => Ok(plan.columns.last().expect("a column").ty.to_string()),
        None => Err(plain(&compiled)),
    }
}

#[track_caller]
fn good(rows: &[(&str, &str)]) {
    for (expression, ty) in rows {
        assert_eq!(result(expression).as_deref(), Ok(*ty), "{expression}");
    }
}

#[track_caller]
fn bad(rows: &[(&str, &str)]) {
    for (expression, code) in rows {
        let said = result(expression).expect_err(expression);
        assert!(said.contains(code), "{expression}: {said}");
        assert_eq!(said.matches("error[").count(), 1, "{expression}: {said}");
    }
}

#[test]
fn arithmetic() {
    good(&[
        (".n + 1", "int"),
        (".n / 2", "int"),
        (".n * 1.5", "float"),
        (".x + .n", "float"),
        (".n % 2", "int"),
        (".s + \"x\"", "string"),
        (".l + [\"x\"]", "[string]"),
        (".d + 5s", "duration"),
        (".d * 2", "duration"),
        ("2 * .d", "duration"),
        (".d / 5s", "float"),
        (".t - .t", "duration"),
        (".t + 5s", "time"),
        (".t - time(\"2026-11-01\")", "duration"),
        ("time(\"2026-11-01\") + 2h", "time"),
        ("5s + time(\"2026-11-01\")", "time"),
        ("time(.s)", "time"),
        (".t in [time(\"2026-11-01\")]", "bool"),
        ("-.n", "int"),
        ("twice(.n) + factor", "int"),
        (".x * 10%", "float"),
        (".n * 10%", "float"),
        ("50% / 2", "float"),
        (".d * 1.5", "duration"),
        ("10% * .d", "duration"),
        (".d / 2.5", "duration"),
        ("1s * 1.5", "duration"),
        ("1MiB / 0.5", "size"),
    ]);
    bad(&[
        (".s + .n", "S0302"),
        (".n + .d", "S0302"),
        (".d * .d", "S0302"),
        (".b + .b", "S0302"),
        ("-.s", "S0302"),
        (".x % 2", "S0302"),
        ("twice(.x)", "S0301"),
        ("1 / 0", "S0314"),
    ]);
}

#[test]
fn comparisons_and_logic() {
    good(&[
        (".n > 3", "bool"),
        (".n == .x", "bool"),
        (".s < \"m\"", "bool"),
        (".d >= 5s and not .b", "bool"),
        (".l contains \"x\"", "bool"),
        (".s contains \"x\"", "bool"),
        (".n in [1, 2]", "bool"),
        (".level == high", "bool"),
        ("high == .level", "bool"),
        (".level in [low, high]", "bool"),
        (".maybe == null", "bool"),
        (".part == .part", "bool"),
    ]);
    bad(&[
        (".n == .s", "S0302"),
        (".b < .b", "S0302"),
        (".n and .b", "S0304"),
        ("not .s", "S0304"),
        (".l contains 3", "S0302"),
        (".level == \"high\"", "S0302"),
        (".maybe > 3", "S0302"),
        ("1 < .n < 3", "S0124"),
    ]);
}

#[test]
fn fields_lists_and_branches() {
    good(&[
        (".part.size", "int"),
        (".parts.name", "[string]"),
        (".parts[0].name", "string?"),
        (".parts[0].name ?? \"\"", "string"),
        (".ints[1]", "int?"),
        (".maybe ?? 0", "int"),
        (".maybe ?? .maybe", "int?"),
        ("if .b then 1 else 2.5", "float"),
        ("if .b then .s else null", "string?"),
        ("match .level { low => 1, high => 2 }", "int"),
        ("match .n { 0 => \"a\", _ => \"b\" }", "string"),
        ("[1, 2.5]", "[float]"),
        ("{ a: 1, b: .s }", "record"),
        ("Part { name: .s, size: .n }", "Part"),
    ]);
    bad(&[
        (".part.nme", "S0203"),
        (".s.size", "S0312"),
        (".n[0]", "S0312"),
        ("if .b then 1 else \"x\"", "S0305"),
        ("match .level { low => 1 }", "S0306"),
        ("Part { name: .s }", "S0309"),
        ("[1, \"x\"]", "S0301"),
    ]);
}

#[test]
fn functions() {
    good(&[
        ("length(.s) + length(.l)", "int"),
        ("words(.s)", "[string]"),
        ("join(.l, \", \")", "string"),
        ("split(.s, \",\")", "[string]"),
        ("fnv1a(.s) + hash(.part)", "int"),
        ("min(.n, .x)", "float"),
        ("max(.n, 3)", "int"),
        ("round(.x)", "int"),
        ("to_string(.n)", "string"),
        ("to_int(.s)", "int"),
        ("to_int(.x)", "int"),
        ("to_float(.s)", "float"),
        ("union(.l, [\"x\"])", "[string]"),
        ("slice(.s, 0, 3)", "string"),
        ("slice(.ints, 0, 3)", "[int]"),
        ("count_tokens(.s)", "tokens"),
        ("starts_with(lower(trim(.s)), \"a\")", "bool"),
        ("replace(upper(.s), \"A\", \"B\")", "string"),
    ]);
    bad(&[
        ("length(.n)", "S0301"),
        ("join(.ints, \",\")", "S0301"),
        ("union(.l, .ints)", "S0301"),
        ("min(.n, .s)", "S0301"),
        ("lower(.s, .s)", "S0208"),
        ("lower()", "S0206"),
        ("lwer(.s)", "S0204"),
    ]);
}

#[test]
fn an_error_is_said_beside_any_number_of_warnings() {
    let warned: String = (0..300).map(|n| format!("  stage s{n}: float = .n / 3\n")).collect();
    let text =
        format!("{HEAD}flow f {{\n  from rows\n{warned}  stage r: int = .s\n  emit into out\n}}\n");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    assert!(compiled.plans.is_empty());
    let said = plain(&compiled);
    assert!(said.matches("warning[S0318]").count() >= 100, "{said}");
    assert_eq!(said.matches("error[S0301]").count(), 1, "{said}");
}
