//! What an MQTT broker asks: whether an account may sign in, and what it may do with a topic.
//!
//! Two ways of asking, one set of rules (`domain::broker`): the HTTP back end of mosquitto-go-auth, which reads the status,
//! and EMQX, which reads the body. Nobody is a superuser.

mod question;

use actix_web::HttpResponse;
use actix_web::web::Data;
use api::broker::{EmqxAccess, EmqxAnswer, EmqxLogin, MosquittoAccess, MosquittoAnswer, MosquittoUser};
use app::broker::NoteLimit;
use domain::ClientId;
use domain::broker::{Access, Account, may};
use service::Problem;
use service::extract::Json;

use crate::broker::question::{Broker, Question};
use crate::broker_password::BrokerHash;
use crate::refusal::Refusal;
use crate::state::State;
use crate::telemetry::BROKER_ANSWERS;

/// The account of the bridge.
const BRIDGE: &str = "bridge";

/// The account of the health service.
const HEALTH: &str = "health";

/// Bytes the name of an account may have.
const NAME_BYTES_MAX: usize = 101;

/// Bytes of a password that is compared; longer ones are nobody's.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Bytes of a topic (MQTT allows no more).
const TOPIC_BYTES_MAX: usize = 65_535;

/// Whether an account may sign in: 200, or 403.
pub(crate) async fn mosquitto_user(
    _broker: Broker,
    question: Question<MosquittoUser>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let Question(user) = question;
    let login = Login { username: &user.username, password: &user.password, client_id: &user.clientid };
    mosquitto_answer(lets_in(&state, &login).await?)
}

/// Nobody is a superuser: 403.
pub(crate) async fn mosquitto_superuser(_broker: Broker) -> Result<HttpResponse, Problem> {
    mosquitto_answer(Verdict::Deny)
}

/// Whether an account may do something with a topic: 200, or 403.
pub(crate) async fn mosquitto_access(
    _broker: Broker,
    question: Question<MosquittoAccess>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let Question(wanted) = question;
    let accesses: &[Access] = match wanted.acc {
        1 => &[Access::Read],
        2 => &[Access::Write],
        3 => &[Access::Read, Access::Write],
        4 => &[Access::Subscribe],
        _ => &[],
    };
    mosquitto_answer(allows(&state, &wanted.username, accesses, &wanted.topic).await?)
}

/// Whether an account may sign in, as EMQX reads it.
pub(crate) async fn emqx_login(
    _broker: Broker,
    body: Json<EmqxLogin>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let login = Login { username: &body.username, password: &body.password, client_id: &body.clientid };
    Ok(emqx_answer(lets_in(&state, &login).await?))
}

/// Whether an account may do something with a topic, as EMQX reads it.
pub(crate) async fn emqx_access(
    _broker: Broker,
    body: Json<EmqxAccess>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let accesses: &[Access] = match body.action.as_str() {
        "publish" => &[Access::Write],
        "subscribe" => &[Access::Subscribe],
        _ => &[],
    };
    Ok(emqx_answer(allows(&state, &body.username, accesses, &body.topic).await?))
}

/// What a broker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Let in, or pass on.
    Allow,
    /// Neither.
    Deny,
}

/// Who wants to sign in.
struct Login<'a> {
    username: &'a str,
    password: &'a str,
    client_id: &'a str,
}

/// An account that exists.
struct Known {
    account: Account,
    /// Absent when the kept text is no hash that can be compared.
    hash: Option<BrokerHash>,
    /// The client, of a device's account.
    client_id: Option<ClientId>,
}

/// Finds an account: of our own processes by the settings, of a device in the database.
async fn find(state: &State, username: &str) -> Result<Option<Known>, Problem> {
    let ours = |account: Account, hash: &str| {
        BrokerHash::parse(hash).map(|hash| Known { account, hash: Some(hash), client_id: None })
    };
    match username {
        BRIDGE => Ok(ours(Account::Bridge, state.broker.bridge_password_hash.expose())),
        HEALTH => Ok(ours(Account::Health, state.broker.health_password_hash.expose())),
        _ if username.is_empty() || username.len() > NAME_BYTES_MAX || username.contains('\0') => Ok(None),
        _ => {
            let found = state.ask(app::broker::find(&state.store, username)).await?;
            Ok(found.map(|found| Known {
                hash: BrokerHash::parse(&found.password_hash),
                client_id: Some(found.client_id),
                account: Account::Device { client: found.client_code, device: found.device_code },
            }))
        }
    }
}

/// Whether an account may sign in. A stranger takes as long as a friend.
async fn lets_in(state: &State, login: &Login<'_>) -> Result<Verdict, Problem> {
    let known = find(state, login.username).await?;
    let refusal = match &known {
        _ if login.password.len() > PASSWORD_BYTES_MAX => Some("password"),
        None => {
            BrokerHash::compare_with_nobody(login.password);
            Some("unknown")
        }
        Some(known) if !is_password_of(known, login.password) => Some("password"),
        Some(known) if !may_be_called(state, known, login) => Some("client id"),
        Some(_) => None,
    };
    let Some(reason) = refusal else { return Ok(Verdict::Allow) };
    note(state, known.and_then(|known| known.client_id), login.username, reason).await?;
    Ok(Verdict::Deny)
}

fn is_password_of(known: &Known, password: &str) -> bool {
    known.hash.as_ref().is_some_and(|hash| hash.is_of(password))
}

/// Whether a connection may be called so. Two connections of one name end each other, so a device's is called as its account
/// is, or begins so, with a `:` behind it that no account has.
fn may_be_called(state: &State, known: &Known, login: &Login<'_>) -> bool {
    let is_device = matches!(known.account, Account::Device { .. });
    let is_own = |name: &str| name.is_empty() || name.starts_with(':');
    !state.broker.own_client_ids
        || !is_device
        || login.client_id.is_empty()
        || login.client_id.strip_prefix(login.username).is_some_and(is_own)
}

/// Whether an account may do everything that is wanted with a topic; nothing wanted is refused.
async fn allows(state: &State, username: &str, accesses: &[Access], topic: &str) -> Result<Verdict, Problem> {
    let Some(known) = find(state, username).await? else { return Ok(Verdict::Deny) };
    let is_allowed = !accesses.is_empty()
        && topic.len() <= TOPIC_BYTES_MAX
        && accesses.iter().all(|access| may(&known.account, *access, topic));
    if is_allowed {
        return Ok(Verdict::Allow);
    }
    note(state, known.client_id, username, "topic").await?;
    Ok(Verdict::Deny)
}

async fn note(
    state: &State,
    client: Option<ClientId>,
    username: &str,
    reason: &'static str,
) -> Result<(), Problem> {
    let limit = NoteLimit {
        notes_max: i32::from(state.broker.refusals_noted_max),
        window: std::time::Duration::from_secs(u64::from(state.broker.refusal_window_seconds)),
    };
    let now = state.clock.now();
    state.ask(app::broker::note_refusal(&state.store, (client, username), reason, limit, now)).await
}

fn mosquitto_answer(verdict: Verdict) -> Result<HttpResponse, Problem> {
    count(verdict);
    match verdict {
        Verdict::Allow => Ok(HttpResponse::Ok().json(MosquittoAnswer::ALLOWED)),
        Verdict::Deny => Err(Refusal::BrokerAccount.into()),
    }
}

fn emqx_answer(verdict: Verdict) -> HttpResponse {
    count(verdict);
    HttpResponse::Ok().json(match verdict {
        Verdict::Allow => EmqxAnswer::Allow,
        Verdict::Deny => EmqxAnswer::Deny,
    })
}

fn count(verdict: Verdict) {
    let outcome = match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
    };
    metrics::counter!(BROKER_ANSWERS, "outcome" => outcome).increment(1);
}
