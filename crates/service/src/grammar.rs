//! What of HTTP/1.1 the server's parser is too kind to refuse: lines that a line feed alone ends, fragments in a target, and
//! second spellings of the headers that say where a body ends.
//!
//! A connection's bytes are followed from head to body to the next head. A byte that must not be is overwritten with a null
//! before the parser sees it, and the parser refuses that, answers 400 and closes the connection. Whatever can be read in
//! one way only stays as it is.

use memchr::memchr;

/// The beginning of a header line that is kept to be read; the two that matter are shorter.
const LINE_KEPT_MAX: usize = 64;

/// What no line of HTTP may hold.
const UNREADABLE: u8 = 0;

/// Where in its conversation a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    RequestLine,
    Headers,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    /// Another protocol.
    Elsewhere,
}

/// What a head says about what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    length: u64,
    is_chunked: bool,
    asks_upgrade: bool,
}

/// Follows one connection.
#[derive(Debug)]
pub(crate) struct Grammar {
    place: Place,
    head: Head,
    /// The beginning of the line that is arriving, and how long it is by now.
    line: Vec<u8>,
    line_length: usize,
    last: u8,
}

impl Grammar {
    pub(crate) fn new() -> Self {
        let line = Vec::with_capacity(LINE_KEPT_MAX);
        Self { place: Place::RequestLine, head: Head::default(), line, line_length: 0, last: 0 }
    }

    /// Follows bytes that have arrived, and makes unreadable what must not be.
    pub(crate) fn follow(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = match &mut self.place {
                Place::Elsewhere => return,
                Place::Body(left) | Place::ChunkData(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                    if *left == 0 {
                        self.place = if matches!(self.place, Place::Body(_)) {
                            Place::RequestLine
                        } else {
                            Place::ChunkEnd
                        };
                    }
                    taken
                }
                Place::RequestLine
                | Place::Headers
                | Place::ChunkSize
                | Place::ChunkEnd
                | Place::Trailers => self.follow_line(bytes),
            };
            bytes = bytes.get_mut(taken..).unwrap_or_default();
        }
    }

    /// Notes the beginning of an answer: it may be the one after which another protocol is spoken.
    pub(crate) fn answered(&mut self, bytes: &[u8]) {
        if self.head.asks_upgrade && bytes.starts_with(b"HTTP/1.1 101 ") {
            self.place = Place::Elsewhere;
        }
    }

    /// Follows a line as far as it is there; answers how many bytes that are.
    fn follow_line(&mut self, bytes: &mut [u8]) -> usize {
        let end = memchr(b'\n', bytes);
        let taken = end.map_or(bytes.len(), |at| at + 1);
        let Some(line) = bytes.get_mut(..taken) else { return taken };
        if self.place == Place::RequestLine
            && let Some(at) = memchr(b'#', line)
            && let Some(byte) = line.get_mut(at)
        {
            *byte = UNREADABLE;
        }
        let before_last = line.len().checked_sub(2).and_then(|at| line.get(at)).copied().unwrap_or(self.last);
        let kept = LINE_KEPT_MAX.saturating_sub(self.line.len()).min(line.len());
        self.line.extend_from_slice(line.get(..kept).unwrap_or_default());
        self.line_length += line.len();
        self.last = line.last().copied().unwrap_or(self.last);
        if end.is_some() {
            let is_whole = before_last == b'\r' && self.end_line();
            if !is_whole && let Some(byte) = line.last_mut() {
                *byte = UNREADABLE;
            }
            self.line.clear();
            self.line_length = 0;
            self.last = 0;
        }
        taken
    }

    /// Reads a line that has ended; says whether it can be read.
    fn end_line(&mut self) -> bool {
        let is_empty = self.line_length == 2;
        match self.place {
            // An empty line in front of a request is passed over.
            Place::RequestLine if is_empty => true,
            Place::RequestLine => {
                self.head = Head::default();
                self.place = Place::Headers;
                true
            }
            Place::Headers if is_empty => {
                self.place = match self.head {
                    Head { is_chunked: true, .. } => Place::ChunkSize,
                    Head { length: 0, .. } => Place::RequestLine,
                    Head { length, .. } => Place::Body(length),
                };
                true
            }
            Place::Headers => self.read_header(),
            Place::ChunkSize => self.read_chunk_size(),
            Place::ChunkEnd => {
                self.place = Place::ChunkSize;
                is_empty
            }
            Place::Trailers => {
                if is_empty {
                    self.place = Place::RequestLine;
                }
                true
            }
            Place::Body(_) | Place::ChunkData(_) | Place::Elsewhere => true,
        }
    }

    fn read_header(&mut self) -> bool {
        let Some(colon) = memchr(b':', &self.line) else { return true };
        let (name, value) = self.line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let is_whole = self.line_length <= LINE_KEPT_MAX;
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits =
                std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|text| text.parse().ok());
            self.head.length = length.unwrap_or(0);
            return is_whole && length.is_some();
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.head.is_chunked = value.eq_ignore_ascii_case(b"chunked");
            return is_whole && self.head.is_chunked;
        }
        if is_alias(name) {
            return false;
        }
        self.head.asks_upgrade |= name.eq_ignore_ascii_case(b"upgrade");
        true
    }

    fn read_chunk_size(&mut self) -> bool {
        let line = self.line.strip_suffix(b"\r\n").unwrap_or(&self.line);
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(digits).ok().filter(|text| {
            (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let Some(size) = size.and_then(|text| u64::from_str_radix(text, 16).ok()) else { return false };
        self.place = if size == 0 { Place::Trailers } else { Place::ChunkData(size) };
        true
    }
}

/// Whether a name could be taken for one that says where the body ends: some servers read `_` and `.` as a hyphen.
fn is_alias(name: &[u8]) -> bool {
    let hyphen = |byte: &u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte.to_ascii_lowercase() };
    let same = |known: &[u8]| name.len() == known.len() && name.iter().map(hyphen).eq(known.iter().copied());
    same(b"content-length") || same(b"transfer-encoding")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What becomes of bytes that arrive in pieces of a length.
    fn followed(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut grammar = Grammar::new();
        let mut bytes = bytes.to_vec();
        bytes.chunks_mut(piece).for_each(|piece| grammar.follow(piece));
        bytes
    }

    fn text(bytes: &[u8], piece: usize) -> String {
        String::from_utf8_lossy(&followed(bytes, piece)).replace('\0', "!")
    }

    #[test]
    fn a_line_feed_alone_and_a_fragment_become_unreadable_wherever_the_pieces_end() {
        for piece in [1, 2, 3, 7, 1000] {
            for (given, expected) in [
                ("GET /a HTTP/1.1\nHost: y\n\n", "GET /a HTTP/1.1!Host: y!!"),
                ("GET /a HTTP/1.1\r\nHost: y\r\n\n", "GET /a HTTP/1.1\r\nHost: y\r\n!"),
                ("\nGET /a HTTP/1.1\r\n\r\n", "!GET /a HTTP/1.1\r\n\r\n"),
                ("GET /a#b HTTP/1.1\r\n\r\n", "GET /a!b HTTP/1.1\r\n\r\n"),
                (
                    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
                    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1!x\r!0\r\n\r\n",
                ),
                (
                    "GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
                    "GET / HTTP/1.1\r\nContent-Length: 5, 5\r!\r\n",
                ),
            ] {
                assert_eq!(text(given.as_bytes(), piece), expected, "{piece}");
            }
        }
    }

    #[test]
    fn after_another_protocol_is_agreed_upon_nothing_is_touched() {
        let mut grammar = Grammar::new();
        let mut ask = *b"GET /a HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        grammar.follow(&mut ask);
        grammar.answered(b"HTTP/1.1 101 Switching Protocols\r\n");
        let mut frame = *b"\x81\n\n#";
        grammar.follow(&mut frame);
        assert_eq!(&frame, b"\x81\n\n#");
    }

    #[test]
    fn an_answer_that_looks_like_an_upgrade_nobody_asked_for_changes_nothing() {
        let mut grammar = Grammar::new();
        grammar.answered(b"HTTP/1.1 101 Switching Protocols\r\n");
        let mut bytes = *b"GET /a HTTP/1.1\n";
        grammar.follow(&mut bytes);
        assert!(bytes.ends_with(b"\0"));
    }

    proptest! {
        /// Requests as they should be stay as they are, in pieces of any length, with any bytes in their bodies.
        #[test]
        fn well_formed_conversations_are_left_alone(
            bodies in vec((any::<bool>(), vec(any::<u8>(), 0..200)), 1..6),
            piece in 1..300_usize,
        ) {
            let mut bytes = Vec::new();
            for (is_chunked, body) in &bodies {
                bytes.extend(b"POST /a?b=%23 HTTP/1.1\r\nHost: y\r\nX-Long: ");
                bytes.extend(b"x#".repeat(100));
                if *is_chunked {
                    bytes.extend(b"\r\nTransfer-Encoding: Chunked\r\n\r\n");
                    for part in body.chunks(50) {
                        bytes.extend(format!("{:x};a=b\r\n", part.len()).into_bytes());
                        bytes.extend(part);
                        bytes.extend(b"\r\n");
                    }
                    bytes.extend(b"0\r\n\r\n");
                } else {
                    bytes.extend(format!("\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes());
                    bytes.extend(body);
                }
            }
            prop_assert_eq!(followed(&bytes, piece), bytes);
        }

        #[test]
        fn anything_can_be_followed(bytes in vec(any::<u8>(), 0..2_000), piece in 1..100_usize) {
            prop_assert_eq!(followed(&bytes, piece).len(), bytes.len());
        }
    }
}
