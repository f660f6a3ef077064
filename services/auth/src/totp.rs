//! Codes of authenticators: RFC 6238 with SHA-1, six digits, thirty seconds, as every authenticator has them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Bytes of a secret: those of an HMAC-SHA-1 key.
const SECRET_BYTES: usize = 20;

/// Seconds one code lasts.
const STEP_SECONDS: i64 = 30;

/// Digits of a code.
const DIGITS: usize = 6;

/// Clocks may differ by one step, either way.
const LEEWAY_STEPS: i64 = 1;

/// An authenticator's secret. Has no `Debug`: it makes codes.
pub(crate) struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// A new secret that nobody can guess.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut bytes = vec![0; SECRET_BYTES];
        rand::fill(&mut bytes).map_err(|_failed| anyhow::anyhow!("the random number generator failed"))?;
        Ok(Self(bytes))
    }

    /// A secret that was kept.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What is kept, sealed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as a person types it.
    pub(crate) fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// The secret as an authenticator reads it off a picture.
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (escaped(issuer), escaped(account));
        let secret = self.text();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
        )
    }

    /// The time step whose code was given, of those around a moment; nothing for a code of none. Every step is compared,
    /// in constant time each.
    pub(crate) fn step_of(&self, given: &str, now: Timestamp) -> Option<i64> {
        let given: String = given.chars().filter(|letter| !letter.is_whitespace()).collect();
        let current = now.as_second().div_euclid(STEP_SECONDS);
        (current - LEEWAY_STEPS..=current + LEEWAY_STEPS).fold(None, |found, step| {
            let is_it = verify_slices_are_equal(self.code(step).as_bytes(), given.as_bytes()).is_ok();
            if is_it { Some(step) } else { found }
        })
    }

    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let number = truncated(tag.as_ref()) % 10_u32.pow(6);
        format!("{number:0DIGITS$}")
    }
}

/// Dynamic truncation of RFC 4226: four bytes from where the last half byte points, without the sign.
fn truncated(tag: &[u8]) -> u32 {
    let offset = usize::from(tag.last().copied().unwrap_or(0) & 0x0f);
    let word = tag.iter().skip(offset).take(4);
    word.fold(0, |number: u32, byte| (number << 8) | u32::from(*byte)) & 0x7fff_ffff
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890".to_vec())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        for (second, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(rfc().step_of(code, at(second)), Some(second / 30), "{second}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_one_late() {
        let step = 1_111_111_109 / 30;
        for (seconds, good) in [(-30, true), (0, true), (30, true), (-60, false), (60, false)] {
            let found = rfc().step_of("081804", at(1_111_111_109 + seconds));
            assert_eq!(found, good.then_some(step), "{seconds}");
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        for text in ["", "81804", "0818040", "08180x", "０８１８０４", "081804\u{0}"] {
            assert_eq!(rfc().step_of(text, at(1_111_111_109)), None, "{text:?}");
        }
        assert!(rfc().step_of(" 081 804", at(1_111_111_109)).is_some(), "as authenticators show it");
    }

    #[test]
    fn the_address_names_issuer_and_account() {
        let uri = rfc().uri("You & Me", "asha@site:1");
        assert!(
            uri.starts_with("otpauth://totp/You%20%26%20Me:asha%40site%3A1?secret=GEZDGNBVGY3TQOJQ"),
            "{uri}"
        );
        assert_ne!(TotpSecret::generate().unwrap().text(), TotpSecret::generate().unwrap().text());
    }
}
