//! A bound port and the threads that serve it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::{HttpService, KeepAlive};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpResponse, web};
use anyhow::Context as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Patience};
use crate::entrance::Entrance;
use crate::problem::Decorate;
use crate::server::{Exposure, Limits, watch};
use crate::{HttpSettings, Problem};

/// How long a connection that is to end may take to end: its TLS to be closed, its unread body to be passed over.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The server answers a first head that is too slow by 408; the connection itself closes on the later ones.
const HEAD_MARGIN: Duration = Duration::from_secs(1);

type Launch = Box<dyn FnOnce(TcpListener) -> io::Result<Server> + Send>;

/// Who asks, how their connections are received, and what every answer carries.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    pub(crate) exposure: Exposure,
    pub(crate) decorate: Option<Decorate>,
    pub(crate) entrance: Entrance,
}

/// A bound port that serves nothing until it is opened.
pub(crate) struct Listener {
    address: SocketAddr,
    socket: TcpListener,
    launch: Launch,
}

impl Listener {
    /// Binds the port.
    pub(crate) fn bind<C>(
        settings: &HttpSettings,
        stop_timeout: Duration,
        audience: Audience,
        configure: C,
    ) -> anyhow::Result<Self>
    where
        C: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        let socket =
            TcpListener::bind(settings.bind).with_context(|| format!("binding {}", settings.bind))?;
        let address = socket.local_addr().context("asking for the bound address")?;
        let limits = Data::new(Limits::new(settings, &audience));
        let settings = settings.clone();
        let reception = Reception::new(&settings, audience.entrance);
        let launch: Launch = Box::new(move |socket| {
            let app = move || {
                App::new()
                    .app_data(limits.clone())
                    .wrap(from_fn(watch))
                    .default_service(web::to(|| async { Err::<HttpResponse, _>(Problem::not_found()) }))
                    .configure(configure.clone())
            };
            let server = Server::build()
                .disable_signals()
                .workers(settings.workers)
                .max_concurrent_connections(settings.connections_max.div_ceil(settings.workers.max(1)))
                .shutdown_timeout(stop_timeout.as_secs().max(1));
            let draining = server.graceful_shutdown_signal();
            let listening = server.listen("http", socket, move || {
                let draining = draining.clone();
                let http = HttpService::build()
                    .graceful_shutdown_signal(move || {
                        let draining = draining.clone();
                        async move { draining.notified().await }
                    })
                    .keep_alive(KeepAlive::Timeout(Duration::from_millis(settings.keep_alive_ms)))
                    .client_request_timeout(Duration::from_millis(settings.header_timeout_ms))
                    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                    .h1_allow_half_closed(false)
                    .local_addr(address)
                    .on_connect_ext(|connection: &Connection, shared| {
                        shared.insert(connection.activity());
                    })
                    .h1(map_config(app().into_factory().map_err(|error| error.error_response()), |()| {
                        AppConfig::default()
                    }))
                    .map_err(|error| tracing::debug!(error.chain = %error, "a connection broke"));
                let reception = reception.clone();
                fn_service(move |stream| reception.clone().receive(stream)).and_then(http)
            });
            Ok(listening?.run())
        });
        Ok(Self { address, socket, launch })
    }

    /// Starts the threads.
    pub(crate) async fn open(self) -> anyhow::Result<Open> {
        let Self { address, socket, launch } = self;
        let (started, starting) = oneshot::channel();
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                let _guard = guard;
                serve(socket, launch, started);
            })
            .context("starting the server's thread")?;
        let handle =
            starting.await.context("the server's thread ended early")?.context("starting the server")?;
        Ok(Open { address, handle, ended })
    }
}

/// Receives connections before the server sees them.
#[derive(Clone)]
struct Reception {
    entrance: Entrance,
    patience: Patience,
}

impl Reception {
    fn new(settings: &HttpSettings, entrance: Entrance) -> Self {
        let head = Duration::from_millis(settings.header_timeout_ms) + HEAD_MARGIN;
        let idle = Duration::from_millis(settings.keep_alive_ms) + head;
        Self { patience: Patience { head, idle, write: entrance.write_timeout }, entrance }
    }

    /// Gives a connection its place and shakes hands. Who finds no place, or does not shake hands in time, is cut off.
    async fn receive(self, stream: TcpStream) -> Result<(Connection, Option<SocketAddr>), ()> {
        let Self { entrance, patience } = self;
        let peer = stream.peer_addr().map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let place = match &entrance.admit {
            Some(admit) => Some(admit(peer.ip()).ok_or(())?),
            None => None,
        };
        let Some(keys) = &entrance.keys else {
            return Ok((Connection::plain(stream, place, patience), Some(peer)));
        };
        let handshake = timeout(patience.head, TlsAcceptor::from(keys()).accept(stream)).await;
        let stream = handshake.map_err(broken)?.map_err(broken)?;
        Ok((Connection::tls(stream, place, patience), Some(peer)))
    }
}

fn broken(error: impl std::fmt::Display) {
    tracing::debug!(error.chain = %error, "a connection did not begin");
}

/// Runs the server on this thread until it is stopped.
fn serve(socket: TcpListener, launch: Launch, started: oneshot::Sender<io::Result<ServerHandle>>) {
    actix_web::rt::System::new().block_on(async move {
        let (server, answer) = match launch(socket) {
            Ok(server) => {
                let handle = server.handle();
                (Some(server), Ok(handle))
            }
            Err(error) => (None, Err(error)),
        };
        if started.send(answer).is_err() {
            return;
        }
        if let Some(server) = server
            && let Err(error) = server.await
        {
            tracing::error!(error.chain = %error, "the HTTP server ended with an error");
        }
    });
}

/// A port that is being served.
pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    ended: CancellationToken,
}

impl Open {
    /// Closes the port and waits for the requests inside.
    pub(crate) async fn drain(&self) {
        self.handle.stop(true).await;
        self.ended.cancelled().await;
    }

    /// Closes the port and cuts the requests inside off.
    pub(crate) fn abort(&self) {
        drop(self.handle.stop(false));
    }

    /// Resolves when the server's thread is gone.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}
