//! The layout of programs: one way to set blanks, indentation and comments.
//!
//! Line breaks are the author's; what stands between two tokens of a line is not. So the formatter
//! works on tokens and not on the tree: it cannot lose a comment or a piece it does not know, and
//! broken ideas of layout cannot change what a program says. **Formatting twice is formatting once,
//! and the tree stays what it was**; the second is checked each time, the first in tests.
//!
//! ```text
//! text -> token -> spacing (blanks in a line) -> indent -> align (names, comments) -> text
//! ```

mod align;
mod indent;
mod spacing;
mod token;

use crate::compile::tidy;
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::span::SourceMap;
use crate::suggest;

/// Why a text was left as it is.
#[derive(Debug, Clone)]
pub enum NotFormatted {
    /// It has mistakes; layout of what cannot be read would be guesswork.
    Mistakes {
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
        /// The text, for showing places.
        sources: SourceMap,
    },
    /// The new layout would have said something else: a fault of the formatter.
    WouldChange,
}

/// Lays a program out. `path` is for messages only; nothing is read.
pub fn format(path: &str, text: &str) -> Result<String, NotFormatted> {
    let (_, mut diagnostics) = parse::file(0, text);
    if diagnostics.iter().any(Diagnostic::is_error) {
        let mut sources = SourceMap::default();
        sources.add(path, text);
        diagnostics.iter_mut().for_each(|found| suggest::offer_fix(found, &sources));
        tidy(&mut diagnostics);
        return Err(NotFormatted::Mistakes { diagnostics, sources });
    }
    let out = lay_out(text);
    if parse::shape(text) == parse::shape(&out) { Ok(out) } else { Err(NotFormatted::WouldChange) }
}

fn lay_out(text: &str) -> String {
    let tokens = token::tokens(text);
    let mut lines = indent::lines(&tokens);
    align::names(&mut lines);
    align::comments(&mut lines);
    let mut out = String::with_capacity(text.len());
    for line in &lines {
        if line.blank_before && !out.is_empty() {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', line.indent));
        out.push_str(&line.code);
        if let Some(comment) = line.comment {
            if !line.code.is_empty() {
                out.extend(std::iter::repeat_n(' ', line.gap));
            }
            out.push_str(comment);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        let once = format("x.sage", text).expect("right and unchanged in meaning");
        assert_eq!(format("x.sage", &once).expect("still right"), once, "twice is once");
        once
    }

    #[test]
    fn blanks_and_indentation_are_set() {
        let text = "sage 1\n\n\n\nparam   k:int=10\ntype T{id:string@key,n:int?=3}\nflow f{\nfrom s\n  \
                    where   .n>1 and.id!=\"a  b\"\n      stage x=f( .n ,k : -1)on llm{max_tokens:5}\n\
                    emit T{id:.id,n:x.a[0]} into o\n\n}";
        assert_eq!(
            formatted(text),
            "sage 1\n\nparam k: int = 10\ntype T { id: string @key, n: int? = 3 }\nflow f {\n  from \
             s\n  where .n > 1 and .id != \"a  b\"\n  stage x = f(.n, k: -1) on llm { max_tokens: 5 \
             }\n  emit T { id: .id, n: x.a[0] } into o\n}\n"
        );
    }

    #[test]
    fn what_goes_on_in_the_next_line_is_indented_once_more() {
        let text = "fn f(x: int) -> int =\nif x > 1\nthen x\n+ 2\nelse -x\nflow g {\nfrom s\nstage a = \
                    f(\n1,\n{\na: 1\n}\n)\non llm\n}\n";
        assert_eq!(
            formatted(text),
            "fn f(x: int) -> int =\n  if x > 1\n  then x\n  + 2\n  else -x\nflow g {\n  from s\n  stage \
             a = f(\n    1,\n    {\n      a: 1\n    }\n  )\n    on llm\n}\n"
        );
    }

    #[test]
    fn comments_stay_and_stand_below_each_other() {
        let text = "// first   line  \n\n\nschedule { // of all\npolicy: fifo // a\n   slots: 8    // b  \n\n// c\n}\n//d";
        assert_eq!(
            formatted(text),
            "// first   line\n\nschedule { // of all\n  policy: fifo // a\n  slots: 8     // b\n\n  // \
             c\n}\n//d\n"
        );
    }

    #[test]
    fn neighbouring_types_line_up() {
        let text = "type A {x:int}\ntype Long  {x:int}\n\ntype B {x:int}\ntype C {\n x: int\n}\n";
        assert_eq!(
            formatted(text),
            "type A    { x: int }\ntype Long { x: int }\n\ntype B { x: int }\ntype C {\n  x: int\n}\n"
        );
    }

    #[test]
    fn text_in_quotes_is_not_touched() {
        let text = "prompt p(a:string)->string\"\"\"\n   {{a}}  {  x\n\n\n \"\"\"\n";
        assert_eq!(
            formatted(text),
            "prompt p(a: string) -> string \"\"\"\n   {{a}}  {  x\n\n\n \"\"\"\n"
        );
    }

    #[test]
    fn units_and_remainders_stay_what_they_are() {
        let text = "fn f(x: int) -> int = x%3 - -x\nendpoint e { a: 600_000/min, b: 99.5%, c: 5ms, d: 10%3 }\n";
        let out = formatted(text);
        assert!(out.contains("x % 3 - -x"), "{out}");
        assert!(out.contains("a: 600_000/min, b: 99.5%, c: 5ms, d: 10 % 3"), "{out}");
    }

    #[test]
    fn a_text_with_mistakes_is_left_alone() {
        let Err(NotFormatted::Mistakes { diagnostics, sources }) = format("x.sage", "flow {")
        else {
            panic!("that is no program")
        };
        assert!(!diagnostics.is_empty());
        assert_eq!(sources.files[0].path, "x.sage");
    }
}
