use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::json;
use testkit::{ChaosProxy, Database, wait_until_ready};
use tokio::process::{Child, Command};

use crate::world::{READINGS, TestBroker, environment, reading};

const STEPS: usize = 14;

/// What may happen to a system in a bad week.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    CutDatabase,
    HealDatabase,
    KillBridge,
    RestartBroker,
}

/// The same steps for the same seed.
fn steps(seed: u64) -> Vec<Step> {
    let choices = [
        Step::Publish,
        Step::Publish,
        Step::CutDatabase,
        Step::HealDatabase,
        Step::KillBridge,
        Step::RestartBroker,
    ];
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[usize::try_from(state >> 33).unwrap() % choices.len()]
    })
    .take(STEPS)
    .collect()
}

struct Bridge {
    environment: Vec<(String, String)>,
    process: Child,
}

impl Bridge {
    fn start(environment: Vec<(String, String)>) -> Self {
        let process = Self::spawn(&environment);
        Self { environment, process }
    }

    fn spawn(environment: &[(String, String)]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_mqtt-bridge"))
            .env_clear()
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Kills it without a chance to say goodbye, wherever it is.
    async fn crash(&mut self) {
        self.process.kill().await.unwrap();
        self.process = Self::spawn(&self.environment);
    }
}

async fn survive(seed: u64) {
    let db = Database::create().await;
    let client = db.client("ACME").await;
    let site = db.site(client, "HQ").await;
    db.device(client, site, "PUMP-1").await;
    let mut broker = TestBroker::start().await;
    let proxy = ChaosProxy::start(db.address()).await;
    let admin_port = local::port::free(0).unwrap();
    let mut pairs = environment(&db, broker.port);
    pairs.push(("YOUTILITY_DATABASE__PORT".to_owned(), proxy.address().port().to_string()));
    pairs.push(("YOUTILITY_PROCESS__ADMIN_BIND".to_owned(), format!("127.0.0.1:{admin_port}")));
    let mut bridge = Bridge::start(pairs);
    wait_until_ready(([127, 0, 0, 1], admin_port).into()).await;
    broker.keep_answers("PUMP-1").await;

    let mut published: i64 = 0;
    let mut unanswered = BTreeMap::new();
    for step in steps(seed) {
        match step {
            Step::Publish => {
                for _ in 0..5 {
                    published += 1;
                    let (id, payload) = reading(&json!({ "temperature": published }));
                    broker.publish("PUMP-1", &payload, &[]).await;
                    unanswered.insert(id.to_string(), payload);
                }
            }
            Step::CutDatabase => proxy.cut(),
            Step::HealDatabase => proxy.heal(),
            Step::KillBridge => bridge.crash().await,
            Step::RestartBroker => {
                broker.stop().await;
                broker.restart().await;
            }
        }
    }
    proxy.heal();
    wait_until_ready(([127, 0, 0, 1], admin_port).into()).await;
    for _round in 0..10 {
        if !unanswered.is_empty() {
            broker.repeat("PUMP-1", &mut unanswered).await;
        }
    }
    assert!(unanswered.is_empty(), "seed {seed}: no answer for {unanswered:?}");
    assert_eq!(db.count(READINGS).await, published, "seed {seed}");
}

#[tokio::test]
async fn no_reading_is_lost_or_doubled_whatever_crashes() {
    for seed in [1, 7, 42] {
        survive(seed).await;
    }
}
