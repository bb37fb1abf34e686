//! `sage-flow graph`: the pictures of real pipelines, as they are.

mod support;

use support::{Sage, again};

fn pipelines() -> String {
    format!("{}/../../dsl/tests/corpus/ok", env!("CARGO_MANIFEST_DIR"))
}

fn drawn(name: &str, format: &str) -> String {
    let file = format!("{}/{name}.sage", pipelines());
    Sage::new().args("graph --format").arg(format).arg(&file).go().exits(0).stdout
}

#[test]
fn pictures_are_as_they_were_looked_at() {
    for name in ["rag", "adaptive_rag", "group"] {
        for format in ["dot", "mermaid", "svg"] {
            insta::assert_snapshot!(format!("{name}_{format}"), drawn(name, format));
        }
    }
}

#[test]
fn svg_is_well_formed_and_shows_all_parts() {
    let text = drawn("adaptive_rag", "svg");
    let tree = roxmltree::Document::parse(&text).unwrap();
    let words: Vec<&str> = tree.descendants().filter_map(|node| node.text()).collect();
    for part in
        ["queries", "schedule: priority", "route", "simple", "multi", "llm", "docs", "answers"]
    {
        assert!(words.contains(&part), "{part} is not in {words:?}");
    }
}

#[test]
fn a_loop_is_a_cluster_with_a_way_back() {
    let svg = drawn("adaptive_rag", "svg");
    let tree = roxmltree::Document::parse(&svg).unwrap();
    let of_class =
        |name: &str| tree.descendants().filter(|it| it.attribute("class") == Some(name)).count();
    assert_eq!((of_class("loop"), of_class("back")), (1, 2), "{svg}");
    assert!(svg.contains("up to 3 rounds until length(seen) &gt;= 5"), "{svg}");
    let dot = drawn("adaptive_rag", "dot");
    assert_eq!(dot.matches("label=\"next round\"").count(), 2, "{dot}");
    let mermaid = drawn("adaptive_rag", "mermaid");
    assert_eq!(mermaid.matches("==>|\"next round\"|").count(), 2, "{mermaid}");
}

#[test]
fn what_is_done_while_the_source_is_read_stands_at_the_source() {
    let text = "sage 1\ntype T { id: string @key, a: string }\nendpoint llm { url: \"sim:a100/qwen2.5-7b\" }\n\
                source s: T from csv(\"s.csv\")\nsink o to csv(\"o.csv\")\nflow f {\n  from s\n  where .a != \"\"\n  \
                dedup by .a\n  stage parts = chunk(.a)\n  flat_map part = parts\n  dedup by part\n  \
                stage b = generate(part) on llm\n  emit { id: .id, b: b.text } into o\n}\n";
    let sage = Sage::new().file("a.sage", text).file("s.csv", "id,a\n");
    let mermaid = again(&sage, "graph a.sage --format mermaid").go().exits(0).stdout;
    let at = |part: &str| mermaid.find(part).unwrap_or_else(|| panic!("{part}: {mermaid}"));
    let order =
        ["source csv", "where ", "dedup by .a", "stage parts by chunk", "a record for each part"];
    assert!(
        order.map(at).is_sorted() && at("dedup by part") > at("a record for each"),
        "{mermaid}"
    );
}

#[test]
fn a_program_with_mistakes_is_not_drawn() {
    let sage = Sage::new().file("a.sage", "sage 1\nflow f {\n  from nothing\n}\n");
    let done = again(&sage, "graph a.sage").go().exits(1).says("S0201");
    assert_eq!(done.stdout, "");
}

#[test]
fn words_of_a_program_cannot_break_out_of_a_picture() {
    let text = "sage 1\ntype T { id: string @key, a: string }\nsource s: T from csv(\"s.csv\")\nsink o: T \
                to csv(\"o.csv\")\n/// A \"title\" <b>&amp; `x` \\n\nflow f {\n  from s\n  where .a != \
                \"]\\\"><script>\"\n  emit T { id: .id, a: .a } into o if .a < \"&\"\n}\n";
    let sage = Sage::new().file("a.sage", text).file("s.csv", "id,a\n");
    let svg = again(&sage, "graph a.sage").go().exits(0).stdout;
    assert!(roxmltree::Document::parse(&svg).is_ok(), "{svg}");
    assert!(!svg.contains("<script>"), "{svg}");
    let mermaid = again(&sage, "graph a.sage --format mermaid").go().exits(0).stdout;
    assert!(!mermaid.contains("<script>"), "{mermaid}");
}
