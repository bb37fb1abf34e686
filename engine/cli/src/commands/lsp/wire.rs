//! Frames of the protocol: a header with a length, and JSON.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

/// Longest message; a program has at most 1 MiB, and JSON may need six bytes for one of it.
const LARGEST: u64 = 16 << 20;
/// Longest header line.
const LONGEST_LINE: u64 = 4096;

/// The bytes of the next message; `None` at the end of the input.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            // Blank lines between messages do no harm.
            match length {
                Some(length) => return body(input, length),
                None => continue,
            }
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(invalid(format!("`{line}` is no header of a message")));
        };
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim();
            let bytes = value.parse::<u64>().ok().filter(|bytes| *bytes <= LARGEST);
            length = Some(bytes.ok_or_else(|| {
                invalid(format!("a message of {value} bytes; at most {LARGEST} are read"))
            })?);
        }
    }
}

fn body(input: &mut impl BufRead, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.by_ref().take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(invalid("the input ends within a message"));
    }
    Ok(Some(bytes))
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

/// Writes one message.
pub(super) fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_one_after_the_other() {
        let mut input: &[u8] =
            b"Content-Length: 2\r\n\r\n{}Content-Type: x\r\ncontent-length: 3\r\n\r\n[1]";
        assert_eq!(read(&mut input).ok().flatten().as_deref(), Some(&b"{}"[..]));
        assert_eq!(read(&mut input).ok().flatten().as_deref(), Some(&b"[1]"[..]));
        assert!(matches!(read(&mut input), Ok(None)));
    }

    #[test]
    fn what_is_no_frame_is_an_error_and_takes_no_memory() {
        let (long, endless) = ("Content-Length: 99999999999\r\n\r\n", "x".repeat(1 << 20));
        for text in [long, "hello\r\n", "Content-Length: x\r\n\r\n", &endless] {
            assert!(read(&mut text.as_bytes()).is_err(), "{}", &text[..10]);
        }
        assert!(read(&mut &b"Content-Length: 10\r\n\r\n{}"[..]).is_err());
    }
}
