//! Who comes, from where, and with which tokens beside the session's.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use app::security::NewSecurityEvent;
use domain::security::SecurityEventKind;
use domain::{Actor, CorrelationId, PersonId};
use service::{Caller, ClientAddress, Problem};

use crate::state::State;
use crate::token::SessionToken;

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// The browser's words about itself.
    pub(crate) user_agent: String,
    /// The request.
    pub(crate) correlation_id: CorrelationId,
}

impl Origin {
    /// Reads it off a request.
    pub(crate) fn of(request: &HttpRequest, ClientAddress(address): ClientAddress) -> Self {
        let correlation_id = service::correlation_id(request);
        Self { address, user_agent: user_agent(request.headers()), correlation_id }
    }

    /// What is counted for an address: an IPv6 /64 counts as one.
    pub(crate) fn network(&self) -> String {
        match self.address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

/// The browser's words about itself; bytes that are no text are not kept.
fn user_agent(headers: &HeaderMap) -> String {
    let given = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    given.map_or_else(String::new, str::to_owned)
}

/// The token a header carries, if it can be one.
pub(crate) fn token_in(request: &HttpRequest, header: &str) -> Option<SessionToken> {
    let value = request.headers().get(header)?;
    SessionToken::parse(value.to_str().ok()?)
}

/// The person an actor is.
pub(crate) fn person(actor: &Actor) -> Result<PersonId, Problem> {
    actor.person_id.ok_or_else(Problem::sign_in_required)
}

/// Whoever calls, in their own client: also while they look into another one.
pub(crate) fn at_home(caller: &Caller) -> Actor {
    let client_id = caller.identity.home_client_id.unwrap_or(caller.actor.client_id);
    Actor { client_id, ..caller.actor.clone() }
}

/// An event of an actor, at this moment.
pub(crate) fn event(state: &State, actor: &Actor, kind: SecurityEventKind) -> NewSecurityEvent {
    NewSecurityEvent {
        person_id: actor.person_id,
        ..NewSecurityEvent::new(kind, state.clock.now(), actor.correlation_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one() {
        let network = |address: &str| {
            let origin = Origin {
                address: address.parse().unwrap(),
                user_agent: String::new(),
                correlation_id: CorrelationId::generate(),
            };
            origin.network()
        };
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
