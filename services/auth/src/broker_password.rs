//! Passwords at the broker, as Mosquitto keeps them.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Rounds that are computed for one question at most: a hash says its own number.
const ITERATIONS_MAX: u32 = 100_000;

/// Bytes of a derived key.
const HASH_BYTES: usize = 64;

/// The hash of nobody's password, so that a stranger takes as long as a friend.
const NOBODY_ITERATIONS: NonZeroU32 = NonZeroU32::new(101).expect("101 is not zero");
const NOBODY_SALT: &[u8] = b"nobody's salt";

/// A password's hash: `$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512.
#[derive(Clone)]
pub(crate) struct BrokerHash {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl BrokerHash {
    /// Reads a hash; `None` for a text that is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        if parts.next() != Some("") || parts.next() != Some("7") {
            return None;
        }
        let iterations: NonZeroU32 = parts.next()?.parse().ok()?;
        let salt = STANDARD.decode(parts.next()?).ok()?;
        let hash = STANDARD.decode(parts.next()?).ok()?;
        let is_whole = parts.next().is_none() && !salt.is_empty() && hash.len() == HASH_BYTES;
        (is_whole && iterations.get() <= ITERATIONS_MAX).then_some(Self { iterations, salt, hash })
    }

    /// Whether this is the hash of a password.
    pub(crate) fn is_of(&self, password: &str) -> bool {
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
        pbkdf2::verify(algorithm, self.iterations, &self.salt, password.as_bytes(), &self.hash).is_ok()
    }

    /// Takes as long as a comparison, for a name that is nobody's.
    pub(crate) fn compare_with_nobody(password: &str) {
        let mut hash = [0; HASH_BYTES];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
        pbkdf2::derive(algorithm, NOBODY_ITERATIONS, NOBODY_SALT, password.as_bytes(), &mut hash);
        std::hint::black_box(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `mosquitto_passwd` 2.0.
    const HASH: &str = "$7$101$C7V8kmFiHUO8Fmt1$8rnXQL/CrHz9zu3mIrYTr486/DSj9oe1LzjFJa6BFM4FhDNzerYjwIMSp3toSdzVUlpbGYAH6R5+TixLf3PJmw==";

    #[test]
    fn a_hash_of_mosquitto_is_of_its_password_only() {
        let hash = BrokerHash::parse(HASH).unwrap();
        assert!(hash.is_of("a device's password"));
        assert!(!hash.is_of("a device's Password") && !hash.is_of(""));
    }

    #[test]
    fn other_texts_are_no_hashes() {
        let endless = HASH.replace("$101$", "$4000000000$");
        for text in
            ["", "plain", "$6$c2FsdA==$aGFzaA==", "$7$101$c2FsdA==$aGFzaA==", "$7$0$c2FsdA==$", &endless]
        {
            assert!(BrokerHash::parse(text).is_none(), "{text}");
        }
    }
}
