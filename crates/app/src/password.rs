//! Password hashes: argon2id in PHC form. Pure and slow on purpose; call it on a thread that may block.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

/// How costly a hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes, computed one after the other.
    pub lanes: u32,
}

impl Default for Parameters {
    /// 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, lanes: 1 }
    }
}

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The parameters are out of argon2's range.
    #[error("the parameters of argon2 are out of range")]
    Parameters(#[source] argon2::Error),
    /// Hashing failed, or the stored text is no hash.
    #[error("argon2 failed")]
    Hash(#[source] HashError),
    /// The stored text is no hash in PHC form.
    #[error("the stored hash cannot be read")]
    Unreadable(#[source] argon2::password_hash::phc::Error),
}

/// Hashes a password with a new salt.
///
/// # Errors
/// When parameters are out of range, memory is short, or the system has no randomness.
pub fn hash(parameters: &Parameters, password: &str) -> Result<String, Error> {
    let hashed = hasher(parameters)?.hash_password(password.as_bytes()).map_err(Error::Hash)?;
    Ok(hashed.to_string())
}

/// Whether a password is the hashed one, at the cost the hash was made with.
///
/// # Errors
/// When the stored text is no hash or argon2 fails; a wrong password is no error.
pub fn verify(hash: &str, password: &str) -> Result<bool, Error> {
    let stored = PasswordHash::new(hash).map_err(Error::Unreadable)?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::Hash(error)),
    }
}

/// Whether a hash was made at another cost than wanted, or cannot be read.
pub fn needs_rehash(parameters: &Parameters, hash: &str) -> bool {
    let Ok(stored) = PasswordHash::new(hash) else { return true };
    let Ok(made_with) = Params::try_from(&stored) else { return true };
    stored.algorithm.as_str() != "argon2id"
        || made_with.m_cost() != parameters.memory_kib
        || made_with.t_cost() != parameters.iterations
        || made_with.p_cost() != parameters.lanes
}

fn hasher(parameters: &Parameters) -> Result<Argon2<'static>, Error> {
    let costs = Params::new(parameters.memory_kib, parameters.iterations, parameters.lanes, None);
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, costs.map_err(Error::Parameters)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Parameters = Parameters { memory_kib: 64, iterations: 1, lanes: 1 };

    #[test]
    fn only_the_hashed_password_is_right() {
        let hash = hash(&CHEAP, "correct horse").unwrap();
        assert!(verify(&hash, "correct horse").unwrap());
        assert!(!verify(&hash, "correct hors").unwrap());
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash(&CHEAP, "same").unwrap(), hash(&CHEAP, "same").unwrap());
    }

    #[test]
    fn another_cost_asks_for_a_new_hash() {
        let hash = hash(&CHEAP, "x").unwrap();
        assert!(!needs_rehash(&CHEAP, &hash));
        assert!(needs_rehash(&Parameters::default(), &hash));
        assert!(needs_rehash(&CHEAP, "$1$old"));
    }

    #[test]
    fn a_text_that_is_no_hash_is_an_error_and_not_a_wrong_password() {
        assert!(verify("plain", "plain").is_err());
    }
}
