//! Secrets of the running system, made once and kept in files only their owner may read.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::home::Home;

const FILE: &str = "secrets.json";

/// The password of the demo logins, and nothing else.
pub(crate) const DEMO_PASSWORD: &str = "Walk-the-site-42";

/// Roles that connect to the database.
pub(crate) const ROLES: &[&str] = &[
    "youtility_owner",
    "youtility_auth",
    "youtility_web",
    "youtility_worker",
    "youtility_bridge",
    "youtility_health",
];

/// Every secret of one running system.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// Password of the cluster's superuser.
    pub(crate) superuser: String,
    /// Passwords of the database roles.
    pub(crate) roles: BTreeMap<String, String>,
    /// Opens `/internal/*`.
    pub(crate) internal_key: String,
    /// Signs CSRF tokens.
    pub(crate) csrf: String,
    /// Signs identities: PKCS#8 PEM.
    pub(crate) identity_private_pem: String,
    /// Checks identities: SPKI PEM.
    pub(crate) identity_public_pem: String,
    /// Seals the secrets of authenticators; empty in a file that is older.
    #[serde(default)]
    pub(crate) factors: String,
    /// The bridge's password at the broker.
    pub(crate) broker_bridge: String,
    /// The health service's password at the broker.
    pub(crate) broker_health: String,
    /// Passwords of devices, by broker user name.
    pub(crate) devices: BTreeMap<String, String>,
}

impl Keys {
    /// Reads the secrets, or makes them.
    pub(crate) fn load_or_create(home: &Home) -> Result<Self> {
        if let Some(mut keys) = home.read_json::<Self>(FILE)? {
            if keys.factors.is_empty() {
                keys.factors = random_text()?;
                keys.save(home)?;
            }
            return Ok(keys);
        }
        let keys = Self::create()?;
        keys.save(home)?;
        Ok(keys)
    }

    /// Writes them down.
    pub(crate) fn save(&self, home: &Home) -> Result<()> {
        home.write_json(FILE, self)
    }

    /// The password of a database role.
    pub(crate) fn role(&self, role: &str) -> Result<&str> {
        self.roles
            .get(role)
            .map(String::as_str)
            .with_context(|| format!("no password is known for role {role}"))
    }

    fn create() -> Result<Self> {
        let pair =
            Ed25519KeyPair::generate().map_err(|_unspecified| anyhow::anyhow!("making the identity key"))?;
        let private =
            pair.to_pkcs8v1().map_err(|_unspecified| anyhow::anyhow!("encoding the identity key"))?;
        let public = AsDer::as_der(pair.public_key())
            .map_err(|_unspecified| anyhow::anyhow!("encoding the public key"))?;
        let roles =
            ROLES.iter().map(|role| Ok(((*role).to_owned(), random_text()?))).collect::<Result<_>>()?;
        Ok(Self {
            superuser: random_text()?,
            roles,
            internal_key: random_text()?,
            csrf: random_text()?,
            identity_private_pem: pem("PRIVATE KEY", private.as_ref()),
            identity_public_pem: pem("PUBLIC KEY", public.as_ref()),
            factors: random_text()?,
            broker_bridge: random_text()?,
            broker_health: random_text()?,
            devices: BTreeMap::new(),
        })
    }
}

/// 48 random bytes as 64 characters.
pub(crate) fn random_text() -> Result<String> {
    let mut bytes = [0_u8; 48];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_unspecified| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|chunk| std::str::from_utf8(chunk).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
