//! `/api/v1/tokens`: handsets sign in, get their next tokens, and leave.

use std::collections::BTreeSet;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use api::token::{HandsetUser, IssueTokens, RefreshTokens, Tokens};
use app::AccountError;
use app::security::NewSecurityEvent;
use app::sign_in::{Credential, LiveSession};
use app::token::{NewTokens, Origin, PresentedHandset, PresentedToken, TokenPair};
use domain::account::{DeviceKey, Imei};
use domain::security::SecurityEventKind;
use domain::sign_in::LoginName;
use domain::text::{Code, InvalidText};
use domain::{Actor, Fault as _, FieldError, Secret, SiteScope};
use jiff::Timestamp;
use service::extract::Json;
use service::{Caller, ClientAddress, Problem};

use crate::events::tell;
use crate::passwords::Verdict;
use crate::refusal::Refusal;
use crate::sign_in::PASSWORD_CHARACTERS_MAX;
use crate::state::State;
use crate::telemetry::REFRESHES;
use crate::token::SessionToken;
use crate::{factors, visit};

/// What a refresh token begins with, so that whoever finds one knows what it is.
const REFRESH_PREFIX: &str = "yr_";

/// Characters the make of a handset may have.
const MODEL_CHARACTERS_MAX: usize = 200;

/// Signs a handset in: the password as at any sign-in, then the client's code, then a second factor for who has one, then
/// whether this handset may.
pub(crate) async fn issue_tokens(
    address: ClientAddress,
    request: HttpRequest,
    body: Json<IssueTokens>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let form = Form::parse(body.into_inner())?;
    let origin = origin_of(&request, address);
    let (credential, new_password_hash) = prove(&state, &form, &origin).await?;
    let factors = prove_factor(&state, &form, &credential, &origin).await?;
    let (pair, texts) = new_pair()?;
    let new = NewTokens { handset: form.handset, pair, factors, new_password_hash, origin };
    let (lifetimes, now) = (state.tokens.lifetimes(), state.clock.now());
    let issued = app::token::issue(&state.store, &credential, &new, &lifetimes, now);
    let session = match tokio::time::timeout(state.database_answer, issued).await {
        Ok(Ok(Some(session))) => session,
        Ok(Ok(None)) => return Err(Refusal::Credentials.into()),
        Ok(Err(refused)) => {
            tell_refused(&state, &credential, &new.origin, &refused).await;
            return Err(refused.into());
        }
        Err(_elapsed) => return Err(Refusal::Unanswered.into()),
    };
    let refresh_until = now.saturating_add(lifetimes.refresh.min(lifetimes.session));
    let refresh_until = refresh_until.unwrap_or(Timestamp::MAX);
    let tokens = shown(&state, texts, refresh_until, Some(session));
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(tokens))
}

/// Gives a handset its next tokens.
pub(crate) async fn refresh_tokens(
    address: ClientAddress,
    request: HttpRequest,
    body: Json<RefreshTokens>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let outcome = refresh(&state, origin_of(&request, address), &body).await;
    let label = if outcome.is_ok() { "rotated" } else { "refused" };
    metrics::counter!(REFRESHES, "outcome" => label).increment(1);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(outcome?))
}

async fn refresh(state: &State, origin: Origin, body: &RefreshTokens) -> Result<Tokens, Problem> {
    let refused = || app::Error::from(AccountError::RefreshRefused);
    let token = body.refresh_token.strip_prefix(REFRESH_PREFIX).and_then(SessionToken::parse);
    let (Some(token), Ok(device_key)) = (token, DeviceKey::parse(&body.device_id)) else {
        return Err(refused().into());
    };
    let presented = PresentedToken { hash: token.hash(), device_key, origin };
    let (pair, texts) = new_pair()?;
    let (lifetimes, now) = (state.tokens.lifetimes(), state.clock.now());
    let until = app::token::refresh(&state.store, &presented, &pair, &lifetimes, now);
    let until = state.ask(until).await?;
    Ok(shown(state, texts, until, None))
}

/// Ends the session a handset came with and releases the handset.
pub(crate) async fn release_tokens(
    caller: Caller,
    address: Option<ClientAddress>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (session, address) = (caller.identity.session_id, address.map(|ClientAddress(address)| address));
    let now = state.clock.now();
    let actor = visit::at_home(&caller);
    state.ask(app::token::release(&state.store, &actor, session, address, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The credential whose password and client were given, and the hash to keep from here on. Counted as every attempt to sign
/// in is; a wrong client reads as a wrong password, and takes as long.
async fn prove(state: &State, form: &Form, origin: &Origin) -> Result<(Credential, Option<String>), Problem> {
    let store = &state.store;
    let attempt = state.ask(app::sign_in::reserve(store, &form.login, origin.address, &state.limit)).await?;
    let credential = state.ask(app::sign_in::find_credential(store, &form.login)).await?;
    let client = credential.as_ref().map(|credential| credential.client_id);
    let hash = credential.as_ref().map(|credential| credential.password_hash.clone());
    let verdict = match state.passwords.verify(hash, form.password.clone()).await {
        Ok(verdict) => verdict,
        Err(refusal) => {
            state.ask(app::sign_in::abandon(store, attempt)).await?;
            return Err(refusal.into());
        }
    };
    if let (Verdict::Right { new_hash }, Some(credential)) = (verdict, credential) {
        let is_theirs =
            app::token::is_of_client(store, &credential, &form.client_code, origin.correlation_id);
        if state.ask(is_theirs).await? {
            state.ask(app::sign_in::record_success(store, attempt)).await?;
            return Ok((credential, new_hash));
        }
    }
    state.ask(app::sign_in::record_failure(store, attempt)).await?;
    let mut event = event_of(SecurityEventKind::SignInFailed, origin, state.clock.now());
    event.login = Some(form.login.as_str().to_owned());
    tell(state, client, event).await;
    Err(Refusal::Credentials.into())
}

/// How many factors are proven. Whoever has a second one, or must have one, gives its code along with the password.
async fn prove_factor(
    state: &State,
    form: &Form,
    credential: &Credential,
    origin: &Origin,
) -> Result<i16, Problem> {
    match &form.code {
        Some(code) if credential.owes_factor() => {
            let actor = Actor {
                client_id: credential.client_id,
                person_id: Some(credential.person_id),
                capabilities: BTreeSet::new(),
                sites: SiteScope::Only(BTreeSet::new()),
                correlation_id: origin.correlation_id,
            };
            factors::check_code(state, &actor, code).await?;
            Ok(2)
        }
        _ if credential.owes_factor() || credential.second_factor_required => {
            Err(app::Error::from(AccountError::SecondFactorOwed).into())
        }
        _ => Ok(1),
    }
}

/// Notes a handset that was turned away although the password was right.
async fn tell_refused(state: &State, credential: &Credential, origin: &Origin, refused: &app::Error) {
    if let app::Error::Account(_) | app::Error::Forbidden(_) = refused {
        let mut event = event_of(SecurityEventKind::HandsetRefused, origin, state.clock.now());
        event.person_id = Some(credential.person_id);
        event.detail = serde_json::json!({ "reason": refused.code() });
        tell(state, Some(credential.client_id), event).await;
    }
}

/// The texts of two new tokens.
struct Texts {
    access: String,
    refresh: String,
}

fn new_pair() -> Result<(TokenPair, Texts), Refusal> {
    let access = SessionToken::generate().map_err(Refusal::Broken)?;
    let refresh = SessionToken::generate().map_err(Refusal::Broken)?;
    let pair = TokenPair { access_hash: access.hash(), refresh_hash: refresh.hash() };
    let refresh = format!("{REFRESH_PREFIX}{}", refresh.text());
    Ok((pair, Texts { access: access.text(), refresh }))
}

fn shown(state: &State, texts: Texts, refresh_until: Timestamp, session: Option<LiveSession>) -> Tokens {
    let left = refresh_until.as_second().saturating_sub(state.clock.now().as_second());
    Tokens {
        access_token: texts.access,
        expires_in: state.tokens.access_seconds,
        refresh_token: texts.refresh,
        refresh_expires_in: u64::try_from(left).unwrap_or(0),
        user: session.map(|session| HandsetUser {
            id: session.person_id,
            name: session.person_name,
            client_name: session.client_name,
            time_zone: session.time_zone,
            capabilities: session.capabilities.into_iter().collect(),
            sites: session.sites.map(|sites| sites.into_iter().collect()),
        }),
    }
}

fn origin_of(request: &HttpRequest, address: ClientAddress) -> Origin {
    let visit::Origin { address, user_agent, correlation_id } = visit::Origin::of(request, address);
    Origin { address, user_agent, correlation_id }
}

fn event_of(kind: SecurityEventKind, origin: &Origin, now: Timestamp) -> NewSecurityEvent {
    let mut event = NewSecurityEvent::new(kind, now, origin.correlation_id);
    event.address = Some(origin.address);
    event
}

/// What a handset sent, in the shape it can be right in.
struct Form {
    client_code: Code,
    login: LoginName,
    password: Secret,
    handset: PresentedHandset,
    code: Option<String>,
}

impl Form {
    fn parse(sent: IssueTokens) -> Result<Self, Refusal> {
        let mut mistakes = Vec::new();
        let client_code = keep(&mut mistakes, "/client_code", Code::parse(&sent.client_code));
        let login = keep(&mut mistakes, "/login", LoginName::parse(&sent.login));
        let device_key = keep(&mut mistakes, "/device_id", DeviceKey::parse(&sent.device_id));
        let imei = sent.imei.as_deref().and_then(|imei| keep(&mut mistakes, "/imei", Imei::parse(imei)));
        if sent.password.is_empty() || sent.password.chars().count() > PASSWORD_CHARACTERS_MAX {
            mistakes.push(FieldError::new("/password", "use 1 to 128 characters"));
        }
        let model = sent.model.unwrap_or_default();
        if model.chars().count() > MODEL_CHARACTERS_MAX || model.chars().any(char::is_control) {
            mistakes.push(FieldError::new("/model", "use at most 200 characters of one line"));
        }
        match (client_code, login, device_key) {
            (Some(client_code), Some(login), Some(device_key)) if mistakes.is_empty() => Ok(Self {
                client_code,
                login,
                password: Secret::new(sent.password),
                handset: PresentedHandset { device_key, imei, model },
                code: sent.code,
            }),
            _ => Err(Refusal::Form(mistakes)),
        }
    }
}

fn keep<T>(mistakes: &mut Vec<FieldError>, pointer: &str, parsed: Result<T, InvalidText>) -> Option<T> {
    parsed.map_err(|invalid| mistakes.push(FieldError::new(pointer, invalid.to_string()))).ok()
}
