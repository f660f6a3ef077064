//! The binary itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use domain::Capability;
use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::identity::Signer;
use testkit::{Database, wait_until};

fn command(env: Vec<(String, String)>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_web"));
    command.env_clear().envs(env);
    command
}

fn output(arguments: &[&str], env: Vec<(String, String)>) -> (Output, String) {
    let output = command(env).args(arguments).output().unwrap();
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    (output, String::from_utf8(text).unwrap())
}

/// A process that does not outlive its test.
struct Served {
    child: Child,
    http: Client,
    address: String,
    admin: String,
}

impl Served {
    /// Starts the binary and waits until it is ready.
    async fn start(db: &Database) -> Self {
        let env = [db.env("web"), testkit::trust_env(), crate::harness::env(&[])].concat();
        let settings: web::Settings = service::load_settings(&web::about(), &[], env.clone()).unwrap();
        let http = service::http_client(&settings.http_client).unwrap();
        let mut child = command(env).stdout(Stdio::piped()).spawn().unwrap();
        let started = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|line| line["message"] == "started")
            .unwrap();
        let plain = |key: &str| {
            started[key].as_str().unwrap().trim_start_matches("Some(").trim_end_matches(')').to_owned()
        };
        let address = |key: &str| format!("http://{}", plain(key));
        let served = Self { child, http, address: address("address"), admin: address("admin") };
        wait_until("web to be ready", Duration::from_secs(10), || async {
            let response = served.http.get(format!("{}/readyz", served.admin)).send().await.ok()?;
            (response.status() == StatusCode::OK).then_some(())
        })
        .await;
        served
    }

    /// Statements about tickets this process has run; readiness asks the database too, in the background.
    async fn statements(&self) -> u64 {
        let response = self.http.get(format!("{}/metrics", self.admin)).send().await.unwrap();
        let text = response.text().await.unwrap();
        let counts = text
            .lines()
            .filter(|line| line.starts_with("db_statement_seconds_count") && line.contains("store::ticket"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_starts_is_ready_and_ends_with_zero_at_sigterm() {
    let db = Database::create().await;
    let mut served = Served::start(&db).await;
    let pid = Pid::from_raw(i32::try_from(served.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_takes_as_many_statements_as_a_short_one() {
    let db = Database::create().await;
    let client = db.client("ACME").await;
    let site = db.site(client, "HQ").await;
    let person = db.person(client, "asha").await;
    for _ in 0..30 {
        db.ticket(client, site).assignee(person).await;
    }
    let served = Served::start(&db).await;
    let mut counts = Vec::new();
    for limit in [1, 30] {
        let before = served.statements().await;
        let identity = testkit::identity::of(client, person, Capability::ALL);
        let (name, token) = Signer::shared().header(&identity);
        let request =
            served.http.get(format!("{}/api/v1/tickets?limit={limit}", served.address)).header(name, token);
        let list: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), limit);
        counts.push(served.statements().await - before);
    }
    assert_eq!(counts[0], counts[1]);
    assert!((1..=3).contains(&counts[0]), "{counts:?}");
}

#[test]
fn the_defaults_need_a_key_and_a_password_in_production_only() {
    let (refused, said) = output(&["config", "check"], Vec::new());
    assert!(!refused.status.success());
    for key in ["trust.identity_public_key", "trust.internal_key", "database.password"] {
        assert!(said.contains(key), "{key} in {said}");
    }
    let env = [testkit::trust_env(), crate::harness::env(&[])].concat();
    let (accepted, said) = output(&["config", "check"], env);
    assert!(accepted.status.success(), "{said}");
}

#[test]
fn an_upstream_that_is_no_address_is_named() {
    let env = [testkit::trust_env(), crate::harness::env(&[("UPSTREAMS__AUTH", "auth:7101")])].concat();
    let (refused, said) = output(&["config", "check"], env);
    assert!(!refused.status.success());
    assert!(said.contains("upstreams.auth"), "{said}");
}

#[test]
fn printed_settings_show_no_secret() {
    let password = ("YOUTILITY_DATABASE__PASSWORD".to_owned(), "a-password-nobody-may-read".to_owned());
    let env = [testkit::trust_env(), crate::harness::env(&[]), vec![password]].concat();
    let (printed, said) = output(&["config", "print"], env);
    assert!(printed.status.success(), "{said}");
    assert!(
        said.contains("[upstreams]")
            && !said.contains("nobody-may-read")
            && !said.contains(testkit::INTERNAL_KEY)
    );
}
