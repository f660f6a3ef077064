//! HTTP servers behind the gateway.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use crate::auth::{Auth, UNANSWERED};

/// What an upstream received, as it says itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) upstream: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    /// The values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { None } else { Some(values.join(" | ")) }
    }
}

/// A running server.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    ended: Arc<AtomicBool>,
}

impl Upstream {
    /// Starts a server that echoes requests, and misbehaves on request.
    pub(crate) fn echo(name: &'static str) -> Self {
        Self::start(bind(), move |config| {
            config
                .service(web::resource("/tickets/never").to(never))
                .service(web::resource("/assets/never").to(never))
                .service(web::resource("/tickets/pieces/{bytes}").to(pieces))
                .service(web::resource("/tickets/whole/{bytes}").to(whole))
                .service(web::resource("/tickets/broken").to(broken))
                .service(web::resource("/tickets/headers").to(odd_headers))
                .service(web::resource("/tickets/conflict").to(conflict))
                .service(web::resource("/tickets/forbidden").to(forbidden))
                .service(web::resource("/assets/app.js").to(asset))
                .default_service(web::to(move |request, body| async move { echo(name, &request, &body) }));
        })
    }

    /// Starts a server on a bound port.
    pub(crate) fn start(
        socket: TcpListener,
        configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let address = socket.local_addr().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    App::new().app_data(web::PayloadConfig::new(1 << 24)).configure(configure.clone())
                };
                let server = HttpServer::new(app).workers(1).disable_signals().listen(socket).unwrap().run();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
            end.store(true, Ordering::SeqCst);
        });
        Self { address, handle: receiver.recv().unwrap(), ended }
    }

    /// Where it is, for settings.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops at once and waits until nobody answers at the address any more.
    pub(crate) async fn stop(&self) {
        self.handle.stop(false).await;
        testkit::wait_until("the server's end", crate::world::SOON, || async {
            self.ended.load(Ordering::SeqCst).then_some(())
        })
        .await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// A free port, bound.
pub(crate) fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

pub(crate) fn echo(name: &'static str, request: &HttpRequest, body: &Bytes) -> HttpResponse {
    let text =
        |value: &actix_web::http::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let received = Received {
        upstream: name.to_owned(),
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    HttpResponse::Ok().json(received)
}

pub(crate) async fn never() -> HttpResponse {
    std::future::pending().await
}

async fn pieces(request: HttpRequest) -> HttpResponse {
    let bytes: usize = request.match_info().query("bytes").parse().unwrap();
    let pieces = (0..bytes.div_ceil(1000))
        .map(move |piece| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1000.min(bytes - piece * 1000)])));
    HttpResponse::Ok().streaming(futures_util::stream::iter(pieces))
}

async fn whole(request: HttpRequest) -> HttpResponse {
    let bytes: usize = request.match_info().query("bytes").parse().unwrap();
    HttpResponse::Ok().body(vec![b'x'; bytes])
}

async fn broken() -> HttpResponse {
    let half =
        futures_util::stream::iter([Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("broken"))]);
    HttpResponse::Ok().body(actix_web::body::SizedStream::new(100, half))
}

async fn odd_headers() -> HttpResponse {
    HttpResponse::Ok()
        .append_header(("server", "leaky/1.0"))
        .append_header(("x-powered-by", "leaks"))
        .append_header(("x-youtility-identity", "leaks"))
        .append_header(("x-correlation-id", "theirs"))
        .append_header(("keep-alive", "timeout=5"))
        .append_header(("proxy-authenticate", "Basic"))
        .append_header(("content-security-policy", "default-src *"))
        .append_header(("x-frame-options", "ALLOWALL"))
        .append_header(("set-cookie", "a=1; Path=/"))
        .append_header(("set-cookie", "b=2; Path=/"))
        .append_header(("x-kept", "yes"))
        .body("odd")
}

async fn conflict() -> HttpResponse {
    HttpResponse::Conflict()
        .content_type("application/problem+json")
        .body(r#"{"type":"/problems/ticket-move-refused"}"#)
}

async fn forbidden() -> HttpResponse {
    HttpResponse::Forbidden().finish()
}

async fn asset() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript")
        .append_header(("cache-control", "public, max-age=31536000, immutable"))
        .body("1")
}
