//! Ranges of constants: what has the right type may still be nonsense.

use super::Checker;
use crate::catalog::{Kind, Param};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::types::Value;

impl Checker<'_> {
    /// Whether a constant is one that its parameter takes; says so if not.
    pub(crate) fn in_range(&mut self, param: &Param, value: &Value, span: Span) -> bool {
        let name = param.name;
        let wrong = match (param.kind, value) {
            (Kind::Count(least, most), Value::Int(n)) if !(least..=most).contains(n) => {
                format!("`{name}` is a whole number from {least} to {most}")
            }
            (Kind::Int | Kind::Tokens, Value::Int(n) | Value::Tokens(n)) if *n < 0 => {
                format!("`{name}` is a whole number from 0")
            }
            (Kind::Float, Value::Float(x)) if *x < 0.0 => format!("`{name}` is not negative"),
            (Kind::Duration, Value::Duration(0)) if name == "timeout" => {
                "`timeout` is longer than nothing: every call would be too late".to_owned()
            }
            (Kind::Duration, Value::Duration(nanos)) if *nanos < 0 => {
                format!("`{name}` is not negative")
            }
            (Kind::Address, Value::String(text)) => match wrong_address(text) {
                Some(wrong) => wrong,
                None => return true,
            },
            _ => return true,
        };
        self.report(Diagnostic::error(codes::BAD_OPTION, span, wrong));
        false
    }
}

/// What is wrong with the address of a server.
fn wrong_address(text: &str) -> Option<String> {
    let scheme = text.split_once("://").filter(|(scheme, _)| {
        ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let host = scheme.map(|(_, rest)| rest.split(['/', '?', '#', '\\']).next().unwrap_or_default());
    if host.is_some_and(|host| host.contains('@')) {
        let message = "a key does not belong in an address; give it by `token: env(\"NAME\")`";
        return Some(message.to_owned());
    }
    let right = host.is_some_and(|host| {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port),
            _ => (host, ""),
        };
        !name.is_empty()
            && !name.contains(char::is_whitespace)
            && (port.is_empty() || port.parse::<u16>().is_ok())
    });
    (!right).then(|| format!("`{text}` is no address; write `http://HOST:PORT/PATH`"))
}

#[cfg(test)]
mod tests {
    use super::wrong_address;

    #[test]
    fn an_address_has_a_scheme_a_host_and_no_key() {
        for text in [
            "http://h",
            "HTTPS://h:9/x?a=b@c:d",
            "http://[::1]:8/",
            "http://[::1]",
            "http://h:/",
            "https://a.b/c:d/@e",
        ] {
            assert_eq!(wrong_address(text), None, "{text}");
        }
        for text in [
            "",
            "h:9000/x",
            "ftp://h/",
            "http://",
            "http:///x",
            "http://:9",
            "http://h:99999",
            "/x",
        ] {
            assert!(wrong_address(text).is_some_and(|why| why.contains("is no address")), "{text}");
        }
        for text in ["http://u:p@h/", "https://token@h"] {
            assert!(wrong_address(text).is_some_and(|why| why.contains("a key")), "{text}");
        }
    }
}
