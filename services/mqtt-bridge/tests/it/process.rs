use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::Database;

use crate::world::{LIMIT, TestBroker, environment, wait_until_ready};

fn bridge(arguments: &[&str], environment: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-bridge"));
    command.args(arguments).env_clear().envs(environment.iter().cloned());
    command
}

fn run(arguments: &[&str], environment: &[(String, String)]) -> Output {
    bridge(arguments, environment).output().unwrap()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (format!("YOUTILITY_{key}"), value.to_owned())
}

#[test]
fn weak_secrets_are_refused_in_production_all_at_once() {
    let refused = run(&["config", "check"], &[pair("BROKER__PASSWORD", "changeme")]);
    assert!(!refused.status.success());
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(complaint.contains("database.password") && complaint.contains("broker.password"), "{complaint}");
    assert!(!complaint.contains("changeme"), "{complaint}");
}

#[test]
fn unknown_keys_and_impossible_values_are_named() {
    let development = pair("PROCESS__ENVIRONMENT", "development");
    let unknown = run(&["config", "check"], &[development.clone(), pair("BROKER__HOSTNAME", "x")]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("hostname"), "{unknown:?}");
    let impossible = run(&["config", "check"], &[development, pair("BROKER__KEEP_ALIVE_SECONDS", "1")]);
    assert!(
        String::from_utf8_lossy(&impossible.stderr).contains("broker.keep_alive_seconds"),
        "{impossible:?}"
    );
}

#[test]
fn strong_secrets_pass_and_are_never_printed() {
    let secret = "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB";
    let pairs = [pair("DATABASE__PASSWORD", secret), pair("BROKER__PASSWORD", secret)];
    assert!(run(&["config", "check"], &pairs).status.success());
    let printed = String::from_utf8(run(&["config", "print"], &pairs).stdout).unwrap();
    assert!(printed.contains("client_id = \"youtility-bridge-0\"") && printed.contains("***"), "{printed}");
    assert!(!printed.contains(secret), "{printed}");
}

#[tokio::test]
async fn the_binary_becomes_ready_and_leaves_with_zero_at_sigterm() {
    let db = Database::create().await;
    let broker = TestBroker::start().await;
    let port = local::port::free(0).unwrap();
    let mut pairs = environment(&db, broker.port);
    pairs.push(pair("PROCESS__ADMIN_BIND", &format!("127.0.0.1:{port}")));
    let mut command = tokio::process::Command::from(bridge(&[], &pairs));
    let mut process = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    wait_until_ready(([127, 0, 0, 1], port).into()).await;

    let pid = Pid::from_raw(process.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = tokio::time::timeout(LIMIT, process.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}
