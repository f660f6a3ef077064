//! The attempt limit over replicas, counted where it matters: at the comparison of passwords.

use std::collections::BTreeMap;

use api::headers;
use serde_json::json;
use testkit::INTERNAL_KEY;
use testkit::process::Started;

use crate::process::auth;
use crate::stage::{ADDRESS, Ground, http};

/// A busy machine may be slow; what is limited here is attempts, not time.
const PATIENT: &[(&str, &str)] = &[
    ("DATABASE__WAIT_TIMEOUT_MS", "30000"),
    ("DATABASE__LOCK_TIMEOUT_MS", "30000"),
    ("DATABASE__STATEMENT_TIMEOUT_MS", "30000"),
    ("LIMITS__DATABASE_ANSWER_MS", "40000"),
    ("HTTP__REQUEST_TIMEOUT_MS", "50000"),
];

async fn replica(ground: &Ground) -> Started {
    auth(ground).set(PATIENT).start().await
}

/// Passwords a replica compared, as its own metric says.
async fn comparisons(replica: &Started) -> u64 {
    testkit::metric_count(replica.admin, "auth_password_verifications_total", "").await
}

/// Statuses of parallel sign-ins spread over replicas, with how often each was answered.
async fn storm(
    replicas: &[Started],
    login: &str,
    count: usize,
    address: impl Fn(usize) -> String,
) -> BTreeMap<u16, usize> {
    let client = http();
    let attempts = (0..count).map(|index| {
        let replica = &replicas[index % replicas.len()];
        let request = client
            .post(replica.url("/api/v1/session"))
            .header(headers::INTERNAL_KEY, INTERNAL_KEY)
            .header(headers::CLIENT_ADDRESS, address(index))
            .json(&json!({ "login": login, "password": format!("guess {index}") }));
        async move {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            assert_eq!(status == 429, answer.headers().contains_key("retry-after"), "{status}");
            status
        }
    });
    let mut counts = BTreeMap::new();
    for status in futures_util::future::join_all(attempts).await {
        *counts.entry(status).or_insert(0) += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_parallel_guesses_over_two_replicas_exactly_5_are_compared() {
    let ground = Ground::lay().await;
    let replicas = [replica(&ground).await, replica(&ground).await];
    let answers = storm(&replicas, "asha", 200, |index| format!("198.51.100.{index}")).await;
    assert_eq!(answers, [(401, 5), (429, 195)].into());
    let compared = comparisons(&replicas[0]).await + comparisons(&replicas[1]).await;
    assert_eq!(compared, 5);
    let sql =
        "select count(*) filter (where outcome = 'FAILED'), sum(times) filter (where outcome like 'BLOCKED%'), count(*)
                 from auth_rate_limit_attempts";
    let row = ground.db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (5, 195, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_name_that_does_not_exist_is_limited_alike() {
    let ground = Ground::lay().await;
    let replicas = [replica(&ground).await];
    let answers = storm(&replicas, "nobody", 30, |index| format!("198.51.100.{index}")).await;
    assert_eq!(answers, [(401, 5), (429, 25)].into());
    assert_eq!(comparisons(&replicas[0]).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_15_guesses_over_all_login_names() {
    let ground = Ground::lay().await;
    let replicas = [replica(&ground).await];
    let mut refused = 0;
    for person in 0..5 {
        let answers = storm(&replicas, &format!("person{person}"), 4, |_| ADDRESS.to_owned()).await;
        refused += answers.get(&401).copied().unwrap_or(0);
    }
    assert_eq!(refused, 15);
    assert_eq!(comparisons(&replicas[0]).await, 15);
}
