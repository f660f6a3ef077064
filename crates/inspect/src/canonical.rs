//! One spelling for every value: what its bytes are, and what they become when every layer of encoding is taken off.

/// Which kinds of byte a value holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u32);

impl Kinds {
    /// Letters, digits and the marks of identifiers, dates, numbers and base64.
    pub(crate) const PLAIN: Self = Self(1);
    pub(crate) const SPACE: Self = Self(1 << 1);
    pub(crate) const SLASH: Self = Self(1 << 2);
    pub(crate) const COLON: Self = Self(1 << 3);
    pub(crate) const PERCENT: Self = Self(1 << 4);
    pub(crate) const BACKSLASH: Self = Self(1 << 5);
    pub(crate) const AMPERSAND: Self = Self(1 << 6);
    /// Bytes of characters outside ASCII.
    pub(crate) const HIGH: Self = Self(1 << 7);
    pub(crate) const CONTROL: Self = Self(1 << 8);
    pub(crate) const QUOTE: Self = Self(1 << 9);
    pub(crate) const ANGLE: Self = Self(1 << 10);
    pub(crate) const LINE: Self = Self(1 << 11);
    /// `{`, `$`, `#`, `@`, `*`: what opens an expression.
    pub(crate) const OPENER: Self = Self(1 << 12);
    pub(crate) const DOT: Self = Self(1 << 13);
    /// `;`, `|`, and with `AMPERSAND` what separates commands.
    pub(crate) const SEPARATOR: Self = Self(1 << 14);
    pub(crate) const EQUALS: Self = Self(1 << 15);
    const OTHER: Self = Self(1 << 16);
    /// What needs decoding.
    const ENCODED: Self = Self(1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8);

    /// Looks at every byte once.
    pub(crate) fn of(value: &[u8]) -> Self {
        Self(value.iter().fold(0, |seen, byte| seen | Self::of_byte(*byte).0))
    }

    const fn of_byte(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'+' | b'~' | b',' => Self::PLAIN,
            b'=' => Self::EQUALS,
            b'.' => Self::DOT,
            b' ' | b'\t' => Self::SPACE,
            b'\r' | b'\n' => Self::LINE,
            b'/' => Self::SLASH,
            b':' => Self::COLON,
            b'%' => Self::PERCENT,
            b'\\' => Self::BACKSLASH,
            b'&' => Self::AMPERSAND,
            0x80..=0xff => Self::HIGH,
            b'\'' | b'"' | b'`' => Self::QUOTE,
            b'<' | b'>' => Self::ANGLE,
            b'{' | b'$' | b'#' | b'@' | b'*' => Self::OPENER,
            b';' | b'|' => Self::SEPARATOR,
            0..=0x1f | 0x7f => Self::CONTROL,
            _ => Self::OTHER,
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn has_only(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

/// How many layers are taken off. What hides deeper is decoded by no parser behind us.
const ROUNDS_MAX: u8 = 3;

/// A value in its one spelling: lower case, decoded.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    pub(crate) text: Vec<u8>,
    pub(crate) kinds: Kinds,
    /// How often something was decoded; a value that was decoded by its parser has 0 when it is in clear.
    pub(crate) rounds: u8,
    spare: Vec<u8>,
}

impl Canonical {
    /// Replaces what was held by the canonical form of `value`. Reuses its memory.
    pub(crate) fn set(&mut self, value: &[u8], kinds: Kinds) {
        self.kinds = kinds;
        self.rounds = 0;
        self.text.clear();
        self.text.extend_from_slice(value);
        self.text.make_ascii_lowercase();
        while self.kinds.has_any(Kinds::ENCODED) && self.rounds < ROUNDS_MAX {
            self.spare.clear();
            if !decode_round(&self.text, &mut self.spare) {
                break;
            }
            std::mem::swap(&mut self.text, &mut self.spare);
            self.rounds += 1;
            self.kinds = Kinds::of(&self.text);
        }
    }
}

/// Takes one layer off; says whether there was one.
fn decode_round(input: &[u8], output: &mut Vec<u8>) -> bool {
    let mut is_changed = false;
    let mut rest = input;
    loop {
        let run = rest.iter().position(|byte| Kinds::of_byte(*byte).has_any(Kinds::ENCODED));
        let Some((plain, encoded)) = run.and_then(|length| rest.split_at_checked(length)) else {
            output.extend_from_slice(rest);
            return is_changed;
        };
        output.extend_from_slice(plain);
        if let Some((unit, length)) = decode_one(encoded) {
            is_changed = true;
            unit.push_to(output);
            rest = encoded.get(length..).unwrap_or(&[]);
        } else {
            let Some((kept, others)) = encoded.split_at_checked(character_length(encoded)) else {
                return is_changed;
            };
            output.extend_from_slice(kept);
            rest = others;
        }
    }
}

/// The bytes of the character at the beginning: one if it is none in UTF-8.
fn character_length(bytes: &[u8]) -> usize {
    let wanted = match bytes {
        [0xc2..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf4, ..] => 4,
        _ => 1,
    };
    let is_whole = bytes.get(1..wanted).is_some_and(|rest| rest.iter().all(|byte| byte & 0xc0 == 0x80));
    if is_whole { wanted } else { 1 }
}

/// What an encoding stands for.
enum Unit {
    Byte(u8),
    Character(u32),
    Nothing,
}

impl Unit {
    fn push_to(self, output: &mut Vec<u8>) {
        match self {
            Self::Nothing | Self::Byte(0) | Self::Character(0) => {}
            Self::Byte(byte) => output.push(byte.to_ascii_lowercase()),
            Self::Character(code) => {
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                let mut buffer = [0; 4];
                let text = character.encode_utf8(&mut buffer);
                text.make_ascii_lowercase();
                output.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn decode_one(encoded: &[u8]) -> Option<(Unit, usize)> {
    match encoded {
        [b'%', rest @ ..] => decode_percent(rest),
        [b'\\', rest @ ..] => decode_escape(rest),
        [b'&', rest @ ..] => decode_entity(rest),
        [0x80..=0xff, ..] => decode_high(encoded),
        [0x0b | 0x0c, ..] => Some((Unit::Byte(b' '), 1)),
        [0..=0x08 | 0x0e..=0x1f | 0x7f, ..] => Some((Unit::Nothing, 1)),
        _ => None,
    }
}

fn decode_percent(rest: &[u8]) -> Option<(Unit, usize)> {
    if let [b'u', digits @ ..] = rest {
        return Some((Unit::Character(hex(digits.get(..4)?)?), 6));
    }
    Some((byte_of(rest.get(..2)?)?, 3))
}

fn decode_escape(rest: &[u8]) -> Option<(Unit, usize)> {
    match rest {
        [b'u', b'{', digits @ ..] => {
            let length = digits.iter().take(8).position(|byte| *byte == b'}')?;
            Some((Unit::Character(hex(digits.get(..length)?)?), length + 4))
        }
        [b'u', digits @ ..] => Some((Unit::Character(hex(digits.get(..4)?)?), 6)),
        [b'x', digits @ ..] => Some((byte_of(digits.get(..2)?)?, 4)),
        _ => None,
    }
}

fn byte_of(digits: &[u8]) -> Option<Unit> {
    u8::try_from(hex(digits)?).ok().map(Unit::Byte)
}

/// Reads hexadecimal digits, at least one and nothing else.
fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.is_empty() || text.len() > 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

/// The longest entity that is read: `&#x0000003c;` and `&newline;` are shorter.
const ENTITY_BYTES_MAX: usize = 12;

fn decode_entity(rest: &[u8]) -> Option<(Unit, usize)> {
    if let [b'#', number @ ..] = rest {
        return decode_number(number);
    }
    let length = rest.iter().take(ENTITY_BYTES_MAX).position(|byte| *byte == b';')?;
    let byte = match rest.get(..length)? {
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        b"amp" => b'&',
        b"lpar" => b'(',
        b"rpar" => b')',
        b"colon" => b':',
        b"semi" => b';',
        b"equals" => b'=',
        b"sol" => b'/',
        b"bsol" => b'\\',
        b"grave" => b'`',
        b"lcub" | b"lbrace" => b'{',
        b"rcub" | b"rbrace" => b'}',
        b"lsqb" | b"lbrack" => b'[',
        b"rsqb" | b"rbrack" => b']',
        b"period" => b'.',
        b"comma" => b',',
        b"plus" => b'+',
        b"num" => b'#',
        b"dollar" => b'$',
        b"nbsp" => b' ',
        b"tab" => b'\t',
        b"newline" => b'\n',
        _ => return None,
    };
    Some((Unit::Byte(byte), length + 2))
}

fn decode_number(number: &[u8]) -> Option<(Unit, usize)> {
    let (digits, radix, prefix) = match number {
        [b'x', digits @ ..] => (digits, 16, 3),
        digits => (digits, 10, 2),
    };
    let is_digit = |byte: &u8| if radix == 16 { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let length = digits.iter().take(ENTITY_BYTES_MAX).take_while(|byte| is_digit(byte)).count();
    let text = std::str::from_utf8(digits.get(..length)?).ok()?;
    let code = u32::from_str_radix(text, radix).ok()?;
    let has_end = digits.get(length) == Some(&b';');
    Some((Unit::Character(code), prefix + length + usize::from(has_end)))
}

/// Overlong forms, full-width forms, and what no reader sees.
fn decode_high(encoded: &[u8]) -> Option<(Unit, usize)> {
    match *encoded {
        [lead @ (0xc0 | 0xc1), last, ..] => Some((Unit::Byte((lead & 1) << 6 | (last & 0x3f)), 2)),
        [0xe0, middle @ 0x80..=0x81, last, ..] => Some((Unit::Byte((middle & 1) << 6 | (last & 0x3f)), 3)),
        [0xef, 0xbc, last @ 0x81..=0xbf, ..] => Some((Unit::Byte(last - 0x60), 3)),
        [0xef, 0xbd, last @ 0x80..=0x9e, ..] => Some((Unit::Byte(last - 0x20), 3)),
        [0xef, 0xb9, 0xa4, ..] => Some((Unit::Byte(b'<'), 3)),
        [0xef, 0xb9, 0xa5, ..] => Some((Unit::Byte(b'>'), 3)),
        [0xc2, 0xa0, ..] => Some((Unit::Byte(b' '), 2)),
        [0xa0, ..] => Some((Unit::Byte(b' '), 1)),
        [0xc5, 0xbf, ..] => Some((Unit::Byte(b's'), 2)),
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => Some((Unit::Byte(b'\n'), 3)),
        [0xe2, 0x84, 0xaa, ..] => Some((Unit::Byte(b'k'), 3)),
        [0xc2, 0xad, ..] => Some((Unit::Nothing, 2)),
        [0xe2, 0x80, 0x8b..=0x8d, ..] | [0xef, 0xbb, 0xbf, ..] => Some((Unit::Nothing, 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(value: &str) -> String {
        canonical_bytes(value.as_bytes())
    }

    fn canonical_bytes(value: &[u8]) -> String {
        let mut canonical = Canonical::default();
        canonical.set(value, Kinds::of(value));
        String::from_utf8(canonical.text).unwrap()
    }

    #[test]
    fn every_layer_of_encoding_is_taken_off() {
        for (value, plain) in [
            ("SELECT", "select"),
            ("%3Cscript%3E", "<script>"),
            ("%253Cscript%253E", "<script>"),
            ("%25253Cscript>", "<script>"),
            ("%u003cscript%u003E", "<script>"),
            (r"\u003cscript\u{3e}", "<script>"),
            (r"\x3Cscript\x3e", "<script>"),
            ("&lt;script&gt;", "<script>"),
            ("&#60;script&#x3E;", "<script>"),
            ("&#0000060script", "<script"),
            ("java&Tab;script&colon;", "java\tscript:"),
            ("\u{ff1c}ＳＣＲＩＰＴ\u{ff1e}", "<script>"),
            ("\u{fe64}b\u{fe65}", "<b>"),
            ("sc\0ri\u{200b}pt", "script"),
            ("1\u{a0}or\u{a0}1", "1 or 1"),
        ] {
            assert_eq!(canonical(value), plain, "{value}");
        }
        assert_eq!(canonical_bytes(b"\xc0\xbcscript\xe0\x80\xbe"), "<script>");
    }

    #[test]
    fn what_is_no_encoding_stays() {
        for value in [
            "100 % sicher",
            "50%",
            "a & b",
            "r&d;",
            r"c:\users\neu",
            "at&t &unknown; &#; &#x;",
            "\u{e9}t\u{e9} \u{2019} \u{4f60}\u{597d} \u{1f600}",
        ] {
            assert_eq!(canonical(value), value, "{value}");
        }
    }
}
