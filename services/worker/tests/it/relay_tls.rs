//! The conversation with the relay under TLS.

use domain::CorrelationId;
use local::mail::Security;
use testkit::Certificate;
use worker::{MailSettings, MailTls, Settings};

use crate::world::{TestSink, World};

/// A file of authorities that goes with its test.
struct Authorities(std::path::PathBuf);

impl Authorities {
    fn write(certificate: &Certificate) -> Self {
        let name = format!("youtility-relay-{}.pem", CorrelationId::generate());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, &certificate.authority).unwrap();
        Self(path)
    }
}

impl Drop for Authorities {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// Settings that speak TLS with `localhost` and trust one file of authorities.
fn under_tls(settings: &mut Settings, tls: MailTls, authorities: &Authorities) {
    let mail: &mut MailSettings = &mut settings.mail;
    mail.host = "localhost".to_owned();
    mail.tls = tls;
    mail.ca_file = authorities.0.to_string_lossy().into_owned();
}

async fn starttls_of(certificate: &Certificate) -> TestSink {
    TestSink::start_secure(Security::starttls(&certificate.certificate, &certificate.key).unwrap()).await
}

/// Sends one mail and waits until it was tried twice; nothing arrives, for a reason that contains some words.
async fn nothing_is_sent(world: World, reason: &str) {
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    let tried = "select coalesce(max(attempt), 0)::bigint from task_attempt where outcome = 'FAILED'";
    world.db.wait_for_count(tried, 2).await;
    assert!(world.sink.mails().await.is_empty());
    assert_eq!(world.mail_row("state").await, "QUEUED");
    let said = world.mail_row("reason").await;
    assert!(said.contains(reason), "{said}");
    assert_eq!(world.db.count("select count(*) from task_dead_letter").await, 0);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn mail_goes_over_starttls_to_a_relay_whose_certificate_is_trusted() {
    let certificate = Certificate::for_host("localhost");
    let authorities = Authorities::write(&certificate);
    let sink = starttls_of(&certificate).await;
    let world =
        World::start_beside(sink, |settings| under_tls(settings, MailTls::Starttls, &authorities)).await;
    for count in 1..=2 {
        world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
        world.wait_for_mails(count).await;
    }
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn mail_goes_over_tls_from_the_first_byte() {
    let certificate = Certificate::for_host("localhost");
    let authorities = Authorities::write(&certificate);
    let security = Security::tls(&certificate.certificate, &certificate.key).unwrap();
    let sink = TestSink::start_secure(security).await;
    let world = World::start_beside(sink, |settings| under_tls(settings, MailTls::Tls, &authorities)).await;
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.wait_for_mails(1).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_relay_with_a_certificate_of_an_unknown_authority_gets_nothing() {
    let certificate = Certificate::for_host("localhost");
    let authorities = Authorities::write(&Certificate::for_host("localhost"));
    let sink = starttls_of(&certificate).await;
    let world =
        World::start_beside(sink, |settings| under_tls(settings, MailTls::Starttls, &authorities)).await;
    nothing_is_sent(world, "invalid peer certificate").await;
}

#[tokio::test]
async fn a_relay_with_a_certificate_for_another_name_gets_nothing() {
    let certificate = Certificate::for_host("relay.example.com");
    let authorities = Authorities::write(&certificate);
    let sink = starttls_of(&certificate).await;
    let world =
        World::start_beside(sink, |settings| under_tls(settings, MailTls::Starttls, &authorities)).await;
    nothing_is_sent(world, "not valid for name").await;
}

#[tokio::test]
async fn a_relay_that_offers_no_starttls_gets_nothing() {
    let authorities = Authorities::write(&Certificate::for_host("localhost"));
    let sink = TestSink::start().await;
    let world =
        World::start_beside(sink, |settings| under_tls(settings, MailTls::Starttls, &authorities)).await;
    nothing_is_sent(world, "STARTTLS is not supported").await;
}

#[tokio::test]
async fn a_relay_that_wants_tls_we_do_not_speak_puts_mail_off_and_refuses_none() {
    let certificate = Certificate::for_host("localhost");
    let sink = starttls_of(&certificate).await;
    nothing_is_sent(World::start_beside(sink, |_| {}).await, "say STARTTLS first").await;
}
