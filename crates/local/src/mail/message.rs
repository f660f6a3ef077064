//! A kept mail, read just far enough to be shown.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

const DEPTH_MAX: usize = 4;

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Its file in the folder.
    pub file: String,
    /// The `From` header.
    pub from: String,
    /// Everybody it was delivered to.
    pub to: Vec<String>,
    /// The `Subject` header, decoded.
    pub subject: String,
    /// Every header, decoded; the last one of a name.
    pub headers: BTreeMap<String, String>,
    /// Its plain text, decoded.
    pub text: String,
}

impl Mail {
    /// Reads a mail.
    pub(super) fn parse(file: &str, raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw).replace("\r\n", "\n");
        let part = Part::parse(&text);
        let header = |name: &str| part.header(name).unwrap_or("").to_owned();
        let to = header("X-Envelope-To").split(", ").map(str::to_owned).collect();
        Self {
            file: file.to_owned(),
            from: header("From"),
            to,
            subject: header("Subject"),
            text: part.plain_text(0).unwrap_or_default(),
            headers: part.headers.into_iter().collect(),
        }
    }
}

/// Headers and body of a mail or of a part of one.
struct Part<'text> {
    headers: Vec<(String, String)>,
    body: &'text str,
}

impl<'text> Part<'text> {
    fn parse(text: &'text str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.lines() {
            match headers.last_mut() {
                Some((_, value)) if line.starts_with([' ', '\t']) => value.push_str(line),
                _ => headers.extend(
                    line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())),
                ),
            }
        }
        for (_, value) in &mut headers {
            *value = decode_words(value);
        }
        Self { headers, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .rev()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first plain text in it.
    fn plain_text(&self, depth: usize) -> Option<String> {
        let kind = self.header("Content-Type").unwrap_or("text/plain");
        let lower = kind.to_ascii_lowercase();
        if lower.starts_with("text/plain") {
            return Some(self.decoded_body());
        }
        if !lower.starts_with("multipart/") || depth == DEPTH_MAX {
            return None;
        }
        let marker = format!("--{}", parameter(kind, "boundary")?);
        let parts = self.body.split(&marker).skip(1).filter(|part| !part.starts_with("--"));
        parts
            .map(|part| Part::parse(part.trim_start_matches('\n')))
            .find_map(|part| part.plain_text(depth + 1))
    }

    fn decoded_body(&self) -> String {
        match self.header("Content-Transfer-Encoding").unwrap_or("").to_ascii_lowercase().as_str() {
            "base64" => {
                let packed: String = self.body.split_whitespace().collect();
                let bytes = STANDARD.decode(packed).unwrap_or_else(|_| self.body.as_bytes().to_vec());
                String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
            }
            "quoted-printable" => decode_quoted(&self.body.replace("=\n", "")),
            _ => self.body.to_owned(),
        }
    }
}

/// A parameter of a structured header, such as `boundary`.
fn parameter<'header>(header: &'header str, name: &str) -> Option<&'header str> {
    header.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

/// Replaces `=?utf-8?b?…?=` and `=?utf-8?q?…?=` by what they stand for; blanks between two of them vanish.
fn decode_words(value: &str) -> String {
    let mut decoded = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some((before, word, behind)) = next_word(rest) {
        if !(after_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        decoded.push_str(&word);
        rest = behind;
        after_word = true;
    }
    decoded.push_str(rest);
    decoded
}

fn next_word(text: &str) -> Option<(&str, String, &str)> {
    let (before, rest) = text.split_once("=?")?;
    let (_charset, rest) = rest.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (content, behind) = rest.split_once("?=")?;
    let word = match encoding {
        "b" | "B" => String::from_utf8_lossy(&STANDARD.decode(content).ok()?).into_owned(),
        "q" | "Q" => decode_quoted(&content.replace('_', " ")),
        _ => return None,
    };
    Some((before, word, behind))
}

fn decode_quoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let pair = behind.get(..2).filter(|_| *first == b'=').and_then(|pair| std::str::from_utf8(pair).ok());
        let digits = pair.filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = behind.get(2..).unwrap_or(&[]);
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_of_two_parts_shows_its_plain_text() {
        let raw = "X-Envelope-From: a@example.com\r\nX-Envelope-To: b@example.com, c@example.com\r\n\
                   From: Youtility <a@example.com>\r\nSubject: =?utf-8?b?VMO8cmU=?=\r\n =?utf-8?q?_offen?=\r\n\
                   Content-Type: multipart/alternative;\r\n boundary=\"xyz\"\r\n\r\n\
                   --xyz\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                   T=C3=BCre 1 =3D of=\r\nfen\r\n--xyz\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--xyz--\r\n";
        let mail = Mail::parse("00000001.eml", raw.as_bytes());
        assert_eq!(mail.subject, "Türe offen");
        assert_eq!(mail.to, ["b@example.com", "c@example.com"]);
        assert_eq!(mail.text, "Türe 1 = offen\n");
        assert_eq!(mail.headers.get("From").map(String::as_str), Some("Youtility <a@example.com>"));
    }

    #[test]
    fn broken_encodings_are_shown_as_they_are() {
        assert_eq!(decode_words("=?utf-8?b?***?= and =?"), "=?utf-8?b?***?= and =?");
        assert_eq!(decode_quoted("100=% =ZZ ="), "100=% =ZZ =");
    }
}
