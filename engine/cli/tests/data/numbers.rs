//! Numbers with units in expressions: what comes out is written with its unit again, and is the number
//! that a user would compute by hand.

use crate::support::Sage;

const PROGRAM: &str = r#"sage 1
type Row {
  id: int @key, n: int, d: duration, s: size, share: percent
}
type Out {
  id: int, ratio: float, of_sizes: float, hours: float, half: duration, more: duration, third: size,
  tenth: duration, sum: float, part: float
}
source rows: Row from jsonl("rows.jsonl")
sink outs: Out to jsonl("outs.jsonl")
param pause: duration = 1s * 0.25
flow f {
  from rows
  emit Out {
    id: .id,
    ratio: .d / 1s,
    of_sizes: .s / 4KiB,
    hours: (time("2026-01-01T05:30:00Z") - time("2026-01-01")) / 1h,
    half: .d * 0.5,
    more: pause + 1.5 * .d,
    third: .s / 3.0,
    tenth: .d * 10%,
    sum: .share * .n + 1.0,
    part: to_float(.n) / 4,
  } into outs
}
test "numbers with units" {
  given [Row { id: 1, n: 3, d: 250ms, s: 1KiB, share: 50% }]
  expect outs[0].ratio == 0.25
  expect outs[0].of_sizes == 0.25
  expect outs[0].hours == 5.5
  expect outs[0].half == 125ms
  expect outs[0].more == 625ms
  expect outs[0].sum == 2.5
  expect outs[0].part == 0.75
}
"#;

#[test]
fn ratios_and_scaled_quantities_are_what_one_computes_by_hand() {
    let rows = "{\"id\":1,\"n\":3,\"d\":\"250ms\",\"s\":\"1KiB\",\"share\":\"50%\"}\n";
    let sage = Sage::new().file("f.sage", PROGRAM).file("rows.jsonl", rows);
    sage.again().args("test f.sage").go().exits(0);
    let done = sage.args("run f.sage --workers 1 --out out").go().exits(0);
    let row: serde_json::Value = serde_json::from_str(&done.lines("outs.jsonl")[0]).unwrap();
    let expected = serde_json::json!({
        "id": 1, "ratio": 0.25, "of_sizes": 0.25, "hours": 5.5, "half": "125ms", "more": "625ms",
        "third": "341B", "tenth": "25ms", "sum": 2.5, "part": 0.75,
    });
    assert_eq!(row, expected);
}

#[test]
fn quotients_that_lose_their_remainder_and_results_without_end_are_told() {
    let program = r#"sage 1
type Row { id: int @key, n: int, x: float }
type Out { id: int, share: float, x: float }
source rows: Row from jsonl("rows.jsonl")
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from rows
  emit Out { id: .id, share: .n / 4, x: 1.0 / .x } into outs
}
"#;
    let rows = "{\"id\":1,\"n\":3,\"x\":0}\n{\"id\":2,\"n\":3,\"x\":0.5}\n";
    let sage = Sage::new().file("f.sage", program).file("rows.jsonl", rows);
    let done = sage.again().args("run f.sage --workers 1 --out out").go().exits(3);
    done.says("S0318");
    let done = sage.again().args("check f.sage --fix").go().exits(0);
    assert!(!done.stderr.contains("S0318"), "{}", done.stderr);
    let done = sage.args("run f.sage --workers 1 --out out --fresh").go().exits(3);
    let row = "{\"id\":2,\"share\":0.75,\"x\":2.0}";
    assert_eq!(done.lines("outs.jsonl"), [row]);
    assert!(done.read("dead_letters.jsonl").contains("division by zero"));
}

#[test]
fn what_is_warned_of_still_has_its_value() {
    let program = r#"sage 1
type Row { id: int @key, n: int, text: string }
type Out { id: int, half: float, text: string, said: string }
enum Size { small, large }
param part: float = 7 / 2
prompt ask(name: string) "Who is {{ name }}?"
fn half(n: int) -> float = n / 2
fn asked(name: string) -> string = ask(name) + "!"
fn greet(name: string) -> string = replace("Dear {name},", "{name}", name)
fn say(size: Size) -> string = match size { small => "s", _ => "{size}" }
source rows: Row from jsonl("rows.jsonl")
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from rows
  where half(.n) > 0.5
  emit Out { id: .id, half: half(.n) + part, text: greet(.text) + asked(.text), said: say(small) } into outs
}
"#;
    let rows = "{\"id\":1,\"n\":3,\"text\":\"Ann\"}\n";
    let sage = Sage::new().file("f.sage", program).file("rows.jsonl", rows);
    let done = sage.args("run f.sage --workers 1 --out out").go().exits(0).says("S0318");
    let row = r#"{"id":1,"half":4.0,"text":"Dear Ann,Who is Ann?!","said":"s"}"#;
    assert_eq!(done.lines("outs.jsonl"), [row]);
}
