#![doc = include_str!("../README.md")]

pub mod actor;
pub mod fault;
pub mod id;
pub mod mail;
pub mod secret;
pub mod sign_in;
pub mod telemetry;
pub mod text;
pub mod ticket;
pub mod topic;

pub use actor::{Actor, Capability, SiteScope};
pub use fault::{Fault, FaultKind, FieldError};
pub use id::{
    AlarmRuleId, AuditEventId, ClientId, CorrelationId, DeviceId, GroupId, MailId, MessageId, PersonId,
    SessionId, SiteId, TaskId, TicketEventId, TicketId,
};
pub use secret::Secret;
