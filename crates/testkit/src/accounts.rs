//! Sessions, capabilities of groups, and what a client demands of its people.

use std::borrow::Borrow;

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::account::SecondFactorRule;
use domain::{Capability, ClientId, GroupId, PersonId, SessionId};

use crate::database::Database;

/// A browser's session, with the token its cookie carries.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The session.
    pub id: SessionId,
    /// The token, as text.
    pub token: String,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
}

impl Database {
    /// A session of a person, opened a moment ago with a password and good for a day.
    ///
    /// # Panics
    /// When the system gives no random bytes.
    pub async fn session(&self, client: impl Borrow<ClientId>, person: PersonId) -> OpenSession {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).expect("random bytes");
        let mut token_hash = [0; 32];
        token_hash.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
        let id = SessionId::generate();
        let sql = "insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
                   values ($1, $2, $3, $4, now() + interval '1 day', now() + interval '1 day')";
        self.insert(sql, &[client.borrow(), &id, &person, &token_hash.as_slice()]).await;
        OpenSession { id, token: URL_SAFE_NO_PAD.encode(bytes), token_hash }
    }

    /// Gives a group a capability.
    pub async fn group_capability(
        &self,
        client: impl Borrow<ClientId>,
        group: GroupId,
        capability: Capability,
    ) {
        let sql = "insert into group_capability (client_id, group_id, capability) values ($1, $2, $3)";
        self.insert(sql, &[client.borrow(), &group, &capability]).await;
    }

    /// Says whether a client's people must have a second factor.
    pub async fn second_factor(&self, client: impl Borrow<ClientId>, rule: SecondFactorRule) {
        let sql = "update client set second_factor = $2 where client_id = $1";
        self.insert(sql, &[client.borrow(), &rule]).await;
    }

    /// Marks a session as opened with so many factors.
    pub async fn session_factors(&self, session: &OpenSession, factors: i16) {
        self.insert("update session set factors = $2 where id = $1", &[&session.id, &factors]).await;
    }
}
