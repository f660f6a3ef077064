//! Paths, queries, forms: names and values between `&` and `=`.

use crate::inspection::Inspection;
use crate::verdict::Place;

pub(crate) fn inspect_path(inspection: &mut Inspection<'_>, path: &str) {
    let mut decoded = Vec::new();
    let path = decode(path.as_bytes(), Plus::Itself, &mut decoded);
    inspection.value(Place::Path, b"", path);
}

/// Looks at every name and value of a query or form.
pub(crate) fn inspect_pairs(inspection: &mut Inspection<'_>, place: Place, pairs: &[u8]) {
    let mut name_buffer = Vec::new();
    let mut value_buffer = Vec::new();
    for pair in pairs.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(equals).unwrap_or((pair, b""));
        let name = decode(name, Plus::Space, &mut name_buffer);
        let value = decode(value.strip_prefix(b"=").unwrap_or(value), Plus::Space, &mut value_buffer);
        inspection.field(place, name, value);
    }
}

/// Looks at the query of an address in a header: findings are the header's.
pub(crate) fn inspect_header_query(inspection: &mut Inspection<'_>, header: &[u8], query: &[u8]) {
    let mut buffer = Vec::new();
    for part in query.split(|byte| matches!(byte, b'&' | b'=')).filter(|part| !part.is_empty()) {
        let part = decode(part, Plus::Space, &mut buffer);
        inspection.value(Place::Header, header, part);
    }
}

/// What `+` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plus {
    Itself,
    Space,
}

/// Decodes once, as every parser of forms does; a broken encoding stays as it is.
fn decode<'v>(value: &'v [u8], plus: Plus, buffer: &'v mut Vec<u8>) -> &'v [u8] {
    if memchr::memchr2(b'%', b'+', value).is_none() {
        return value;
    }
    buffer.clear();
    let mut rest = value;
    while let Some((first, others)) = rest.split_first() {
        let digits = || Some((digit(*others.first()?)?, digit(*others.get(1)?)?));
        rest = others;
        match *first {
            b'+' if plus == Plus::Space => buffer.push(b' '),
            b'%' => match digits() {
                Some((high, low)) => {
                    buffer.push(high << 4 | low);
                    rest = others.get(2..).unwrap_or(&[]);
                }
                None => buffer.push(b'%'),
            },
            byte => buffer.push(byte),
        }
    }
    buffer
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_broken_encodings_stay() {
        for (value, plus, decoded) in [
            ("a+b%20c", Plus::Space, "a b c"),
            ("a+b%20c", Plus::Itself, "a+b c"),
            ("%2527", Plus::Space, "%27"),
            ("100%", Plus::Space, "100%"),
            ("%zz%4", Plus::Space, "%zz%4"),
            ("plain", Plus::Space, "plain"),
        ] {
            let mut buffer = Vec::new();
            assert_eq!(decode(value.as_bytes(), plus, &mut buffer), decoded.as_bytes(), "{value}");
        }
    }
}
