//! Secrets are not shown: whoever writes a message that others made gives it through a [`Mask`].
//!
//! A server that refuses a token may say it back, as it is or in another form, and what it says goes
//! to dead letters, logs and summaries, which people pass on. Data is left alone: a record is what
//! its source says it is.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Stands where a secret stood.
pub const HIDDEN: &str = "***";
/// Shorter secrets are words of any text, and so are shorter beginnings of one.
const SHORTEST: usize = 4;
/// Shorter pieces of base64 stand in texts by chance.
const SHORTEST_CODED: usize = 8;

/// Values that are not shown, in all the forms that they are looked for.
#[derive(Clone, Default)]
pub struct Mask {
    /// Each at least [`SHORTEST`] bytes.
    forms: Vec<String>,
}

impl Mask {
    /// Of these values; those of fewer than 4 bytes are not hidden.
    ///
    /// ```
    /// use sage_core::secrets::Mask;
    ///
    /// let mask = Mask::new(["open sesame"]);
    /// assert_eq!(mask.hide("no: open sesame, open%20sesame"), "no: ***, ***");
    /// ```
    pub fn new<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut forms = Vec::new();
        for value in values {
            let value = value.as_ref();
            if value.len() >= SHORTEST {
                add_forms(value, &mut forms);
            }
        }
        forms.sort();
        forms.dedup();
        Mask { forms }
    }

    /// `text` without them. An end that is the beginning of one goes, too: texts are cut off.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        // What stands left and right of a gap may make one anew. Each time the text gets shorter.
        while let Some(shorter) = self.once(&text) {
            text = Cow::Owned(shorter);
        }
        text
    }

    /// The same for bytes that should be a text.
    pub fn hide_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        if self.forms.is_empty() {
            return Cow::Borrowed(bytes);
        }
        match self.hide(&String::from_utf8_lossy(bytes)) {
            Cow::Borrowed(_) => Cow::Borrowed(bytes),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// `text` with what is found in it now hidden; `None` if there is nothing.
    fn once(&self, text: &str) -> Option<String> {
        let whole = self.forms.iter().flat_map(|form| {
            let starts = text.match_indices(form.as_str());
            starts.map(|(at, found)| (at, at + found.len()))
        });
        let cut = self.forms.iter().filter_map(|form| {
            let ends = form.char_indices().map(|(end, _)| end).rev();
            let mut longest = ends.filter(|end| *end >= SHORTEST && text.ends_with(&form[..*end]));
            longest.next().map(|length| (text.len() - length, text.len()))
        });
        let mut found: Vec<(usize, usize)> = whole.chain(cut).collect();
        found.sort_unstable();
        let mut shown = String::with_capacity(text.len());
        let mut until = 0;
        for (from, to) in &found {
            if *from >= until {
                shown.push_str(&text[until..*from]);
                shown.push_str(HIDDEN);
            }
            until = until.max(*to);
        }
        shown.push_str(&text[until..]);
        (!found.is_empty()).then_some(shown)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} forms)", self.forms.len())
    }
}

/// As it is, as in an address, in a JSON text, and in base64, alone or within more (as in the fields
/// of `Basic`): then it begins at one of three places of a group, and its first and last characters
/// depend on what stands beside it.
fn add_forms(value: &str, forms: &mut Vec<String>) {
    forms.push(value.to_owned());
    for hex in ["0123456789ABCDEF", "0123456789abcdef"] {
        let coded = percent(value, hex.as_bytes());
        forms.push(coded.replace("%20", "+"));
        forms.push(coded);
    }
    let json = serde_json::Value::from(value).to_string();
    forms.push(json[1..json.len() - 1].replace('/', "\\/"));
    forms.push(json[1..json.len() - 1].to_owned());
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value.as_bytes());
        let (from, to) = ((8 * before).div_ceil(6), 8 * bytes.len() / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            if to - from >= SHORTEST_CODED {
                forms.push(engine.encode(&bytes)[from..to].to_owned());
            }
        }
    }
}

fn percent(value: &str, hex: &[u8]) -> String {
    let mut coded = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            coded.push(char::from(byte));
        } else {
            coded.push('%');
            let digits = [byte >> 4, byte & 15].map(|digit| char::from(hex[usize::from(digit)]));
            coded.extend(digits);
        }
    }
    coded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A secret as a server may say it back.
    fn said(secret: &str, form: u8, pad: &str) -> String {
        match form % 6 {
            0 => secret.to_owned(),
            1 => percent(secret, b"0123456789ABCDEF"),
            2 => percent(secret, b"0123456789abcdef"),
            3 => serde_json::to_string(secret).unwrap(),
            4 => STANDARD_NO_PAD.encode(format!("{pad}{secret}:{pad}")),
            _ => URL_SAFE_NO_PAD.encode(format!("{secret}{pad}")),
        }
    }

    proptest! {
        #[test]
        fn whatever_form_a_secret_is_said_back_in_and_wherever_it_is_cut_off_it_is_not_shown(
            secrets in prop::collection::vec("[!-~äß ]{4,40}", 1..4),
            parts in prop::collection::vec((any::<u8>(), 0_usize..4, "[a-z :\"]{0,9}"), 1..6),
            cut in 0_usize..400,
        ) {
            let mask = Mask::new(&secrets);
            let mut text = String::new();
            for (form, which, between) in &parts {
                text += between;
                text += &said(&secrets[which % secrets.len()], *form, between);
            }
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            for text in [text.as_str(), &text[..cut]] {
                let shown = mask.hide(text);
                for form in &mask.forms {
                    prop_assert!(!shown.contains(form.as_str()), "{form:?} in {shown:?}");
                    for (end, _) in form.char_indices().filter(|(end, _)| *end >= SHORTEST) {
                        prop_assert!(!shown.ends_with(&form[..end]), "{form:?} ends {shown:?}");
                    }
                }
                prop_assert_eq!(&*mask.hide(&shown), &*shown);
                let bytes = mask.hide_bytes(text.as_bytes());
                prop_assert_eq!(&*bytes, shown.as_bytes());
            }
        }

        #[test]
        fn what_has_no_secret_in_it_stays_as_it_is(text in "[\u{e4}-\u{fc} ]{0,60}", secret in "Z[!-~]{6,20}") {
            let mask = Mask::new([&secret, "abc"]);
            prop_assert_eq!(mask.hide(&text), text.as_str());
            let said = format!("{mask:?}");
            prop_assert!(!said.contains(&secret));
        }

        #[test]
        fn a_secret_within_base64_leaves_no_more_than_its_edges(
            secret in "[a-zA-Z0-9]{16,40}", before in "[a-z]{0,5}", after in "[a-z]{0,5}",
        ) {
            let coded = STANDARD_NO_PAD.encode(format!("{before}{secret}{after}"));
            let shown = Mask::new([&secret]).hide(&coded).into_owned();
            prop_assert!(shown.len() <= before.len() * 2 + after.len() * 2 + 8, "{shown}");
        }
    }

    #[test]
    fn only_the_secret_goes() {
        let mask = Mask::new(["open-sesame", "t"]);
        let text = "HTTP 401: the token `open-sesame` (b3Blbi1zZXNhbWU=) is not ours";
        assert_eq!(mask.hide(text), "HTTP 401: the token `***` (***U=) is not ours");
        assert_eq!(mask.hide("a cut one: open-se"), "a cut one: ***");
        assert_eq!(mask.hide_bytes(b"\xff"), &b"\xff"[..]);
        assert_eq!(Mask::default().hide("all of it"), "all of it");
    }
}
