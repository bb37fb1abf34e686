//! Readers of declarations.

use pest::Parser;
use pest::iterators::Pair;

use super::{Grammar, Reader, Rule, children};
use crate::ast::{self, Item};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::literal;

impl Reader<'_> {
    pub(super) fn file(&mut self, tree: &mut ast::File) {
        let text = self.text;
        let Ok(mut pairs) = Grammar::parse(Rule::file, text) else {
            // `file` accepts any text by its catch-all rule.
            return;
        };
        let Some(file) = pairs.next() else { return };
        for (position, pair) in file.into_inner().enumerate() {
            self.item(pair, position == 0, tree);
        }
    }

    fn item(&mut self, pair: Pair<'_, Rule>, first: bool, tree: &mut ast::File) {
        let span = self.trimmed(&pair);
        if first && pair.as_rule() != Rule::edition {
            let start = crate::span::Span { file: self.file, start: 0, end: 0 };
            if !pair.as_str().starts_with("sage") {
                self.report(
                    Diagnostic::warning(codes::NO_EDITION, start, "the edition line is missing")
                        .help("start the file with `sage 1`")
                        .fix(start, "sage 1\n\n"),
                );
            }
        }
        match pair.as_rule() {
            Rule::edition => {
                tree.edition = true;
                self.edition(pair, first);
            }
            Rule::import => tree.imports.extend(self.import(pair)),
            Rule::param => tree.items.push(Item::Param(self.param(pair))),
            Rule::type_def => tree.items.push(Item::Type(self.type_def(pair))),
            Rule::enum_def => tree.items.push(Item::Enum(self.enum_def(pair))),
            Rule::endpoint => {
                let mut parts = children(pair);
                let Some(name) = parts.next() else { return };
                let name = self.value_name(&name, "an endpoint");
                let block = self.block_or_empty(parts.next(), name.span);
                tree.items.push(Item::Endpoint(ast::Endpoint { name, block }));
            }
            Rule::source => tree.items.extend(self.leaf(pair, "a source").map(Item::Source)),
            Rule::sink => tree.items.extend(self.leaf(pair, "a sink").map(Item::Sink)),
            Rule::index => tree.items.extend(self.leaf(pair, "an index").map(Item::Index)),
            Rule::prompt => tree.items.extend(self.prompt(pair).map(Item::Prompt)),
            Rule::fn_def => tree.items.extend(self.fn_def(pair).map(Item::Fn)),
            Rule::flow => tree.items.extend(self.flow(pair).map(Item::Flow)),
            Rule::schedule => {
                let block = self.block_or_empty(children(pair).next(), span);
                tree.items.push(Item::Schedule(block));
            }
            Rule::slo => tree.items.push(Item::Slo(self.slo(pair))),
            Rule::experiment => {
                tree.studies = true;
                tree.items.extend(self.experiment(pair).map(Item::Experiment));
            }
            Rule::test => tree.items.extend(self.test(pair).map(Item::Test)),
            Rule::measure => tree.items.extend(self.measure(pair).map(Item::Measure)),
            Rule::bad_item => {
                tree.studies |= pair.as_str().starts_with("experiment");
                self.bad_item(&pair, &mut tree.poisoned);
            }
            _ => {}
        }
    }

    fn edition(&mut self, pair: Pair<'_, Rule>, first: bool) {
        let span = self.trimmed(&pair);
        let Some(number) = children(pair).next() else { return };
        if number.as_str() != "1" {
            let message = format!("edition `{}` is not known", number.as_str());
            self.report(
                Diagnostic::error(codes::UNKNOWN_EDITION, self.span(&number), message)
                    .help("this version reads `sage 1`")
                    .fix(self.span(&number), "1"),
            );
        } else if !first {
            self.report(
                Diagnostic::error(codes::UNEXPECTED, span, "the edition line is not the first")
                    .help("move `sage 1` to the start of the file"),
            );
        }
    }

    fn import(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Name> {
        let path = children(pair).next()?;
        let span = self.span(&path);
        if path.as_rule() == Rule::string {
            let text = self.string(&path);
            return Some(ast::Name { text, span });
        }
        let text = path.as_str().to_owned();
        self.report(
            Diagnostic::error(codes::IMPORT_QUOTES, span, "the path of an import is a string")
                .help(format!("write `import \"{text}\"`"))
                .fix(span, format!("\"{text}\"")),
        );
        Some(ast::Name { text, span })
    }

    fn param(&mut self, pair: Pair<'_, Rule>) -> ast::Param {
        let mut param = ast::Param {
            name: ast::Name { text: String::new(), span: self.span(&pair) },
            ty: None,
            default: None,
        };
        for part in children(pair) {
            match part.as_rule() {
                Rule::name => param.name = self.value_name(&part, "a param"),
                Rule::of_type => param.ty = children(part).next().map(|ty| self.ty(ty)),
                _ => param.default = Some(self.expression(part)),
            }
        }
        param
    }

    fn type_def(&mut self, pair: Pair<'_, Rule>) -> ast::TypeDef {
        let mut def = ast::TypeDef {
            name: ast::Name { text: String::new(), span: self.span(&pair) },
            fields: Vec::new(),
        };
        let mut last = None;
        for part in children(pair) {
            match part.as_rule() {
                Rule::field | Rule::odd_field => self.apart(&mut last, &part),
                Rule::bad_entry => last = None,
                _ => {}
            }
            match part.as_rule() {
                Rule::name => def.name = self.type_name(&part),
                Rule::field if def.fields.len() < 1_000 => def.fields.extend(self.field(part)),
                Rule::odd_field if def.fields.len() < 1_000 => {
                    def.fields.extend(self.odd_field(part));
                }
                Rule::field | Rule::odd_field => {
                    let message = "a type may have 1000 fields";
                    self.report(Diagnostic::error(codes::TOO_LARGE, def.name.span, message));
                    break;
                }
                _ => self.bad_entry(&part, "a field is `name: type`, as in `text: string`"),
            }
        }
        def
    }

    fn field(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Field> {
        let mut parts = children(pair);
        let name = self.word(&parts.next()?);
        let ty = self.ty(parts.next()?);
        let mut field = ast::Field { name, ty, default: None, attributes: Vec::new() };
        self.rest_of_field(parts, &mut field);
        Some(field)
    }

    fn enum_def(&mut self, pair: Pair<'_, Rule>) -> ast::EnumDef {
        let mut def = ast::EnumDef {
            name: ast::Name { text: String::new(), span: self.span(&pair) },
            variants: Vec::new(),
        };
        let mut last = None;
        for part in children(pair) {
            match part.as_rule() {
                Rule::variant => self.apart(&mut last, &part),
                Rule::bad_entry => last = None,
                _ => {}
            }
            match part.as_rule() {
                Rule::name => def.name = self.type_name(&part),
                Rule::variant if def.variants.len() < 1_000 => {
                    if let Some(name) = children(part).next() {
                        def.variants.push(self.value_name(&name, "a variant"));
                    }
                }
                Rule::variant => {
                    let message = "an enum may have 1000 variants";
                    self.report(Diagnostic::error(codes::TOO_LARGE, def.name.span, message));
                    break;
                }
                _ => {
                    self.bad_entry(
                        &part,
                        "an enum lists names, as in `enum Load { light, heavy }`",
                    );
                }
            }
        }
        def
    }

    fn leaf(&mut self, pair: Pair<'_, Rule>, what: &str) -> Option<ast::Leaf> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, what);
        let mut ty = None;
        let mut call = None;
        let mut block = None;
        for part in parts {
            match part.as_rule() {
                Rule::of_name => ty = children(part).next().and_then(|it| self.of_record(it, what)),
                Rule::odd_link => self.odd_link(&part, what),
                Rule::leaf => call = self.leaf_call(part),
                _ => block = Some(part),
            }
        }
        let block = self.block_or_empty(block, name.span);
        Some(ast::Leaf { name, ty, call: call?, block })
    }

    /// A call, or a word that stands for one without arguments.
    pub(super) fn leaf_call(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Call> {
        let inner = children(pair).next()?;
        if inner.as_rule() == Rule::call {
            return self.call(inner);
        }
        if inner.as_rule() == Rule::string {
            return Some(self.bare_file(&inner));
        }
        let name = self.word(&inner);
        Some(ast::Call { span: name.span, name, args: Vec::new() })
    }

    fn prompt(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Prompt> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a prompt");
        let mut params = Vec::new();
        let mut result = None;
        for part in parts {
            match part.as_rule() {
                Rule::typed_name => params.extend(self.typed_name(part)),
                Rule::result => result = children(part).next().map(|ty| self.ty(ty)),
                _ => {
                    let raw = self.span(&part);
                    let text = if part.as_rule() == Rule::triple {
                        literal::dedent(part.as_str())
                    } else {
                        self.string(&part)
                    };
                    return Some(ast::Prompt { name, params, result, text, raw });
                }
            }
        }
        None
    }

    fn typed_name(&mut self, pair: Pair<'_, Rule>) -> Option<ast::TypedName> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a parameter");
        Some(ast::TypedName { name, ty: self.ty(parts.next()?) })
    }

    fn fn_def(&mut self, pair: Pair<'_, Rule>) -> Option<ast::FnDef> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a function");
        let mut params = Vec::new();
        let mut result = None;
        for part in parts {
            match part.as_rule() {
                Rule::typed_name => params.extend(self.typed_name(part)),
                Rule::result => result = children(part).next().map(|ty| self.ty(ty)),
                _ => {
                    let body = self.expression(part);
                    return Some(ast::FnDef { name, params, result, body });
                }
            }
        }
        None
    }
}
