//! A secret that cannot be printed by accident.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Fewer characters than this is weak.
const CHARACTERS_MIN: usize = 50;

/// Words that give away a default.
const DEFAULT_WORDS: &[&str] =
    &["changeme", "change-me", "password", "secret", "default", "example", "insecure"];

/// A password or key. `Debug` and `Serialize` give `***`; only [`Secret::expose`] gives the text.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing was given, or a well-known default.
    pub fn is_default(&self) -> bool {
        let lower = self.0.to_ascii_lowercase();
        lower.is_empty() || DEFAULT_WORDS.iter().any(|word| lower.contains(word))
    }

    /// Whether it is short, repeats few characters, or is a well-known default.
    pub fn is_weak(&self) -> bool {
        let lower = self.0.to_ascii_lowercase();
        let mut distinct: Vec<char> = lower.chars().collect();
        distinct.sort_unstable();
        distinct.dedup();
        self.0.chars().count() < CHARACTERS_MIN || distinct.len() < 10 || self.is_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_its_text() {
        let secret = Secret::new("kept between us");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    }

    #[test]
    fn a_default_is_told_apart_from_a_short_secret() {
        assert!(Secret::default().is_default());
        assert!(Secret::new("ChangeMe1").is_default());
        assert!(!Secret::new("k3vQ9tZr").is_default());
    }

    #[test]
    fn short_repeated_and_default_secrets_are_weak() {
        assert!(Secret::new("short").is_weak());
        assert!(Secret::new("a".repeat(80)).is_weak());
        assert!(Secret::new("django-insecure-0123456789abcdefghijklmnopqrstuvwxyz0123456789").is_weak());
        assert!(!Secret::new("q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB").is_weak());
    }
}
