//! Accounts of devices at the broker.

use std::time::Duration;

use domain::security::SecurityEventKind;
use domain::sign_in::GuessKind;
use domain::{ClientId, CorrelationId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::Store;
pub use store::broker::{BrokerAccount, BrokerFileAccount};
use store::security_event::NewSecurityEvent;

use crate::{Error, security};

/// Accounts read at a time.
const ACCOUNTS_AT_ONCE: i64 = 5_000;

/// Characters of a name that are noted; names of accounts are shorter.
const NAME_CHARACTERS_MAX: usize = 101;

/// How many refusals are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteLimit {
    /// Of one account in one window.
    pub notes_max: i32,
    /// The window.
    pub window: Duration,
}

/// Finds the device behind an account; nothing when it, or its client, was stopped.
///
/// # Errors
/// Those of the store.
pub async fn find(store: &Store, username: &str) -> Result<Option<BrokerAccount>, Error> {
    let found =
        store.run_single("find_broker_account", |tx| async move { tx.find_broker_account(username).await });
    Ok(found.await?)
}

/// Every account of every active client, in the order of names. For whoever owns the schema.
///
/// # Errors
/// Those of the store.
pub async fn accounts(store: &Store) -> Result<Vec<BrokerFileAccount>, Error> {
    let mut all: Vec<BrokerFileAccount> = Vec::new();
    loop {
        let after = all.last().map_or("", |account| account.username.as_str());
        let page = store.run_single("list_broker_accounts", |tx| async move {
            tx.broker_accounts(after, ACCOUNTS_AT_ONCE).await
        });
        let page: Vec<BrokerFileAccount> = page.await?;
        let is_last = i64::try_from(page.len()).unwrap_or(i64::MAX) < ACCOUNTS_AT_ONCE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// Notes that an account was refused at the broker, so many times in one window.
///
/// So a device with an old password, or somebody who tries names, does not fill the log. All who are nobody's count as one.
///
/// # Errors
/// Those of the store.
pub async fn note_refusal(
    store: &Store,
    (client, username): (Option<ClientId>, &str),
    reason: &'static str,
    limit: NoteLimit,
    now: Timestamp,
) -> Result<(), Error> {
    let subject = if client.is_some() { username } else { "" };
    let window = SignedDuration::try_from(limit.window).unwrap_or(SignedDuration::MAX);
    let noted = store.run_single("note_broker_refusal", |tx| async move {
        tx.reserve_guess(GuessKind::Broker, subject, window, limit.notes_max).await
    });
    let noted: store::sign_in::Guess = noted.await?;
    if !noted.is_granted {
        return Ok(());
    }
    let mut event = NewSecurityEvent::new(SecurityEventKind::BrokerRefused, now, CorrelationId::generate());
    event.login = Some(username.chars().take(NAME_CHARACTERS_MAX).collect());
    event.detail = json!({ "reason": reason });
    security::record(store, client, &[event]).await
}
