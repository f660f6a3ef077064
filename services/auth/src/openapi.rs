//! `GET /api/v1/accounts/openapi.json`: the contract of auth's addresses, for programs.
//!
//! Made from the permission table, so that no address is without its rights; what each takes and answers stands below.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use api::account::{
    AddPasskey, AskRecovery, ChangePassword, ConfirmTotp, Devices, Factors, Passkeys, RecoveryCodes,
    Sessions, StepUp, TotpSecret, UseRecovery, VerifyEmail,
};
use api::elevation::{BeginElevation, Elevation};
use api::key::{Keys, MakeKey, NewKey};
use api::session::{GiveFactor, PasskeyOptions, Session, SignIn};
use api::token::{HandsetRules, IssueTokens, RefreshTokens, Tokens};
use api::user::{
    AddUser, ChangeUser, Groups, SetCapabilities, SetGroups, SetSites, User, UserQuery, UserRow,
};
use api::{Page, Problem};
use service::permission::{Needs, Route};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder,
};
use utoipa::{IntoParams, ToSchema};

use crate::routes::ROUTES;

/// Schemas by name.
type Schemas = BTreeMap<String, RefOr<Schema>>;

/// A type of the contract.
#[derive(Clone, Copy)]
struct Shape {
    name: fn() -> Cow<'static, str>,
    collect: fn(&mut Schemas),
}

const fn shape<T: ToSchema>() -> Shape {
    Shape { name: T::name, collect: collect::<T> }
}

fn collect<T: ToSchema>(schemas: &mut Schemas) {
    let mut inner = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut inner);
    schemas.extend(inner);
}

/// What an address takes and answers.
struct Operation {
    address: (&'static str, &'static str),
    summary: &'static str,
    takes: Option<Shape>,
    answers: (&'static str, Option<Shape>),
}

const fn operation(
    address: (&'static str, &'static str),
    summary: &'static str,
    takes: Option<Shape>,
    answers: (&'static str, Option<Shape>),
) -> Operation {
    Operation { address, summary, takes, answers }
}

const NOTHING: (&str, Option<Shape>) = ("204", None);

const ACCEPTED: (&str, Option<Shape>) = ("202", None);

const fn ok<T: ToSchema>() -> (&'static str, Option<Shape>) {
    ("200", Some(shape::<T>()))
}

const fn created<T: ToSchema>() -> (&'static str, Option<Shape>) {
    ("201", Some(shape::<T>()))
}

const OPERATIONS: &[Operation] = &[
    operation(
        ("POST", "/api/v1/session"),
        "Signs in; 202 with `FactorOwed` when a second factor is owed",
        Some(shape::<SignIn>()),
        created::<Session>(),
    ),
    operation(("GET", "/api/v1/session"), "Says who is signed in", None, ok::<Session>()),
    operation(("DELETE", "/api/v1/session"), "Signs out", None, NOTHING),
    operation(
        ("POST", "/api/v1/session/factor"),
        "Gives the second factor of a sign-in",
        Some(shape::<GiveFactor>()),
        created::<Session>(),
    ),
    operation(
        ("POST", "/api/v1/session/factor/options"),
        "Begins to ask a passkey for a sign-in",
        None,
        ok::<PasskeyOptions>(),
    ),
    operation(
        ("POST", "/api/v1/recovery"),
        "Asks for a link to set a password",
        Some(shape::<AskRecovery>()),
        ACCEPTED,
    ),
    operation(
        ("POST", "/api/v1/recovery/token"),
        "Sets a password with a mailed link",
        Some(shape::<UseRecovery>()),
        NOTHING,
    ),
    operation(
        ("POST", "/api/v1/email-verification"),
        "Proves an address with a mailed link",
        Some(shape::<VerifyEmail>()),
        NOTHING,
    ),
    operation(
        ("PUT", "/api/v1/account/password"),
        "Changes one's password; other sessions end",
        Some(shape::<ChangePassword>()),
        NOTHING,
    ),
    operation(("GET", "/api/v1/account/sessions"), "Lists one's sessions", None, ok::<Sessions>()),
    operation(("DELETE", "/api/v1/account/sessions"), "Ends one's other sessions", None, NOTHING),
    operation(("DELETE", "/api/v1/account/sessions/{id}"), "Ends one of one's sessions", None, NOTHING),
    operation(("GET", "/api/v1/account/devices"), "Lists one's browsers and handset", None, ok::<Devices>()),
    operation(("DELETE", "/api/v1/account/devices/{id}"), "Forgets a browser", None, NOTHING),
    operation(
        ("POST", "/api/v1/account/step-up"),
        "Proves again who one is; the session goes on with another token",
        Some(shape::<StepUp>()),
        NOTHING,
    ),
    operation(
        ("POST", "/api/v1/account/step-up/options"),
        "Begins to ask a passkey for such a proof",
        None,
        ok::<PasskeyOptions>(),
    ),
    operation(("GET", "/api/v1/account/factors"), "Shows one's second factors", None, ok::<Factors>()),
    operation(
        ("POST", "/api/v1/account/totp"),
        "Begins to set an authenticator up",
        None,
        ok::<TotpSecret>(),
    ),
    operation(
        ("PUT", "/api/v1/account/totp"),
        "Confirms an authenticator by a code",
        Some(shape::<ConfirmTotp>()),
        ok::<RecoveryCodes>(),
    ),
    operation(("DELETE", "/api/v1/account/totp"), "Removes one's authenticator", None, NOTHING),
    operation(
        ("POST", "/api/v1/account/recovery-codes"),
        "Makes new recovery codes; those before are void",
        None,
        ok::<RecoveryCodes>(),
    ),
    operation(("GET", "/api/v1/account/passkeys"), "Lists one's passkeys", None, ok::<Passkeys>()),
    operation(("POST", "/api/v1/account/passkeys"), "Adds a passkey", Some(shape::<AddPasskey>()), NOTHING),
    operation(
        ("POST", "/api/v1/account/passkeys/options"),
        "Begins to add a passkey",
        None,
        ok::<PasskeyOptions>(),
    ),
    operation(("DELETE", "/api/v1/account/passkeys/{id}"), "Removes a passkey", None, NOTHING),
    operation(
        ("POST", "/api/v1/account/email/verification"),
        "Asks for a link that proves one's address",
        None,
        ACCEPTED,
    ),
    operation(
        ("POST", "/api/v1/tokens"),
        "Signs a handset in",
        Some(shape::<IssueTokens>()),
        created::<Tokens>(),
    ),
    operation(("DELETE", "/api/v1/tokens"), "Signs a handset out and releases it", None, NOTHING),
    operation(
        ("POST", "/api/v1/tokens/refresh"),
        "Gives the next tokens for a refresh token, which is good once",
        Some(shape::<RefreshTokens>()),
        ok::<Tokens>(),
    ),
    operation(
        ("GET", "/api/v1/handset-rules"),
        "Shows where the client's handsets may be, and which",
        None,
        ok::<HandsetRules>(),
    ),
    operation(
        ("PUT", "/api/v1/handset-rules"),
        "Changes where the client's handsets may be, and which",
        Some(shape::<HandsetRules>()),
        ok::<HandsetRules>(),
    ),
    operation(("GET", "/api/v1/keys"), "Lists the client's keys for other programs", None, ok::<Keys>()),
    operation(
        ("POST", "/api/v1/keys"),
        "Makes a key and shows it, this once",
        Some(shape::<MakeKey>()),
        created::<NewKey>(),
    ),
    operation(("DELETE", "/api/v1/keys/{id}"), "Revokes a key", None, NOTHING),
    operation(
        ("GET", "/api/v1/users"),
        "Lists people by code; pass `next` as `after` for the following page",
        None,
        ok::<Page<UserRow>>(),
    ),
    operation(
        ("POST", "/api/v1/users"),
        "Adds a person; who has a login and an address is invited",
        Some(shape::<AddUser>()),
        created::<User>(),
    ),
    operation(("GET", "/api/v1/users/{id}"), "Shows a person", None, ok::<User>()),
    operation(("PATCH", "/api/v1/users/{id}"), "Changes a person", Some(shape::<ChangeUser>()), ok::<User>()),
    operation(
        ("PUT", "/api/v1/users/{id}/capabilities"),
        "Sets what is given to a person",
        Some(shape::<SetCapabilities>()),
        NOTHING,
    ),
    operation(
        ("PUT", "/api/v1/users/{id}/sites"),
        "Sets which sites a person sees",
        Some(shape::<SetSites>()),
        NOTHING,
    ),
    operation(
        ("PUT", "/api/v1/users/{id}/groups"),
        "Sets a person's groups",
        Some(shape::<SetGroups>()),
        NOTHING,
    ),
    operation(
        ("POST", "/api/v1/users/{id}/invitation"),
        "Mails a person a link to set their first password",
        None,
        ACCEPTED,
    ),
    operation(("GET", "/api/v1/users/{id}/sessions"), "Lists a person's sessions", None, ok::<Sessions>()),
    operation(("DELETE", "/api/v1/users/{id}/sessions"), "Ends a person's sessions", None, NOTHING),
    operation(("DELETE", "/api/v1/users/{id}/factors"), "Takes a person's second factors", None, NOTHING),
    operation(("DELETE", "/api/v1/users/{id}/handset"), "Releases a person's handset", None, NOTHING),
    operation(("POST", "/api/v1/users/{id}/unlock"), "Forgets a person's counted attempts", None, NOTHING),
    operation(("GET", "/api/v1/groups"), "Lists groups, and what may be given", None, ok::<Groups>()),
    operation(
        ("PUT", "/api/v1/groups/{id}/capabilities"),
        "Sets what a group gives its members",
        Some(shape::<SetCapabilities>()),
        NOTHING,
    ),
    operation(
        ("POST", "/api/v1/elevation"),
        "Looks into another client for a while, reading only",
        Some(shape::<BeginElevation>()),
        created::<Elevation>(),
    ),
    operation(("DELETE", "/api/v1/elevation"), "Leaves the other client", None, NOTHING),
];

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| made().to_pretty_json().expect("the document holds texts and numbers only"));

/// Answers with the document.
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .body(DOCUMENT.as_str())
}

fn made() -> OpenApi {
    let mut schemas = Schemas::new();
    collect::<Problem>(&mut schemas);
    collect::<api::session::FactorOwed>(&mut schemas);
    // A page refers to its rows and does not bring them along.
    collect::<UserRow>(&mut schemas);
    let mut paths = PathsBuilder::new();
    for route in ROUTES.routes {
        let address = (route.method(), route.path());
        let Some(operation) = OPERATIONS.iter().find(|operation| operation.address == address) else {
            continue;
        };
        for shape in operation.takes.iter().chain(operation.answers.1.iter()) {
            (shape.collect)(&mut schemas);
        }
        paths = paths.path(route.path(), PathItem::new(method(route), described(route, operation)));
    }
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie())))
        .security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
    let info =
        InfoBuilder::new().title("Youtility accounts").version(env!("CARGO_PKG_VERSION")).description(Some(
            "Sign-in, accounts, keys, people and their rights. Errors are `application/problem+json`; \
             /problems/{code} explains each.",
        ));
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components.build())).build()
}

fn cookie() -> ApiKeyValue {
    ApiKeyValue::new(api::headers::SESSION_COOKIE)
}

fn method(route: &Route) -> HttpMethod {
    match route.method() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn described(route: &Route, operation: &Operation) -> utoipa::openapi::path::Operation {
    let (status, answer) = operation.answers;
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let mut built = OperationBuilder::new()
        .summary(Some(operation.summary))
        .description(rights(route.needs()))
        .response(status, said(operation.summary, answer))
        .response(
            "default",
            ResponseBuilder::new()
                .description("A problem")
                .content(api::problem::MEDIA_TYPE, problem)
                .build(),
        );
    if let Some(shape) = operation.takes {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name((shape.name)()))).build();
        let body =
            RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        built = built.request_body(Some(body.build()));
    }
    if route.path().contains("{id}") {
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        built = built.parameter(id.schema(Some(api::schema::id())).build());
    }
    if operation.address == ("GET", "/api/v1/users") {
        built = built.parameters(Some(UserQuery::into_params(|| Some(ParameterIn::Query))));
    }
    if route.needs() == Needs::Nothing {
        built.build()
    } else {
        built.security(requirement("session")).security(requirement("bearer")).build()
    }
}

fn requirement(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new::<&str, [&str; 0], &str>(scheme, [])
}

fn said(summary: &str, answer: Option<Shape>) -> utoipa::openapi::Response {
    let response = ResponseBuilder::new().description(summary);
    match answer {
        Some(shape) => {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name((shape.name)())));
            response.content("application/json", content.build()).build()
        }
        None => response.build(),
    }
}

/// What an address needs, in words.
fn rights(needs: Needs) -> Option<String> {
    match needs {
        Needs::Nothing | Needs::InternalKey | Needs::BrokerKey => None,
        Needs::AnySignIn => Some("For whoever is signed in, also with a key.".to_owned()),
        Needs::OwnAccount => Some("For a person who is signed in; not for keys.".to_owned()),
        Needs::Page => Some("Needs `WEB`.".to_owned()),
        Needs::PageFor(capability) | Needs::Call(capability) => Some(format!("Needs `{capability}`.")),
    }
}
