//! The binary itself: settings on the command line, start, ready, SIGTERM, exit 0.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::identity::Signer;

use crate::stage::{Ground, PATIENCE, env, env_with};

/// A started binary; killed if the test fails before it ends it.
pub(crate) struct Started {
    child: Option<Child>,
    pub(crate) http: String,
    pub(crate) admin: String,
}

impl Started {
    /// Starts the service on a database and waits until it is ready.
    pub(crate) async fn on(ground: &Ground, changes: &[(&str, &str)]) -> Self {
        let (http, admin) = (free_address(), free_address());
        let mut env = env_with(&ground.db, changes);
        env.push(("YOUTILITY_PROCESS__ADMIN_BIND".to_owned(), admin.clone()));
        env.retain(|(key, _)| key != "YOUTILITY_HTTP__BIND");
        env.push(("YOUTILITY_HTTP__BIND".to_owned(), http.clone()));
        let child = binary(&["serve"], &env).spawn().unwrap();
        testkit::wait_until("readiness", PATIENCE, async || {
            let answer = crate::stage::http().get(format!("http://{admin}/readyz")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Self { child: Some(child), http, admin }
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn terminate(mut self) -> Output {
        let child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
        }
    }
}

fn binary(arguments: &[&str], env: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth"));
    command
        .args(arguments)
        .env_clear()
        .envs(env.iter().cloned())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_gets_ready_and_ends_with_0_on_sigterm() {
    let ground = Ground::lay().await;
    let started = Started::on(&ground, &[]).await;
    let output = started.terminate().await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("\"level\":\"ERROR\""), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_and_printed_without_secrets() {
    let ground = Ground::lay().await;
    let env = env(&ground.db);
    let checked = binary(&["config", "check"], &env).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let printed = said(&binary(&["config", "print"], &env).output().unwrap());
    for key in ["password = \"***\"", "signing_key = \"***\"", "internal_key = \"***\""] {
        assert!(printed.contains(key), "{key} in {printed}");
    }
    let password = ground.db.settings("auth").password;
    for secret in [password.expose(), testkit::INTERNAL_KEY, "BEGIN PRIVATE KEY"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_secrets_and_foreign_keys_are_refused_in_production() {
    let ground = Ground::lay().await;
    let stranger = Signer::generate();
    let changes = [
        ("PROCESS__ENVIRONMENT", "production"),
        ("DATABASE__PASSWORD", "changeme"),
        ("TRUST__INTERNAL_KEY", "short"),
        ("IDENTITY__SIGNING_KEY", stranger.private_pem()),
        ("IDENTITY__LIFETIME_SECONDS", "3600"),
    ];
    let output = binary(&["serve"], &env_with(&ground.db, &changes)).output().unwrap();
    assert!(!output.status.success());
    for key in
        ["database.password", "trust.internal_key", "identity.signing_key", "identity.lifetime_seconds"]
    {
        assert!(said(&output).contains(key), "{key} in {}", said(&output));
    }
}
