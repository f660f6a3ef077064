//! Where a body ends. Two answers to that question are two requests to two servers.

use crate::Refusal;

/// Checks `Content-Length` and `Transfer-Encoding`, each with every value it was sent with.
pub fn check_framing<'a>(
    lengths: impl IntoIterator<Item = &'a [u8]>,
    encodings: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), Refusal> {
    let mut lengths = lengths.into_iter();
    let mut encodings = encodings.into_iter();
    match (lengths.next(), lengths.next(), encodings.next(), encodings.next()) {
        (None, None, None, None) => Ok(()),
        (Some(length), None, None, None) if is_length(length) => Ok(()),
        (None, None, Some(encoding), None) if encoding.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::Framing),
    }
}

/// Digits only: no sign, no blank, no list. Nineteen of them always fit in 64 bits.
fn is_length(value: &[u8]) -> bool {
    (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lengths: &[&str], encodings: &[&str]) -> Result<(), Refusal> {
        check_framing(
            lengths.iter().map(|value| value.as_bytes()),
            encodings.iter().map(|value| value.as_bytes()),
        )
    }

    #[test]
    fn one_length_or_chunks_pass() {
        assert_eq!(check(&[], &[]), Ok(()));
        assert_eq!(check(&["0"], &[]), Ok(()));
        assert_eq!(check(&["1048576"], &[]), Ok(()));
        assert_eq!(check(&[], &["chunked"]), Ok(()));
        assert_eq!(check(&[], &["Chunked"]), Ok(()));
    }

    #[test]
    fn two_answers_and_odd_answers_are_refused() {
        for (lengths, encodings) in [
            (&["5"][..], &["chunked"][..]),
            (&["5", "5"], &[]),
            (&["5, 5"], &[]),
            (&["+5"], &[]),
            (&["-1"], &[]),
            (&[" 5"], &[]),
            (&["0x5"], &[]),
            (&[""], &[]),
            (&["99999999999999999999"], &[]),
            (&[], &["gzip, chunked"]),
            (&[], &["chunked", "chunked"]),
            (&[], &["identity"]),
            (&[], &["xchunked"]),
            (&[], &[""]),
        ] {
            assert_eq!(check(lengths, encodings), Err(Refusal::Framing), "{lengths:?} {encodings:?}");
        }
    }
}
