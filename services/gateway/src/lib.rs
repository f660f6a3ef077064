#![doc = include_str!("../README.md")]

mod account;
mod answer_body;
mod body;
mod breaker;
mod caller;
mod client;
mod client_address;
mod cookies;
mod csrf;
mod door;
mod ejection;
mod gate;
mod guard;
mod headers;
mod identity;
mod identity_cache;
mod inspection;
mod lease;
mod line_waker;
mod list;
mod per_address;
mod proof;
mod proxy;
mod pulse;
mod rate;
mod rate_headers;
mod redirect;
mod refusal;
mod reload;
mod request_rates;
mod revocations;
mod routes;
mod security_headers;
mod send;
mod settings;
mod snapshot;
mod spool;
mod table;
mod tls;
mod upgrade;
mod upload;
mod upstreams;
mod visit;
mod witness;

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Data};
use reqwest::Client;
use service::{About, Context, Entrance, HttpSettings, Process, http_client};

pub use list::List;
pub use routes::{Access, Route};
pub use settings::{
    ClassSettings, ConnectionSettings, CsrfSettings, Exemption, FaultSettings, IdentitySettings,
    InspectionSettings, LimitSettings, RateSettings, ReloadSettings, Settings, SpoolSettings, StreamSettings,
    TlsSettings, TrustSettings, TrustedProxySettings,
};

use crate::client::UpstreamClient;
use crate::gate::Gate;
use crate::per_address::PerAddress;
use crate::reload::Reload;
use crate::revocations::RevocationStream;
use crate::spool::Postman;
use crate::tls::Keys;

/// What this binary is called and which settings it begins with.
pub fn about() -> About {
    service::about!()
}

/// Builds the process from its settings.
#[expect(clippy::unused_async, reason = "every service starts in the same shape")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    let settings = &ctx.settings;
    let client = http_client(&settings.http_client)?;
    let (gate, courier) = Gate::new(settings, ctx.clock.clone(), &ctx.drain, &client)?;
    let gate = Data::new(gate);
    listen_for_revocations(&ctx, &gate, &client);
    ctx.tasks.spawn("rates", courier.work());
    let postman = Postman {
        spool: Arc::clone(&gate.spool),
        client,
        auth: Arc::clone(&gate.identities.auth),
        internal_key: gate.internal_key.clone(),
    };
    ctx.tasks.spawn("security-events", postman.work(ctx.drain.clone()));
    serve(&ctx, &gate)
}

/// Opens the listeners, and what replaces their routes and keys.
fn serve(ctx: &Context<Settings>, gate: &Data<Gate>) -> anyhow::Result<Process> {
    let settings = ctx.settings.clone();
    let keys = Keys::open(&settings.tls)?.map(Arc::new);
    let exempt = settings.trusted_proxies.networks.as_slice().to_vec();
    let places = Arc::new(PerAddress::new(settings.connections.per_address_max, exempt));
    let plain = Entrance::default()
        .admitting(move |address| places.admit(address))
        .write_timeout(settings.connections.write_timeout());
    let mut public = plain.clone().taking_upgrades();
    if let Some(keys) = &keys {
        let keys = Arc::clone(keys);
        public = public.with_tls(move || keys.current());
    }
    let process = Process::new(ctx).decorate_answers(decorate_answer).receive(public);
    let (http_client, passing) = (settings.http_client.clone(), gate.clone());
    let process = process.serve_public(&settings.http, move |app| {
        // Each thread has a client of its own: a request and its upstream's connection stay on one thread.
        let client = Data::new(UpstreamClient::new(&http_client));
        app.app_data(passing.clone()).app_data(client).default_service(web::to(door::pass));
    })?;
    let reload = Reload::new(ctx.clone(), Arc::clone(gate), keys)?;
    ctx.tasks.spawn("reload", reload.work());
    let Some(bind) = settings.tls.redirect() else {
        return Ok(process);
    };
    let (http, redirecting) = (HttpSettings { bind, ..settings.http }, gate.clone());
    process.receive(plain).serve_public(&http, move |app| {
        app.app_data(redirecting.clone()).default_service(web::to(redirect::answer));
    })
}

/// What every answer says, whoever made it.
fn decorate_answer(request: Option<&HttpRequest>, headers: &mut HeaderMap) {
    security_headers::decorate_answer(request, headers);
    if let Some(request) = request {
        rate_headers::decorate_answer(request, headers);
    }
}

fn listen_for_revocations(ctx: &Context<Settings>, gate: &Gate, client: &Client) {
    for (number, address) in gate.identities.auth.addresses().iter().enumerate() {
        let stream = RevocationStream {
            number,
            origin: address.origin().to_owned(),
            client: client.clone(),
            internal_key: gate.internal_key.clone(),
            cache: Arc::clone(&gate.identities.cache),
            pulse: Arc::clone(&gate.identities.pulse),
            limits: ctx.settings.identity.stream(),
        };
        ctx.tasks.spawn("revocations", stream.hold(ctx.drain.clone()));
    }
}
