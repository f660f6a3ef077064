//! Who is believed.

use std::collections::BTreeSet;

use api::{Identity, headers};
use domain::{ClientId, PersonId, SessionId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::bench::{Bench, INTERNAL_KEY, Keys};

fn identity(lifetime_seconds: i64) -> Identity {
    let now = u64::try_from(service::Clock::system().now().as_second()).unwrap();
    Identity {
        iss: api::identity::ISSUER.to_owned(),
        aud: api::identity::AUDIENCE.to_owned(),
        exp: now.checked_add_signed(lifetime_seconds).unwrap(),
        iat: now,
        sub: PersonId::generate(),
        client_id: ClientId::generate(),
        client_name: "ACME".to_owned(),
        person_name: "Asha".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        session_id: SessionId::generate(),
        capabilities: BTreeSet::new(),
        sites: None,
        demo: false,
        kind: domain::account::SessionKind::Web,
        factors: 1,
        auth_time: now,
        owes_factor: false,
        elevation_id: None,
        home_client_id: None,
    }
}

fn sign(identity: &Identity, key: &EncodingKey) -> String {
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), identity, key).unwrap()
}

async fn status(bench: &Bench, token: &str) -> u16 {
    let request = bench.request("GET", "/caller").header(headers::IDENTITY, token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_signed_identity_is_believed() {
    let bench = Bench::start().await;
    let token = sign(&identity(60), &bench.keys.private);
    let answer = bench.request("GET", "/caller").header(headers::IDENTITY, token).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "Asha");
}

#[tokio::test]
async fn forged_expired_foreign_and_unsigned_identities_are_not() {
    let bench = Bench::start().await;
    let own = &bench.keys.private;
    let other_audience = Identity { aud: "somebody-else".to_owned(), ..identity(60) };
    let other_issuer = Identity { iss: "somebody-else".to_owned(), ..identity(60) };
    let signed = sign(&identity(60), own);
    let unsigned = signed.rsplit_once('.').map(|(body, _)| format!("{body}.")).unwrap();
    let symmetric = EncodingKey::from_secret(bench.keys.public_pem.as_bytes());
    let confused = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &identity(60), &symmetric).unwrap();
    let tokens = [
        sign(&identity(60), &Keys::generate().private),
        sign(&identity(-60), own),
        sign(&identity(3600), own),
        sign(&other_audience, own),
        sign(&other_issuer, own),
        unsigned,
        confused,
        "not-a-token".to_owned(),
    ];
    for token in tokens {
        assert_eq!(status(&bench, &token).await, 401, "{token}");
    }
}

#[tokio::test]
async fn the_clients_address_is_believed_beside_the_right_key_only() {
    let bench = Bench::start().await;
    let ask = |key: &str| {
        let request =
            bench.request("GET", "/internal/address").header(headers::CLIENT_ADDRESS, "2001:db8::7");
        request.header(headers::INTERNAL_KEY, key).send()
    };
    assert_eq!(ask(INTERNAL_KEY).await.unwrap().text().await.unwrap(), "2001:db8::7");
    assert_eq!(ask("guessed").await.unwrap().status(), 401);
    assert_eq!(ask("").await.unwrap().status(), 401);
}

#[tokio::test]
async fn an_empty_key_opens_nothing() {
    let development =
        [("YOUTILITY_PROCESS__ENVIRONMENT", "development"), ("YOUTILITY_TRUST__INTERNAL_KEY", "")];
    let bench = Bench::start_with(&development).await;
    let request = bench.request("GET", "/internal/open").header(headers::INTERNAL_KEY, "");
    assert_eq!(request.send().await.unwrap().status(), 401);
}
