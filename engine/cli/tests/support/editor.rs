//! A session of an editor: what it sends to `sage-flow lsp`, and what it gets.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "helpers of tests; not every test does everything"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::support::Sage;

/// A session of an editor.
pub(crate) struct Editor {
    pub(crate) child: Child,
    pub(crate) input: ChildStdin,
    pub(crate) output: BufReader<ChildStdout>,
    pub(crate) uri: String,
    pub(crate) text: String,
    pub(crate) next: i64,
    pub(crate) version: i64,
    /// What the server said of itself, by its method.
    pub(crate) notices: Vec<Value>,
    /// Keeps the folder.
    pub(crate) sage: Sage,
}

impl Editor {
    pub(crate) fn start() -> Editor {
        let sage = Sage::new().args("lsp");
        let mut command = sage.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        Editor {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            uri: format!("file://{}/a.sage", sage.folder.path().display()),
            text: String::new(),
            next: 0,
            version: 0,
            notices: Vec::new(),
            sage,
        }
    }

    /// A session in which `text` is open.
    pub(crate) fn of(text: &str) -> Editor {
        let mut editor = Editor::start();
        let done = editor.ask("initialize", json!({ "capabilities": {}, "processId": null }));
        assert_eq!(done["capabilities"]["positionEncoding"], "utf-16");
        editor.tell("initialized", json!({}));
        editor.open(text);
        editor
    }

    pub(crate) fn raw(&mut self, text: &str) {
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    pub(crate) fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server is gone");
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse().unwrap(),
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.raw(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    pub(crate) fn response(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.raw(&request.to_string());
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
            self.notices.push(message);
        }
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let response = self.response(method, params);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].clone()
    }

    pub(crate) fn open(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.version += 1;
        let document = json!({
            "uri": self.uri, "languageId": "sage", "version": self.version, "text": text,
        });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub(crate) fn change(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        let changes = json!([{ "text": text }]);
        self.tell(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    /// What was found in the text that was sent last.
    pub(crate) fn findings(&mut self) -> Vec<Value> {
        loop {
            let notices = std::mem::take(&mut self.notices);
            for notice in notices {
                let params = &notice["params"];
                if params["uri"] == self.uri.as_str() && params["version"] == self.version {
                    return params["diagnostics"].as_array().unwrap().clone();
                }
            }
            let notice = self.receive();
            self.notices.push(notice);
        }
    }

    /// A position so many bytes into the first place of `part`.
    pub(crate) fn place(&self, part: &str, into: usize) -> Value {
        let at = self.text.find(part).unwrap_or_else(|| panic!("no `{part}`")) + into;
        let before = &self.text[..at];
        let line = before.matches('\n').count();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        json!({ "line": line, "character": before[start..].encode_utf16().count() })
    }

    pub(crate) fn params(&self, part: &str, into: usize) -> Value {
        json!({ "textDocument": { "uri": self.uri }, "position": self.place(part, into) })
    }

    pub(crate) fn hover(&mut self, part: &str, into: usize) -> String {
        let params = self.params(part, into);
        let hover = self.ask("textDocument/hover", params);
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn labels(&mut self, part: &str) -> Vec<String> {
        let params = self.params(part, part.len());
        let items = self.ask("textDocument/completion", params);
        let items = items.as_array().unwrap();
        items.iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    /// The text with the edits of an answer made in it.
    pub(crate) fn edited(&self, edits: &Value) -> String {
        let mut edits: Vec<(usize, usize, String)> = edits
            .as_array()
            .unwrap()
            .iter()
            .map(|edit| {
                let at = |end: &str| {
                    let place = &edit["range"][end];
                    let line = place["line"].as_u64().unwrap() as usize;
                    let start: usize =
                        self.text.split_inclusive('\n').take(line).map(str::len).sum();
                    let mut units = place["character"].as_u64().unwrap() as usize;
                    let mut at = start;
                    for c in self.text[start..].chars() {
                        if units == 0 {
                            break;
                        }
                        units -= c.len_utf16();
                        at += c.len_utf8();
                    }
                    at
                };
                (at("start"), at("end"), edit["newText"].as_str().unwrap().to_owned())
            })
            .collect();
        edits.sort();
        let mut text = self.text.clone();
        for (start, end, new) in edits.into_iter().rev() {
            text.replace_range(start..end, &new);
        }
        text
    }

    pub(crate) fn end(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}
