//! Types and fields as other languages write them, read as what they would be here.
//!
//! `string id`, `@key id: string`, `List<string>` and their like are in the grammar so that the type
//! they stand in is known all the same: one habit does not make every use of the type a mistake.

use pest::iterators::Pair;

use super::recover::first_word;
use super::{Reader, Rule, children};
use crate::ast::{self, TyKind};
use crate::check::BUILT_IN;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::suggest;

/// Types of other languages that hold others.
const LISTS: [&str; 8] = ["List", "list", "Array", "array", "Vec", "Seq", "Set", "set"];
const OPTIONALS: [&str; 5] = ["Optional", "Option", "Maybe", "optional", "Nullable"];
const NEVER_NULL: &str = "a value is never null unless its type has `?`";
const MAPS: [&str; 8] = ["map", "Map", "dict", "Dict", "HashMap", "Mapping", "object", "Record"];

/// How surely a word is the name of a type.
fn rank(word: &str) -> u8 {
    let word = word.trim_end_matches('?');
    if BUILT_IN.iter().any(|(name, _)| *name == word)
        || word.starts_with(|c: char| c.is_ascii_uppercase())
    {
        2
    } else {
        u8::from(suggest::foreign_type(word).is_some())
    }
}

/// Whether of two words side by side the first is the type, as in C.
pub(super) fn type_first(first: &str, second: &str) -> bool {
    rank(first) > 0 && rank(first) >= rank(second)
}

impl Reader<'_> {
    /// A field whose parts are all there, in another order or without the `:`.
    pub(super) fn odd_field(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Field> {
        let mut parts = children(pair).peekable();
        let first = parts.next()?;
        let mut attributes = Vec::new();
        let (name, ty);
        if first.as_rule() == Rule::quoted_key {
            name = self.entry_key(&first);
            ty = self.ty(parts.next()?);
        } else if first.as_rule() == Rule::ty {
            let second = parts.next()?;
            let optional = parts.next_if(|part| part.as_rule() == Rule::optional).is_some();
            (name, ty) = self.two_names(first, &second, optional);
        } else {
            // `@key id: string` or `id @key: string`.
            let start = self.span(&first);
            let mut written = None;
            if first.as_rule() == Rule::key {
                written = Some(self.word(&first));
            } else {
                attributes.extend(self.attribute(first));
            }
            while let Some(part) = parts.next_if(|part| part.as_rule() == Rule::attribute) {
                attributes.extend(self.attribute(part));
            }
            let key = match written {
                Some(key) => key,
                None => self.word(&parts.next()?),
            };
            let part = parts.next()?;
            let (text, end) = (part.as_str().trim().to_owned(), self.trimmed(&part));
            ty = self.ty(part);
            let marks: Vec<String> =
                attributes.iter().map(|mark: &ast::Name| format!("@{}", mark.text)).collect();
            let meant = format!("{}: {text} {}", key.text, marks.join(" "));
            let at = attributes.first().map(|mark| mark.span)?;
            let message = format!("`{}` stands behind the type of a field", marks.join(" "));
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, message)
                    .help(format!("write `{meant}`"))
                    .fix(Span { end: end.end, ..start }, meant),
            );
            name = key;
        }
        let mut field = ast::Field { name, ty, default: None, attributes };
        self.rest_of_field(parts, &mut field);
        Some(field)
    }

    /// `string id` or `id string`.
    fn two_names(
        &mut self,
        first: Pair<'_, Rule>,
        second: &Pair<'_, Rule>,
        optional: bool,
    ) -> (ast::Name, ast::Ty) {
        let (one, two) = (first.as_str().trim().to_owned(), second.as_str());
        let (from, to) = (self.trimmed(&first), self.span(second));
        if !optional && type_first(&one, two) {
            let meant = format!("{two}: {one}");
            self.report(
                Diagnostic::error(
                    codes::UNEXPECTED,
                    from,
                    "the type of a field stands behind its name",
                )
                .help(format!("write `{meant}`"))
                .fix(from.to(to), meant),
            );
            return (self.word(second), self.ty(first));
        }
        self.report(
            Diagnostic::error(
                codes::UNEXPECTED,
                from.after(),
                format!("`:` is missing after `{one}`"),
            )
            .help("a field is `name: type`, as in `text: string`")
            .fix(from.after(), ":"),
        );
        let name = ast::Name { text: one, span: from };
        (name, ast::Ty { kind: TyKind::Name(two.to_owned()), optional, span: to })
    }

    /// What stands behind the type of a field.
    pub(super) fn rest_of_field<'i>(
        &mut self,
        parts: impl Iterator<Item = Pair<'i, Rule>>,
        field: &mut ast::Field,
    ) {
        for part in parts {
            match part.as_rule() {
                Rule::default => {
                    field.default = children(part).next().map(|value| self.expression(value));
                }
                Rule::late_default => {
                    let Some(default) = children(part).next() else { continue };
                    let (text, at) = (default.as_str().trim().to_owned(), self.trimmed(&default));
                    if let Some(first) = field.attributes.first().map(|mark| mark.span) {
                        let start = Span { start: first.start.saturating_sub(1), ..first };
                        let marks = self.text.get(start.start as usize..at.start as usize);
                        let meant = format!("{text} {}", marks.unwrap_or_default().trim());
                        self.report(
                            Diagnostic::error(
                                codes::UNEXPECTED,
                                at,
                                "a default stands in front of `@key`",
                            )
                            .help(format!("write `{meant}`"))
                            .fix(start.to(at), meant),
                        );
                    }
                    field.default = children(default).next().map(|value| self.expression(value));
                }
                _ => field.attributes.extend(self.attribute(part)),
            }
        }
    }

    fn attribute(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Name> {
        let part = children(pair).next()?;
        let name = self.word(&part);
        if part.as_rule() == Rule::not_null {
            let before = self.text.get(..name.span.start as usize).unwrap_or("").trim_end().len();
            self.report(
                Diagnostic::error(codes::UNEXPECTED, name.span, NEVER_NULL)
                    .help("leave it out")
                    .fix(Span { start: before as u32, ..name.span }, ""),
            );
            return None;
        }
        if part.as_rule() != Rule::bare_key {
            return Some(name);
        }
        self.report(
            Diagnostic::error(
                codes::UNEXPECTED,
                name.span,
                "the key of a record is marked by `@key`",
            )
            .help("write `@key` behind the type")
            .fix(name.span, "@key"),
        );
        Some(ast::Name { text: "key".to_owned(), ..name })
    }

    /// `int n = 3`, `param int n = 3` or `param n int = 3`; whether it has been reported.
    pub(super) fn odd_param(&mut self, text: &str, span: Span, poisoned: &mut Vec<String>) -> bool {
        let behind = text.strip_prefix("param ").map(str::trim_start);
        let whole = behind.unwrap_or(text);
        let one = first_word(whole);
        let rest = &whole[one.len()..];
        let two = first_word(rest.trim_start_matches(' '));
        let after = rest.trim_start_matches(' ')[two.len()..].trim_start_matches(' ');
        let ends = after.is_empty() || after.starts_with(['=', '\n']);
        if one.is_empty() || two.is_empty() || !rest.starts_with(' ') || !ends {
            return false;
        }
        let (name, ty) = if type_first(one, two) { (two, one) } else { (one, two) };
        if rank(ty) == 0 || behind.is_none() && (ty != one || !after.starts_with('=')) {
            return false;
        }
        let meant = format!("param {name}: {ty}");
        let end = span.start + (text.len() - after.len()) as u32;
        let written = text[..text.len() - after.len()].trim_end().len() as u32;
        let at = Span { end: (span.start + written).min(end), ..span };
        poisoned.push(name.to_owned());
        self.report(
            Diagnostic::error(codes::UNEXPECTED, at, "a constant is `param name: type = value`")
                .help(format!("write `{meant} = ...`"))
                .fix(at, meant),
        );
        true
    }

    pub(super) fn ty(&mut self, pair: Pair<'_, Rule>) -> ast::Ty {
        let span = self.trimmed(&pair);
        let mut ty = ast::Ty { kind: TyKind::Bad, optional: false, span };
        // What is wrong with it, and what it would be here.
        let mut meant = String::new();
        let mut wrong: Option<String> = None;
        for part in children(pair) {
            let text = part.as_str().trim().to_owned();
            match part.as_rule() {
                Rule::optional => {
                    ty.optional = true;
                    meant += "?";
                }
                Rule::not_null => wrong = Some(NEVER_NULL.to_owned()),
                Rule::before_optional | Rule::or_null => {
                    wrong = Some("a value that may be null has `?` behind its type".to_owned());
                    ty.optional = true;
                }
                Rule::brackets => {
                    wrong = Some("brackets of a list stand around its type".to_owned());
                    meant = format!("[{meant}]");
                    let item = ast::Ty { kind: ty.kind, optional: ty.optional, span };
                    ty = ast::Ty { kind: TyKind::List(Box::new(item)), optional: false, span };
                }
                Rule::list_ty => {
                    meant = text;
                    if let Some(item) = children(part).next() {
                        ty.kind = TyKind::List(Box::new(self.ty(item)));
                    }
                }
                Rule::vector_ty => {
                    meant = text;
                    let length = children(part).next().and_then(|n| n.as_str().parse().ok());
                    ty.kind = TyKind::Vector(length);
                }
                Rule::generic_ty => match self.generic(part, span) {
                    Some((message, text, generic)) => {
                        (wrong, meant) = (Some(message), text);
                        (ty.kind, ty.optional) = (generic.kind, generic.optional);
                    }
                    None => return ty,
                },
                _ => {
                    ty.kind = TyKind::Name(text.clone());
                    meant = text;
                }
            }
        }
        if let Some(message) = wrong {
            if ty.optional && !meant.ends_with('?') {
                meant += "?";
            }
            self.report(
                Diagnostic::error(codes::UNEXPECTED, span, message)
                    .help(format!("write `{meant}`"))
                    .fix(span, meant),
            );
        }
        ty
    }

    /// `List<string>`: what to say of it, what it would be, and as a type. Of what is none here it has
    /// been told.
    fn generic(&mut self, pair: Pair<'_, Rule>, span: Span) -> Option<(String, String, ast::Ty)> {
        let mut parts = children(pair);
        let name = parts.next()?;
        let name = name.as_str();
        let inner: Vec<_> = parts.collect();
        let written = inner.first().map(|part| part.as_str().trim().to_owned()).unwrap_or_default();
        let message = format!("`{name}` takes no type");
        let one = inner.len() == 1;
        if one && (LISTS.contains(&name) || OPTIONALS.contains(&name)) {
            let item = self.ty(inner.into_iter().next()?);
            return Some(if LISTS.contains(&name) {
                let kind = TyKind::List(Box::new(item));
                (message, format!("[{written}]"), ast::Ty { kind, optional: false, span })
            } else {
                let meant = format!("{}?", written.trim_end_matches('?'));
                (message, meant, ast::Ty { optional: true, span, ..item })
            });
        }
        let (message, help) = if MAPS.contains(&name) {
            (
                "there are no maps".to_owned(),
                "declare a `type` with a field for each key, or take a list of records: \
                 `type Pair { name: string, value: int }` and `[Pair]`"
                    .to_owned(),
            )
        } else if name == "vector" {
            (message, "write how long it is: `vector<384>`".to_owned())
        } else {
            (
                message,
                format!(
                    "write `{name}`, `[{written}]` for a list or `{written}?` for what may be null"
                ),
            )
        };
        self.report(Diagnostic::error(codes::UNEXPECTED, span, message).help(help));
        None
    }
}
