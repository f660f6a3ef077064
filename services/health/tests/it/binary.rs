//! The binary itself: settings on the command line, start, ready, SIGTERM, exit 0.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::Database;

use crate::stage::{PATIENCE, env_with};

fn binary(arguments: &[&str], env: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_health"));
    command
        .args(arguments)
        .env_clear()
        .envs(env.iter().cloned())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Ends the process if the test fails before it does.
struct Started(Option<Child>);

impl Started {
    fn terminate(mut self) -> Output {
        let child = self.0.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_gets_ready_and_ends_with_0_on_sigterm() {
    let db = Database::create().await;
    let (http, admin) = (free_address(), free_address());
    let env = env_with(&db, &[("HTTP__BIND", &http), ("PROCESS__ADMIN_BIND", &admin)]);
    let started = Started(Some(binary(&["serve"], &env).spawn().unwrap()));
    testkit::wait_until("readiness", PATIENCE, async || {
        let answer = reqwest::get(format!("http://{admin}/readyz")).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    assert!(reqwest::get(format!("http://{http}/alive/")).await.unwrap().status().is_success());
    let output = tokio::task::spawn_blocking(|| started.terminate()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("\"level\":\"ERROR\""), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_and_printed_without_secrets() {
    let db = Database::create().await;
    let env = env_with(&db, &[]);
    let checked = binary(&["config", "check"], &env).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let printed = said(&binary(&["config", "print"], &env).output().unwrap());
    assert!(printed.contains("password = \"***\""), "{printed}");
    assert!(!printed.contains(db.settings("health").password.expose()), "{printed}");
}

#[test]
fn weak_secrets_are_refused_in_production() {
    let env = [("YOUTILITY_DATABASE__PASSWORD".to_owned(), "changeme".to_owned())];
    let output = binary(&["serve"], &env).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("database.password"), "{}", said(&output));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let env = [
        ("YOUTILITY_PROCESS__ENVIRONMENT", "development"),
        ("YOUTILITY_PROBE__STALE_AFTER_MS", "10"),
        ("YOUTILITY_SERVICES__WEB__URL", "not a url"),
    ];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let output = binary(&["config", "check"], &env).output().unwrap();
    assert!(!output.status.success());
    for key in ["probe.stale_after_ms", "services.web.url"] {
        assert!(said(&output).contains(key), "{key} in {}", said(&output));
    }
}
