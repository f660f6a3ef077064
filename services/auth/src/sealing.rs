//! Sealing what must be read again: secrets of authenticators lie in the database only under a key that does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use domain::{Actor, PersonId, Secret};

use crate::account_settings::FactorSettings;

/// Whose secret it is: nobody can move a sealed secret to somebody else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    client: domain::ClientId,
    person: PersonId,
}

impl Holder {
    /// The person an actor is.
    pub(crate) fn of(actor: &Actor) -> Option<Self> {
        actor.person_id.map(|person| Self { client: actor.client_id, person })
    }

    fn context(self) -> Vec<u8> {
        [b"totp".as_slice(), self.client.as_uuid().as_bytes(), self.person.as_uuid().as_bytes()].concat()
    }
}

/// Seals with one key and opens with several, by their names. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sealer {
    name: Arc<str>,
    keys: Arc<BTreeMap<String, RandomizedNonceKey>>,
}

impl Sealer {
    /// Makes the keys of their secrets. Without one it is made of `fallback`, which must not change then.
    pub(crate) fn new(settings: &FactorSettings, fallback: &Secret) -> anyhow::Result<Self> {
        let mut keys = BTreeMap::new();
        for (name, secret) in settings.old() {
            keys.insert(name.to_owned(), key_of(secret)?);
        }
        let current = if settings.key.is_empty() { fallback } else { &settings.key };
        keys.insert(settings.key_name.clone(), key_of(current.expose())?);
        Ok(Self { name: settings.key_name.as_str().into(), keys: Arc::new(keys) })
    }

    /// The name of the key that seals.
    pub(crate) fn key_name(&self) -> &str {
        &self.name
    }

    /// Seals a secret of somebody: a random nonce, the secret, a tag.
    pub(crate) fn seal(&self, holder: Holder, secret: &[u8]) -> anyhow::Result<Vec<u8>> {
        let key = self.keys.get(&*self.name).context("the key that seals is there")?;
        let mut sealed = secret.to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(holder.context()), &mut sealed)
            .map_err(|_failed| anyhow::anyhow!("sealing failed"))?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Opens a sealed secret of somebody.
    pub(crate) fn open(&self, holder: Holder, key_name: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let key = self.keys.get(key_name).with_context(|| format!("there is no key `{key_name}`"))?;
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).context("a sealed secret is too short")?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok().context("a sealed secret has no nonce")?;
        let mut opened = rest.to_vec();
        let plain = key
            .open_in_place(nonce, Aad::from(holder.context()), &mut opened)
            .map_err(|_failed| anyhow::anyhow!("a sealed secret does not open"))?;
        Ok(plain.to_vec())
    }
}

/// A key of a secret that is random already, as HKDF extracts it.
fn key_of(secret: &str) -> anyhow::Result<RandomizedNonceKey> {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, b"youtility factors");
    let key = hmac::sign(&salt, secret.as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref())
        .map_err(|_refused| anyhow::anyhow!("a key is refused"))
}

#[cfg(test)]
mod tests {
    use domain::ClientId;

    use super::*;

    fn settings(key: &str, name: &str, old: &str) -> FactorSettings {
        FactorSettings {
            key: Secret::new(key.to_owned()),
            key_name: name.to_owned(),
            old_keys: Secret::new(old.to_owned()),
            issuer: "Youtility".to_owned(),
        }
    }

    fn holder() -> Holder {
        Holder { client: ClientId::generate(), person: PersonId::generate() }
    }

    #[test]
    fn only_its_holder_and_its_key_open_a_secret() {
        let nothing = Secret::new(String::new());
        let sealer = Sealer::new(&settings("one", "a", ""), &nothing).unwrap();
        let asha = holder();
        let kept = sealer.seal(asha, b"a secret of 20 bytes").unwrap();
        assert!(!kept.windows(6).any(|part| part == b"secret"));
        assert_ne!(kept, sealer.seal(asha, b"a secret of 20 bytes").unwrap());
        assert_eq!(sealer.open(asha, "a", &kept).unwrap(), b"a secret of 20 bytes");
        assert!(sealer.open(holder(), "a", &kept).is_err(), "another person");
        assert!(sealer.open(asha, "b", &kept).is_err(), "no such key");
        let other = Sealer::new(&settings("two", "a", ""), &nothing).unwrap();
        assert!(other.open(asha, "a", &kept).is_err(), "another key of the name");
        for cut in 0..kept.len() {
            assert!(sealer.open(asha, "a", kept.get(..cut).unwrap()).is_err());
        }
    }

    #[test]
    fn an_old_key_still_opens() {
        let nothing = Secret::new(String::new());
        let (before, asha) = (Sealer::new(&settings("one", "a", ""), &nothing).unwrap(), holder());
        let sealed = before.seal(asha, b"twenty bytes, no more").unwrap();
        let after = Sealer::new(&settings("two", "b", "a:one"), &nothing).unwrap();
        assert_eq!(after.key_name(), "b");
        assert_eq!(after.open(asha, "a", &sealed).unwrap(), b"twenty bytes, no more");
    }

    #[test]
    fn without_a_key_it_is_made_of_something_else() {
        let asha = holder();
        let one = Sealer::new(&settings("", "a", ""), &Secret::new("signing key".to_owned())).unwrap();
        let two = Sealer::new(&settings("signing key", "a", ""), &Secret::new(String::new())).unwrap();
        let sealed = one.seal(asha, b"twenty bytes, no more").unwrap();
        assert_eq!(two.open(asha, "a", &sealed).unwrap(), b"twenty bytes, no more");
    }
}
