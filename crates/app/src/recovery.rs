//! Mailed links and mail about an account.
//!
//! "I forgot my password" only enqueues a task, whoever is named: the worker looks up who that is, makes the link and
//! writes the mail, so that the time of the answer tells nothing. The task never carries a secret.

use std::collections::BTreeSet;

use domain::account::TokenPurpose;
use domain::sign_in::LoginName;
use domain::{AccountTokenId, Actor, ClientId, CorrelationId, PersonId, SiteScope};
use jiff::Timestamp;
use queue::NewTask;
use serde::{Deserialize, Serialize};
use serde_json::json;
pub use store::account_token::{AccountToken, Addressee};
use store::account_token::{NewAccountToken, RecoveryRecipient};
use store::factor::AccountOwner;
use store::{Store, Tx};
use uuid::Uuid;

use crate::account::{about_person, end_openings, person_of, stale_as};
use crate::mail::{Letter, Recipient};
use crate::outbox::{self, Body, NewMail};
use crate::{AccountError, Error};

/// The kind of task that writes mail about an account.
pub const MAIL_KIND: &str = "account.mail";
/// The queue it waits in.
pub const MAIL_QUEUE: &str = "email";

/// Links that set a password.
const SET_PASSWORD: [TokenPurpose; 2] = [TokenPurpose::Reset, TokenPurpose::Invite];

/// The arguments of a task of kind [`MAIL_KIND`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum AccountMail {
    /// A link to set a new password, for whomever a login name stands for.
    Reset {
        /// What was typed.
        login: String,
    },
    /// A link to set the first password.
    Invite {
        /// For whom.
        person_id: PersonId,
    },
    /// A link that proves an address.
    Verify {
        /// Whose.
        person_id: PersonId,
    },
    /// Word of a change.
    Notice {
        /// Of whose account.
        person_id: PersonId,
        /// What changed.
        notice: Notice,
    },
}

/// What somebody is told about their account, so that they notice what they did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Notice {
    /// The password was changed.
    PasswordChanged,
    /// A second factor was added.
    FactorAdded,
    /// A second factor was removed.
    FactorRemoved,
    /// A recovery code was used.
    RecoveryCodeUsed,
}

/// Enqueues mail about an account of the actor's client, inside of a transaction.
///
/// # Errors
/// Those of the store.
pub async fn request_mail(tx: &Tx, actor: &Actor, mail: &AccountMail) -> Result<(), store::Error> {
    let task = NewTask::new(MAIL_KIND, mail)
        .queue(MAIL_QUEUE)
        .tenant(*actor.client_id.as_uuid())
        .correlation(*actor.correlation_id.as_uuid());
    tx.enqueue(&[task]).await?;
    Ok(())
}

/// Asks for a link to set a new password, whether or not there is such a login.
///
/// # Errors
/// Those of the store.
pub async fn ask(store: &Store, login: &LoginName, correlation: CorrelationId) -> Result<(), Error> {
    let key = login.key();
    let task = &NewTask::new(MAIL_KIND, &AccountMail::Reset { login: key.clone() })
        .queue(MAIL_QUEUE)
        // Who asks twice in a hurry gets one mail.
        .unique_until_start(format!("reset:{key}"))
        .correlation(*correlation.as_uuid());
    store
        .run_system("ask_recovery", |tx| async move {
            tx.enqueue(std::slice::from_ref(task)).await?;
            Ok::<(), store::Error>(())
        })
        .await?;
    Ok(())
}

/// Asks for a link that proves the actor's address.
///
/// # Errors
/// `invalid-account` when no address is known.
pub async fn ask_verification(store: &Store, actor: &Actor) -> Result<(), Error> {
    let person_id = person_of(actor)?;
    store
        .run_tx(actor, "ask_verification", |tx| async move {
            let owner = tx.account_owner(person_id).await?;
            if owner.and_then(|owner| owner.email).is_none() {
                let field = domain::FieldError::new("/email", "no address is known of you");
                return Err(AccountError::InvalidAccount(vec![field]).into());
            }
            request_mail(&tx, actor, &AccountMail::Verify { person_id }).await?;
            Ok(())
        })
        .await
}

/// The person a link belongs to, acting for themselves.
fn bearer(token: &AccountToken, correlation_id: CorrelationId) -> Actor {
    Actor {
        client_id: token.client_id,
        person_id: Some(token.person_id),
        capabilities: BTreeSet::new(),
        sites: SiteScope::Only(BTreeSet::new()),
        correlation_id,
    }
}

/// A link that sets a password, and whose it is.
#[derive(Clone, Debug)]
pub struct ResetLink {
    /// The link.
    pub token: AccountToken,
    /// Whose account.
    pub owner: AccountOwner,
    actor: Actor,
}

/// Finds a link that sets a password; it stays good.
///
/// # Errors
/// `link-refused` for a token that is none, was used, ended, or was mailed to an address the person has no more.
pub async fn find_reset(
    store: &Store,
    token_hash: &[u8; 32],
    correlation: CorrelationId,
) -> Result<ResetLink, Error> {
    let token = find(store, token_hash, &SET_PASSWORD).await?;
    let actor = bearer(&token, correlation);
    let owner = crate::account::owner(store, &actor).await?;
    if owner.email.as_deref() != Some(token.email.as_str()) {
        return Err(AccountError::LinkRefused.into());
    }
    Ok(ResetLink { token, owner, actor })
}

async fn find(
    store: &Store,
    token_hash: &[u8; 32],
    purposes: &[TokenPurpose],
) -> Result<AccountToken, Error> {
    let found = store.run_single("find_account_token", |tx| async move {
        tx.find_account_token(token_hash, purposes).await
    });
    found.await?.ok_or_else(|| AccountError::LinkRefused.into())
}

/// Uses a link up and sets the password: every session, known browser and other link ends, and the person is told. A
/// second factor stays owed at the next sign-in.
///
/// # Errors
/// `link-refused` for all but the first who does.
pub async fn reset_password(
    store: &Store,
    link: &ResetLink,
    new_hash: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let (person, actor) = (link.token.person_id, &link.actor);
    store
        .run_tx(actor, "reset_password", |tx| async move {
            let used = async {
                tx.use_account_token(link.token.id, now).await?;
                tx.reset_password(person, new_hash, now).await
            };
            if let Err(error) = used.await {
                return Err(stale_as(error, AccountError::LinkRefused));
            }
            end_openings(&tx, person, None, now).await?;
            tx.verify_email(person, &link.token.email, now).await?;
            let detail = json!({ "purpose": link.token.purpose });
            tx.audit(&about_person("password_reset", person, detail)).await?;
            let notice = AccountMail::Notice { person_id: person, notice: Notice::PasswordChanged };
            request_mail(&tx, actor, &notice).await?;
            Ok(())
        })
        .await
}

/// Uses up a link that proves an address; answers whose.
///
/// # Errors
/// `link-refused`, also when the person has another address by then.
pub async fn verify_email(
    store: &Store,
    token_hash: &[u8; 32],
    correlation: CorrelationId,
    now: Timestamp,
) -> Result<(ClientId, PersonId), Error> {
    let token = &find(store, token_hash, &[TokenPurpose::Verify]).await?;
    let actor = &bearer(token, correlation);
    store
        .run_tx(actor, "verify_email", |tx| async move {
            if let Err(error) = tx.use_account_token(token.id, now).await {
                return Err(stale_as(error, AccountError::LinkRefused));
            }
            if !tx.verify_email(token.person_id, &token.email, now).await? {
                return Err(AccountError::LinkRefused.into());
            }
            tx.audit(&about_person("email_verified", token.person_id, json!({}))).await?;
            Ok(())
        })
        .await?;
    Ok((token.client_id, token.person_id))
}

/// Whom a task of kind [`MAIL_KIND`] is about; nothing when mail reaches nobody.
///
/// # Errors
/// Those of the store.
pub async fn recipient(
    store: &Store,
    mail: &AccountMail,
    tenant: Option<ClientId>,
) -> Result<Option<(ClientId, PersonId)>, Error> {
    match mail {
        AccountMail::Reset { login } => {
            let found = store.run_single("find_recovery_recipient", |tx| async move {
                tx.find_recovery_recipient(login).await
            });
            let found: Option<RecoveryRecipient> = found.await?;
            Ok(found.map(|found| (found.client_id, found.person_id)))
        }
        AccountMail::Invite { person_id }
        | AccountMail::Verify { person_id }
        | AccountMail::Notice { person_id, .. } => Ok(tenant.map(|client| (client, *person_id))),
    }
}

/// Reads whom mail about an account goes to; nothing for somebody who was stopped or has no address.
///
/// # Errors
/// Those of the store.
pub async fn addressee(store: &Store, actor: &Actor, person: PersonId) -> Result<Option<Addressee>, Error> {
    let read =
        store.read(actor, "read_account_addressee", |tx| async move { tx.account_addressee(person).await });
    Ok(read.await?)
}

/// A link on its way into a mail.
#[derive(Clone, Copy, Debug)]
pub struct NewLink {
    /// What it is for.
    pub purpose: TokenPurpose,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Mail about an account that is ready to be written.
#[derive(Clone, Debug)]
pub struct PreparedAccountMail {
    /// The task that caused it: a repetition writes nothing.
    pub cause_id: Uuid,
    /// When the task was due.
    pub at: Timestamp,
    /// About whom.
    pub person_id: PersonId,
    /// To whom.
    pub to: Addressee,
    /// Its words.
    pub letter: Letter,
    /// Its link, if it has one.
    pub link: Option<NewLink>,
}

/// Keeps the link and writes the mail into the outbox, both or none. Asked again for the same cause it does nothing.
///
/// # Errors
/// Those of the store.
pub async fn post(store: &Store, actor: &Actor, prepared: &PreparedAccountMail) -> Result<(), Error> {
    let mail = &NewMail {
        kind: "account",
        about: ("person", *prepared.person_id.as_uuid()),
        cause_id: prepared.cause_id,
        at: prepared.at,
        to: vec![Recipient {
            name: Some(prepared.to.name.clone()),
            email: prepared.to.email.clone(),
            is_outside: false,
        }],
        subject: prepared.letter.subject.clone(),
        text: prepared.letter.text.clone(),
        html: prepared.letter.html.clone(),
        body: if prepared.link.is_some() { Body::Secret } else { Body::Kept },
    };
    store
        .run_tx(actor, "post_account_mail", |tx| async move {
            if outbox::post(&tx, actor, mail).await? > 0
                && let Some(link) = prepared.link
            {
                tx.insert_account_token(&row_of(prepared, link)).await?;
            }
            Ok::<(), store::Error>(())
        })
        .await?;
    Ok(())
}

fn row_of(prepared: &PreparedAccountMail, link: NewLink) -> NewAccountToken {
    NewAccountToken {
        id: AccountTokenId::generate(),
        person_id: prepared.person_id,
        purpose: link.purpose,
        token_hash: link.token_hash,
        email: prepared.to.email.clone(),
        created_at: prepared.at,
        expires_at: link.expires_at,
    }
}
