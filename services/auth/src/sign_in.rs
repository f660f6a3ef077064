//! `POST /api/v1/session`: from a login name and a password to a session, or to a step that owes a second factor.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use api::headers;
use api::session::{FactorOwed, Session, SignIn};
use app::sign_in::{Attempt, Credential, DeviceMark, LiveSession, NewSession, NewStep, Owed};
use domain::account::SecondFactor;
use domain::security::SecurityEventKind;
use domain::sign_in::LoginName;
use domain::{ClientId, FieldError, Secret};
use service::extract::Json;
use service::{Caller, ClientAddress, Problem};

use crate::passwords::Verdict;
use crate::refusal::Refusal;
use crate::state::State;
use crate::token::SessionToken;
use crate::visit::{self, Origin};
use crate::{cookie, events};

/// Characters a password may have: hashing costs grow with its length.
pub(crate) const PASSWORD_CHARACTERS_MAX: usize = 128;

/// Signs somebody in, or says which second factor is owed. A session the caller came with ends with a new one.
pub(crate) async fn sign_in(
    address: ClientAddress,
    before: Option<Caller>,
    request: HttpRequest,
    body: Json<SignIn>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let form = Form::parse(body.into_inner())?;
    let origin = Origin::of(&request, address);
    let next = form.remember.then(SessionToken::generate).transpose().map_err(Refusal::Broken)?;
    let browser = Browser::of(&request, next, state.accounts.known_device());
    match admit(&state, form, &origin, browser).await? {
        Admitted::In(opened) => opened.answer(&state, before.as_ref(), &origin).await,
        Admitted::Owes(token, owed) => {
            let cookie = cookie::give_step(&token, state.accounts.step());
            let cookie = cookie.map_err(|error| Refusal::Broken(error.into()))?;
            Ok(HttpResponse::Accepted()
                .insert_header((SET_COOKIE, cookie))
                .insert_header((CACHE_CONTROL, "no-store"))
                .json(FactorOwed { factors: owed.factors, expires_at: owed.expires_at }))
        }
    }
}

/// How far a right password leads.
enum Admitted {
    /// In.
    In(Box<Opened>),
    /// To a step that owes a factor.
    Owes(SessionToken, Owed),
}

/// The order that holds: count the attempt, find whose login it is, compare, then open a session or a step. Nobody reaches a
/// comparison without a counted attempt, and whatever cannot be asked on the way lets nobody in. A password changed while
/// the old one was compared lets nobody in either.
async fn admit(state: &State, form: Form, from: &Origin, browser: Browser) -> Result<Admitted, Problem> {
    let (store, login) = (&state.store, &form.login);
    let known = browser.mark.known.as_ref();
    let attempt = app::sign_in::reserve_from(store, login, from.address, known, &state.limit);
    let attempt = state.ask(attempt).await?;
    let credential = state.ask(app::sign_in::find_credential(store, login)).await?;
    let client = credential.as_ref().map(|credential| credential.client_id);
    let compared = match compare(state, credential, form.password).await {
        Ok(compared) => compared,
        Err(refusal) => {
            // Nothing was compared: whoever waited in vain keeps their attempts.
            state.ask(app::sign_in::abandon(store, attempt)).await?;
            return Err(refusal.into());
        }
    };
    let admitted = match compared {
        Some((credential, new_hash)) if credential.owes_factor() => {
            begin_step(state, attempt, &credential, (new_hash, form.remember), from).await?
        }
        Some((credential, new_hash)) => {
            let now = state.clock.now();
            let new = new_session(state, from, &browser, new_hash)?;
            let opened = app::sign_in::open_session(store, attempt, &credential, &new.row, now);
            let live = state.ask(opened).await?;
            live.map(|live| Admitted::In(Box::new(Opened { token: new.token, live, browser })))
        }
        None => None,
    };
    match admitted {
        Some(admitted) => Ok(admitted),
        None => refuse(state, attempt, client, (login, from)).await,
    }
}

async fn begin_step(
    state: &State,
    attempt: Attempt,
    credential: &Credential,
    (new_hash, remember): (Option<String>, bool),
    from: &Origin,
) -> Result<Option<Admitted>, Problem> {
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let new = NewStep {
        token_hash: token.hash(),
        remember,
        lifetime: state.accounts.step(),
        new_hash,
        correlation_id: from.correlation_id,
    };
    let now = state.clock.now();
    let begun = app::sign_in::begin_step(&state.store, attempt, credential, &new, now);
    Ok(state.ask(begun).await?.map(|mut owed| {
        if !state.passkeys.are_offered() {
            owed.factors.retain(|factor| *factor != SecondFactor::Passkey);
        }
        Admitted::Owes(token, owed)
    }))
}

/// Leaves an attempt counted and says what whoever may not sign in reads, whatever the reason.
async fn refuse<T>(
    state: &State,
    attempt: Attempt,
    client: Option<ClientId>,
    (login, from): (&LoginName, &Origin),
) -> Result<T, Problem> {
    state.ask(app::sign_in::record_failure(&state.store, attempt)).await?;
    let kind = SecurityEventKind::SignInFailed;
    let mut event = app::security::NewSecurityEvent::new(kind, state.clock.now(), from.correlation_id);
    event.login = Some(login.as_str().to_owned());
    event.address = Some(from.address);
    events::tell(state, client, event).await;
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

/// A browser, and how it is known.
pub(crate) struct Browser {
    mark: DeviceMark,
    next: Option<SessionToken>,
}

impl Browser {
    /// Reads the token it came with; `next` is the one it is to be known by, if it is.
    pub(crate) fn of(request: &HttpRequest, next: Option<SessionToken>, lifetime: Duration) -> Self {
        let known = visit::token_in(request, headers::DEVICE).map(|token| token.hash());
        let mark = DeviceMark { known, next: next.as_ref().map(SessionToken::hash), lifetime };
        Self { mark, next }
    }
}

/// A session to be opened, and the token its bearer gets.
pub(crate) struct Fresh {
    pub(crate) row: NewSession,
    pub(crate) token: SessionToken,
}

/// What a session is opened with.
pub(crate) fn new_session(
    state: &State,
    from: &Origin,
    browser: &Browser,
    new_hash: Option<String>,
) -> Result<Fresh, Refusal> {
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let row = NewSession {
        token_hash: token.hash(),
        idle: state.sessions.idle(),
        absolute: state.sessions.absolute(),
        user_agent: from.user_agent.clone(),
        address: from.address,
        new_hash,
        device: browser.mark,
        correlation_id: from.correlation_id,
    };
    Ok(Fresh { row, token })
}

/// A session that was opened.
pub(crate) struct Opened {
    pub(crate) token: SessionToken,
    pub(crate) live: LiveSession,
    pub(crate) browser: Browser,
}

impl Opened {
    /// Ends the session the caller came with, notes the new one, and gives its cookies.
    pub(crate) async fn answer(
        self,
        state: &State,
        before: Option<&Caller>,
        from: &Origin,
    ) -> Result<HttpResponse, Problem> {
        if let Some(before) = before {
            let home = visit::at_home(before);
            state.ask(app::sign_in::sign_out(&state.store, &home, before.identity.session_id)).await?;
        }
        let kind = SecurityEventKind::SignInSucceeded;
        let mut event = app::security::NewSecurityEvent::new(kind, state.clock.now(), from.correlation_id);
        event.person_id = Some(self.live.person_id);
        event.session_id = Some(self.live.session_id);
        event.address = Some(from.address);
        events::tell(state, Some(self.live.home_client_id), event).await;
        let broken = |error: actix_web::http::header::InvalidHeaderValue| Refusal::Broken(error.into());
        let mut answer = HttpResponse::Created();
        answer.append_header((SET_COOKIE, cookie::give(&self.token).map_err(broken)?));
        if let Some(next) = &self.browser.next {
            let lifetime = state.accounts.known_device();
            answer.append_header((SET_COOKIE, cookie::give_device(next, lifetime).map_err(broken)?));
        }
        if self.live.factors > 1 {
            answer.append_header((SET_COOKIE, cookie::take_step().map_err(broken)?));
        }
        Ok(answer.insert_header((CACHE_CONTROL, "no-store")).json(shown(self.live)))
    }
}

/// What was typed, in the shape it can be right in.
struct Form {
    login: LoginName,
    password: Secret,
    remember: bool,
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
            Some(login) if mistakes.is_empty() => {
                Ok(Self { login, password: Secret::new(typed.password), remember: typed.remember })
            }
            Some(_) | None => Err(Refusal::Form(mistakes)),
        }
    }
}

fn shown(session: LiveSession) -> Session {
    Session {
        session_id: session.session_id,
        person_name: session.person_name,
        client_name: session.client_name,
        capabilities: session.capabilities.into_iter().collect(),
        kind: session.kind,
        factors: u8::try_from(session.factors).unwrap_or(1),
        owes_factor: session.owes_factor,
        elevation_id: session.elevation_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(login: &str, password: &str) -> Vec<String> {
        match Form::parse(SignIn { login: login.to_owned(), password: password.to_owned(), remember: false })
        {
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
