//! What is wrong with settings, all of it.

use std::fmt;
use std::ops::RangeInclusive;

use domain::Secret;

use super::Environment;

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, such as `database.pool_size`, or the file that cannot be read.
    pub key: String,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Every wrong setting, so that one look repairs them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    environment: Environment,
    found: Vec<Mistake>,
}

impl Mistakes {
    /// None so far.
    pub(crate) fn new(environment: Environment) -> Self {
        Self { environment, found: Vec::new() }
    }

    /// Adds one: the key, and what is wrong and what would be right.
    pub fn add(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.found.push(Mistake { key: key.into(), what: what.into() });
    }

    /// Adds a secret that is weak; in development every secret is good enough.
    pub fn secret(&mut self, key: impl Into<String>, secret: &Secret) {
        let what = if secret.is_empty() {
            "is missing: give it here, by environment, or as a file with the key's name and `_file`"
        } else {
            "is weak: use at least 50 random characters"
        };
        if self.environment == Environment::Production && secret.is_weak() {
            self.add(key, what);
        }
    }

    /// Adds a secret that somebody else gave us and that nobody can have meant: none at all, or a default. How long it is
    /// is for its giver to say. In development every secret is good enough.
    pub fn given_secret(&mut self, key: impl Into<String>, secret: &Secret) {
        let what = if secret.is_empty() {
            "is missing: give it here, by environment, or as a file with the key's name and `_file`"
        } else {
            "is a default: use what was given to you for this account"
        };
        if self.environment == Environment::Production && secret.is_default() {
            self.add(key, what);
        }
    }

    /// Adds a number that lies outside what is sensible.
    pub fn range<N: Copy + PartialOrd + fmt::Display>(
        &mut self,
        key: impl Into<String>,
        value: N,
        allowed: RangeInclusive<N>,
    ) {
        if !allowed.contains(&value) {
            self.add(key, format!("is {value}: use {} to {}", allowed.start(), allowed.end()));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Each of them, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.found.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.found.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{}: {}", mistake.key, mistake.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
