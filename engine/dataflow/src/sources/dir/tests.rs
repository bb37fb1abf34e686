//! Folders of documents as a user may have them.

use std::fs;
use std::path::Path;

use sage_core::record::{Items, write_json_object};
use sage_dsl::plan::{BadRows, SourcePlan};
use sage_dsl::types::{EnumType, Field, RecordType, Type, Value};

use super::super::{Batch, open};

fn field(name: &str, ty: Type) -> Field {
    Field { key: name == "path", name: name.into(), ty, default: None }
}

fn plan(folder: &Path, args: &[(&str, Value)], fields: Vec<Field>) -> SourcePlan {
    let path = Value::String(folder.display().to_string());
    let args = args.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    SourcePlan {
        name: "notes".into(),
        kind: "dir".into(),
        args: std::iter::once(("path".to_owned(), path)).chain(args).collect(),
        fields: Vec::new(),
        record: RecordType { name: "Note".into(), fields },
        key: None,
        bad_rows: BadRows::DeadLetter,
        changes: None,
        distinct: None,
        expand: None,
        watermark: None,
        line: 3,
    }
}

fn all_fields() -> Vec<Field> {
    let words = ["txt", "md", "html"].map(str::to_owned).to_vec();
    let format = Type::Enum(EnumType { name: "Format".into(), variants: words });
    let mark = Field { default: Some(Value::Int(5)), ..field("mark", Type::Int) };
    vec![
        field("path", Type::String),
        field("name", Type::String),
        field("title", Type::Optional(Box::new(Type::String))),
        field("text", Type::String),
        field("format", format),
        field("size", Type::Size),
        mark,
        field("author", Type::Optional(Box::new(Type::String))),
    ]
}

/// All rows as JSON, and the bad ones, read so many at a time.
fn read(plan: &SourcePlan, rows: usize) -> (Vec<String>, Vec<String>) {
    let mut source = open(plan).unwrap();
    let mut batch = Batch::default();
    while source.read(&mut batch, rows).unwrap() {}
    let json = |row| {
        let mut text = Vec::new();
        write_json_object(&mut text, &plan.record, Items::new(row));
        String::from_utf8(text).unwrap()
    };
    let bad = batch.bad.iter().map(|bad| format!("{}: {}", bad.text, bad.reason));
    (batch.rows.iter().map(json).collect(), bad.collect())
}

#[test]
fn a_folder_is_read_in_order_with_all_that_is_wrong_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("b/c")).unwrap();
    fs::create_dir_all(at(".git")).unwrap();
    fs::write(at(".git/x.txt"), "hidden").unwrap();
    fs::write(at("a.txt"), "\u{feff}plain").unwrap();
    fs::write(at("b/c/One.MD"), "intro\n# Title\nbody\n").unwrap();
    fs::write(at("b/page.html"), "<title>A page</title><p>one<p>two").unwrap();
    fs::write(at("b/picture.png"), b"\x89PNG").unwrap();
    fs::write(at("latin.txt"), b"one\ntw\xf6\n").unwrap();
    fs::write(at("long.txt"), [b'x'; 101]).unwrap();
    fs::write(at("empty.md"), "").unwrap();
    std::os::unix::fs::symlink(folder.path(), at("circle")).unwrap();
    std::os::unix::fs::symlink(at("a.txt"), at("linked.txt")).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("nothing.txt")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.txt")).unwrap();
    let plan = plan(folder.path(), &[("largest", Value::Size(100))], all_fields());
    let row = |path: &str, title: &str, text: &str, format: &str, size: usize| {
        let name = path.rsplit('/').next().unwrap();
        format!(
            r#"{{"path":"{path}","name":"{name}","title":"{title}","text":"{text}","format":"{format}","size":"{size}B","mark":5,"author":null}}"#
        )
    };
    let wanted = vec![
        row("a.txt", "a.txt", "plain", "txt", 8),
        row("b/c/One.MD", "Title", r"intro\n# Title\nbody\n", "md", 19),
        row("b/page.html", "A page", r"one\n\ntwo", "html", 33),
        row("empty.md", "empty.md", "", "md", 0),
        row("linked.txt", "linked.txt", "plain", "txt", 8),
    ];
    let bad = [
        "latin.txt: line 2 is not UTF-8",
        "long.txt: the file has more than 100 bytes, unpacked (`largest`)",
        "nothing.txt: it is a link that cannot be followed: No such file or directory (os error 2)",
        "socket.txt: it is a pipe, a socket or a device, not a file",
    ];
    for rows in [1, 3, 1000] {
        assert_eq!(read(&plan, rows), (wanted.clone(), bad.map(str::to_owned).to_vec()), "{rows}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_packed_document_is_what_is_packed_in_it_and_not_longer_than_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    write("a.md.gz", &gzip(b"# One\n\ntext"));
    write("b.HTML.ZST", &zstd("<title>Two</title><p>more</p>"));
    write("c.txt", &gzip(b"packed, whatever it is called"));
    write("d.txt.gz", b"not packed, whatever it is called");
    write("e.rst.gz", &gzip(b"of another ending"));
    write("f.txt.gz", &gzip(&vec![b'x'; 10_000]));
    let cut = gzip(&(0..200).flat_map(|n: u32| n.to_string().into_bytes()).collect::<Vec<u8>>());
    write("g.txt.gz", &cut[..cut.len() - 9]);
    let fields = || ["path", "title", "text", "format"].map(|name| field(name, Type::String));
    let largest = [("largest", Value::Size(1_000))];
    let (rows, bad) = read(&plan(folder.path(), &largest, fields().to_vec()), 9);
    let wanted = [
        r##"{"path":"a.md.gz","title":"One","text":"# One\n\ntext","format":"md"}"##,
        r#"{"path":"b.HTML.ZST","title":"Two","text":"more","format":"html"}"#,
        r#"{"path":"c.txt","title":"c.txt","text":"packed, whatever it is called","format":"txt"}"#,
        r#"{"path":"d.txt.gz","title":"d.txt.gz","text":"not packed, whatever it is called","format":"txt"}"#,
    ];
    assert_eq!(rows, wanted);
    assert!(bad[0].starts_with("f.txt.gz: ") && bad[0].contains("1000 bytes, unpacked"), "{bad:?}");
    assert!(bad[1].starts_with("g.txt.gz: ") && bad[1].contains("cannot be read"), "{bad:?}");
    assert_eq!(bad.len(), 2);
}

#[test]
fn what_cannot_be_is_said_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let text = || vec![field("text", Type::String)];
    let endings = |text: &str| [("endings", Value::String(text.into()))];
    fs::write(folder.path().join("a.txt"), "x").unwrap();
    fs::write(folder.path().join("b.rst"), "x").unwrap();
    let said = |folder: &Path, args: &[(&str, Value)], fields| {
        open(&plan(folder, args, fields)).map(drop).unwrap_err().to_string()
    };
    for (said, words) in [
        (said(&folder.path().join("no"), &[], text()), ["cannot open", "relative to the folder"]),
        (said(&folder.path().join("a.txt"), &[], text()), ["is no folder", "`jsonl`"]),
        (said(folder.path(), &endings("pdf"), text()), ["no file that ends in pdf", "endings"]),
        (
            said(folder.path(), &[("most", Value::Int(1)), endings("txt .rst")[0].clone()], text()),
            ["more than 1 files", "`most: 10`"],
        ),
        (said(folder.path(), &[], vec![field("body", Type::String)]), ["`body`", "title, text"]),
        (said(folder.path(), &[], vec![field("size", Type::String)]), ["size or int", "string"]),
        (said(folder.path(), &[], vec![field("format", Type::Bool)]), ["html, md and txt", "bool"]),
    ] {
        for word in words.into_iter().chain(["source `notes` (line 3)"]) {
            assert!(said.contains(word), "`{word}` is not in {said}");
        }
    }
    assert_eq!(read(&plan(folder.path(), &endings("*.rst,md"), text()), 9).0.len(), 1);
}
