//! Uploads pass on while they arrive. What is no file in them is collected on the way: the token that proves where the form
//! comes from, which must be its first part, and the texts and names that the inspector looks at before the end is said.

use aws_lc_rs::error::Unspecified;
use bytes::BytesMut;
use memchr::memmem;

/// Bytes the headers of one part may have.
const HEAD_BYTES_MAX: usize = 8_192;

/// What the head of the part with the token says.
const TOKEN: &[u8] = b"name=\"csrf_token\"";

const HEAD_END: &[u8] = b"\r\n\r\n";
/// What stands behind the last boundary.
const END: &[u8] = b"--\r\n";

/// Where in the form the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a text, or before the first part.
    Text,
    /// In a file.
    File,
    /// In the headers of a part.
    Head,
    /// Behind the last part, or behind what is no form.
    Over,
}

/// Collects the form without its files.
#[derive(Debug)]
pub(crate) struct Skim {
    delimiter: Vec<u8>,
    unread: BytesMut,
    place: Place,
    /// The form as it came, but for what its files hold.
    collected: Vec<u8>,
    bytes_max: usize,
    is_cut: bool,
    /// Parts whose headers were seen.
    parts: usize,
    /// Where the token begins, and ends, in what was collected.
    token_begins: Option<usize>,
    first_ends: Option<usize>,
}

impl Skim {
    /// Collects at most so many bytes of a form with a boundary.
    pub(crate) fn new(boundary: &str, bytes_max: usize) -> Self {
        Self {
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            // The first boundary stands at the beginning of a line that nothing ended.
            unread: BytesMut::from(&b"\r\n"[..]),
            place: Place::Text,
            collected: Vec::new(),
            bytes_max,
            is_cut: false,
            parts: 0,
            token_begins: None,
            first_ends: None,
        }
    }

    /// Takes the next piece of the body.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
        while self.step() {}
    }

    /// Whether the first part is complete, or there will be none.
    pub(crate) fn knows_first(&self) -> bool {
        self.first_ends.is_some() || self.place == Place::Over || self.is_cut
    }

    /// The token, if it is the first part.
    pub(crate) fn token(&self) -> Option<&[u8]> {
        self.collected.get(self.token_begins?..self.first_ends?)
    }

    /// What was collected, as a form again; an error when that is not all of it.
    pub(crate) fn form(mut self) -> Result<Vec<u8>, Unspecified> {
        if self.place == Place::Head && END.starts_with(&self.unread) {
            let end = self.unread.split();
            self.keep(&end);
        }
        // The line end before the first boundary is ours.
        if self.is_cut { Err(Unspecified) } else { Ok(self.collected.split_off(2.min(self.collected.len()))) }
    }

    /// Goes on to the next boundary or the next part's content; `false` when more bytes are needed for that.
    fn step(&mut self) -> bool {
        match self.place {
            Place::Text | Place::File => self.read_content(),
            Place::Head => self.read_head(),
            Place::Over => {
                self.unread.clear();
                false
            }
        }
    }

    fn read_content(&mut self) -> bool {
        let found = memmem::find(&self.unread, &self.delimiter);
        let length = found.unwrap_or_else(|| (self.unread.len() + 1).saturating_sub(self.delimiter.len()));
        let content = self.unread.split_to(length);
        if self.place == Place::Text {
            self.keep(&content);
        }
        if found.is_none() {
            return false;
        }
        if self.parts == 1 && self.first_ends.is_none() {
            self.first_ends = Some(self.collected.len());
        }
        let delimiter = self.unread.split_to(self.delimiter.len());
        self.keep(&delimiter);
        self.place = Place::Head;
        true
    }

    fn read_head(&mut self) -> bool {
        if END.starts_with(&self.unread) {
            return false; // perhaps the end, when nothing else comes
        }
        if self.unread.starts_with(b"--") {
            // What only begins like the end is kept as it is, so that it is seen to be none.
            let shown = self.unread.split_to(self.unread.len().min(END.len()));
            self.keep(&shown);
            self.place = Place::Over;
            return true;
        }
        if let Some(at) = memmem::find(&self.unread, HEAD_END) {
            let head = self.unread.split_to(at + HEAD_END.len());
            self.keep(&head);
            self.parts += 1;
            let is_file = inspect::multipart::is_file(&head);
            if self.parts == 1 && !is_file && memmem::find(&head, TOKEN).is_some() {
                self.token_begins = Some(self.collected.len());
            }
            self.place = if is_file { Place::File } else { Place::Text };
            return true;
        }
        if self.unread.len() > HEAD_BYTES_MAX {
            self.place = Place::Over;
        }
        false
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.collected.len().saturating_add(bytes.len()) > self.bytes_max {
            self.is_cut = true;
        } else {
            self.collected.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nt0k\r\n\
                        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n\
                        \x01--b\r\r\n--binary\r\n--a\r\n\
                        --b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b--\r\n";

    fn skim(form: &str, piece: usize) -> Skim {
        let mut skim = Skim::new("b", 10_000);
        form.as_bytes().chunks(piece).for_each(|piece| skim.feed(piece));
        skim
    }

    fn form(skim: Skim) -> String {
        String::from_utf8(skim.form().unwrap()).unwrap()
    }

    #[test]
    fn a_form_is_collected_without_its_files_however_it_arrives() {
        let text = FORM.replace("--binary", "--xinary");
        let whole = form(skim(&text, text.len()));
        assert!(whole.starts_with("--b\r\n") && whole.ends_with("hello\r\n--b--\r\n"), "{whole}");
        assert!(whole.contains("filename=\"a.png\"") && !whole.contains("inary"), "{whole}");
        for piece in 1..40 {
            assert_eq!(form(skim(&text, piece)), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn the_token_is_the_first_part_or_there_is_none() {
        assert_eq!(skim(FORM, 7).token(), Some(&b"t0k"[..]));
        let second = FORM.replace("name=\"csrf_token\"", "name=\"other\"");
        let other = skim(&second, 7);
        assert!(other.knows_first());
        assert_eq!(other.token(), None);
        let file = FORM.replace("name=\"csrf_token\"", "name=\"csrf_token\"; filename=\"x\"");
        assert_eq!(skim(&file, 7).token(), None);
        let open = skim("--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nt0k", 7);
        assert!(!open.knows_first());
        assert_eq!(open.token(), None);
    }

    #[test]
    fn only_a_content_disposition_makes_a_file_and_only_a_whole_line_is_the_end() {
        let text =
            "--b\r\nX-A: filename=x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b--";
        for piece in [1, 3, 1000] {
            assert_eq!(form(skim(text, piece)), text);
            let shadow = "--b--X\r\n--b\r\n\r\nhidden\r\n--b--";
            assert!(
                !form(skim(shadow, piece)).ends_with("--b--\r\n"),
                "it is no end to the inspector either"
            );
        }
    }

    #[test]
    fn what_is_collected_is_bounded() {
        let text = format!(
            "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{}\r\n--b--",
            "y".repeat(20_000)
        );
        assert!(skim(&text, 1000).form().is_err());
        let head = format!("--b\r\nX: {}", "y".repeat(20_000));
        let skim = skim(&head, 1000);
        assert!(skim.knows_first());
        assert!(skim.unread.len() <= HEAD_BYTES_MAX + 1000);
    }
}
