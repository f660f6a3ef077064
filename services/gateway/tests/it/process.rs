//! The binary.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::world::{CSRF_SECRET, client};

fn gateway() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.env_clear();
    for (key, value) in testkit::trust_env() {
        command.env(key, value);
    }
    command.env("YOUTILITY_CSRF__SECRET", CSRF_SECRET);
    command.env("YOUTILITY_HTTP__BIND", "127.0.0.1:0");
    command.env("YOUTILITY_PROCESS__ADMIN_BIND", "127.0.0.1:0");
    command.env("YOUTILITY_PROCESS__DRAIN_DELAY_MS", "0");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads the log until the process says where it listens; gives the admin listener's address.
fn admin_address(child: &mut Child) -> String {
    let log = BufReader::new(child.stdout.take().unwrap());
    let line = log
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("\"started\""))
        .expect("the process starts");
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    let admin = started.pointer("/admin").or_else(|| started.pointer("/fields/admin")).unwrap();
    admin.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_process_lives_and_ends_with_its_signal() {
    let mut child = gateway().stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let admin = admin_address(&mut child);
    for path in ["/livez", "/readyz"] {
        let answer = client().get(format!("http://{admin}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_settings_can_be_checked_and_printed_without_their_secrets() {
    let check = run(gateway().args(["config", "check"]));
    assert!(check.status.success(), "{}", text(&check.stderr));
    let print = run(gateway().args(["config", "print"]));
    let shown = text(&print.stdout);
    assert!(shown.contains("secret = \"***\"") && shown.contains("internal_key = \"***\""), "{shown}");
    assert!(!shown.contains(CSRF_SECRET) && !shown.contains(testkit::INTERNAL_KEY), "{shown}");
    assert!(shown.contains("prefix = \"/api/v1/session\""), "{shown}");
}

#[test]
fn production_refuses_weak_secrets() {
    let weak = run(gateway().env("YOUTILITY_CSRF__SECRET", "changeme").args(["config", "check"]));
    assert!(!weak.status.success());
    assert!(text(&weak.stderr).contains("csrf.secret"), "{}", text(&weak.stderr));
    let development = run(gateway()
        .env("YOUTILITY_CSRF__SECRET", "changeme")
        .env("YOUTILITY_PROCESS__ENVIRONMENT", "development")
        .args(["config", "check"]));
    assert!(development.status.success(), "{}", text(&development.stderr));
}

#[test]
fn every_mistake_in_the_settings_is_named() {
    let output = run(gateway()
        .env("YOUTILITY_UPSTREAMS__AUTH", "https://auth/path")
        .env("YOUTILITY_LIMITS__UPSTREAM_TIMEOUT_MS", "15000")
        .env("YOUTILITY_IDENTITY__CACHE_MS", "60000")
        .args(["config", "check"]));
    let complaint = text(&output.stderr);
    for key in ["upstreams.auth", "limits.upstream_timeout_ms", "identity.cache_ms"] {
        assert!(complaint.contains(key), "{complaint}");
    }
}
