//! Whether a blank stands between two tokens of a line.

use super::token::{Kind, Token};

/// Whether a blank stands between the last of `before` and `token`.
pub(super) fn blank(before: &[Token<'_>], token: &Token<'_>, after: Option<&Token<'_>>) -> bool {
    let Some(last) = before.last() else { return false };
    match token.kind {
        Kind::Comma | Kind::Colon | Kind::Optional => return false,
        Kind::Close => return token.text == "}" && last.kind != Kind::Open,
        _ => {}
    }
    match last.kind {
        Kind::Open => return last.text == "{",
        Kind::Dot | Kind::At => return false,
        Kind::Operator if is_prefix(before) || is_angle(before) => return false,
        _ => {}
    }
    match token.kind {
        // An argument list or a subscript clings to what it belongs to.
        Kind::Open if token.text == "(" && last.kind == Kind::Word => last.is_keyword(),
        Kind::Open if token.text != "{" && last.ends_operand() => token.apart,
        // `a.b` has a blank nowhere; `a .b` may be two things.
        Kind::Dot if last.ends_operand() => token.apart,
        Kind::Operator => {
            let opens = token.text == "<" && last.text == "vector" && after.is_some_and(is_number);
            let closes =
                token.text == ">" && is_number(last) && is_angle(&before[..before.len() - 1]);
            !opens && !closes
        }
        _ => true,
    }
}

fn is_number(token: &Token<'_>) -> bool {
    token.kind == Kind::Number
}

/// Whether the last token is a sign that belongs to what follows alone.
fn is_prefix(before: &[Token<'_>]) -> bool {
    let Some((last, earlier)) = before.split_last() else { return false };
    let two_sided = earlier.iter().rev().find(|token| token.kind != Kind::Comment);
    matches!(last.text, "-" | "!") && !two_sided.is_some_and(Token::ends_operand)
}

/// Whether the last token is the `<` of `vector<384>`.
fn is_angle(before: &[Token<'_>]) -> bool {
    matches!(before, [.., name, open] if name.text == "vector" && open.text == "<")
}
