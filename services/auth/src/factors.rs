//! Checking what somebody proves besides the password. Each guess is counted before it is looked at, and what was right
//! once is never right again.

use api::session::GiveFactor;
use app::AccountError;
use data_encoding::BASE32_NOPAD;
use domain::account::CeremonyPurpose;
use domain::security::SecurityEventKind;
use domain::sign_in::GuessKind;
use domain::{Actor, FieldError, PersonId};
use serde_json::{Value, json};
use service::Problem;

use crate::events;
use crate::refusal::Refusal;
use crate::sealing::Holder;
use crate::state::State;
use crate::token::sha256;
use crate::totp::TotpSecret;
use crate::{passkeys, visit};

/// Random bytes of a recovery code: 120 bits.
const RECOVERY_BYTES: usize = 15;

/// Characters of a group of a recovery code, as it is shown.
const RECOVERY_GROUP: usize = 6;

/// Recovery codes one person has.
const RECOVERY_CODES: usize = 10;

/// What somebody gives to prove who they are.
pub(crate) enum Given {
    /// A code of an authenticator.
    Code(String),
    /// A recovery code.
    RecoveryCode(String),
    /// A browser's answer to a passkey's ceremony.
    Passkey(Value),
}

impl Given {
    /// Takes the one that is there.
    pub(crate) fn parse(form: GiveFactor) -> Result<Self, Problem> {
        match (form.code, form.recovery_code, form.passkey) {
            (Some(code), None, None) => Ok(Self::Code(code)),
            (None, Some(code), None) => Ok(Self::RecoveryCode(code)),
            (None, None, Some(answer)) => Ok(Self::Passkey(answer)),
            _ => Err(one_of("give one of code, recovery_code and passkey")),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Code(_) => "totp",
            Self::RecoveryCode(_) => "recovery",
            Self::Passkey(_) => "passkey",
        }
    }
}

/// The answer to a form that must say exactly one thing.
pub(crate) fn one_of(words: &'static str) -> Problem {
    app::Error::from(AccountError::InvalidAccount(vec![FieldError::new("", words)])).into()
}

/// Checks a code of an authenticator, or a recovery code, on behalf of whoever signs in with a handset.
pub(crate) async fn check_code(state: &State, actor: &Actor, code: &str) -> Result<(), Problem> {
    let is_totp = code.len() <= 8 && code.bytes().all(|byte| byte.is_ascii_digit());
    let given = if is_totp { Given::Code } else { Given::RecoveryCode };
    prove(state, actor, given(code.to_owned()), GuessKind::Factor).await
}

/// Checks a factor of the actor, counted as a guess of a kind. Who is right starts to count anew.
pub(crate) async fn prove(
    state: &State,
    actor: &Actor,
    given: Given,
    kind: GuessKind,
) -> Result<(), Problem> {
    let person = visit::person(actor)?;
    take_guess(state, person, kind).await?;
    let name = given.name();
    let is_right = match given {
        Given::Code(code) => code_is_right(state, actor, &code).await?,
        Given::RecoveryCode(code) => recovery_code_is_right(state, actor, &code).await?,
        Given::Passkey(answer) => {
            let purpose = purpose(kind);
            passkeys::prove(state, actor, purpose, answer, state.clock.now()).await?
        }
    };
    if !is_right {
        return refuse(state, actor, name).await;
    }
    state.ask(app::guess::forget(&state.store, kind, &person.to_string())).await
}

fn purpose(kind: GuessKind) -> CeremonyPurpose {
    if kind == GuessKind::StepUp { CeremonyPurpose::StepUp } else { CeremonyPurpose::SignIn }
}

/// Counts a guess of a person.
pub(crate) async fn take_guess(state: &State, person: PersonId, kind: GuessKind) -> Result<(), Problem> {
    take_guess_at(state, &person.to_string(), kind).await
}

/// Counts a guess at what has a counter of its own.
pub(crate) async fn take_guess_at(state: &State, subject: &str, kind: GuessKind) -> Result<(), Problem> {
    let limit = state.accounts.limit(state.accounts.guesses_max);
    state.ask(app::guess::take(&state.store, kind, subject, limit)).await
}

/// Notes a wrong proof and refuses it.
pub(crate) async fn refuse<T>(state: &State, actor: &Actor, factor: &'static str) -> Result<T, Problem> {
    let mut event = visit::event(state, actor, SecurityEventKind::FactorFailed);
    event.detail = json!({ "factor": factor });
    events::tell(state, Some(actor.client_id), event).await;
    Err(app::Error::from(AccountError::FactorRefused).into())
}

async fn code_is_right(state: &State, actor: &Actor, code: &str) -> Result<bool, Problem> {
    let kept = state.ask(app::factor::totp(&state.store, actor)).await?;
    let Some(kept) = kept.filter(|totp| totp.is_confirmed) else { return Ok(false) };
    let secret = open(state, actor, &kept.key_name, &kept.sealed)?;
    match secret.step_of(code, state.clock.now()) {
        Some(step) => state.ask(app::factor::take_totp_step(&state.store, actor, step)).await,
        None => Ok(false),
    }
}

/// Opens the sealed secret of the actor's authenticator.
pub(crate) fn open(
    state: &State,
    actor: &Actor,
    key_name: &str,
    sealed: &[u8],
) -> Result<TotpSecret, Problem> {
    let holder = Holder::of(actor).ok_or_else(Problem::sign_in_required)?;
    let opened = state.sealer.open(holder, key_name, sealed).map_err(Refusal::Broken)?;
    Ok(TotpSecret::from_bytes(opened))
}

async fn recovery_code_is_right(state: &State, actor: &Actor, code: &str) -> Result<bool, Problem> {
    let Some(hash) = recovery_hash(code) else { return Ok(false) };
    let used = app::factor::use_recovery_code(&state.store, actor, &hash, state.clock.now());
    let was_good = state.ask(used).await?;
    if was_good {
        let event = visit::event(state, actor, SecurityEventKind::RecoveryCodeUsed);
        events::tell(state, Some(actor.client_id), event).await;
    }
    Ok(was_good)
}

/// New recovery codes as they are shown, and the hashes that are kept.
pub(crate) fn new_recovery_codes() -> anyhow::Result<(Vec<String>, Vec<[u8; 32]>)> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0; RECOVERY_BYTES];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_failed| anyhow::anyhow!("the random number generator failed"))?;
        let text = BASE32_NOPAD.encode(&bytes).to_lowercase();
        let groups: Vec<&str> = text
            .as_bytes()
            .chunks(RECOVERY_GROUP)
            .filter_map(|group| std::str::from_utf8(group).ok())
            .collect();
        codes.push((groups.join("-"), sha256(&bytes)));
    }
    Ok(codes.into_iter().unzip())
}

/// The hash of a recovery code as somebody types it: in any case, with any dashes and spaces.
fn recovery_hash(typed: &str) -> Option<[u8; 32]> {
    let letters: String = typed
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-')
        .map(|letter| letter.to_ascii_uppercase())
        .take(2 * RECOVERY_BYTES)
        .collect();
    let bytes = BASE32_NOPAD.decode(letters.as_bytes()).ok()?;
    (bytes.len() == RECOVERY_BYTES).then(|| sha256(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let (codes, hashes) = new_recovery_codes().unwrap();
        assert_eq!((codes.len(), hashes.len()), (10, 10));
        for (code, hash) in codes.iter().zip(&hashes) {
            assert_eq!(code.len(), 27, "four groups of six: {code}");
            assert_eq!(recovery_hash(code).as_ref(), Some(hash));
            assert_eq!(
                recovery_hash(&format!(" {} ", code.to_uppercase().replace('-', " "))).as_ref(),
                Some(hash)
            );
        }
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), 10);
    }

    #[test]
    fn other_texts_are_no_recovery_codes() {
        for text in ["", "abcdef", "abcdef-abcdef-abcdef-abcde1", "ääääää", &"a".repeat(100_000)] {
            assert_eq!(recovery_hash(text), None);
        }
    }

    #[test]
    fn exactly_one_factor_is_given() {
        let code = || Some("123456".to_owned());
        assert!(Given::parse(GiveFactor::default()).is_err());
        assert!(Given::parse(GiveFactor { code: code(), recovery_code: code(), passkey: None }).is_err());
        assert!(Given::parse(GiveFactor { code: code(), ..GiveFactor::default() }).is_ok());
    }
}
