//! Clauses, operators and choices of SQL and of scripting languages that stop the reader in the middle
//! of a line.

use super::foreign::{Form, last_word, unexpected};
use super::operand::{operand_before, operand_behind, split_list};
use super::recover::first_word;
use crate::scan::closing;

/// What is known of a line that could not be read on, from what stands before and what follows.
pub(super) fn find(line: &str, rest: &str) -> Option<Form> {
    safe_access(rest)
        .or_else(|| called_operator(line, rest))
        .or_else(|| python_choice(line, rest))
        .or_else(|| sql_choice(line, rest))
        .or_else(|| is(line, rest))
        .or_else(|| not_contains(line, rest))
        .or_else(|| sorted(line, rest))
        .or_else(|| direction(line, rest))
        .or_else(|| second_unit(line, rest))
        .or_else(|| variant(line, rest))
        .or_else(|| cast(line, rest))
        .or_else(|| comprehension(line, rest))
        .or_else(|| match first_word(line.trim_start()) {
            "from" => behind_from(rest),
            "import" => behind_import(rest),
            "group" => window_on(line, rest),
            "emit" => emit_when(rest),
            "stage" => endpoint_behind(line, rest),
            "prompt" => body_of_prompt(rest),
            "flat_map" => element_in(rest),
            "dedup" => key_behind_on(rest),
            "loop" => rounds(line, rest),
            "sweep" => points(line, rest),
            "measure" => interval(line, rest),
            "when" | "route" => several(line, rest),
            _ => None,
        })
}

/// `a?.b`.
fn safe_access(rest: &str) -> Option<Form> {
    rest.starts_with("?.").then(|| {
        let help = "`.` goes through null: what is of null is null";
        unexpected(2, "there is no `?.`", help).replacing(0, 1, "")
    })
}

/// `contains(.text, "x")`, `in(.n, [1, 2])`.
fn called_operator(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    if !matches!(name, "contains" | "in") || !rest.starts_with('(') {
        return None;
    }
    let message = format!("`{name}` stands between its two sides");
    let form = unexpected(1, message, "as in `.text contains \"a\"` and `.n in [1, 2]`");
    let Some(close) = closing(rest) else { return Some(form) };
    let parts = split_list(&rest[1..close]);
    let [one, two] = parts.as_slice() else { return Some(form) };
    let meant = format!("{} {name} {}", one.trim(), two.trim());
    let form = form.saying(format!("write `{meant}`"));
    let behind = rest[close + 1..].trim_start_matches(' ');
    let ends = behind.is_empty()
        || behind.starts_with(['\n', ',', '}', ')', ']'])
        || ["then", "and", "or", "else"].contains(&first_word(behind));
    Some(if ends { form.replacing(name.len(), close + 1, meant) } else { form })
}

/// `a if c else b`, wherever a value stands.
fn python_choice(line: &str, rest: &str) -> Option<Form> {
    let condition = rest.strip_prefix("if ")?;
    let value = operand_before(line);
    let (condition, no) = condition.lines().next()?.split_once(" else ")?;
    let no = operand_behind(no);
    if value.trim().is_empty() || no.trim().is_empty() || condition.contains(['{', '}']) {
        return None;
    }
    let meant = format!("if {} then {} else {}", condition.trim(), value.trim(), no.trim());
    let length = "if ".len() + condition.len() + " else ".len() + no.trim_end().len();
    let back = value.trim_start().len();
    let form = unexpected(2, "a choice begins with `if`", format!("write `{meant}`"));
    let nested = no.contains(" else ") || no.contains(" on ") || no.contains(" into ");
    Some(if nested { form } else { form.replacing(back, length, meant) })
}

/// `case when c then a else b end`.
fn sql_choice(line: &str, rest: &str) -> Option<Form> {
    let case = last_word(line.trim_end());
    let whole = rest.lines().next()?;
    let lower = whole.to_ascii_lowercase();
    if !case.eq_ignore_ascii_case("case") || !lower.starts_with("when ") {
        return None;
    }
    let end = lower.find(" end")?;
    let one = lower.matches("when ").count() == 1 && lower.matches(" else ").count() == 1;
    let (yes, no) = (lower.find(" then ")?, lower.find(" else ")?);
    if !(one && yes < no && no < end) {
        return None;
    }
    let meant = format!(
        "if {} then {} else {}",
        whole["when ".len()..yes].trim(),
        whole[yes + " then ".len()..no].trim(),
        whole[no + " else ".len()..end].trim()
    );
    let back = line.len() - line.trim_end().len() + case.len();
    let form = unexpected(4, "there is no `case when`", format!("write `{meant}`"));
    Some(form.replacing(back, end + " end".len(), meant))
}

/// `k is a`, `xs is empty`.
fn is(line: &str, rest: &str) -> Option<Form> {
    let (sign, meant) = match (last_word(line.trim_end()), first_word(rest)) {
        ("is", "empty") => ("is", None),
        ("is", word) if !word.is_empty() && word != "not" => ("is", Some("==")),
        ("not", word) if !word.is_empty() && line.trim_end().ends_with(" is not") => {
            ("is not", Some("!="))
        }
        ("is", _) if rest.starts_with('.') => ("is", Some("==")),
        _ => return None,
    };
    let back = line.len() - line.trim_end().len() + sign.len();
    let message = format!("`{sign}` is not an operator");
    Some(match meant {
        Some(meant) => unexpected(1, message, format!("write `{meant}`")).replacing(
            back,
            0,
            format!("{meant} "),
        ),
        None => unexpected(1, message, "what is empty has length 0: `length(x) == 0`"),
    })
}

/// `.text not contains "x"`.
fn not_contains(line: &str, rest: &str) -> Option<Form> {
    let head = line.trim_end().strip_suffix("not")?;
    if first_word(rest) != "contains" || !head.ends_with(' ') {
        return None;
    }
    let mut operand = operand_before(head);
    for word in ["where ", "if ", "and ", "or ", "expect "] {
        if let Some(at) = operand.rfind(word) {
            operand = &operand[at + word.len()..];
        }
    }
    let operand = operand.trim();
    let help = format!("write `not {operand} contains ...`");
    let back = line.len() - head.trim_end().len() + operand.len();
    let form = unexpected(8, "`not` stands in front of what it denies", help);
    Some(form.replacing(back, 0, format!("not {operand} ")))
}

/// `where c order by .n limit 10`.
fn sorted(line: &str, rest: &str) -> Option<Form> {
    let word = first_word(rest);
    let behind = rest[word.len()..].trim_start_matches(' ');
    let by = ["by", "BY"].contains(&first_word(behind));
    let number = behind.starts_with(|c: char| c.is_ascii_digit());
    let help = match word {
        "order" | "ORDER" | "sort" if by => {
            "rows keep the order of their source; those that are largest by something are \
             `group { best: top_k(.text, 10, by: .n) }`"
        }
        "limit" | "LIMIT" if number => {
            "how many records are read is said by `sage-flow run ... --limit 10`"
        }
        _ => return None,
    };
    let step = first_word(line.trim_start());
    matches!(step, "where" | "stage" | "group" | "dedup" | "emit" | "join" | "flat_map")
        .then(|| unexpected(word.len(), format!("there is no `{word}`"), help))
}

/// `by: .n desc`.
fn direction(line: &str, rest: &str) -> Option<Form> {
    let word = first_word(rest);
    let down = matches!(word, "desc" | "DESC" | "descending");
    if !down && !matches!(word, "asc" | "ASC" | "ascending") || line.trim().is_empty() {
        return None;
    }
    let help = "`top_k` and `priority` take the largest first; for the smallest first write \
                `0 - .n`";
    let form = unexpected(word.len(), format!("there is no `{word}`"), help);
    let back = line.len() - line.trim_end().len();
    Some(if down { form.replacing(back, word.len(), "") } else { form })
}

/// `1h 30min`.
fn second_unit(line: &str, rest: &str) -> Option<Form> {
    let (one, two) = (last_word(line.trim_end()), first_word(rest));
    let back = line.len() - line.trim_end().len() + one.len();
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if !starts(one) || !starts(two) {
        return None;
    }
    let meant = crate::literal::one_unit(&format!("{one}{two}"))?;
    let form = unexpected(two.len(), "a duration has one unit", format!("write `{meant}`"));
    Some(form.replacing(back, two.len(), meant))
}

/// `Kind::a`.
fn variant(line: &str, rest: &str) -> Option<Form> {
    let ty = last_word(line);
    let name = first_word(rest.strip_prefix("::")?);
    let upper = ty.starts_with(|c: char| c.is_ascii_uppercase());
    (upper && !name.is_empty()).then(|| {
        let form = unexpected(2, "a variant is a bare word", format!("write `{name}`"));
        form.replacing(ty.len(), 2, "")
    })
}

/// `.n as int`, `cast(.n as int)`.
fn cast(line: &str, rest: &str) -> Option<Form> {
    let ty = first_word(rest.strip_prefix("as ")?.trim_start());
    let function = match ty {
        "int" | "integer" | "bigint" => "to_int",
        "float" | "double" | "number" => "to_float",
        "string" | "str" | "text" => "to_string",
        "time" | "timestamp" | "date" => "time",
        _ => return None,
    };
    let value = operand_before(line).trim();
    let help = format!("write `{function}({value})`");
    Some(unexpected(2, "a value is made another type by a function", help))
}

/// `[x for x in xs]`.
fn comprehension(line: &str, rest: &str) -> Option<Form> {
    let count = |signs: [char; 2]| line.matches(signs).count();
    let inside = count(['[', '(']) > count([']', ')']);
    (inside && first_word(rest) == "for").then(|| {
        unexpected(
            3,
            "a list is not made by `for`",
            "what is to be done for each element of a list: `flat_map x = list` makes a record of \
             each, the steps behind it compute, and `group by .id { all: collect(x) }` gathers them",
        )
    })
}

/// `from a as r`, `from a, b`, `from a limit 10`.
fn behind_from(rest: &str) -> Option<Form> {
    let word = first_word(rest);
    if word == "as" {
        let alias = first_word(rest[2..].trim_start());
        let help = "its fields are written with a dot alone: `.text`";
        let length = rest.find(alias)? + alias.len();
        let form = unexpected(2, "the source of a flow has no other name in it", help);
        return Some(form.replacing(1, length, ""));
    }
    if matches!(word, "limit" | "take" | "top" | "LIMIT") {
        let help = "how many records are read is said by `sage-flow run ... --limit 10`";
        return Some(unexpected(word.len(), format!("there is no `{word}`"), help));
    }
    rest.starts_with(',').then(|| {
        unexpected(
            1,
            "a flow has one source",
            "rows of another are put beside its records by `join other on .key == other.key`",
        )
    })
}

/// `import "x" as y`.
fn behind_import(rest: &str) -> Option<Form> {
    let alias = first_word(rest.strip_prefix("as ")?.trim_start());
    let help = "what it declares is used by its own name";
    let length = rest.find(alias)? + alias.len();
    Some(unexpected(2, "an import has no other name", help).replacing(1, length, ""))
}

/// `group by k window tumbling(1min) on .at { ... }`.
fn window_on(line: &str, rest: &str) -> Option<Form> {
    if first_word(rest) == "as" {
        let help = "a key is named in front of it: `group by kind: k { n: count() }`";
        return Some(unexpected(2, "a key gets its name by `:`", help));
    }
    if !line.contains(" window ") || first_word(rest) != "on" {
        return None;
    }
    let help = "write `group by .key window tumbling(1min, by: .at) { n: count() }`";
    let form = unexpected(2, "the time of a window is given by `by:`", help);
    let head = line.trim_end();
    let time = rest["on".len()..].split('{').next()?.trim();
    if !head.ends_with(')') || head.ends_with("()") || time.is_empty() || time.contains('\n') {
        return Some(form);
    }
    let length = rest.find(time)? + time.len();
    Some(form.replacing(line.len() - head.len() + 1, length, format!(", by: {time})")))
}

/// `emit ... into out when c`.
fn emit_when(rest: &str) -> Option<Form> {
    let word = first_word(rest);
    matches!(word, "when" | "where" | "unless").then(|| {
        let help = "as in `emit Type { ... } into sink if condition`";
        let form = unexpected(word.len(), "the condition of an emit stands behind `if`", help);
        if word == "unless" { form } else { form.replacing(0, word.len(), "if") }
    })
}

/// `stage s = f(x) { ... } on llm`.
fn endpoint_behind(line: &str, rest: &str) -> Option<Form> {
    let endpoint = first_word(rest.strip_prefix("on ")?.trim_start());
    let head = line.trim_end();
    if !head.ends_with('}') || endpoint.is_empty() {
        return None;
    }
    let help = format!("write `... on {endpoint} {{ option: value }}`");
    let form = unexpected(2, "the endpoint stands in front of the options", help);
    let block = &head[head.rfind('{')?..];
    if block.matches('}').count() != 1 {
        return Some(form);
    }
    let back = line.len() - head.len() + block.len();
    let length = rest.find(endpoint)? + endpoint.len();
    Some(form.replacing(back, length, format!("on {endpoint} {block}")))
}

/// `prompt p(t: string) -> string = """..."""`, `prompt p(t: string) -> T { ... }`.
fn body_of_prompt(rest: &str) -> Option<Form> {
    let help = "a prompt is `prompt name(a: string) -> string \"\"\"text with {{ a }}\"\"\"`; what \
                other tools call the system prompt is the beginning of the text";
    if let Some(text) = rest.strip_prefix('=') {
        let form = unexpected(1, "the text of a prompt follows without a sign", help);
        let blanks = text.len() - text.trim_start_matches(' ').len();
        return Some(form.replacing(0, 1 + blanks, ""));
    }
    rest.starts_with('{').then(|| unexpected(1, "a prompt is one text, without braces", help))
}

/// `flat_map w in words`.
fn element_in(rest: &str) -> Option<Form> {
    (first_word(rest) == "in").then(|| {
        let help = "write `flat_map name = list`";
        unexpected(2, "the list of a `flat_map` stands behind `=`", help).replacing(0, 2, "=")
    })
}

/// `dedup on .text`.
fn key_behind_on(rest: &str) -> Option<Form> {
    (first_word(rest) == "on").then(|| {
        let help = "write `dedup by .key`";
        unexpected(2, "the key of a `dedup` stands behind `by`", help).replacing(0, 2, "by")
    })
}

/// `sweep n: [1, 2]`, `sweep n in 1..5`.
fn points(line: &str, rest: &str) -> Option<Form> {
    if rest.starts_with("..") {
        let help = "write each point: `sweep nodes in [1, 2, 4]`";
        return Some(unexpected(2, "the points of a sweep are a list", help));
    }
    let one = line.split_whitespace().count() == 2;
    (one && rest.starts_with([':', '='])).then(|| {
        let help = "a sweep is `sweep nodes in [1, 4, 16]`";
        let left = if line.ends_with(' ') { "" } else { " " };
        let form = unexpected(1, "the points of a sweep stand behind `in`", help);
        form.replacing(0, 1, format!("{left}in"))
    })
}

/// `measure every 1s to csv("f.csv") { ... }`.
fn interval(line: &str, rest: &str) -> Option<Form> {
    (line.trim() == "measure" && first_word(rest) == "every").then(|| {
        let help = "a measurement is `measure to csv(\"file.csv\") every 1s { latency }`";
        unexpected(5, "the interval stands behind the sink", help)
    })
}

/// `loop 3 { ... }`, `loop up to n { ... }`.
fn rounds(line: &str, rest: &str) -> Option<Form> {
    let word = first_word(rest);
    if line.trim() == "loop" && word.starts_with(|c: char| c.is_ascii_digit()) {
        let help = format!("write `loop up to {word} {{ ... }}`");
        let form = unexpected(word.len(), "the rounds of a loop stand behind `up to`", help);
        return Some(form.replacing(0, 0, "up to "));
    }
    (line.trim() == "loop up to" && !word.is_empty()).then(|| {
        let help = "a plan has all rounds in it: `loop up to 3 until condition { ... }`";
        unexpected(word.len(), "the most rounds of a loop are a written number", help)
    })
}

/// `when a, b => { ... }`.
fn several(line: &str, rest: &str) -> Option<Form> {
    let arm = line.rsplit_once("when ").is_some_and(|(_, it)| first_word(it) == it.trim_end());
    (arm && rest.starts_with([',', '|'])).then(|| {
        unexpected(
            1,
            "an arm of a route is of one constant",
            "write an arm for each, or give both one name first: `stage way = if k in [a, b] then \
             \"one\" else \"other\"`, then `route way { when \"one\" => { ... } else => { ... } }`",
        )
    })
}
