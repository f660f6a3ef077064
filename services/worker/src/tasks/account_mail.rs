//! `account.mail`: mails a link, or word of a change, to whom an account belongs.
//!
//! The link is made here and nowhere else: no task and no log ever holds it, and the mail that does is emptied when it has
//! been sent.

use std::time::Duration;

use anyhow::Context;
use app::recovery::{self, AccountMail, Addressee, NewLink, PreparedAccountMail};
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ClientId;
use domain::account::TokenPurpose;
use jiff::Timestamp;
use queue::{Failure, Job};

use super::{Tools, actor};
use crate::account_letter::{self, Letters};

/// Bytes of randomness in a link.
const TOKEN_BYTES: usize = 32;

/// Why such a task can never succeed.
#[derive(Debug, thiserror::Error)]
enum Hopeless {
    #[error("the mail could not be written")]
    Letter(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Finds out whom it is about, puts it into words, and posts it. Whoever is not there, was stopped or has no address gets
/// nothing, and nothing tells so.
pub(super) async fn run(tools: Tools, job: Job) -> Result<(), Failure> {
    let mail: AccountMail = job.args()?;
    let tenant = job.tenant.map(ClientId::from_uuid);
    let Some((client, person_id)) = recovery::recipient(&tools.store, &mail, tenant).await? else {
        return Ok(());
    };
    let actor = actor(&job, client);
    let Some(to) = recovery::addressee(&tools.store, &actor, person_id).await? else { return Ok(()) };
    let (letter, link) =
        write(&tools, &mail, &to).map_err(|error| Failure::permanent(Hopeless::Letter(error.into())))?;
    let (cause_id, at) = (job.id, job.run_at);
    let prepared = PreparedAccountMail { cause_id, at, person_id, to, letter, link };
    recovery::post(&tools.store, &actor, &prepared).await?;
    Ok(())
}

fn write(
    tools: &Tools,
    mail: &AccountMail,
    to: &Addressee,
) -> anyhow::Result<(app::mail::Letter, Option<NewLink>)> {
    let letters = Letters { public_url: &tools.public_url, to };
    let links = tools.links;
    let (purpose, seconds) = match mail {
        AccountMail::Reset { .. } => (TokenPurpose::Reset, links.reset_seconds),
        AccountMail::Invite { .. } => (TokenPurpose::Invite, links.invitation_seconds),
        AccountMail::Verify { .. } => (TokenPurpose::Verify, links.verification_seconds),
        AccountMail::Notice { notice, .. } => return Ok((account_letter::notice(letters, *notice)?, None)),
    };
    let (token, token_hash) = token()?;
    let lifetime = Duration::from_secs(seconds);
    let expires_at = tools.clock.now().saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    let letter = account_letter::link(letters, purpose, &token, lifetime)?;
    Ok((letter, Some(NewLink { purpose, token_hash, expires_at })))
}

/// What a link carries, and the hash that is kept. A token is random in every bit, so one round of SHA-256 is enough.
fn token() -> anyhow::Result<(String, [u8; 32])> {
    let mut bytes = [0; TOKEN_BYTES];
    rand::fill(&mut bytes).ok().context("the random number generator failed")?;
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
    Ok((URL_SAFE_NO_PAD.encode(bytes), hash))
}
