//! One newtype per kind of id, so that a site cannot be passed where a person is meant.

use std::fmt;
use std::str::FromStr;

use postgres_types::{FromSql, ToSql};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSql, FromSql)]
        #[serde(transparent)]
        #[postgres(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new, time-ordered id (UUIDv7).
            #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// Wraps a UUID that came from outside.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself, for drivers and encoders.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    ClientId;
    /// A place a client looks after.
    SiteId;
    /// A person with or without a login.
    PersonId;
    /// A group of people.
    GroupId;
    /// A signed-in session.
    SessionId;
    /// A helpdesk ticket.
    TicketId;
    /// One entry in a ticket's history.
    TicketEventId;
    /// A message of the outbox; its Message-ID begins with it.
    MailId;
    /// A device that publishes over MQTT.
    DeviceId;
    /// A message a device made; the same on every transmission.
    MessageId;
    /// A rule that turns readings into alarms.
    AlarmRuleId;
    /// One line of the audit trail.
    AuditEventId;
    /// A task of the queue.
    TaskId;
    /// A person's telephone.
    HandsetId;
    /// A key of another program; it stands where a session's id does.
    ApiKeyId;
    /// A passkey of a person.
    PasskeyId;
    /// A mailed link.
    AccountTokenId;
    /// A browser somebody signed in with before.
    KnownDeviceId;
    /// A sign-in that owes a second factor.
    SignInStepId;
    /// A passkey's ceremony between two requests.
    CeremonyId;
    /// One refresh token of a session.
    RefreshTokenId;
    /// A look into another client.
    ElevationId;
    /// One line of the security log.
    SecurityEventId;
    /// A file at a ticket.
    AttachmentId;
    /// Follows one cause through requests, tasks, messages and mail.
    CorrelationId;
}
