//! What the splitter makes of small files, written out.

use super::*;

fn split(text: &str) -> Vec<(String, String, String, u32)> {
    let file: Arc<Path> = Path::new("/x/guide.md").into();
    let documents =
        documents("guide.md", &file, text, Chunks::Paragraphs, &mut FxHashMap::default());
    let field = |d: &Document, name| d.field(name).unwrap_or_default().to_owned();
    documents
        .iter()
        .map(|d| (field(d, "id"), field(d, "title"), field(d, "text"), d.place.line))
        .collect()
}

fn check(text: &str, expect: &[(&str, &str, &str, u32)]) {
    let found = split(text);
    let found: Vec<_> = found
        .iter()
        .map(|(id, title, text, line)| (&id[..], &title[..], &text[..], *line))
        .collect();
    assert_eq!(found, expect);
}

#[test]
fn sections_become_passages_with_heading_paths() {
    check(
        "Before.\n\n# Guide\n\nHello there, reader of this.\n\n## `Install` it!\nRun it.\n\n### Deep\n\n\
         Deeper still.\n## Use\nUse it.\n",
        &[
            ("guide.md#top", "guide.md", "Before.", 1),
            ("guide.md#guide", "Guide", "Hello there, reader of this.", 5),
            ("guide.md#install-it", "Guide > Install it!", "Run it.", 8),
            ("guide.md#deep", "Guide > Install it! > Deep", "Deeper still.", 12),
            ("guide.md#use", "Guide > Use", "Use it.", 14),
        ],
    );
}

#[test]
fn code_is_kept_and_its_comments_are_no_headings() {
    let code = "```sh\n# not a heading\n\nrun\n```";
    check(
        &format!("# A\n\nDo this:\n\n{code}\n"),
        &[("guide.md#a", "A", &format!("Do this:\n\n{code}"), 3)],
    );
}

#[test]
fn same_headings_get_numbers() {
    check(
        "# A\nOne.\n# A\nTwo.\n# A\nThree.\n# A-2\nFour.\n",
        &[
            ("guide.md#a", "A", "One.", 2),
            ("guide.md#a-2", "A", "Two.", 4),
            ("guide.md#a-3", "A", "Three.", 6),
            ("guide.md#a-2-2", "A-2", "Four.", 8),
        ],
    );
}

#[test]
fn scraps_join_the_passage_before() {
    check(
        "# A\nOne sentence.\n## See\n[b](b.md)\n# Empty\n# C\nMore.\n",
        &[
            ("guide.md#a", "A", "One sentence.\n\nSee: [b](b.md)", 2),
            ("guide.md#c", "C", "More.", 7),
        ],
    );
}

#[test]
fn underlined_headings_links_and_settings() {
    check(
        "---\ntitle: x\n---\nTitle\n=====\n\nText one.\n\n[Sub](x.md) *y*\n---\nText two.\n\n---\nText three.\n",
        &[
            ("guide.md#title", "Title", "Text one.", 7),
            ("guide.md#sub-y", "Title > Sub y", "Text two.\n\n---\nText three.", 11),
        ],
    );
}

#[test]
fn long_sections_are_cut_into_parts() {
    let paragraph = "word ".repeat(200);
    let found = split(&format!("# A\n{paragraph}\n\n{paragraph}\n\n{paragraph}\n"));
    let ids: Vec<_> = found.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["guide.md#a", "guide.md#a-2", "guide.md#a-3"]);
    assert_eq!(found[2].3, 6);
}

#[test]
fn folders_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::create_dir(folder.path().join(".hidden")).unwrap();
    for (name, text) in [
        ("b.md", "# B\nText b."),
        ("sub/a.md", "# A\nText a."),
        (".hidden/c.md", "No."),
        ("d.rs", ""),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::write(folder.path().join("bad.md"), b"ok\n\xff").unwrap();
    let path = sage_dsl::types::Value::String(folder.path().to_string_lossy().into_owned());
    let corpus = (SPEC.read)(&[("paths".into(), path)]).unwrap();
    let ids: Vec<_> = corpus.documents.iter().filter_map(|d| d.field("id")).collect();
    assert_eq!(ids, ["b.md#b", "sub/a.md#a"]);
    assert!(corpus.bad_rows[0].to_string().ends_with("bad.md:2: not UTF-8"));
}
