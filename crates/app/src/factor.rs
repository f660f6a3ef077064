//! Second factors: authenticators, recovery codes, passkeys.
//!
//! Secrets come here sealed and codes as hashes; what is compared, is compared by the caller. Each code and each ceremony
//! is taken once, by a statement that finds it only then.

use domain::account::CeremonyPurpose;
use domain::{Actor, CeremonyId, FieldError, PasskeyId, PersonId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::factor::Totp;
use store::passkey::{NewCeremony, NewPasskey};
pub use store::passkey::{PasskeyRow, StoredPasskey};
use store::{Store, Tx};

use crate::account::{Proven, about_person, person_of, rotate, stale_as};
use crate::recovery::{AccountMail, Notice, request_mail};
use crate::{AccountError, Error};

/// Most passkeys one person has.
pub const PASSKEYS_MAX: usize = 20;

/// What a person has to prove who they are, besides the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factors {
    /// Whether an authenticator works.
    pub totp: bool,
    /// Passkeys, the oldest first.
    pub passkeys: Vec<PasskeyRow>,
    /// Recovery codes that are left.
    pub recovery_codes_left: u32,
}

impl Factors {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.totp || !self.passkeys.is_empty()
    }
}

/// A factor that was just proven, and how the session of its owner goes on.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// The session.
    pub session_id: domain::SessionId,
    /// SHA-256 of the token it goes on with.
    pub token_hash: [u8; 32],
    /// When it was proven.
    pub at: Timestamp,
}

/// Reads what second factors the actor has.
///
/// # Errors
/// `forbidden` for a process.
pub async fn factors(store: &Store, actor: &Actor) -> Result<Factors, Error> {
    let person = person_of(actor)?;
    let read = store.read(actor, "read_factors", |tx| async move { of_person(&tx, person).await });
    Ok(read.await?)
}

pub(crate) async fn of_person(tx: &Tx, person: PersonId) -> Result<Factors, store::Error> {
    let totp = tx.totp(person).await?.is_some_and(|totp| totp.is_confirmed);
    let passkeys = tx.list_passkeys(person).await?;
    let left = tx.count_recovery_codes(person).await?;
    Ok(Factors { totp, passkeys, recovery_codes_left: u32::try_from(left).unwrap_or(0) })
}

/// Begins an authenticator with a sealed secret; it counts once it is confirmed.
///
/// # Errors
/// `invalid-account` when one works already.
pub async fn begin_totp(
    store: &Store,
    actor: &Actor,
    sealed: &[u8],
    key_name: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let person = person_of(actor)?;
    let begun = store
        .run_tx(actor, "begin_totp", |tx| async move { tx.begin_totp(person, sealed, key_name, now).await });
    begun.await.map_err(|error| {
        let words = "an authenticator is set up; remove it first";
        stale_as(error, AccountError::InvalidAccount(vec![FieldError::new("", words)]))
    })
}

/// Reads the actor's authenticator, confirmed or not.
///
/// # Errors
/// `forbidden` for a process.
pub async fn totp(store: &Store, actor: &Actor) -> Result<Option<Totp>, Error> {
    let person = person_of(actor)?;
    Ok(store.read(actor, "read_totp", |tx| async move { tx.totp(person).await }).await?)
}

/// Makes an authenticator count by the code of a time step, gives new recovery codes, and lifts the session to two
/// factors.
///
/// # Errors
/// `factor-refused` when there is none to be confirmed, `session-not-found`.
pub async fn confirm_totp(
    store: &Store,
    actor: &Actor,
    step: i64,
    codes: &[[u8; 32]],
    added: Added,
) -> Result<(), Error> {
    let person = person_of(actor)?;
    store
        .run_tx(actor, "confirm_totp", |tx| async move {
            if let Err(error) = tx.confirm_totp(person, step, added.at).await {
                return Err(stale_as(error, AccountError::FactorRefused));
            }
            replace_codes(&tx, person, codes).await?;
            note_added(&tx, actor, "totp", added).await
        })
        .await
}

/// What every new factor means: two are proven, the trail says so, and the person is told.
async fn note_added(tx: &Tx, actor: &Actor, factor: &'static str, added: Added) -> Result<(), Error> {
    let person_id = person_of(actor)?;
    let proven = Proven { token_hash: added.token_hash, factors: 2 };
    rotate(tx, added.session_id, person_id, proven, added.at).await?;
    tx.audit(&about_person("factor_added", person_id, json!({ "factor": factor }))).await?;
    request_mail(tx, actor, &AccountMail::Notice { person_id, notice: Notice::FactorAdded }).await?;
    Ok(())
}

/// Takes the code of a time step; answers whether it was still to be had. Every earlier one is gone with it.
///
/// # Errors
/// `forbidden` for a process.
pub async fn take_totp_step(store: &Store, actor: &Actor, step: i64) -> Result<bool, Error> {
    let person = person_of(actor)?;
    let taken =
        store.run_in_turn(actor, "take_totp_step", |tx| async move { tx.take_totp_step(person, step).await });
    Ok(taken.await?)
}

/// Removes the actor's authenticator; the last factor takes the recovery codes with it.
///
/// # Errors
/// `forbidden` for a process.
pub async fn remove_totp(store: &Store, actor: &Actor) -> Result<(), Error> {
    let person = person_of(actor)?;
    store
        .run_tx(actor, "remove_totp", |tx| async move {
            if tx.drop_totp(person).await? > 0 {
                note_removed(&tx, actor, person, "totp").await?;
            }
            Ok::<(), store::Error>(())
        })
        .await?;
    Ok(())
}

async fn note_removed(
    tx: &Tx,
    actor: &Actor,
    person: PersonId,
    factor: &'static str,
) -> Result<(), store::Error> {
    if !of_person(tx, person).await?.any() {
        tx.drop_recovery_codes(person).await?;
    }
    tx.audit(&about_person("factor_removed", person, json!({ "factor": factor }))).await?;
    request_mail(tx, actor, &AccountMail::Notice { person_id: person, notice: Notice::FactorRemoved }).await
}

/// Removes every second factor of a person who lost them all: for an administrator, who is checked by the caller. Every
/// session of the person ends.
///
/// # Errors
/// Those of the store.
pub async fn remove_all(tx: &Tx, actor: &Actor, person: PersonId) -> Result<(), store::Error> {
    tx.drop_totp(person).await?;
    tx.drop_passkeys(person).await?;
    tx.drop_recovery_codes(person).await?;
    tx.drop_sign_in_steps(person).await?;
    tx.revoke_other_sessions(person, None).await?;
    tx.audit(&about_person("factor_removed", person, json!({ "factor": "all" }))).await?;
    request_mail(tx, actor, &AccountMail::Notice { person_id: person, notice: Notice::FactorRemoved }).await
}

/// Gives the actor new recovery codes; those before them are void.
///
/// # Errors
/// `second-factor-owed` for whoever has no other factor.
pub async fn new_recovery_codes(store: &Store, actor: &Actor, codes: &[[u8; 32]]) -> Result<(), Error> {
    let person = person_of(actor)?;
    store
        .run_tx(actor, "new_recovery_codes", |tx| async move {
            if !of_person(&tx, person).await?.any() {
                return Err(AccountError::SecondFactorOwed.into());
            }
            replace_codes(&tx, person, codes).await?;
            tx.audit(&about_person("recovery_codes_made", person, json!({}))).await?;
            Ok(())
        })
        .await
}

async fn replace_codes(tx: &Tx, person: PersonId, codes: &[[u8; 32]]) -> Result<(), store::Error> {
    tx.drop_recovery_codes(person).await?;
    tx.insert_recovery_codes(person, codes.iter().map(|code| code.to_vec()).collect()).await?;
    Ok(())
}

/// Uses a recovery code of the actor up; answers whether it was good. The person is told by mail.
///
/// # Errors
/// `forbidden` for a process.
pub async fn use_recovery_code(
    store: &Store,
    actor: &Actor,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, Error> {
    let person = person_of(actor)?;
    let used = store.run_tx(actor, "use_recovery_code", |tx| async move {
        let was_good = tx.use_recovery_code(person, hash, now).await?;
        if was_good {
            tx.audit(&about_person("recovery_code_used", person, json!({}))).await?;
            let notice = AccountMail::Notice { person_id: person, notice: Notice::RecoveryCodeUsed };
            request_mail(&tx, actor, &notice).await?;
        }
        Ok::<bool, store::Error>(was_good)
    });
    Ok(used.await?)
}

/// Reads what the actor's passkeys are checked with.
///
/// # Errors
/// `forbidden` for a process.
pub async fn stored_passkeys(store: &Store, actor: &Actor) -> Result<Vec<StoredPasskey>, Error> {
    let person = person_of(actor)?;
    Ok(store.read(actor, "read_passkeys", |tx| async move { tx.stored_passkeys(person).await }).await?)
}

/// Keeps the server's half of a ceremony until its answer, in place of one that waits.
///
/// # Errors
/// `forbidden` for a process.
pub async fn keep_ceremony(
    store: &Store,
    actor: &Actor,
    purpose: CeremonyPurpose,
    state: &Value,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let person_id = person_of(actor)?;
    let ceremony =
        &NewCeremony { id: CeremonyId::generate(), person_id, purpose, state: state.clone(), expires_at };
    store.run_tx(actor, "keep_ceremony", |tx| async move { tx.keep_ceremony(ceremony).await }).await?;
    Ok(())
}

/// Takes the server's half of a ceremony: nobody finds it again.
///
/// # Errors
/// `forbidden` for a process.
pub async fn take_ceremony(
    store: &Store,
    actor: &Actor,
    purpose: CeremonyPurpose,
) -> Result<Option<Value>, Error> {
    let person = person_of(actor)?;
    let taken =
        store.run_tx(actor, "take_ceremony", |tx| async move { tx.take_ceremony(person, purpose).await });
    Ok(taken.await?)
}

/// A passkey to be added, as its ceremony proved it.
#[derive(Clone, Debug)]
pub struct ProvenPasskey {
    /// What the authenticator calls it.
    pub credential_id: Vec<u8>,
    /// What its owner calls it.
    pub name: String,
    /// Its public key and counter.
    pub public_part: Value,
}

/// Adds a passkey and lifts the session to two factors; answers with its row.
///
/// # Errors
/// `passkey-known`, `invalid-account` for one too many, `session-not-found`.
pub async fn add_passkey(
    store: &Store,
    actor: &Actor,
    proven: &ProvenPasskey,
    added: Added,
) -> Result<PasskeyRow, Error> {
    let person_id = person_of(actor)?;
    let new = &NewPasskey {
        id: PasskeyId::generate(),
        person_id,
        credential_id: proven.credential_id.clone(),
        name: proven.name.clone(),
        public_part: proven.public_part.clone(),
        created_at: added.at,
    };
    store
        .run_tx(actor, "add_passkey", |tx| async move {
            if tx.list_passkeys(person_id).await?.len() >= PASSKEYS_MAX {
                let words = format!("have at most {PASSKEYS_MAX} passkeys");
                return Err(AccountError::InvalidAccount(vec![FieldError::new("", words)]).into());
            }
            if !tx.insert_passkey(new).await? {
                return Err(AccountError::PasskeyKnown.into());
            }
            note_added(&tx, actor, "passkey", added).await
        })
        .await?;
    Ok(PasskeyRow { id: new.id, name: new.name.clone(), created_at: added.at, used_at: None })
}

/// Keeps what a use of a passkey changed.
///
/// # Errors
/// Those of the store; stale when it was removed meanwhile.
pub async fn touch_passkey(
    store: &Store,
    actor: &Actor,
    id: PasskeyId,
    public_part: &Value,
    now: Timestamp,
) -> Result<(), Error> {
    let touched = store
        .run_tx(actor, "touch_passkey", |tx| async move { tx.touch_passkey(id, public_part, now).await });
    touched.await.map_err(|error| stale_as(error, AccountError::FactorRefused))
}

/// Removes a passkey of the actor; the last factor takes the recovery codes with it.
///
/// # Errors
/// `passkey-not-found`.
pub async fn remove_passkey(store: &Store, actor: &Actor, id: PasskeyId) -> Result<(), Error> {
    let person = person_of(actor)?;
    store
        .run_tx(actor, "remove_passkey", |tx| async move {
            if !tx.delete_passkey(id, person).await? {
                return Err(Error::from(AccountError::PasskeyNotFound(id)));
            }
            note_removed(&tx, actor, person, "passkey").await?;
            Ok(())
        })
        .await
}
