//! `POST /api/v1/session`: from a login name and a password to a session.

use std::net::IpAddr;

use actix_web::http::header::{CACHE_CONTROL, HeaderMap, SET_COOKIE, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use api::session::{Session, SignIn};
use app::sign_in::{Attempt, Credential, LiveSession, NewSession};
use domain::sign_in::LoginName;
use domain::{CorrelationId, FieldError, Secret};
use service::extract::Json;
use service::{Caller, ClientAddress, Problem};

use crate::cookie;
use crate::passwords::Verdict;
use crate::refusal::Refusal;
use crate::state::State;
use crate::token::SessionToken;

/// Characters a password may have: hashing costs grow with its length.
const PASSWORD_CHARACTERS_MAX: usize = 128;

/// Signs somebody in. A session the caller came with ends.
pub(crate) async fn sign_in(
    address: ClientAddress,
    before: Option<Caller>,
    request: HttpRequest,
    body: Json<SignIn>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let form = Form::parse(body.into_inner())?;
    let (token, session) = admit(&state, form, Origin::of(&request, address)).await?;
    if let Some(before) = before {
        state.ask(app::sign_in::sign_out(&state.store, &before.actor, before.identity.session_id)).await?;
    }
    let cookie = cookie::give(&token).map_err(|error| Refusal::Broken(error.into()))?;
    Ok(HttpResponse::Created()
        .insert_header((SET_COOKIE, cookie))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(shown(session)))
}

/// The order that holds: count the attempt, find whose login it is, compare, then open a session. Nobody reaches a
/// comparison without a counted attempt, and whatever cannot be asked on the way lets nobody in. A password changed while
/// the old one was compared lets nobody in either.
async fn admit(state: &State, form: Form, from: Origin) -> Result<(SessionToken, LiveSession), Problem> {
    let store = &state.store;
    let attempt = state.ask(app::sign_in::reserve(store, &form.login, from.address, &state.limit)).await?;
    let credential = state.ask(app::sign_in::find_credential(store, &form.login)).await?;
    let compared = match compare(state, credential, form.password).await {
        Ok(compared) => compared,
        Err(refusal) => {
            // Nothing was compared: whoever waited in vain keeps their attempts.
            state.ask(app::sign_in::abandon(store, attempt)).await?;
            return Err(refusal.into());
        }
    };
    let Some((credential, new_hash)) = compared else { return refuse(state, attempt).await };
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let new = NewSession {
        token_hash: token.hash(),
        idle: state.sessions.idle(),
        absolute: state.sessions.absolute(),
        user_agent: from.user_agent,
        address: from.address,
        new_hash,
        correlation_id: from.correlation_id,
    };
    let now = state.clock.now();
    match state.ask(app::sign_in::open_session(store, attempt, &credential, &new, now)).await? {
        Some(session) => Ok((token, session)),
        None => refuse(state, attempt).await,
    }
}

/// Leaves an attempt counted and says what whoever may not sign in reads, whatever the reason.
async fn refuse<T>(state: &State, attempt: Attempt) -> Result<T, Problem> {
    state.ask(app::sign_in::record_failure(&state.store, attempt)).await?;
    Err(Refusal::Credentials.into())
}

/// The credential whose password was given, and the hash to keep from here on; `None` when there is no such.
async fn compare(
    state: &State,
    credential: Option<Credential>,
    password: Secret,
) -> Result<Option<(Credential, Option<String>)>, Refusal> {
    let hash = credential.as_ref().map(|credential| credential.password_hash.clone());
    match state.passwords.verify(hash, password).await? {
        Verdict::Wrong => Ok(None),
        Verdict::Right { new_hash } => Ok(credential.map(|credential| (credential, new_hash))),
    }
}

/// What was typed, in the shape it can be right in.
struct Form {
    login: LoginName,
    password: Secret,
}

impl Form {
    fn parse(typed: SignIn) -> Result<Self, Refusal> {
        let mut mistakes = Vec::new();
        let login = LoginName::parse(&typed.login)
            .map_err(|invalid| mistakes.push(FieldError::new("/login", invalid.to_string())))
            .ok();
        if typed.password.is_empty() || typed.password.chars().count() > PASSWORD_CHARACTERS_MAX {
            mistakes.push(FieldError::new("/password", "use 1 to 128 characters"));
        }
        match login {
            Some(login) if mistakes.is_empty() => Ok(Self { login, password: Secret::new(typed.password) }),
            Some(_) | None => Err(Refusal::Form(mistakes)),
        }
    }
}

/// Where an attempt comes from.
struct Origin {
    address: IpAddr,
    user_agent: String,
    correlation_id: CorrelationId,
}

impl Origin {
    fn of(request: &HttpRequest, ClientAddress(address): ClientAddress) -> Self {
        let correlation_id = service::correlation_id(request);
        Self { address, user_agent: user_agent(request.headers()), correlation_id }
    }
}

/// The browser's words about itself; bytes that are no text are not kept.
fn user_agent(headers: &HeaderMap) -> String {
    let given = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    given.map_or_else(String::new, str::to_owned)
}

fn shown(session: LiveSession) -> Session {
    Session {
        session_id: session.session_id,
        person_name: session.person_name,
        client_name: session.client_name,
        capabilities: session.capabilities.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(login: &str, password: &str) -> Vec<String> {
        match Form::parse(SignIn { login: login.to_owned(), password: password.to_owned() }) {
            Err(Refusal::Form(fields)) => fields.into_iter().map(|field| field.pointer).collect(),
            _ => vec![],
        }
    }

    #[test]
    fn every_mistake_of_the_form_is_named() {
        assert_eq!(pointers("a b", ""), ["/login", "/password"]);
        assert_eq!(pointers("asha", &"x".repeat(129)), ["/password"]);
        assert_eq!(pointers("asha", &"ä".repeat(128)), Vec::<String>::new());
    }
}
