//! Which message is which, and what is answered.

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{self as note, Notification as _};
use lsp_types::request::{self as ask, Request as _};
use lsp_types::{
    CodeActionProviderCapability, CompletionOptions, CompletionResponse,
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    FoldingRangeProviderCapability, HoverProviderCapability, InitializeResult, OneOf, Position,
    PositionEncodingKind, RenameOptions, ServerCapabilities, ServerInfo, TextDocumentIdentifier,
    TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind, TextEdit,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::documents::Documents;
use super::{actions, complete, hover, outline, position, rename, uri};

/// What the protocol wants between the first message and the last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    New,
    Running,
    ShutDown,
}

#[derive(Default)]
pub(super) struct Server {
    stage: Stage,
    documents: Documents,
}

/// What to do after a message.
pub(super) enum Next {
    Answers(Vec<Value>),
    Exit { orderly: bool },
}

/// Why a request has no answer.
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

pub(super) type Answer = Result<Value, Refusal>;

impl Server {
    pub(super) fn message(&mut self, frame: &[u8]) -> Next {
        let message = match serde_json::from_slice::<Message>(frame) {
            Ok(message) => message,
            Err(error) => {
                let error = json!({
                    "code": ErrorCode::ParseError as i32,
                    "message": format!("this is no message of the protocol: {error}"),
                });
                return Next::Answers(vec![
                    json!({ "jsonrpc": "2.0", "id": null, "error": error }),
                ]);
            }
        };
        match message {
            Message::Request(request) => Next::Answers(vec![self.request(request)]),
            Message::Notification(notice) if notice.method == note::Exit::METHOD => {
                Next::Exit { orderly: self.stage == Stage::ShutDown }
            }
            Message::Notification(notice) => {
                if self.stage == Stage::Running {
                    self.notice(notice);
                }
                Next::Answers(Vec::new())
            }
            // Nothing is asked of the editor.
            Message::Response(_) => Next::Answers(Vec::new()),
        }
    }

    /// Findings that the editor has not heard of.
    pub(super) fn findings(&mut self) -> Vec<Value> {
        let paths = self.documents.untold();
        let notices = paths.iter().filter_map(|path| {
            let params = actions::findings(&mut self.documents, path)?;
            Some(sent(Message::Notification(Notification {
                method: note::PublishDiagnostics::METHOD.to_owned(),
                params: serde_json::to_value(params).ok()?,
            })))
        });
        notices.collect()
    }

    fn request(&mut self, request: Request) -> Value {
        let Request { id, method, params } = request;
        let answer = match (self.stage, method.as_str()) {
            (Stage::New, ask::Initialize::METHOD) => {
                self.stage = Stage::Running;
                value(initialized())
            }
            (Stage::New, _) => Err(Refusal {
                code: ErrorCode::ServerNotInitialized,
                message: "the first request is `initialize`".to_owned(),
            }),
            (Stage::ShutDown, _) => Err(Refusal {
                code: ErrorCode::InvalidRequest,
                message: "after `shutdown` only `exit` may come".to_owned(),
            }),
            (Stage::Running, ask::Initialize::METHOD) => Err(Refusal {
                code: ErrorCode::InvalidRequest,
                message: "the server is initialized already".to_owned(),
            }),
            (Stage::Running, ask::Shutdown::METHOD) => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            (Stage::Running, method) => self.of_document(method, params),
        };
        let response_result = answer.map_err(|refusal| lsp_server::ResponseError {
            code: refusal.code as i32,
            message: refusal.message,
            data: None,
        });
        responded(id, response_result)
    }

    fn of_document(&mut self, method: &str, params: Value) -> Answer {
        let documents = &mut self.documents;
        match method {
            ask::HoverRequest::METHOD => {
                let at = read::<lsp_types::HoverParams>(params)?.text_document_position_params;
                value(
                    place(documents, &at).and_then(|(path, at)| hover::hover(documents, &path, at)),
                )
            }
            ask::Completion::METHOD => {
                let at = read::<lsp_types::CompletionParams>(params)?.text_document_position;
                let items = place(documents, &at)
                    .map(|(path, at)| complete::complete(documents, &path, at))
                    .unwrap_or_default();
                value(CompletionResponse::Array(items))
            }
            ask::GotoDefinition::METHOD => {
                let at =
                    read::<lsp_types::GotoDefinitionParams>(params)?.text_document_position_params;
                value(
                    place(documents, &at)
                        .map(|(path, at)| rename::definition(documents, &path, at)),
                )
            }
            ask::References::METHOD => {
                let params = read::<lsp_types::ReferenceParams>(params)?;
                let all = params.context.include_declaration;
                let found = place(documents, &params.text_document_position)
                    .map(|(path, at)| rename::references(documents, &path, at, all));
                value(found)
            }
            ask::PrepareRenameRequest::METHOD => {
                let at = read::<TextDocumentPositionParams>(params)?;
                match place(documents, &at) {
                    Some((path, at)) => value(rename::prepare(documents, &path, at)?),
                    None => Ok(Value::Null),
                }
            }
            ask::Rename::METHOD => {
                let params = read::<lsp_types::RenameParams>(params)?;
                match place(documents, &params.text_document_position) {
                    Some((path, at)) => {
                        value(rename::rename(documents, &path, at, &params.new_name)?)
                    }
                    None => Ok(Value::Null),
                }
            }
            ask::Formatting::METHOD => {
                let params = read::<lsp_types::DocumentFormattingParams>(params)?;
                value(formatted(documents, &uri::path(&params.text_document.uri)))
            }
            ask::DocumentSymbolRequest::METHOD => {
                let params = read::<lsp_types::DocumentSymbolParams>(params)?;
                value(text(documents, &params.text_document).map(outline::outline))
            }
            ask::WorkspaceSymbolRequest::METHOD => {
                let params = read::<lsp_types::WorkspaceSymbolParams>(params)?;
                value(outline::declared(documents, &params.query))
            }
            ask::FoldingRangeRequest::METHOD => {
                let params = read::<lsp_types::FoldingRangeParams>(params)?;
                value(text(documents, &params.text_document).map(outline::folds))
            }
            ask::CodeActionRequest::METHOD => {
                let params = read::<lsp_types::CodeActionParams>(params)?;
                value(actions::actions(documents, &params))
            }
            other => Err(Refusal {
                code: ErrorCode::MethodNotFound,
                message: format!("`{other}` is not offered"),
            }),
        }
    }

    /// A notice that cannot be read is passed over: there is nobody to answer.
    fn notice(&mut self, notice: Notification) {
        let Notification { method, params } = notice;
        match method.as_str() {
            note::DidOpenTextDocument::METHOD => {
                if let Ok(params) = serde_json::from_value::<DidOpenTextDocumentParams>(params) {
                    let it = params.text_document;
                    self.documents.set(uri::path(&it.uri), it.text, it.version);
                }
            }
            note::DidChangeTextDocument::METHOD => {
                if let Ok(params) = serde_json::from_value::<DidChangeTextDocumentParams>(params) {
                    self.change(params);
                }
            }
            note::DidCloseTextDocument::METHOD => {
                if let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(params) {
                    self.documents.close(&uri::path(&params.text_document.uri));
                }
            }
            _ => {}
        }
    }

    fn change(&mut self, params: DidChangeTextDocumentParams) {
        let path = uri::path(&params.text_document.uri);
        let Some(document) = self.documents.get(&path) else { return };
        let mut text = document.text.clone();
        for change in params.content_changes {
            match change.range {
                None => text = change.text,
                Some(range) => {
                    let start = position::byte(&text, range.start) as usize;
                    let end = position::byte(&text, range.end) as usize;
                    text.replace_range(start..end.max(start), &change.text);
                }
            }
        }
        self.documents.set(path, text, params.text_document.version);
    }
}

fn initialized() -> InitializeResult {
    InitializeResult {
        capabilities: ServerCapabilities {
            position_encoding: Some(PositionEncodingKind::UTF16),
            text_document_sync: Some(TextDocumentSyncCapability::Kind(
                TextDocumentSyncKind::INCREMENTAL,
            )),
            hover_provider: Some(HoverProviderCapability::Simple(true)),
            completion_provider: Some(CompletionOptions {
                trigger_characters: Some(vec![".".to_owned(), ":".to_owned(), "{".to_owned()]),
                ..CompletionOptions::default()
            }),
            definition_provider: Some(OneOf::Left(true)),
            references_provider: Some(OneOf::Left(true)),
            rename_provider: Some(OneOf::Right(RenameOptions {
                prepare_provider: Some(true),
                work_done_progress_options: lsp_types::WorkDoneProgressOptions::default(),
            })),
            document_formatting_provider: Some(OneOf::Left(true)),
            document_symbol_provider: Some(OneOf::Left(true)),
            workspace_symbol_provider: Some(OneOf::Left(true)),
            folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
            code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
            ..ServerCapabilities::default()
        },
        server_info: Some(ServerInfo {
            name: "sage-flow".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    }
}

/// The open text and the byte that a request is about.
fn place(documents: &Documents, at: &TextDocumentPositionParams) -> Option<(String, u32)> {
    let path = uri::path(&at.text_document.uri);
    let byte = position::byte(&documents.get(&path)?.text, at.position);
    Some((path, byte))
}

/// The open text of a document.
fn text<'d>(documents: &'d Documents, document: &TextDocumentIdentifier) -> Option<&'d str> {
    Some(&documents.get(&uri::path(&document.uri))?.text)
}

/// The usual layout, as one change; nothing for a text with mistakes.
fn formatted(documents: &Documents, path: &str) -> Option<Vec<TextEdit>> {
    let text = &documents.get(path)?.text;
    let new = sage_dsl::format(path, text).ok()?;
    if new == *text {
        return Some(Vec::new());
    }
    let whole = lsp_types::Range::new(Position::new(0, 0), position::of(text, text.len() as u32));
    Some(vec![TextEdit::new(whole, new)])
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| Refusal {
        code: ErrorCode::InvalidParams,
        message: format!("the parameters are not those of this request: {error}"),
    })
}

fn value(answer: impl Serialize) -> Answer {
    serde_json::to_value(answer)
        .map_err(|error| Refusal { code: ErrorCode::InternalError, message: error.to_string() })
}

fn responded(id: RequestId, response_result: Result<Value, lsp_server::ResponseError>) -> Value {
    sent(Message::Response(Response { id, response_result }))
}

/// A message as it goes over the wire.
fn sent(message: Message) -> Value {
    let mut value = serde_json::to_value(message).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("jsonrpc".to_owned(), "2.0".into());
    }
    value
}
