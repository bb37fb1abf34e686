//! `--arrivals` and `--rate`: how records arrive, in the words of the language.

use std::time::Duration;

use sage_dsl::experiment::Arrivals;

use crate::exit::usage;

const FORMS: &str = "`batch`, `constant(20/s)`, `poisson(20/s)`, `burst(50, every: 10s)` or \
                     `trace(\"times.txt\")`";

/// Arrivals as a program writes them. The path of a trace is relative to the current folder.
pub(crate) fn parse(text: &str) -> anyhow::Result<Arrivals> {
    let wrong = || usage(format!("--arrivals {text}: expected {FORMS}"));
    let (name, arguments) = match text.trim().split_once('(') {
        None => (text.trim(), ""),
        Some((name, rest)) => (name.trim(), rest.trim().strip_suffix(')').ok_or_else(wrong)?),
    };
    let mut given = Vec::new();
    if name == "trace" {
        // A path may hold any sign.
        given.push(unnamed(arguments, "path"));
    } else if !arguments.trim().is_empty() {
        let names: &[&str] = if name == "burst" { &["size", "every"] } else { &["rate"] };
        for (position, argument) in arguments.split(',').enumerate() {
            let expected = names.get(position).ok_or_else(wrong)?;
            given.push(unnamed(argument, expected));
        }
    }
    match (name, given.as_slice()) {
        ("batch", []) => Ok(Arrivals::Batch),
        ("constant", [per_s]) => Ok(Arrivals::Constant { per_s: rate(per_s).ok_or_else(wrong)? }),
        ("poisson", [per_s]) => Ok(Arrivals::Poisson { per_s: rate(per_s).ok_or_else(wrong)? }),
        ("burst", [size, every]) => {
            let size = size.replace('_', "").parse().ok().filter(|size| *size > 0);
            let every = humantime::parse_duration(every).ok().filter(|every| !every.is_zero());
            let (Some(size), Some(every)) = (size, every) else { return Err(wrong()) };
            let every_ns = u64::try_from(every.as_nanos()).map_err(|_| wrong())?;
            Ok(Arrivals::Burst { size, every_ns })
        }
        ("trace", [path]) => {
            let path = path.trim_matches(['"', '\'']).to_owned();
            if path.is_empty() { Err(wrong()) } else { Ok(Arrivals::Trace { path }) }
        }
        _ => Err(wrong()),
    }
}

/// An argument without its name, if it has this one.
fn unnamed<'a>(argument: &'a str, name: &str) -> &'a str {
    let argument = argument.trim();
    let rest = argument.strip_prefix(name).and_then(|rest| rest.trim_start().strip_prefix(':'));
    rest.map_or(argument, str::trim)
}

/// `20`, `20/s`, `600/min`, `3600/h`: per second.
fn rate(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let per_second = match unit.trim() {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number = number.trim().replace('_', "").parse::<f64>().ok()?;
    (number.is_finite() && number > 0.0).then_some(number / per_second)
}

/// The rate of `--rate`.
pub(crate) fn parse_rate(text: &str) -> anyhow::Result<Arrivals> {
    let per_s = rate(text).ok_or_else(|| {
        usage(format!("--rate {text}: expected a rate above 0 such as 20/s or 600/min"))
    })?;
    Ok(Arrivals::Constant { per_s })
}

/// As a program writes them.
pub(crate) fn shown(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Batch => "batch".into(),
        Arrivals::Constant { per_s } => format!("constant({per_s}/s)"),
        Arrivals::Poisson { per_s } => format!("poisson({per_s}/s)"),
        Arrivals::Burst { size, every_ns } => {
            let every = humantime::format_duration(Duration::from_nanos(*every_ns));
            format!("burst({size}, every: {})", every.to_string().replace(' ', ""))
        }
        Arrivals::Trace { path } => format!("trace(\"{path}\")"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_shown_as_it_is_written() {
        for (text, arrivals) in [
            ("batch", Arrivals::Batch),
            ("constant(2.5/s)", Arrivals::Constant { per_s: 2.5 }),
            ("poisson(20/s)", Arrivals::Poisson { per_s: 20.0 }),
            ("burst(50, every: 10s)", Arrivals::Burst { size: 50, every_ns: 10_000_000_000 }),
            ("burst(1, every: 250ms)", Arrivals::Burst { size: 1, every_ns: 250_000_000 }),
            ("trace(\"a, b: (c).txt\")", Arrivals::Trace { path: "a, b: (c).txt".into() }),
        ] {
            assert_eq!(parse(text).unwrap(), arrivals, "{text}");
            assert_eq!(shown(&arrivals), text);
        }
        let also = [
            ("poisson( rate : 1_200/min )", Arrivals::Poisson { per_s: 20.0 }),
            ("constant(20)", Arrivals::Constant { per_s: 20.0 }),
            ("burst(size: 3, every: 1min)", Arrivals::Burst { size: 3, every_ns: 60_000_000_000 }),
            ("trace(times.txt)", Arrivals::Trace { path: "times.txt".into() }),
        ];
        for (text, arrivals) in also {
            assert_eq!(parse(text).unwrap(), arrivals, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_forms() {
        for text in [
            "",
            "batch(3)",
            "poisson",
            "poisson()",
            "poisson(0/s)",
            "poisson(-1/s)",
            "poisson(5/day)",
            "poisson(5/s, 6/s)",
            "poisson(5/s",
            "burst(5)",
            "burst(0, every: 1s)",
            "burst(5, every: 0s)",
            "burst(5, 1s, 2)",
            "trace()",
            "steady(5/s)",
            "poisson(inf/s)",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("poisson(20/s)"), "{text}: {error}");
        }
    }
}
