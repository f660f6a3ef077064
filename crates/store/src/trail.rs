//! The chain over the trails: sealing new lines, and finding what was changed since.
//!
//! The owner of the schema sees every client, so each statement names the one it means.

use domain::{AuditEventId, CorrelationId, PersonId};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, Tx, queries, row};

/// A seal that does not follow from the one before it and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Where in the chain.
    pub seq: i64,
    /// The line, unless the chain itself is broken.
    pub event_id: Option<Uuid>,
    /// What is wrong.
    pub problem: String,
}

/// The end of a client's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many lines were sealed.
    pub seq: i64,
    /// The last hash, in hexadecimal digits.
    pub hash: String,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditLine {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// Who; a process when absent.
    pub person_id: Option<PersonId>,
    /// What was done.
    pub action: String,
    /// The kind of thing it was done to.
    pub subject_kind: String,
    /// The thing.
    pub subject_id: Option<Uuid>,
    /// The request, message or task.
    pub correlation_id: CorrelationId,
    /// What else is known.
    pub detail: Value,
}

row! { Breach { seq, event_id, problem } }
row! { Head { seq, hash } }
row! { AuditLine { id, at, person_id, action, subject_kind, subject_id, correlation_id, detail } }

queries! {
    /// Seals lines of every client that wait for it, some at a time; answers how many.
    SEAL: (i32,) => i64 = "
        select seal_audit_trail($1)";
    /// What is wrong among some seals of the client after a place, as the owner.
    VERIFY: (i64, i32) => Breach = "
        select seq, event_id, problem
          from verify_audit_trail($1, $2)";
    /// The first of the client's seals that are kept.
    FIRST: () => i64 = "
        select seq
          from audit_seal
         where client_id = current_client_id()
         order by seq
         limit 1";
    /// The hash of one of the client's seals, in hexadecimal digits.
    HASH: (i64,) => String = "
        select encode(hash, 'hex') as hash
          from audit_seal
         where client_id = current_client_id()
           and seq = $1";
    /// The end of the client's chain.
    HEAD: () => Head = "
        select seq, encode(hash, 'hex') as hash
          from audit_chain
         where client_id = current_client_id()";
    /// Lines of the client that no seal and no mark knows though they came after the first seal, as the owner.
    UNKNOWN: (i64,) => Uuid = "
        select line.id
          from (select client_id, id, at
                  from audit_event
                 union all
                select client_id, id, at
                  from security_event) as line
         where line.client_id = current_client_id()
           and line.at > (select min(sealed_at) from audit_seal where client_id = current_client_id())
           and line.at < now() - interval '10 minutes'
           and not exists (select from audit_seal
                            where audit_seal.client_id = line.client_id and audit_seal.event_id = line.id)
           and not exists (select from audit_mark
                            where audit_mark.client_id = line.client_id and audit_mark.event_id = line.id)
         order by line.at
         limit $1";
    /// Lines of the client that wait to be sealed.
    COUNT_WAITING: () => i64 = "
        select count(*)
          from audit_mark
         where client_id = current_client_id()";
    /// The client's latest lines before a moment, the latest first.
    LIST: (Timestamp, i64) => AuditLine = "
        select id, at, person_id, action, subject_kind, subject_id, correlation_id, detail
          from audit_event
         where client_id = current_client_id()
           and at < $1
         order by at desc, id desc
         limit $2";
}

impl Tx {
    /// Seals at most `limit` lines; fewer than `limit` means that none are left, or that another seals at this moment.
    pub async fn seal_audit_trail(&self, limit: i32) -> Result<i64, Error> {
        self.one(&SEAL, (limit,)).await
    }

    /// Finds what is wrong among at most `limit` seals after `after`.
    pub async fn verify_audit_trail(&self, after: i64, limit: i32) -> Result<Vec<Breach>, Error> {
        self.all(&VERIFY, (after, limit)).await
    }

    /// Finds lines that came after the first seal and that neither a seal nor a mark knows.
    pub async fn unknown_lines(&self, limit: i64) -> Result<Vec<Uuid>, Error> {
        self.all(&UNKNOWN, (limit,)).await
    }

    /// Reads where the client's chain begins, if anything of it is kept.
    pub async fn first_seal(&self) -> Result<Option<i64>, Error> {
        self.opt(&FIRST, ()).await
    }

    /// Reads the hashes of the client's seals with a number: one, unless somebody meddled.
    pub async fn seal_hashes(&self, seq: i64) -> Result<Vec<String>, Error> {
        self.all(&HASH, (seq,)).await
    }

    /// Reads the end of the client's chain, if anything was sealed.
    pub async fn audit_head(&self) -> Result<Option<Head>, Error> {
        self.opt(&HEAD, ()).await
    }

    /// Counts the client's lines that wait to be sealed.
    pub async fn count_unsealed(&self) -> Result<i64, Error> {
        self.one(&COUNT_WAITING, ()).await
    }

    /// Reads the client's latest lines before a moment.
    pub async fn audit_lines(&self, before: Timestamp, limit: i64) -> Result<Vec<AuditLine>, Error> {
        self.all(&LIST, (before, limit)).await
    }
}
