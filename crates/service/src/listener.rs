//! A bound port and the threads that serve it.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::problem::Decorate;
use crate::server::{Exposure, Limits, watch};
use crate::{HttpSettings, Problem};

type Launch = Box<dyn FnOnce(TcpListener) -> std::io::Result<actix_web::dev::Server> + Send>;

/// Who asks, and what every answer carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audience {
    pub(crate) exposure: Exposure,
    pub(crate) decorate: Option<Decorate>,
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
        let limits = Data::new(Limits::new(settings, audience.exposure, audience.decorate));
        let settings = settings.clone();
        let launch: Launch = Box::new(move |socket| {
            let app = move || {
                App::new()
                    .app_data(limits.clone())
                    .wrap(from_fn(watch))
                    .default_service(web::to(|| async { Err::<HttpResponse, _>(Problem::not_found()) }))
                    .configure(configure.clone())
            };
            let server = HttpServer::new(app)
                .disable_signals()
                .workers(settings.workers)
                .max_connections(settings.connections_max.div_ceil(settings.workers.max(1)))
                .client_request_timeout(Duration::from_millis(settings.header_timeout_ms))
                .keep_alive(Duration::from_millis(settings.keep_alive_ms))
                .shutdown_timeout(stop_timeout.as_secs().max(1))
                .tcp_nodelay(true)
                .h1_allow_half_closed(false)
                .listen(socket)?;
            Ok(server.run())
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

/// Runs the server on this thread until it is stopped.
fn serve(socket: TcpListener, launch: Launch, started: oneshot::Sender<std::io::Result<ServerHandle>>) {
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
