//! Between the addresses of an editor and the paths of programs.

use std::fmt::Write as _;
use std::str::FromStr;

use lsp_types::Uri;

/// The path behind a `file:` address; of any other (a text that was never saved) the address itself,
/// which is a name as good as another.
pub(super) fn path(uri: &Uri) -> String {
    let text = uri.as_str();
    let Some(rest) = text.strip_prefix("file://") else { return text.to_owned() };
    // A host may stand before the path; only this one is meant.
    let encoded = rest.find('/').map_or("/", |at| &rest[at..]);
    let bytes = encoded.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = encoded.get(at + 1..at + 3);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (b'%', Some(byte)) = (bytes[at], byte) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The address of a path.
pub(super) fn of_path(path: &str) -> Option<Uri> {
    if !path.starts_with('/') {
        return Uri::from_str(path).ok();
    }
    let mut text = "file://".to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Uri::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for name in ["/a/b.sage", "/a b/ü%20.sage", "/a/#?&.sage"] {
            assert_eq!(of_path(name).map(|uri| path(&uri)).as_deref(), Some(name));
        }
        let other = Uri::from_str("untitled:Untitled-1").ok();
        assert_eq!(other.map(|uri| path(&uri)).as_deref(), Some("untitled:Untitled-1"));
        let odd = Uri::from_str("file:///c%3A/x%2").ok();
        assert!(odd.is_none_or(|uri| path(&uri).starts_with("/c:/x")));
    }
}
