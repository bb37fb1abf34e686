//! Registries: codes, functions, and the defaults of a catalog.

mod common;

use common::{CATALOG, compile_with, plain};
use sage_dsl::catalog::{
    Catalog, Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec,
};
use sage_dsl::{CODES, FUNCTIONS, check_catalog, explain_code};

#[test]
fn codes_are_unique_and_in_order() {
    assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
    assert!(explain_code("s0207").is_some_and(|code| code.title == "unknown option"));
    assert!(explain_code("S9999").is_none());
}

#[test]
fn every_code_is_used() {
    let source = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut folders: Vec<_> =
        source.expect("the source").map(|entry| entry.expect("readable").path()).collect();
    let mut text = String::new();
    let mut names = String::new();
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(
                std::fs::read_dir(&path)
                    .expect("readable")
                    .map(|entry| entry.expect("readable").path()),
            );
        } else if path.ends_with("codes.rs") {
            names = std::fs::read_to_string(&path).expect("readable");
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            text += &std::fs::read_to_string(&path).expect("readable");
        }
    }
    for line in names.lines().filter(|line| line.starts_with("pub(crate) const ")) {
        let name = line["pub(crate) const ".len()..].split(':').next().expect("a name");
        assert!(text.contains(&format!("codes::{name}")), "{name} is never reported");
    }
}

#[test]
fn functions_are_documented() {
    assert!(FUNCTIONS.iter().all(|spec| !spec.doc.is_empty() && spec.signature.contains("->")));
}

#[test]
fn defaults_of_the_catalog_can_be_read() {
    assert_eq!(check_catalog(&CATALOG), Vec::<String>::new());
}

static BROKEN: StageSpec = StageSpec {
    signature: Signature {
        name: "broken",
        summary: "",
        params: &[Param { name: "k", kind: Kind::Int, default: Some("ten"), doc: "" }],
        example: "stage a broken",
        takes_fields: false,
    },
    options: &[
        Param { name: "wait", kind: Kind::Duration, default: Some("30"), doc: "" },
        Param { name: "must", kind: Kind::Int, default: None, doc: "" },
    ],
    result: |_| Err("no".to_owned()),
    calls: EndpointUse::None,
    class: StageClass::Cheap,
    cost: Cost { fixed_us: 1.0, per_unit: None },
};

#[test]
fn a_broken_catalog_is_found_out() {
    static TWICE: &[&StageSpec] = &[&BROKEN, &BROKEN];
    let catalog = Catalog { stages: TWICE, ..CATALOG };
    let problems = check_catalog(&catalog);
    for part in ["listed twice", "example", "`ten`", "`30`", "must has no default"] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
    }
}

#[test]
fn overrides_are_checked_like_defaults() {
    let text = "sage 1\nenum Load { light, heavy }\nparam load: Load = light\nparam wait: duration = 5s\nparam url: string = \"a\"\nparam since: time = time(\"2026-11-01\")\n";
    let set = |name: &str, value: &str| {
        compile_with("x.sage", text, &[(name.to_owned(), value.to_owned())], &[])
    };
    assert!(!set("load", "heavy").failed());
    assert!(!set("wait", "20ms").failed());
    assert!(!set("since", "2026-11-28T10:00:00+01:00").failed());
    assert!(!set("since", "time(\"2026-11-28\")").failed());
    assert!(plain(&set("since", "tomorrow")).contains("times are written `2026-11-28T10:00:00Z`"));
    assert!(!set("url", "http://x: 3").failed());
    assert!(plain(&set("load", "heavvy")).contains("is not of type Load"));
    assert!(plain(&set("wait", "20sec")).contains("`sec` is not a unit; write `20s`"));
    assert!(plain(&set("wait", "20")).contains("durations have a unit"));
    assert!(plain(&set("lod", "heavy")).contains("did you mean `load`?"));
}

static PICKY: StageSpec = StageSpec {
    signature: Signature {
        name: "picky",
        summary: "",
        params: &[Param { name: "x", kind: Kind::Any, default: None, doc: "" }],
        example: "",
        takes_fields: false,
    },
    options: &[],
    result: |types| Err(format!("nothing can be made of {}", types[0])),
    calls: EndpointUse::None,
    class: StageClass::Cheap,
    cost: Cost { fixed_us: 1.0, per_unit: None },
};

#[test]
fn a_stage_that_takes_no_such_values_says_so_in_its_own_words() {
    let text = "sage 1\ntype T { id: string @key }\nsource s: T from csv(\"s.csv\")\nsink o: T to \
                csv(\"o.csv\")\nflow f {\n  from s\n  stage x = picky(.id)\n  emit T { id: x } into \
                o\n}\n";
    static PICKY_ONLY: &[&StageSpec] = &[&PICKY];
    let catalog = Catalog { stages: PICKY_ONLY, ..CATALOG };
    let compiled = sage_dsl::compile(sage_dsl::Request {
        path: "pipelines/x.sage",
        text,
        overrides: &[],
        env: &|_| None,
        load: &|_| Err("no files".to_owned()),
        catalog: &catalog,
    });
    assert_eq!(
        plain(&compiled),
        "error[S0411] pipelines/x.sage:7:13 nothing can be made of string\n    at \"picky(.id)\""
    );
}

#[test]
fn every_figure_of_measure_blocks_stands_in_the_documentation() {
    use sage_dsl::measures::MEASURES;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/measurement.md");
    let text = std::fs::read_to_string(page).unwrap();
    for spec in MEASURES {
        let by: Vec<&str> = spec.by.iter().map(|dimension| dimension.word()).collect();
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let (unit, by) = (or_none(spec.unit.to_owned()), or_none(by.join(", ")));
        let row = format!("| `{}` | {unit} | {by} | {} |", spec.name, spec.doc);
        assert!(text.contains(&row), "docs/measurement.md lacks this row:\n{row}");
    }
    assert!(MEASURES.is_sorted_by_key(|spec| spec.name));
}
