//! TLS of the public listener.

use std::path::PathBuf;

use reqwest::Client;
use testkit::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::process::gateway;
use crate::world::{SOON, World, header, problem};

/// The files of a certificate, in a folder of the test's own.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gateway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, issued: &Certificate) {
        std::fs::write(self.certificate(), &issued.certificate).unwrap();
        std::fs::write(self.key(), &issued.key).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.0.join("tls.key")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn with_tls(files: &Files) -> World {
    World::with(|settings| {
        settings.tls.certificate_file = files.certificate();
        settings.tls.key_file = files.key();
        settings.tls.redirect_bind = "127.0.0.1:0".to_owned();
        settings.tls.public_port = 8443;
        settings.reload.poll_ms = 50;
    })
    .await
}

/// A client that trusts the authority of one certificate.
fn trusting(issued: &Certificate) -> Client {
    let authority = reqwest::Certificate::from_pem(issued.authority.as_bytes()).unwrap();
    Client::builder().tls_certs_only([authority]).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn secure(world: &World, path: &str) -> String {
    format!("https://localhost:{}{path}", world.address().port())
}

#[tokio::test]
async fn with_a_certificate_the_listener_speaks_tls_alone() {
    let (files, issued) = (Files::new("alone"), Certificate::for_host("localhost"));
    files.write(&issued);
    let world = with_tls(&files).await;
    let answer = trusting(&issued).get(secure(&world, "/login")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "strict-transport-security"), Some("max-age=63072000; includeSubDomains"));
    let stranger = Certificate::for_host("localhost");
    assert!(trusting(&stranger).get(secure(&world, "/login")).send().await.is_err());
    let mut plain = TcpStream::connect(world.address()).await.unwrap();
    plain.write_all(b"GET /login HTTP/1.1\r\nHost: y\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, plain.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_is_cut_off() {
    let (files, issued) = (Files::new("slow"), Certificate::for_host("localhost"));
    files.write(&issued);
    let world = World::with(|settings| {
        settings.tls.certificate_file = files.certificate();
        settings.tls.key_file = files.key();
        settings.http.header_timeout_ms = 300;
    })
    .await;
    let mut silent = TcpStream::connect(world.address()).await.unwrap();
    let end = timeout(SOON, silent.read(&mut [0; 16])).await.expect("the end of the connection");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn without_tls_people_are_sent_to_the_other_listener_and_programs_are_refused() {
    let (files, issued) = (Files::new("redirect"), Certificate::for_host("localhost"));
    files.write(&issued);
    let world = with_tls(&files).await;
    let plain = format!("http://{}", world.gateway.addresses[1]);
    let page = world.client.get(format!("{plain}/tickets?q=a%20b")).send().await.unwrap();
    assert_eq!(page.status(), 308);
    assert_eq!(header(&page, "location"), Some("https://127.0.0.1:8443/tickets?q=a%20b"));
    assert_eq!(header(&page, "x-frame-options"), Some("DENY"));
    world.auth.sign_in("t");
    for request in [
        world.client.get(format!("{plain}/api/v1/tickets")).bearer_auth("t"),
        world.client.post(format!("{plain}/login")).body("login=a&password=b"),
        world.client.get(format!("{plain}/internal/identity")),
    ] {
        let refused = request.send().await.unwrap();
        assert_eq!(header(&refused, "location"), None);
        assert_eq!(problem(refused).await, "403 https-required");
    }
    assert_eq!(world.auth.questions(), 0, "nothing goes on from there");
}

#[tokio::test]
async fn a_certificate_is_replaced_without_touching_connections_that_stand() {
    let files = Files::new("replaced");
    let (old, new) = (Certificate::for_host("localhost"), Certificate::for_host("localhost"));
    files.write(&old);
    let world = with_tls(&files).await;
    let (of_old, of_new) = (trusting(&old), trusting(&new));
    let ask = async |client: &Client| client.get(secure(&world, "/login")).send().await;
    assert_eq!(ask(&of_old).await.unwrap().status(), 200);
    assert!(ask(&of_new).await.is_err());
    files.write(&new);
    testkit::wait_until("the new certificate", SOON, || async { ask(&of_new).await.ok() }).await;
    assert_eq!(ask(&of_old).await.unwrap().status(), 200, "on the connection that stands");
    assert!(trusting(&old).get(secure(&world, "/login")).send().await.is_err(), "a new connection");
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_refused_and_the_last_good_one_stays() {
    let (files, issued) = (Files::new("refused"), Certificate::for_host("localhost"));
    files.write(&issued);
    let world = with_tls(&files).await;
    let refused = async || {
        let admin = world.gateway.admin;
        testkit::metric_count(admin, "gateway_reloads_total", "outcome=\"refused\",part=\"certificate\"")
            .await
            + testkit::metric_count(
                admin,
                "gateway_reloads_total",
                "part=\"certificate\",outcome=\"refused\"",
            )
            .await
    };
    let other = Certificate::for_host("localhost");
    for (certificate, key) in [("half", issued.key.as_str()), (&issued.certificate, &other.key)] {
        let before = refused().await;
        std::fs::write(files.certificate(), certificate).unwrap();
        std::fs::write(files.key(), key).unwrap();
        testkit::wait_until("the refusal", SOON, || async { (refused().await > before).then_some(()) }).await;
        assert_eq!(trusting(&issued).get(secure(&world, "/login")).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn half_of_the_settings_is_refused() {
    gateway()
        .set(&[("TLS__CERTIFICATE_FILE", "/nowhere/tls.crt"), ("TLS__REDIRECT_BIND", "everywhere")])
        .refuses_settings(&["tls.key_file", "tls.redirect_bind"])
        .await;
    gateway().set(&[("TLS__REDIRECT_BIND", "127.0.0.1:0")]).refuses_settings(&["tls.redirect_bind"]).await;
}
