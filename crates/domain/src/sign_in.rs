//! Login names, passwords and how often somebody may try.

use jiff::SignedDuration;

use crate::{text_enum, text_value};

fn is_login(text: &str) -> bool {
    (3..=50).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_@#.+".contains(&byte))
}

text_value! {
    /// What a person types to say who they are; compared without regard to case.
    LoginName, is_login, "use 3 to 50 letters, digits or any of - _ @ # . +"
}

impl LoginName {
    /// The form that is compared and stored as key.
    pub fn key(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }
}

text_enum! {
    /// How a counted attempt to sign in ended.
    AttemptOutcome {
        /// The password was right: the login name's failures are forgotten.
        Succeeded = "SUCCEEDED",
        /// The password was wrong: it stays counted.
        Failed = "FAILED",
        /// No password was compared: it is not counted.
        Abandoned = "ABANDONED",
    }
}

text_enum! {
    /// What is guessed at, besides passwords. Each is counted apart.
    GuessKind {
        /// A code of a second factor, by person.
        Factor = "factor",
        /// A link to set a new password, by login name or network.
        Reset = "reset",
        /// A mailed link, by network.
        Link = "link",
        /// A refresh token, by network.
        Refresh = "refresh",
        /// A key of another program, by network.
        Key = "key",
        /// An account at the broker, by its name.
        Broker = "broker",
        /// The proof of somebody who is signed in, by person.
        StepUp = "step-up",
    }
}

/// How often somebody may try to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimit {
    /// Attempts per login name in one window.
    pub per_login: i32,
    /// Attempts per address in one window.
    pub per_address: i32,
    /// Length of the window, from its first attempt.
    pub window: SignedDuration,
}

impl AttemptLimit {
    /// 5 per login name and 15 per address in 15 minutes.
    pub const DEFAULT: Self = Self { per_login: 5, per_address: 15, window: SignedDuration::from_mins(15) };
}
