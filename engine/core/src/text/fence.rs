//! Fenced code blocks of Markdown, line by line: what is in one is no text to be cut or to be read as
//! headings.

/// Follows fenced code blocks line by line.
#[derive(Debug, Default)]
pub struct Fence(Option<(char, usize)>);

impl Fence {
    /// Whether `line` belongs to a code block, its fences included.
    pub fn step(&mut self, line: &str) -> bool {
        let text = line.trim_start();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| text.chars().take_while(|c| *c == mark).count());
        match (self.0, mark) {
            (None, Some(mark)) if length >= 3 => {
                self.0 = Some((mark, length));
                true
            }
            (None, _) => false,
            (Some((open, least)), mark) => {
                let bare = text.trim_end().chars().count() == length;
                if mark == Some(open) && length >= least && bare {
                    self.0 = None;
                }
                true
            }
        }
    }
}
