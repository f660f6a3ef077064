//! Sign-in and sign-out.

use domain::SessionId;
use serde::{Deserialize, Serialize};

/// `POST /api/v1/session`. Answers 201 and sets the session cookie, 401 `sign-in-refused`, 429 `sign-in-limited`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Login name.
    pub login: String,
    /// Password, at most 128 characters.
    pub password: String,
}

/// The answer to a sign-in and to `GET /api/v1/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The session, for lists and revocation. Not the token.
    pub session_id: SessionId,
    /// The person's name.
    pub person_name: String,
    /// The client's name.
    pub client_name: String,
    /// What the person may do.
    pub capabilities: Vec<domain::Capability>,
}
