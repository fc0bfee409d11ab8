//! Where a request ends within the bytes of its connection.
//!
//! Actix parses requests; this only finds their boundaries, so that it is given one request at a time. Whatever is
//! malformed is handed on as it is, for Actix to refuse.

use memchr::memchr_iter;

/// Finds the end of a request's head, across as many reads as it takes.
///
/// Lines may end with a bare LF (RFC 9112 section 2.2), because Actix's parser takes that as well: to see another end
/// than the parser does would be request smuggling between the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HeadScanner {
    /// Whether the last byte seen ended a line, apart from a CR that may follow it.
    line_ended: bool,
}

impl HeadScanner {
    /// Returns how many of these bytes belong to the head, if it ends within them.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.line_ended {
            // Rare: a head that came in pieces, broken right at the end of a line.
            match bytes {
                [b'\n', ..] => return Some(1),
                [b'\r', b'\n', ..] => return Some(2),
                [b'\r'] | [] => return None,
                _ => self.line_ended = false,
            }
        }
        let end = memchr_iter(b'\n', bytes).find_map(|line_end| match bytes.get(line_end + 1..) {
            Some([b'\n', ..]) => Some(line_end + 2),
            Some([b'\r', b'\n', ..]) => Some(line_end + 3),
            _ => None,
        });
        if end.is_none() {
            self.line_ended = bytes.ends_with(b"\n") || bytes.ends_with(b"\n\r");
        }
        end
    }
}

/// Finds the end of a body in chunks (RFC 9112 section 7.1), across as many reads as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkScanner {
    /// Within the length of a chunk, of which `0` bytes are known to follow yet.
    Length(u64),
    /// Behind the length, within an extension or at the end of the line.
    Extension(u64),
    /// Within the bytes of a chunk.
    Data(u64),
    /// At the line end that follows the bytes of a chunk.
    DataEnd,
    /// Behind the last chunk, at the beginning of a line; an empty one ends the body.
    Trailer,
    /// Within a trailer field.
    TrailerField,
}

impl Default for ChunkScanner {
    fn default() -> Self {
        Self::Length(0)
    }
}

impl ChunkScanner {
    /// Returns how many of these bytes belong to the body, if it ends within them.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut position = 0;
        while let Some(&byte) = bytes.get(position) {
            position += 1;
            *self = match (*self, byte) {
                (Self::Length(length), byte) if byte.is_ascii_hexdigit() => {
                    let digit = char::from(byte).to_digit(16).unwrap_or_default();
                    Self::Length(length.saturating_mul(16).saturating_add(u64::from(digit)))
                }
                (Self::Length(0) | Self::Extension(0), b'\n') => Self::Trailer,
                (Self::Length(length) | Self::Extension(length), b'\n') => Self::Data(length),
                (Self::Length(length) | Self::Extension(length), _) => Self::Extension(length),
                (Self::Data(left), _) => {
                    // This byte is one of them.
                    let here = usize::try_from(left - 1).unwrap_or(usize::MAX).min(bytes.len() - position);
                    position += here;
                    match left - 1 - here as u64 {
                        0 => Self::DataEnd,
                        left => Self::Data(left),
                    }
                }
                (Self::DataEnd, b'\n') => Self::Length(0),
                (Self::DataEnd, _) => Self::DataEnd,
                (Self::Trailer, b'\n') => return Some(position),
                (Self::Trailer, b'\r') => Self::Trailer,
                (Self::TrailerField, b'\n') => Self::Trailer,
                (Self::Trailer | Self::TrailerField, _) => Self::TrailerField,
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes in pieces of every size; returns where the end was seen, which must not depend on the size.
    fn ends(text: &str, mut scan: impl FnMut() -> Box<dyn FnMut(&[u8]) -> Option<usize>>) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut seen = (1..=bytes.len()).map(|size| {
            let mut scanner = scan();
            let mut before = 0;
            bytes.chunks(size).find_map(|piece| {
                let end = scanner(piece).map(|end| before + end);
                before += piece.len();
                end
            })
        });
        let first = seen.next().unwrap();
        assert!(seen.all(|end| end == first), "{text:?}");
        first
    }

    fn head(text: &str) -> Option<usize> {
        ends(text, || {
            let mut scanner = HeadScanner::default();
            Box::new(move |piece| scanner.end(piece))
        })
    }

    fn chunks(text: &str) -> Option<usize> {
        ends(text, || {
            let mut scanner = ChunkScanner::default();
            Box::new(move |piece| scanner.end(piece))
        })
    }

    #[test]
    fn a_head_ends_at_its_first_empty_line() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\n\r\nGET", Some(18)),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(27)),
            ("GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.1\r\n\r\n", Some(24)),
            ("GET / HTTP/1.1\n\r\n", Some(17)),
            ("GET / HTTP/1.1\r\n\nG", Some(17)),
            ("GET / HTTP/1.1\r\nHost: x\r\n", None),
            ("GET / HTTP/1.1\r\nHost: x\r\n\rX: y\r\n", None),
            ("", None),
        ] {
            if !text.is_empty() {
                assert_eq!(head(text), end, "{text:?}");
            }
        }
    }

    #[test]
    fn a_body_in_chunks_ends_behind_its_trailers() {
        for (text, end) in [
            ("0\r\n\r\nGET", Some(5)),
            ("5\r\nhello\r\n0\r\n\r\nGET", Some(15)),
            ("a;name=value\r\n0123456789\r\n0;last\r\n\r\n", Some(36)),
            ("1\r\n0\r\n0\r\nExpires: never\r\nX: y\r\n\r\nGET", Some(33)),
            ("5\r\n0\r\n\r\n", None),
            ("5\r\nhello\r\n0\r\n", None),
            ("ffffffffffffffffffff\r\nx", None),
        ] {
            assert_eq!(chunks(text), end, "{text:?}");
        }
    }
}
