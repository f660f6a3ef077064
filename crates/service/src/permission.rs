//! The permission table: the addresses of a service and what each asks of who calls.
//!
//! A service builds its routes from its table and from nothing else, so that no handler runs whose address does not say
//! what it needs; the check stands before the handler. Use cases check again what they need.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest as _, HttpMessage as _, HttpResponse};
use api::Identity;
use domain::Capability;
use domain::account::SessionKind;

use crate::{Caller, Internal, Problem};

/// What a request must have before its handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Nothing: the address is for everybody.
    Nothing,
    /// The key of our own processes.
    InternalKey,
    /// The key of a broker, which the handler's extractor compares.
    BrokerKey,
    /// An identity in whatever manner: also with a key, also while looking into another client. To leave, and to see who
    /// one is.
    AnySignIn,
    /// A person at home, in a browser or with a handset: their own account, also for who owes a second factor.
    OwnAccount,
    /// The capability `WEB`: a page.
    Page,
    /// The capability `WEB` and another one: a page about something.
    PageFor(Capability),
    /// A capability: a call of a program.
    Call(Capability),
}

/// One address with one method.
#[derive(Debug)]
pub struct Route {
    method: Method,
    path: &'static str,
    needs: Needs,
    handler: fn() -> actix_web::Route,
}

impl Route {
    const fn new(
        method: Method,
        path: &'static str,
        needs: Needs,
        handler: fn() -> actix_web::Route,
    ) -> Self {
        Self { method, path, needs, handler }
    }

    /// Reads.
    pub const fn get(path: &'static str, needs: Needs, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::GET, path, needs, handler)
    }

    /// Does or makes something.
    pub const fn post(path: &'static str, needs: Needs, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::POST, path, needs, handler)
    }

    /// Sets something whole.
    pub const fn put(path: &'static str, needs: Needs, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::PUT, path, needs, handler)
    }

    /// Changes a part of something.
    pub const fn patch(path: &'static str, needs: Needs, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::PATCH, path, needs, handler)
    }

    /// Removes or ends something.
    pub const fn delete(path: &'static str, needs: Needs, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::DELETE, path, needs, handler)
    }

    /// The method, such as `GET`.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The path, with its parameters in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// What it needs.
    pub fn needs(&self) -> Needs {
        self.needs
    }
}

/// Every address of a service, and nothing beside.
#[derive(Clone, Copy, Debug)]
pub struct PermissionTable {
    /// In the order in which paths are tried.
    pub routes: &'static [Route],
    /// Where a page leads who owes a second factor.
    pub factor_page: Option<&'static str>,
}

impl PermissionTable {
    /// Registers every address, each behind the check of what it needs.
    pub fn configure(self, config: &mut ServiceConfig) {
        for (index, first) in self.routes.iter().enumerate() {
            let is_begun = self.routes.iter().take(index).any(|before| before.path == first.path);
            if is_begun {
                continue;
            }
            let same = self.routes.iter().filter(|route| route.path == first.path);
            config.service(
                same.fold(web::resource(first.path), |resource, route| resource.route(self.guarded(route))),
            );
        }
    }

    fn guarded(self, route: &Route) -> actix_web::Route {
        let (needs, factor_page) = (route.needs, self.factor_page);
        let check = from_fn(move |request, next| admit(needs, factor_page, request, next));
        (route.handler)().method(route.method.clone()).wrap(check)
    }
}

async fn admit(
    needs: Needs,
    factor_page: Option<&'static str>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match check(needs, &request) {
        Ok(()) => next.call(request).await,
        Err(refused) => Ok(match (refused, needs, factor_page) {
            (Refused::FactorOwed, Needs::Page | Needs::PageFor(_), Some(page)) => {
                request.into_response(lead_to(page))
            }
            (refused, _, _) => request.error_response(Problem::from(refused)),
        }),
    }
}

fn lead_to(page: &str) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, page)).insert_header((header::CACHE_CONTROL, "no-store"));
    answer.finish()
}

/// Why a request does not reach its handler.
#[derive(Debug)]
enum Refused {
    /// Nobody is signed in, or the key is missing.
    Unknown(Problem),
    /// A capability is missing.
    Capability(Capability),
    /// The person owes a second factor.
    FactorOwed,
    /// Who looks into another client only reads.
    Elevated,
    /// A key is no person.
    Key,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown(problem) => problem,
            Refused::Capability(capability) => Self::capability_missing(capability),
            Refused::FactorOwed => Self::second_factor_owed(),
            Refused::Elevated => Self::elevation_reads_only(),
            Refused::Key => Self::person_required(),
        }
    }
}

fn check(needs: Needs, request: &ServiceRequest) -> Result<(), Refused> {
    match needs {
        Needs::Nothing | Needs::BrokerKey => Ok(()),
        Needs::InternalKey => {
            Internal::extract(request.request()).into_inner().map(|_internal| ()).map_err(Refused::Unknown)
        }
        Needs::AnySignIn | Needs::OwnAccount | Needs::Page | Needs::PageFor(_) | Needs::Call(_) => {
            let caller = Caller::extract(request.request()).into_inner().map_err(Refused::Unknown)?;
            let outcome = judge(needs, &caller.identity, request.method());
            request.extensions_mut().insert(caller);
            outcome
        }
    }
}

/// Whether somebody who is signed in has what an address needs.
fn judge(needs: Needs, identity: &Identity, method: &Method) -> Result<(), Refused> {
    let require = |capability| {
        if identity.capabilities.contains(&capability) {
            Ok(())
        } else if identity.owes_factor {
            Err(Refused::FactorOwed)
        } else {
            Err(Refused::Capability(capability))
        }
    };
    match needs {
        Needs::OwnAccount if identity.kind == SessionKind::Key => return Err(Refused::Key),
        Needs::OwnAccount if identity.elevation_id.is_some() => return Err(Refused::Elevated),
        Needs::Nothing | Needs::InternalKey | Needs::BrokerKey | Needs::AnySignIn | Needs::OwnAccount => {
            return Ok(());
        }
        Needs::Page => require(Capability::Web)?,
        Needs::PageFor(capability) => {
            require(Capability::Web)?;
            require(capability)?;
        }
        Needs::Call(capability) => require(capability)?,
    }
    if identity.elevation_id.is_some() && !method.is_safe() { Err(Refused::Elevated) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Needs; 8] = [
        Needs::Nothing,
        Needs::InternalKey,
        Needs::BrokerKey,
        Needs::AnySignIn,
        Needs::OwnAccount,
        Needs::Page,
        Needs::PageFor(Capability::Admin),
        Needs::Call(Capability::Admin),
    ];

    fn identity(capabilities: &[Capability]) -> Identity {
        Identity {
            iss: String::new(),
            aud: String::new(),
            exp: 0,
            iat: 0,
            sub: domain::PersonId::generate(),
            client_id: domain::ClientId::generate(),
            client_name: String::new(),
            time_zone: String::new(),
            person_name: String::new(),
            session_id: domain::SessionId::generate(),
            capabilities: capabilities.iter().copied().collect(),
            sites: None,
            demo: false,
            kind: SessionKind::Web,
            factors: 1,
            auth_time: 0,
            owes_factor: false,
            elevation_id: None,
            home_client_id: None,
        }
    }

    /// What of [`ALL`] lets the identity do with a method.
    fn granted(identity: &Identity, method: &Method) -> Vec<Needs> {
        ALL.into_iter().filter(|needs| judge(*needs, identity, method).is_ok()).collect()
    }

    #[test]
    fn a_page_takes_web_beside_its_own_capability_and_a_call_does_not() {
        let always =
            [Needs::Nothing, Needs::InternalKey, Needs::BrokerKey, Needs::AnySignIn, Needs::OwnAccount];
        assert_eq!(granted(&identity(&[]), &Method::GET), always);
        let admin = identity(&[Capability::Admin]);
        assert_eq!(granted(&admin, &Method::GET), [&always[..], &[Needs::Call(Capability::Admin)]].concat());
        let web = identity(&[Capability::Web]);
        assert_eq!(granted(&web, &Method::GET), [&always[..], &[Needs::Page]].concat());
        assert_eq!(granted(&identity(&[Capability::Web, Capability::Admin]), &Method::DELETE), ALL);
    }

    #[test]
    fn who_looks_into_another_client_reads_and_leaves_and_has_no_account_there() {
        let mut visitor = identity(&[Capability::Web, Capability::Admin]);
        visitor.elevation_id = Some(domain::ElevationId::generate());
        let reads: Vec<Needs> = ALL.into_iter().filter(|needs| *needs != Needs::OwnAccount).collect();
        assert_eq!(granted(&visitor, &Method::GET), reads);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let left = [Needs::Nothing, Needs::InternalKey, Needs::BrokerKey, Needs::AnySignIn];
            assert_eq!(granted(&visitor, &method), left, "{method}");
        }
    }

    #[test]
    fn a_key_has_no_account_and_does_what_it_was_given() {
        let mut key = identity(&[Capability::Admin]);
        key.kind = SessionKind::Key;
        assert!(matches!(judge(Needs::OwnAccount, &key, &Method::GET), Err(Refused::Key)));
        assert!(judge(Needs::Call(Capability::Admin), &key, &Method::POST).is_ok());
        let other = judge(Needs::Call(Capability::TicketsRead), &key, &Method::GET);
        assert!(matches!(other, Err(Refused::Capability(Capability::TicketsRead))));
    }

    #[test]
    fn who_owes_a_second_factor_is_told_so() {
        let mut owing = identity(&[]);
        owing.owes_factor = true;
        for needs in [Needs::Page, Needs::PageFor(Capability::Admin), Needs::Call(Capability::Admin)] {
            assert!(matches!(judge(needs, &owing, &Method::GET), Err(Refused::FactorOwed)), "{needs:?}");
        }
        assert!(judge(Needs::OwnAccount, &owing, &Method::POST).is_ok());
    }
}
