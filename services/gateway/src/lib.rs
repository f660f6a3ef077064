#![doc = include_str!("../README.md")]

mod answer_body;
mod body;
mod client;
mod client_address;
mod cookies;
mod csrf;
mod door;
mod gate;
mod guard;
mod headers;
mod identity;
mod identity_cache;
mod list;
mod proof;
mod proxy;
mod pulse;
mod rate;
mod refusal;
mod revocations;
mod routes;
mod security_headers;
mod send;
mod settings;
mod upstreams;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web::{self, Data};
use service::{About, Context, Process, http_client};

pub use list::List;
pub use routes::{Access, Route};
pub use settings::{
    CsrfSettings, IdentitySettings, LimitSettings, RateSettings, Settings, TrustSettings,
    TrustedProxySettings,
};

use crate::client::{UpstreamClient, upstream_client};
use crate::gate::Gate;
use crate::revocations::RevocationStream;

/// What this binary is called and which settings it begins with.
pub fn about() -> About {
    service::about!()
}

/// Builds the process from its settings.
#[expect(clippy::unused_async, reason = "every service starts in the same shape")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    let settings = &ctx.settings;
    let gate = Data::new(Gate::new(settings, ctx.clock.clone())?);
    listen_for_revocations(&ctx, &gate)?;
    let clients = Clients::new(settings);
    Process::new(&ctx).decorate_answers(security_headers::decorate_answer).serve_public(
        &settings.http,
        move |app| {
            app.app_data(gate.clone()).app_data(clients.take()).default_service(web::to(door::pass));
        },
    )
}

fn listen_for_revocations(ctx: &Context<Settings>, gate: &Gate) -> anyhow::Result<()> {
    let client = http_client(&ctx.settings.http_client)?;
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
    Ok(())
}

/// One client for each thread: a request and its upstream's connection stay on one thread.
#[derive(Clone)]
struct Clients {
    clients: Arc<[Data<UpstreamClient>]>,
    taken: Arc<AtomicUsize>,
}

impl Clients {
    fn new(settings: &Settings) -> Self {
        let client = |_worker| Data::new(upstream_client(&settings.http_client));
        let clients = (0..settings.http.workers.max(1)).map(client).collect();
        Self { clients, taken: Arc::new(AtomicUsize::new(0)) }
    }

    /// The client of the next thread.
    fn take(&self) -> Data<UpstreamClient> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed) % self.clients.len();
        Data::clone(self.clients.iter().cycle().nth(number).expect("there is a client for each thread"))
    }
}
