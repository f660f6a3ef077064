#![doc = include_str!("../README.md")]

pub mod account;
pub mod actor;
pub mod broker;
pub mod fault;
pub mod id;
pub mod mail;
pub mod password;
pub mod secret;
pub mod security;
pub mod sign_in;
pub mod telemetry;
pub mod text;
pub mod ticket;
pub mod topic;

pub use actor::{Actor, Capability, SiteScope};
pub use fault::{Fault, FaultKind, FieldError};
pub use id::{
    AccountTokenId, AlarmRuleId, ApiKeyId, AttachmentId, AuditEventId, CeremonyId, ClientId, CorrelationId,
    DeviceId, ElevationId, GroupId, HandsetId, KnownDeviceId, MailId, MessageId, PasskeyId, PersonId,
    RefreshTokenId, SecurityEventId, SessionId, SignInStepId, SiteId, TaskId, TicketEventId, TicketId,
};
pub use secret::Secret;
