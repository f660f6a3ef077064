//! Signed identities as auth makes them, and the settings that believe them.

use std::sync::LazyLock;

use api::identity::{AUDIENCE, ISSUER, LIFETIME_SECONDS};
use api::{Identity, headers};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::account::SessionKind;
use domain::{Capability, ClientId, PersonId, SessionId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

/// The secret that opens `/internal/*` in tests.
pub const INTERNAL_KEY: &str = "b3Wq8Zr1Xk6Vt9Lm4Nc7Jd2Hf5Gy0Tp-internal-Ua8Ie3Wo6Vx1Nz";

/// Signs identities with a key made for this process.
#[derive(Clone)]
pub struct Signer {
    private_pem: String,
    public_pem: String,
    key: EncodingKey,
}

static SHARED: LazyLock<Signer> = LazyLock::new(Signer::generate);

impl Signer {
    /// Makes a key pair of its own: a stranger to services that have [`trust_env`].
    ///
    /// # Panics
    /// When the system gives no random bytes.
    pub fn generate() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key pair");
        let private = pair.to_pkcs8v1().expect("a private key as PKCS#8");
        let public = AsDer::as_der(pair.public_key()).expect("a public key as SPKI");
        let private_pem = pem("PRIVATE KEY", private.as_ref());
        let key = EncodingKey::from_ed_pem(private_pem.as_bytes()).expect("a signing key");
        Self { public_pem: pem("PUBLIC KEY", public.as_ref()), private_pem, key }
    }

    /// The signer that services with [`trust_env`] believe.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// The public key, PEM.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The private key, PEM: what auth signs with.
    pub fn private_pem(&self) -> &str {
        &self.private_pem
    }

    /// Signs an identity: the value of [`headers::IDENTITY`].
    ///
    /// # Panics
    /// When the identity cannot be encoded.
    pub fn token(&self, identity: &Identity) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), identity, &self.key).expect("a token")
    }

    /// The header that says who asks, for a service that has [`trust_env`].
    pub fn header(&self, identity: &Identity) -> (&'static str, String) {
        (headers::IDENTITY, self.token(identity))
    }
}

/// An identity of a person from this moment on, who sees every site.
///
/// # Panics
/// When the clock stands before 1970.
#[expect(clippy::disallowed_methods, reason = "services compare it with the system's clock")]
pub fn of(client: ClientId, person: PersonId, capabilities: &[Capability]) -> Identity {
    let now = u64::try_from(jiff::Timestamp::now().as_second()).expect("a time after 1970");
    Identity {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        exp: now + LIFETIME_SECONDS,
        iat: now,
        sub: person,
        client_id: client,
        client_name: "Test client".to_owned(),
        time_zone: "UTC".to_owned(),
        person_name: "Test person".to_owned(),
        session_id: SessionId::generate(),
        capabilities: capabilities.iter().copied().collect(),
        sites: None,
        demo: false,
        kind: SessionKind::Web,
        factors: 1,
        auth_time: now,
        owes_factor: false,
        elevation_id: None,
        home_client_id: None,
    }
}

/// The `[trust]` section of a service under test, as environment variables.
pub fn trust_env() -> Vec<(String, String)> {
    vec![
        ("YOUTILITY_TRUST__IDENTITY_PUBLIC_KEY".to_owned(), Signer::shared().public_pem().to_owned()),
        ("YOUTILITY_TRUST__INTERNAL_KEY".to_owned(), INTERNAL_KEY.to_owned()),
    ]
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|chunk| std::str::from_utf8(chunk).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
