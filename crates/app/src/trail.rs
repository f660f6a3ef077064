//! The trails' chain: sealing what was written, and finding what was changed since.
//!
//! Each line's seal hashes the line and the seal before it, one chain per client, so that a line that was changed or taken out,
//! or a seal that was, shows. Whoever keeps the last hash elsewhere also notices a chain that was made anew.

use domain::{Actor, Capability};
use jiff::Timestamp;
use store::Store;
pub use store::trail::{AuditLine, Breach, Head};
use uuid::Uuid;

use crate::{Error, right};

/// Seals one transaction makes or looks at.
const AT_ONCE: i32 = 1_000;

/// Breaches that are reported before the rest of the chain is left unread.
const BREACHES_MAX: usize = 100;

/// What a look over one client's chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The end of the chain, to be kept elsewhere; absent when nothing was sealed yet.
    pub head: Option<Head>,
    /// Lines that wait to be sealed.
    pub waiting: i64,
    /// What is wrong, in the order of the chain; the first hundred.
    pub breaches: Vec<Breach>,
}

/// Seals what waits, of every client; answers how many lines. Each batch is a transaction, so that what was sealed stays.
///
/// # Errors
/// Those of the store.
pub async fn seal(store: &Store) -> Result<u64, Error> {
    let mut sealed = 0;
    loop {
        let batch: i64 = store
            .run_single("seal_audit_trail", |tx| async move { tx.seal_audit_trail(AT_ONCE).await })
            .await?;
        sealed += u64::try_from(batch).unwrap_or(0);
        if batch < i64::from(AT_ONCE) {
            return Ok(sealed);
        }
    }
}

/// Follows the chain of the actor's client from the first seal that is kept; for the owner of the schema. `known` is an end of
/// the chain that was kept elsewhere: it must still be part of it.
///
/// # Errors
/// Those of the store.
pub async fn verify(store: &Store, actor: &Actor, known: Option<&Head>) -> Result<Verdict, Error> {
    let ends = store.read(actor, "read_audit_head", |tx| async move {
        Ok::<_, store::Error>((tx.first_seal().await?, tx.audit_head().await?, tx.count_unsealed().await?))
    });
    let (first, head, waiting) = ends.await?;
    let mut breaches = match known {
        Some(known) => missing_head(store, actor, known).await?,
        None => Vec::new(),
    };
    let end = head.as_ref().map_or(0, |head| head.seq);
    let mut after = first.map_or(0, |first| first - 1);
    loop {
        for breach in look(store, actor, after).await? {
            if !breaches.contains(&breach) {
                breaches.push(breach);
            }
        }
        after += i64::from(AT_ONCE);
        if after > end || breaches.len() >= BREACHES_MAX {
            break;
        }
    }
    breaches.extend(unknown_lines(store, actor).await?);
    breaches.truncate(BREACHES_MAX);
    Ok(Verdict { head, waiting, breaches })
}

async fn look(store: &Store, actor: &Actor, after: i64) -> Result<Vec<Breach>, Error> {
    let found = store
        .read(actor, "verify_audit_trail", |tx| async move { tx.verify_audit_trail(after, AT_ONCE).await });
    Ok(found.await?)
}

/// A breach for each line that was put in past the chain.
async fn unknown_lines(store: &Store, actor: &Actor) -> Result<Vec<Breach>, Error> {
    let limit = i64::try_from(BREACHES_MAX).unwrap_or(i64::MAX);
    let unknown: Vec<Uuid> =
        store.read(actor, "find_unknown_lines", |tx| async move { tx.unknown_lines(limit).await }).await?;
    let problem = "the line was put in past the chain".to_owned();
    Ok(unknown
        .into_iter()
        .map(|id| Breach { seq: 0, event_id: Some(id), problem: problem.clone() })
        .collect())
}

/// A breach, unless the chain has a seal that was its end once.
async fn missing_head(store: &Store, actor: &Actor, known: &Head) -> Result<Vec<Breach>, Error> {
    let seq = known.seq;
    let hashes: Vec<String> =
        store.read(actor, "read_seal", |tx| async move { tx.seal_hashes(seq).await }).await?;
    if hashes == [known.hash.clone()] {
        return Ok(Vec::new());
    }
    let problem = "the seal differs from the one that was kept elsewhere".to_owned();
    Ok(vec![Breach { seq, event_id: None, problem }])
}

/// Reads the latest lines of the audit trail of the actor's client before a moment, for the owner of the schema.
///
/// # Errors
/// `forbidden`, and those of the store.
pub async fn list(
    store: &Store,
    actor: &Actor,
    before: Timestamp,
    limit: u16,
) -> Result<Vec<AuditLine>, Error> {
    right::require(actor, Capability::Security)?;
    let limit = i64::from(limit);
    Ok(store.read(actor, "list_audit_lines", |tx| async move { tx.audit_lines(before, limit).await }).await?)
}
