//! SQL as a row of letters: every token becomes one byte, so that grammar is a short pattern.

use super::word::{self, Use};

/// Where the text stands in the statement it is pasted into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Outside any string.
    Plain,
    /// After the quote that ended a string of the statement, near the beginning of the value.
    Breakout,
    /// The same, far from the beginning: more likely a quotation in a long text.
    LateBreakout,
}

/// What the tokens of one text look like.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// One letter per token; see [`word::letter`] and `Lexer`.
    pub(crate) letters: Vec<u8>,
    /// A comment whose text the server executes was opened: `/*!50000 …`.
    pub(crate) has_executable_comment: bool,
    /// Comments stand between words, as `union/**/select` does.
    pub(crate) comments_between: u16,
}

/// A comment with no more text behind it than this hides the rest of a statement; a longer one may be prose after a dash.
const TAIL_BYTES_MAX: usize = 2;

/// Prose has a blank behind its dashes; a comment needs none.
const GLUED_BYTES_MAX: usize = 12;

/// More dashes in a row are a drawn line.
const DASHES_MAX: usize = 3;

impl Tokens {
    /// Reads `text`; returns the bytes read.
    pub(crate) fn read(&mut self, text: &[u8], context: Context) -> usize {
        self.letters.clear();
        self.has_executable_comment = false;
        self.comments_between = 0;
        match context {
            Context::Plain => {}
            Context::Breakout => self.letters.push(b'p'),
            Context::LateBreakout => self.letters.push(b'P'),
        }
        let previous = if context == Context::Plain { b' ' } else { b'\'' };
        let mut lexer = Lexer { tokens: self, rest: text, previous, context };
        while lexer.step() {}
        text.len()
    }
}

struct Lexer<'t, 'v> {
    tokens: &'t mut Tokens,
    rest: &'v [u8],
    /// The byte before `rest`.
    previous: u8,
    context: Context,
}

impl Lexer<'_, '_> {
    /// Reads one token; `false` at the end.
    fn step(&mut self) -> bool {
        let Some((first, others)) = self.rest.split_first() else {
            return false;
        };
        let second = others.first().copied().unwrap_or(0);
        match *first {
            b' ' | b'\t' | b'\r' | b'\n' => self.skip(1),
            b'\'' | b'"' => self.string(*first, others),
            b'`' => self.backtick(others),
            b'a'..=b'z' | b'_' | 0x80..=0xff => self.word(),
            b'0'..=b'9' => self.number(),
            b'.' if second.is_ascii_digit() && !is_word(self.previous) => self.number(),
            b'/' if second == b'*' => self.block_comment(others),
            b'*' if second == b'/' => self.skip(2),
            b'-' if second == b'-' => self.line_comment(2),
            b'#' => self.hash(second),
            b'@' => self.variable(others),
            _ => self.operator(*first, second),
        }
        true
    }

    fn push(&mut self, letter: u8, length: usize) {
        self.tokens.letters.push(letter);
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        let length = length.clamp(1, self.rest.len().max(1));
        let (read, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.previous = read.last().copied().unwrap_or(self.previous);
        self.rest = rest;
    }

    /// A string: `s`, or `q` when the statement's own quote has to end it. An apostrophe inside a word is part of it.
    fn string(&mut self, quote: u8, others: &[u8]) {
        let is_apostrophe = quote == b'\''
            && self.context == Context::Plain
            && is_letter(self.previous)
            && others.first().copied().is_some_and(is_letter)
            && !super::begins_with_operator(others);
        if is_apostrophe {
            return self.skip(1);
        }
        match string_length(others, quote) {
            Some(length) => self.push(b's', length + 2),
            None => self.push(b'q', others.len() + 1),
        }
    }

    fn backtick(&mut self, others: &[u8]) {
        let length = memchr::memchr(b'`', others.get(..64).unwrap_or(others));
        match length {
            Some(length) => self.push(b'w', length + 2),
            None => self.push(b'b', 1),
        }
    }

    fn word(&mut self) {
        let length = self.rest.iter().take_while(|byte| is_word(**byte)).count();
        let word = self.rest.get(..length).unwrap_or(self.rest);
        let after = self.rest.get(length..).unwrap_or(&[]);
        let is_string_prefix = matches!(word, b"n" | b"x" | b"b" | b"e" | b"_utf8" | b"_latin1" | b"_binary")
            && matches!(after, [b'\'', ..]);
        if is_string_prefix {
            return self.skip(length);
        }
        let may_be_apart = word == b"sleep" || word::is_attack(word);
        let gap = if may_be_apart { after.trim_ascii_start() } else { after };
        let usage = if gap.first() == Some(&b'(') { Use::Call } else { Use::Name };
        let letter = word::letter(word, usage);
        self.push(letter, length);
    }

    fn number(&mut self) {
        let is_hex = matches!(self.rest, [b'0', b'x', digit, ..] if digit.is_ascii_hexdigit());
        if is_hex {
            let digits = self.rest.iter().skip(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
            return self.push(if digits >= 6 { b'h' } else { b'n' }, digits + 2);
        }
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let exponent = match self.rest.get(length..) {
            Some([b'e', digit, ..]) if digit.is_ascii_digit() => {
                1 + self.rest.iter().skip(length + 1).take_while(|byte| byte.is_ascii_digit()).count()
            }
            _ => 0,
        };
        self.push(b'n', length + exponent);
    }

    fn block_comment(&mut self, others: &[u8]) {
        if let [b'*', b'!', rest @ ..] = others {
            let version = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            let inside = rest.get(version..).unwrap_or(&[]).trim_ascii_start();
            let length = inside.iter().take(12).take_while(|byte| is_letter(**byte)).count();
            let word = inside.get(..length).unwrap_or(&[]);
            let is_code = version >= 5 || !matches!(word::letter(word, Use::Name), b'w' | b't');
            self.tokens.has_executable_comment |= is_code;
            return self.skip(3 + version);
        }
        let body = others.get(1..).unwrap_or(&[]);
        match memchr::memmem::find(body, b"*/") {
            Some(length) => {
                self.tokens.comments_between += 1;
                self.skip(length + 4);
            }
            None => self.tail(others.len().saturating_sub(1)),
        }
    }

    /// `--` hides the rest of its line.
    fn line_comment(&mut self, marker: usize) {
        let dashes = self.rest.iter().take_while(|byte| **byte == b'-').count();
        if dashes > DASHES_MAX {
            return self.push(b'x', dashes);
        }
        let line = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let behind = self.rest.get(marker..line).unwrap_or(&[]);
        let text = behind.trim_ascii_start();
        let dashes_only = !text.iter().any(|byte| is_letter(*byte));
        if line < self.rest.len() {
            self.push(if text.is_empty() { b'C' } else { b'K' }, line + 1);
        } else {
            let is_glued = matches!(self.previous, b'\'' | b'"' | b')' | b';')
                && text.first().is_some_and(u8::is_ascii_alphanumeric)
                && marker == 2
                && text.len() == behind.len()
                && text.len() <= GLUED_BYTES_MAX;
            self.tail(if dashes_only || is_glued { 0 } else { text.len() });
        }
    }

    /// The rest of the text is a comment.
    fn tail(&mut self, text_bytes: usize) {
        let letter = if text_bytes <= TAIL_BYTES_MAX { b'C' } else { b'K' };
        self.push(letter, self.rest.len());
    }

    fn hash(&mut self, second: u8) {
        if second == 0 || second.is_ascii_whitespace() || matches!(second, b'-' | b'#') {
            self.line_comment(1);
        } else {
            self.push(b'x', 1);
        }
    }

    fn variable(&mut self, others: &[u8]) {
        let marks = others.iter().take_while(|byte| **byte == b'@').count();
        let name = others.iter().skip(marks).take_while(|byte| is_word(**byte)).count();
        let is_address = is_word(self.previous);
        match (name, is_address) {
            (0, _) | (_, true) => self.push(b'x', 1),
            (_, false) => self.push(b'v', 1 + marks + name),
        }
    }

    fn operator(&mut self, first: u8, second: u8) {
        match (first, second) {
            (b'<', b'=') if self.rest.get(2) == Some(&b'>') => self.push(b'c', 3),
            (b'=', b'=') if self.rest.get(2) == Some(&b'=') => self.push(b'E', 3),
            (b'=', b'=') => self.push(b'E', 2),
            (b'<', b'>') | (b'!' | b':', b'=') => self.push(b'c', 2),
            (b'<' | b'>', b'=') => self.push(b'g', 2),
            (b'|', b'|') | (b'&', b'&') => self.push(b'O', 2),
            (b'=', _) => self.push(b'c', 1),
            (b'<' | b'>', _) => self.push(b'g', 1),
            (b'+' | b'-' | b'/' | b'%' | b'^' | b'~' | b'|' | b'&', _) => self.push(b'a', 1),
            (b'(' | b')' | b',' | b';' | b'*' | b'!' | b'.' | b'{' | b'}', _) => self.push(first, 1),
            _ => self.push(b'x', 1),
        }
    }
}

/// Bytes up to the quote that ends a string; doubled and escaped quotes are part of it.
fn string_length(text: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let found = memchr::memchr2(quote, b'\\', text.get(from..)?)? + from;
        let is_escape = text.get(found) == Some(&b'\\');
        let is_doubled = text.get(found + 1) == Some(&quote);
        if !is_escape && !is_doubled {
            return Some(found);
        }
        from = found + 2;
    }
}

pub(crate) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte >= 0x80
}

pub(crate) fn is_word(byte: u8) -> bool {
    is_letter(byte) || byte.is_ascii_digit() || matches!(byte, b'_' | b'$')
}
