//! Cuts a long text into passages at paragraph borders.
//!
//! A passage should be small enough that a handful of them fit into a prompt, and whole enough to
//! answer a question by itself. So paragraphs are kept together while they fit, a fenced code block
//! is one paragraph, and only a paragraph that is too long by itself is cut, between its lines.

use sage_core::text::Fence;

/// Most characters of a passage, unless a single line is longer.
pub(super) const MAX_CHARS: usize = 1500;

/// `text` as passages with the number of lines before each; none when it is blank.
pub(super) fn passages(text: &str) -> Vec<(u32, String)> {
    let mut passages: Vec<(u32, String)> = Vec::new();
    let mut room = 0;
    for (line, paragraph) in paragraphs(text) {
        for (extra, piece) in pieces(&paragraph) {
            let length = piece.chars().count();
            match passages.last_mut() {
                Some((_, passage)) if extra == 0 && length + 2 <= room => {
                    passage.push_str("\n\n");
                    passage.push_str(&piece);
                    room -= length + 2;
                }
                _ => {
                    passages.push((line + extra, piece));
                    room = MAX_CHARS.saturating_sub(length);
                }
            }
        }
    }
    passages
}

/// Blocks between blank lines, fenced code as one block, with the number of lines before each.
pub(super) fn paragraphs(text: &str) -> Vec<(u32, String)> {
    let mut paragraphs: Vec<(u32, String)> = Vec::new();
    let (mut open, mut fence) = (false, Fence::default());
    for (number, line) in text.lines().enumerate() {
        let code = fence.step(line);
        if line.trim().is_empty() && !code {
            open = false;
            continue;
        }
        match paragraphs.last_mut() {
            Some((_, paragraph)) if open => {
                paragraph.push('\n');
                paragraph.push_str(line.trim_end());
            }
            _ => paragraphs.push((number as u32, line.trim_end().to_owned())),
        }
        open = true;
    }
    paragraphs
}

/// A paragraph cut between lines so that each piece fits.
fn pieces(paragraph: &str) -> Vec<(u32, String)> {
    let mut pieces: Vec<(u32, String)> = Vec::new();
    let mut length = 0;
    for (number, line) in paragraph.lines().enumerate() {
        let own = line.chars().count();
        match pieces.last_mut() {
            Some((_, piece)) if length + 1 + own <= MAX_CHARS => {
                piece.push('\n');
                piece.push_str(line);
                length += 1 + own;
            }
            _ => {
                pieces.push((number as u32, line.to_owned()));
                length = own;
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_whole() {
        assert!(passages(" \n\n").is_empty());
        assert_eq!(passages("\na\nb\n\nc"), [(1, "a\nb\n\nc".into())]);
    }

    #[test]
    fn long_texts_are_cut_between_paragraphs() {
        let (a, b) = ("a".repeat(1000), "b".repeat(600));
        let cut = passages(&format!("{a}\n\n{b}\n\nc"));
        assert_eq!(cut, [(0, a.clone()), (2, format!("{b}\n\nc"))]);
        let cut = passages(&format!("{a}\n{b}"));
        assert_eq!(cut, [(0, a), (1, b)]);
    }

    #[test]
    fn code_is_one_paragraph() {
        let code = "```text\na\n\nb\n~~~\n```";
        assert_eq!(paragraphs(&format!("{code}\n\nc")), [(0, code.into()), (7, "c".into())]);
    }
}
