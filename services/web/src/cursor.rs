//! Where a page of a list begins, as text a client hands back unread.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

/// The place after a row: its time to the microsecond, then its id.
pub(crate) fn encode(at: Timestamp, id: &Uuid) -> String {
    let mut bytes = [0; 24];
    let (time, rest) = bytes.split_at_mut(8);
    time.copy_from_slice(&at.as_microsecond().to_be_bytes());
    rest.copy_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place a cursor names; `None` when it is none of ours. No row is older than 1970, and PostgreSQL cannot compare
/// with every time before that.
pub(crate) fn decode(text: &str) -> Option<(Timestamp, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let id = Uuid::from_slice(rest).ok()?;
    let at = Timestamp::from_microsecond(i64::from_be_bytes(*time)).ok()?;
    if at < Timestamp::UNIX_EPOCH {
        return None;
    }
    Some((at, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let at: Timestamp = "2030-01-01T12:34:56.789012Z".parse().unwrap();
        let id = Uuid::from_u128(7);
        assert_eq!(decode(&encode(at, &id)), Some((at, id)));
    }

    #[test]
    fn no_place_lies_before_1970() {
        let id = Uuid::from_u128(7);
        assert!(decode(&encode(Timestamp::UNIX_EPOCH, &id)).is_some());
        for at in ["1969-12-31T23:59:59.999999Z", "-008000-01-01T00:00:00Z"] {
            assert_eq!(decode(&encode(at.parse().unwrap(), &id)), None, "{at}");
        }
    }

    #[test]
    fn what_is_no_cursor_names_no_place() {
        for text in
            ["", "abc", "!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "////////////////////////////////"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
