//! SQL injection: what a value would mean in the middle of a statement.
//!
//! The value is read as it stands, and once more from behind its first quote of either kind, as the statement would that
//! it breaks out of. The tokens become letters ([`word::letter`]), and grammar is a set of short patterns over them.

mod grammar;
mod token;
mod word;

use crate::scan::{Hits, SIGNAL, STRONG};
use crate::verdict::Class;
use grammar::{BREAKOUT, PLAIN, TEXT};
use token::{Context, Tokens, is_letter, is_word};

/// Judges texts; keeps its memory between them.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    tokens: Tokens,
}

impl Judge {
    /// Adds the rules that fit a canonical text; returns the bytes read.
    pub(crate) fn check(&mut self, text: &[u8], hits: &mut Hits) -> usize {
        let mut bytes = TEXT.check(text, hits);
        bytes += self.tokens.read(text, Context::Plain);
        bytes += PLAIN.check(&self.tokens.letters, hits);
        if self.tokens.has_executable_comment {
            hits.add(Class::SqlInjection, "sql.executable-comment", STRONG);
        }
        let has_keyword = memchr::memchr2(b'S', b'U', &self.tokens.letters).is_some();
        if self.tokens.comments_between > 0 && has_keyword {
            hits.add(Class::SqlInjection, "sql.comment-between", SIGNAL);
        }
        for quote in *b"'\"" {
            if let Some(behind) = behind_first_quote(text, quote) {
                let is_late = text.len() - behind.len() > PREFIX_BYTES_MAX;
                let context = if is_late { Context::LateBreakout } else { Context::Breakout };
                bytes += self.tokens.read(behind, context);
                bytes += BREAKOUT.check(&self.tokens.letters, hits);
                bytes += PLAIN.check(&self.tokens.letters, hits);
            }
        }
        bytes
    }
}

/// Bytes before the quote of an attack: it continues a short value.
const PREFIX_BYTES_MAX: usize = 48;

/// The text behind the first quote that would end a string: not doubled, not escaped, no apostrophe inside a word.
fn behind_first_quote(text: &[u8], quote: u8) -> Option<&[u8]> {
    let mut from = 0;
    loop {
        let found = memchr::memchr(quote, text.get(from..)?)? + from;
        let behind = text.get(found + 1..)?;
        let before = found.checked_sub(1).and_then(|index| text.get(index)).copied().unwrap_or(b' ');
        if behind.first() == Some(&quote) && !behind.get(1..).is_some_and(<[u8]>::is_empty) {
            from = found + 2;
            continue;
        }
        let is_apostrophe = quote == b'\''
            && is_letter(before)
            && behind.first().copied().is_some_and(is_letter)
            && !begins_with_operator(behind);
        if !is_apostrophe {
            return Some(behind);
        }
        from = found + 1;
    }
}

/// Whether the text goes on with a word that continues a condition, as in `x'or'1'='1`.
fn begins_with_operator(text: &[u8]) -> bool {
    let length = text.iter().take(12).take_while(|byte| is_word(**byte)).count();
    let is_operator = text.get(..length).is_some_and(|word| {
        matches!(
            word,
            b"or"
                | b"and"
                | b"xor"
                | b"union"
                | b"having"
                | b"order"
                | b"group"
                | b"like"
                | b"rlike"
                | b"regexp"
                | b"between"
                | b"is"
                | b"in"
                | b"where"
                | b"limit"
                | b"procedure"
                | b"into"
                | b"div"
                | b"mod"
        )
    });
    is_operator && text.get(length).is_some_and(|byte| !is_letter(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str, context: Context) -> String {
        let mut tokens = Tokens::default();
        tokens.read(text.as_bytes(), context);
        String::from_utf8(tokens.letters).unwrap()
    }

    #[test]
    fn tokens_become_letters() {
        for (text, expected) in [
            ("1 or 1=1", "nonc".to_owned() + "n"),
            ("1 union all select null,null--", "nUASN,NC".to_owned()),
            ("select/**/name/**/from/**/users", "SwFw".to_owned()),
            ("it's fine", "tww".to_owned()),
            ("'x' = \"y\"", "scs".to_owned()),
            ("time.sleep(5)", "w.z(n)".to_owned()),
            ("0x41424344", "h".to_owned()),
            ("1e0union", "nU".to_owned()),
            ("@@version me@example.org", "vwxw.w".to_owned()),
            ("/*!50000select*/ 1", "Sn".to_owned()),
            ("a -- and then comes a long sentence of prose", "tK".to_owned()),
        ] {
            assert_eq!(letters(text, Context::Plain), expected, "{text}");
        }
    }

    #[test]
    fn the_first_quote_that_ends_a_string_is_the_way_out() {
        for (text, quote, expected) in [
            ("admin' or 1", b'\'', Some(" or 1")),
            ("o'brien", b'\'', None),
            ("o'brien' or 1", b'\'', Some(" or 1")),
            ("x'or'1", b'\'', Some("or'1")),
            ("l'or", b'\'', None),
            ("''", b'\'', Some("'")),
            ("a \"b", b'"', Some("b")),
        ] {
            let found = behind_first_quote(text.as_bytes(), quote);
            assert_eq!(found, expected.map(str::as_bytes), "{text}");
        }
    }
}
