use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::Database;

use crate::world::{LIMIT, TestSink, environment, wait_until_ready};

fn worker(arguments: &[&str], environment: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(arguments).env_clear().envs(environment.iter().cloned());
    command
}

fn run(arguments: &[&str], environment: &[(String, String)]) -> Output {
    worker(arguments, environment).output().unwrap()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (format!("YOUTILITY_{key}"), value.to_owned())
}

#[test]
fn weak_secrets_and_missing_settings_are_refused_in_production_all_at_once() {
    let pairs = [pair("DATABASE__PASSWORD", "changeme"), pair("MAIL__USERNAME", "robot")];
    let refused = run(&["config", "check"], &pairs);
    assert!(!refused.status.success());
    let complaint = String::from_utf8_lossy(&refused.stderr);
    for key in ["database.password", "mail.password", "mail.from", "mail.public_url"] {
        assert!(complaint.contains(key), "{complaint}");
    }
    assert!(!complaint.contains("changeme"), "{complaint}");
}

#[test]
fn unknown_keys_and_impossible_values_are_named() {
    let development = pair("PROCESS__ENVIRONMENT", "development");
    let unknown = run(&["config", "check"], &[development.clone(), pair("MAIL__HOSTNAME", "x")]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("hostname"), "{unknown:?}");
    let pairs = [development, pair("MAIL__FROM", "nobody"), pair("QUEUE__LEASE_MS", "1")];
    let impossible = run(&["config", "check"], &pairs);
    let complaint = String::from_utf8_lossy(&impossible.stderr);
    assert!(complaint.contains("mail.from") && complaint.contains("queue.lease_ms"), "{complaint}");
}

#[test]
fn strong_secrets_pass_and_are_never_printed() {
    let secret = "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB";
    let pairs = [
        pair("DATABASE__PASSWORD", secret),
        pair("MAIL__FROM", "Youtility <no-reply@example.com>"),
        pair("MAIL__PUBLIC_URL", "https://app.example.com"),
    ];
    assert!(run(&["config", "check"], &pairs).status.success());
    let printed = String::from_utf8(run(&["config", "print"], &pairs).stdout).unwrap();
    assert!(printed.contains("escalation_cron = \"*/30 * * * *\"") && printed.contains("***"), "{printed}");
    assert!(!printed.contains(secret), "{printed}");
}

#[tokio::test]
async fn the_binary_becomes_ready_and_leaves_with_zero_at_sigterm() {
    let db = Database::create().await;
    let sink = TestSink::start().await;
    let port = local::port::free(0).unwrap();
    let mut pairs = environment(&db, sink.address);
    pairs.push(pair("PROCESS__ADMIN_BIND", &format!("127.0.0.1:{port}")));
    let mut command = tokio::process::Command::from(worker(&[], &pairs));
    let mut process = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    wait_until_ready(([127, 0, 0, 1], port).into()).await;

    let pid = Pid::from_raw(process.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = tokio::time::timeout(LIMIT, process.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}
