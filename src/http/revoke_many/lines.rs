//! Cuts a body that arrives in pieces into lines, holding at most one line of limited length.

use bytes::{Buf, Bytes};

/// One line that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1; empty lines are counted too.
    pub(super) number: u64,
    /// What it says; `None` if it is longer than the limit.
    pub(super) text: Option<Bytes>,
}

/// The line that has begun, and the number of those before it.
#[derive(Debug)]
pub(super) struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
    ended: u64,
    bytes_max: usize,
}

impl Lines {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { begun: Vec::new(), is_too_long: false, ended: 0, bytes_max }
    }

    /// Bytes held of the line that has begun.
    pub(super) const fn begun_bytes(&self) -> usize {
        self.begun.len()
    }

    /// The next line that ends within `data`, which is moved past it; `None` once `data` is used up.
    pub(super) fn next(&mut self, data: &mut Bytes) -> Option<Line> {
        while let Some(at) = data.iter().position(|byte| *byte == b'\n') {
            let piece = data.split_to(at);
            data.advance(1);
            if let Some(line) = self.end(piece) {
                return Some(line);
            }
        }
        self.go_on(data);
        data.clear();
        None
    }

    /// The line that has begun and that no line feed ends.
    pub(super) fn last(&mut self) -> Option<Line> {
        self.end(Bytes::new())
    }

    fn go_on(&mut self, piece: &[u8]) {
        self.is_too_long |= self.begun.len() + piece.len() > self.bytes_max;
        if self.is_too_long {
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(piece);
        }
    }

    /// Ends the line that has begun with `piece`; `None` if it is empty.
    fn end(&mut self, piece: Bytes) -> Option<Line> {
        self.ended += 1;
        let text = if self.begun.is_empty() && !self.is_too_long && piece.len() <= self.bytes_max {
            piece
        } else {
            self.go_on(&piece);
            std::mem::take(&mut self.begun).into()
        };
        let is_too_long = std::mem::take(&mut self.is_too_long);
        if is_too_long {
            return Some(Line { number: self.ended, text: None });
        }
        let is_empty = text.iter().all(u8::is_ascii_whitespace);
        (!is_empty).then_some(Line { number: self.ended, text: Some(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of a body that arrives in pieces of `piece` bytes.
    fn lines(body: &str, piece: usize) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(5);
        let mut found = Vec::new();
        for piece in body.as_bytes().chunks(piece) {
            let mut data = Bytes::copy_from_slice(piece);
            while let Some(line) = lines.next(&mut data) {
                found.push(line);
            }
        }
        found.extend(lines.last());
        let text = |text: Bytes| String::from_utf8(text.to_vec()).unwrap();
        found.into_iter().map(|line| (line.number, line.text.map(text))).collect()
    }

    #[test]
    fn lines_are_the_same_however_the_body_arrives() {
        let some = |number, text: &str| (number, Some(text.to_owned()));
        for (body, expected) in [
            ("", vec![]),
            ("\n \r\n\n", vec![]),
            ("a", vec![some(1, "a")]),
            ("a\nb\n", vec![some(1, "a"), some(2, "b")]),
            ("\na\r\n\nb", vec![some(2, "a\r"), some(4, "b")]),
            ("12345\n123456\n1", vec![some(1, "12345"), (2, None), some(3, "1")]),
            ("1234567890123\n\n1234567", vec![(1, None), (3, None)]),
        ] {
            for piece in 1..20 {
                assert_eq!(lines(body, piece), expected, "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let mut lines = Lines::new(5);
        for _ in 0..1_000 {
            assert_eq!(lines.next(&mut Bytes::from_static(&[b'x'; 100])), None);
        }
        assert!(lines.begun.capacity() < 100);
        assert_eq!(lines.last(), Some(Line { number: 1, text: None }));
    }
}
