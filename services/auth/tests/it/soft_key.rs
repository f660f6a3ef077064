//! A passkey without hardware: makes and signs what an authenticator would.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The page that asks, unless a test says otherwise.
pub(crate) const ORIGIN: &str = "https://app.example.com";

/// The domain passkeys belong to.
pub(crate) const DOMAIN: &str = "app.example.com";

/// Somebody was there and was recognised.
const PRESENT_AND_VERIFIED: u8 = 0x05;

/// Somebody was there.
pub(crate) const PRESENT_ONLY: u8 = 0x01;

/// A key beside the data.
const ATTESTED: u8 = 0x40;

/// A passkey.
pub(crate) struct SoftKey {
    pair: EcdsaKeyPair,
    id: Vec<u8>,
    counter: u32,
    /// What it says of whoever is there.
    pub(crate) flags: u8,
    /// The page it believes to be on.
    pub(crate) origin: String,
}

impl SoftKey {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = sha256(pair.public_key().as_ref())[..20].to_vec();
        Self { pair, id, counter: 0, flags: PRESENT_AND_VERIFIED, origin: ORIGIN.to_owned() }
    }

    /// Answers `navigator.credentials.create`.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let client = self.client_data("webauthn.create", options);
        let mut data = self.authenticator_data(self.flags | ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose_key());
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        attestation.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        attestation.extend(data);
        self.answer(&json!({ "attestationObject": text(&attestation), "clientDataJSON": text(&client) }))
    }

    /// Answers `navigator.credentials.get`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let client = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(self.flags);
        let signed = [data.as_slice(), &sha256(&client)].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        self.answer(&json!({
            "authenticatorData": text(&data),
            "clientDataJSON": text(&client),
            "signature": text(signature.as_ref()),
        }))
    }

    /// Goes back in time, as a copy of the key would.
    pub(crate) fn rewind(&mut self, counter: u32) {
        self.counter = counter;
    }

    fn answer(&self, response: &Value) -> Value {
        json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["publicKey"]["challenge"];
        let data =
            json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    fn authenticator_data(&mut self, flags: u8) -> Vec<u8> {
        self.counter += 1;
        [sha256(DOMAIN.as_bytes()).as_slice(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// The public key as CBOR: EC2, ES256, P-256, x, y.
    fn cose_key(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice(), x, b"\x22\x58\x20".as_slice(), y].concat()
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}
