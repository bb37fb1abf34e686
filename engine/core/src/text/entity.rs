//! Entities of HTML: `&amp;`, `&#38;`, `&#x26;`.
//!
//! Of the two thousand names there are, those of writing in European languages; any other is left
//! as it stands, which is what a reader would see for one that does not exist.

/// By name; sorted.
const NAMES: &[(&str, char)] = &[
    ("AElig", 'Æ'),
    ("Aring", 'Å'),
    ("Auml", 'Ä'),
    ("Eacute", 'É'),
    ("Oslash", 'Ø'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("aelig", 'æ'),
    ("agrave", 'à'),
    ("amp", '&'),
    ("apos", '\''),
    ("aring", 'å'),
    ("atilde", 'ã'),
    ("auml", 'ä'),
    ("bull", '•'),
    ("ccedil", 'ç'),
    ("cent", '¢'),
    ("copy", '©'),
    ("deg", '°'),
    ("divide", '÷'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("egrave", 'è'),
    ("euml", 'ë'),
    ("euro", '€'),
    ("frac12", '½'),
    ("ge", '≥'),
    ("gt", '>'),
    ("harr", '↔'),
    ("hellip", '…'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("iexcl", '¡'),
    ("iquest", '¿'),
    ("iuml", 'ï'),
    ("laquo", '«'),
    ("larr", '←'),
    ("ldquo", '“'),
    ("le", '≤'),
    ("lsquo", '‘'),
    ("lt", '<'),
    ("mdash", '—'),
    ("micro", 'µ'),
    ("middot", '·'),
    ("minus", '−'),
    ("nbsp", ' '),
    ("ndash", '–'),
    ("ne", '≠'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("oelig", 'œ'),
    ("oslash", 'ø'),
    ("otilde", 'õ'),
    ("ouml", 'ö'),
    ("para", '¶'),
    ("plusmn", '±'),
    ("pound", '£'),
    ("quot", '"'),
    ("raquo", '»'),
    ("rarr", '→'),
    ("rdquo", '”'),
    ("reg", '®'),
    ("rsquo", '’'),
    ("sect", '§'),
    ("shy", '\u{ad}'),
    ("szlig", 'ß'),
    ("times", '×'),
    ("trade", '™'),
    ("uacute", 'ú'),
    ("ugrave", 'ù'),
    ("uuml", 'ü'),
    ("yen", '¥'),
];

/// No name is longer, nor any number.
const LONGEST: usize = 10;

/// The entity at the head of `text`, and its length in bytes.
pub(super) fn read(text: &str) -> Option<(char, usize)> {
    let inner = text.strip_prefix('&')?;
    let end = inner.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let name = &inner[..end];
    let symbol = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?).filter(|symbol| *symbol != '\0').unwrap_or('\u{fffd}')
        }
        None => NAMES[NAMES.binary_search_by_key(&name, |(name, _)| *name).ok()?].1,
    };
    Some((symbol, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_can_be_searched() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
        assert!(NAMES.iter().all(|(name, _)| name.len() < LONGEST));
    }

    #[test]
    fn names_and_numbers_are_read_and_anything_else_is_none() {
        assert_eq!(read("&amp;x"), Some(('&', 5)));
        assert_eq!(read("&#8364;"), Some(('€', 7)));
        assert_eq!(read("&#xE9;"), Some(('é', 6)));
        assert_eq!(read("&#0;"), Some(('\u{fffd}', 4)));
        assert_eq!(read("&#x110000;"), Some(('\u{fffd}', 10)));
        for none in ["&", "&;", "&amp", "&#;", "&#xg;", "&é;", "&averylongname;", "x"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
