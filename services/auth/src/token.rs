//! Session tokens: random, shown once, kept only as a hash.

use anyhow::Context;
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// A session token, as the cookie carries it. Has no `Debug`: it signs its bearer in.
pub(crate) struct SessionToken([u8; TOKEN_BYTES]);

impl SessionToken {
    /// A new token that nobody can guess.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        rand::fill(&mut bytes).ok().context("the random number generator failed")?;
        Ok(Self(bytes))
    }

    /// Reads a token; `None` for a text that cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The text the cookie carries.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The hash that is kept. A token is random in every bit, so one round of SHA-256 is enough.
    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

/// The hash of what is random in every bit.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_is_never_the_same_twice() {
        let (one, other) = (SessionToken::generate().unwrap(), SessionToken::generate().unwrap());
        assert_eq!(SessionToken::parse(&one.text()).map(|read| read.hash()), Some(one.hash()));
        assert_ne!(one.text(), other.text());
        assert_eq!(one.text().len(), 43);
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "short", &"x".repeat(44), "ä".repeat(20).as_str()] {
            assert!(SessionToken::parse(text).is_none(), "{text}");
        }
    }
}
