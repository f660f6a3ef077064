//! Sealing what must be read again: secrets of authenticators lie in the database only under a key that does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::{Actor, PersonId, Secret};

use crate::account_settings::FactorSettings;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

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
    /// Reads the keys. Without one it is made of `fallback`, which must not change then.
    pub(crate) fn new(settings: &FactorSettings, fallback: &Secret) -> anyhow::Result<Self> {
        let mut keys = BTreeMap::new();
        for entry in settings.old_keys.expose().split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, key) = entry.split_once(':').context("an old key has no name")?;
            keys.insert(name.to_owned(), key_of(&decoded(key)?)?);
        }
        let current = if settings.key.is_empty() {
            digest::digest(&digest::SHA256, &[b"factors".as_slice(), fallback.expose().as_bytes()].concat())
                .as_ref()
                .to_vec()
        } else {
            decoded(settings.key.expose())?
        };
        keys.insert(settings.key_name.clone(), key_of(&current)?);
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

fn decoded(text: &str) -> anyhow::Result<Vec<u8>> {
    // The decoder's error would name a byte of the key.
    BASE64_STANDARD.decode(text.trim()).map_err(|_unreadable| anyhow::anyhow!("a key is not base 64"))
}

fn key_of(bytes: &[u8]) -> anyhow::Result<RandomizedNonceKey> {
    if bytes.len() != KEY_BYTES {
        bail!("a key does not have {KEY_BYTES} bytes");
    }
    RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_refused| anyhow::anyhow!("a key is refused"))
}

#[cfg(test)]
mod tests {
    use domain::ClientId;

    use super::*;

    fn settings(key: u8, name: &str, old: &str) -> FactorSettings {
        FactorSettings {
            key: Secret::new(BASE64_STANDARD.encode([key; 32])),
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
        let sealer = Sealer::new(&settings(1, "a", ""), &nothing).unwrap();
        let asha = holder();
        let sealed = sealer.seal(asha, b"a secret of 20 bytes").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_ne!(sealed, sealer.seal(asha, b"a secret of 20 bytes").unwrap());
        assert_eq!(sealer.open(asha, "a", &sealed).unwrap(), b"a secret of 20 bytes");
        assert!(sealer.open(holder(), "a", &sealed).is_err(), "another person");
        assert!(sealer.open(asha, "b", &sealed).is_err(), "no such key");
        let other = Sealer::new(&settings(2, "a", ""), &nothing).unwrap();
        assert!(other.open(asha, "a", &sealed).is_err(), "another key of the name");
        for cut in 0..sealed.len() {
            assert!(sealer.open(asha, "a", sealed.get(..cut).unwrap()).is_err());
        }
    }

    #[test]
    fn an_old_key_still_opens() {
        let nothing = Secret::new(String::new());
        let (before, asha) = (Sealer::new(&settings(1, "a", ""), &nothing).unwrap(), holder());
        let sealed = before.seal(asha, b"twenty bytes, no more").unwrap();
        let old = format!("a:{}", BASE64_STANDARD.encode([1; 32]));
        let after = Sealer::new(&settings(2, "b", &old), &nothing).unwrap();
        assert_eq!(after.key_name(), "b");
        assert_eq!(after.open(asha, "a", &sealed).unwrap(), b"twenty bytes, no more");
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let nothing = Secret::new(String::new());
        let with = |key: &str, old: &str| {
            let settings = FactorSettings {
                key: Secret::new(key.to_owned()),
                key_name: "a".to_owned(),
                old_keys: Secret::new(old.to_owned()),
                issuer: "Youtility".to_owned(),
            };
            Sealer::new(&settings, &nothing).is_err()
        };
        assert!(with("short", "") && with("%%%", "") && with("", "nameless") && with("", "x:short"));
        assert!(!with("", ""), "a fallback is made of something else");
    }
}
