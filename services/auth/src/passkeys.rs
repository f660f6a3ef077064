//! Passkeys: the two halves of each ceremony. The server's half lies in the database in between and is taken once.

use std::sync::Arc;

use anyhow::Context;
use api::session::PasskeyOptions;
use app::factor::ProvenPasskey;
use domain::account::CeremonyPurpose;
use domain::{Actor, PersonId};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::Problem;
use webauthn_rs::prelude::{
    CredentialID, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::account_settings::PasskeySettings;
use crate::refusal::Refusal;
use crate::state::State;

/// What passkeys are offered with. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Passkeys(Option<Arc<Webauthn>>);

impl Passkeys {
    /// Reads domain and origins; without a domain, none are offered.
    pub(crate) fn new(settings: &PasskeySettings) -> anyhow::Result<Self> {
        if settings.relying_party.is_empty() {
            return Ok(Self(None));
        }
        let origins = settings.origins().context("an origin of passkeys is no URL")?;
        let (first, others) = origins.split_first().context("passkeys have no origin")?;
        let domain = &settings.relying_party;
        let belongs = |host: &str| host == domain || host.ends_with(&format!(".{domain}"));
        anyhow::ensure!(
            origins.iter().all(|origin| origin.domain().is_some_and(belongs)),
            "an origin of passkeys is not of their domain"
        );
        let builder = WebauthnBuilder::new(domain, first).context("preparing passkeys")?.rp_name("Youtility");
        let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        Ok(Self(Some(Arc::new(builder.build().context("preparing passkeys")?))))
    }

    /// Whether they are offered.
    pub(crate) fn are_offered(&self) -> bool {
        self.0.is_some()
    }

    fn open(&self) -> Result<&Webauthn, Refusal> {
        self.0.as_deref().ok_or(Refusal::NoPasskeys)
    }
}

/// Who is going to have a new passkey, as authenticators show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewOwner<'a> {
    /// The person.
    pub(crate) person: PersonId,
    /// The login name.
    pub(crate) login: &'a str,
    /// The person's name.
    pub(crate) name: &'a str,
}

/// Begins to add a passkey; those the person has are left out.
pub(crate) async fn begin_adding(
    state: &State,
    actor: &Actor,
    owner: NewOwner<'_>,
) -> Result<PasskeyOptions, Problem> {
    let webauthn = state.passkeys.open()?;
    let stored = state.ask(app::factor::stored_passkeys(&state.store, actor)).await?;
    let known: Vec<CredentialID> = stored.into_iter().map(|passkey| passkey.credential_id).collect();
    let (challenge, ceremony) = webauthn
        .start_passkey_registration(*owner.person.as_uuid(), owner.login, owner.name, Some(known))
        .map_err(|error| Refusal::Broken(error.into()))?;
    keep(state, actor, CeremonyPurpose::Register, &ceremony).await?;
    options(&challenge)
}

/// Checks what the browser made; nothing when it does not answer the ceremony that waits.
pub(crate) async fn finish_adding(
    state: &State,
    actor: &Actor,
    name: String,
    answer: Value,
) -> Result<Option<ProvenPasskey>, Problem> {
    let webauthn = state.passkeys.open()?;
    let Some(ceremony) = take::<PasskeyRegistration>(state, actor, CeremonyPurpose::Register).await? else {
        return Ok(None);
    };
    let Ok(answer) = serde_json::from_value::<RegisterPublicKeyCredential>(answer) else { return Ok(None) };
    let passkey = match webauthn.finish_passkey_registration(&answer, &ceremony) {
        Ok(passkey) => passkey,
        Err(error) => return Ok(note_refused(&error)),
    };
    let credential_id = passkey.cred_id().clone();
    let public_part = serde_json::to_value(&passkey).map_err(|error| Refusal::Broken(error.into()))?;
    Ok(Some(ProvenPasskey { credential_id, name, public_part }))
}

/// Begins to prove a passkey.
pub(crate) async fn begin_proving(
    state: &State,
    actor: &Actor,
    purpose: CeremonyPurpose,
) -> Result<PasskeyOptions, Problem> {
    let webauthn = state.passkeys.open()?;
    let stored = state.ask(app::factor::stored_passkeys(&state.store, actor)).await?;
    let passkeys = stored.into_iter().map(|one| read::<Passkey>(one.public_part));
    let passkeys = passkeys.collect::<Result<Vec<_>, Refusal>>()?;
    if passkeys.is_empty() {
        return Err(app::Error::from(app::AccountError::FactorRefused).into());
    }
    let (challenge, ceremony) =
        webauthn.start_passkey_authentication(&passkeys).map_err(|error| Refusal::Broken(error.into()))?;
    keep(state, actor, purpose, &ceremony).await?;
    options(&challenge)
}

/// Checks what the browser signed, once; answers whether it was a passkey of the actor's.
pub(crate) async fn prove(
    state: &State,
    actor: &Actor,
    purpose: CeremonyPurpose,
    answer: Value,
    now: Timestamp,
) -> Result<bool, Problem> {
    let webauthn = state.passkeys.open()?;
    let Some(ceremony) = take::<PasskeyAuthentication>(state, actor, purpose).await? else {
        return Ok(false);
    };
    let Ok(answer) = serde_json::from_value::<PublicKeyCredential>(answer) else { return Ok(false) };
    let result = match webauthn.finish_passkey_authentication(&answer, &ceremony) {
        Ok(result) => result,
        Err(error) => return Ok(note_refused::<()>(&error).is_some()),
    };
    // The ceremony knows the passkeys as they were when it began: one that was removed since proves nothing.
    let stored = state.ask(app::factor::stored_passkeys(&state.store, actor)).await?;
    let credential_id = result.cred_id();
    let Some(used) = stored.into_iter().find(|one| &one.credential_id == credential_id) else {
        return Ok(false);
    };
    let mut passkey = read::<Passkey>(used.public_part)?;
    passkey.update_credential(&result);
    let public_part = serde_json::to_value(&passkey).map_err(|error| Refusal::Broken(error.into()))?;
    state.ask(app::factor::touch_passkey(&state.store, actor, used.id, &public_part, now)).await?;
    Ok(true)
}

fn note_refused<T>(error: &webauthn_rs::prelude::WebauthnError) -> Option<T> {
    tracing::info!(target: "passkeys", %error, "a passkey's answer was refused");
    None
}

async fn keep(
    state: &State,
    actor: &Actor,
    purpose: CeremonyPurpose,
    ceremony: &impl Serialize,
) -> Result<(), Problem> {
    let kept = serde_json::to_value(ceremony).map_err(|error| Refusal::Broken(error.into()))?;
    let expires_at = state.clock.now().saturating_add(state.accounts.step()).unwrap_or(Timestamp::MAX);
    state.ask(app::factor::keep_ceremony(&state.store, actor, purpose, &kept, expires_at)).await
}

async fn take<T: DeserializeOwned>(
    state: &State,
    actor: &Actor,
    purpose: CeremonyPurpose,
) -> Result<Option<T>, Problem> {
    let kept = state.ask(app::factor::take_ceremony(&state.store, actor, purpose)).await?;
    Ok(kept.map(read).transpose()?)
}

/// Reads what we wrote ourselves.
fn read<T: DeserializeOwned>(kept: Value) -> Result<T, Refusal> {
    serde_json::from_value(kept).map_err(|error| Refusal::Broken(error.into()))
}

fn options(challenge: &impl Serialize) -> Result<PasskeyOptions, Problem> {
    let mut challenge = serde_json::to_value(challenge).map_err(|error| Refusal::Broken(error.into()))?;
    let public_key = challenge.get_mut("publicKey").map(Value::take);
    let public_key = public_key
        .ok_or_else(|| Refusal::Broken(anyhow::anyhow!("the options of a passkey have no `publicKey`")))?;
    Ok(PasskeyOptions { public_key })
}
