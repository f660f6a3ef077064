//! Tokens of requests, taken by gateways.

use api::rate::{PATH, TakenTokens};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{PATIENCE, metric_count};

use crate::stage::{Auth, Ground, env_with, problem};

/// A token comes back after an hour, so that none comes back while a test runs.
const HOUR_US: i64 = 3_600_000_000;

fn item(key: u8, burst: i32, wanted: i32) -> Value {
    json!({ "key": STANDARD.encode([key; 16]), "interval_us": HOUR_US, "burst": burst, "wanted": wanted })
}

async fn take(auth: &Auth, items: &[Value]) -> TakenTokens {
    let answer = auth.internal("POST", PATH).json(&json!({ "items": items })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gives_its_burst_and_then_says_when_the_next_token_comes() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = take(&auth, &[item(1, 10, 4), item(2, 3, 1)]).await;
    let given: Vec<_> = first.items.iter().map(|taken| (taken.granted, taken.remaining)).collect();
    assert_eq!(given, [(4, 6), (1, 2)], "in the order of the question");
    let second = take(&auth, &[item(1, 10, 8)]).await;
    assert_eq!(
        (second.items[0].granted, second.items[0].remaining),
        (6, 0),
        "what is left of what was wanted"
    );
    let third = take(&auth, &[item(1, 10, 1)]).await;
    assert_eq!(third.items[0].granted, 0);
    let hour_ms = 3_600_000;
    assert!((hour_ms - 60_000..=hour_ms).contains(&third.items[0].retry_after_ms), "{third:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_burst_is_given_over_replicas_and_those_who_wait_share_statements() {
    let ground = Ground::lay().await;
    let (one, other) = (Auth::on(&ground).await, Auth::on(&ground).await);
    let asking = (0..300).map(|number| {
        let auth = if number % 2 == 0 { &one } else { &other };
        async move { take(auth, &[item(7, 100, 1), item(8, 1_000, 2)]).await }
    });
    let answers = join_all(asking).await;
    let given = |index: usize| answers.iter().map(|taken| taken.items[index].granted).sum::<i32>();
    assert_eq!((given(0), given(1)), (100, 600));
    let none = answers.iter().filter(|taken| taken.items[0].granted == 0);
    assert!(none.clone().count() == 200 && none.clone().all(|taken| taken.items[0].retry_after_ms > 0));
    let admin = one.running.admin;
    let questions = metric_count(admin, "auth_rate_questions_total", "").await;
    let statements = metric_count(admin, "auth_rate_statements_total", "").await;
    assert!(statements < questions, "{statements} statements for {questions} questions");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_may_name_a_key_twice_and_gets_no_more_for_it() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let taken = take(&auth, &[item(1, 5, 4), item(1, 5, 4)]).await;
    let given: Vec<i32> = taken.items.iter().map(|taken| taken.granted).collect();
    assert_eq!(given, [4, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_named_field_by_field() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let short = json!({ "key": STANDARD.encode([1; 15]), "interval_us": 1, "burst": 1, "wanted": 1 });
    let never = json!({ "key": STANDARD.encode([1; 16]), "interval_us": 0, "burst": 1, "wanted": 1 });
    let items = [short, never, item(1, 0, 1), item(1, 3, 4), item(1, 3, -1), item(1, i32::MAX, 1)];
    let (status, refused) =
        problem(auth.internal("POST", PATH).json(&json!({ "items": items })).send().await.unwrap()).await;
    assert_eq!((status, &refused["type"]), (400, &json!("/problems/malformed-body")));
    let pointers: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    let expected = [
        "/items/0/key",
        "/items/1/interval_us",
        "/items/2/burst",
        "/items/3/wanted",
        "/items/4/wanted",
        "/items/5/burst",
    ];
    assert_eq!(pointers, expected);
    for items in [vec![], vec![item(1, 1, 1); 501]] {
        let answer = auth.internal("POST", PATH).json(&json!({ "items": items })).send().await.unwrap();
        assert_eq!(answer.status(), 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_internal_key_nobody_takes_tokens() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let body = json!({ "items": [item(1, 1, 1)] });
    let (status, refused) = problem(auth.request("POST", PATH).json(&body).send().await.unwrap()).await;
    assert_eq!((status, &refused["type"]), (401, &json!("/problems/internal-only")));
    assert_eq!(ground.db.count("select count(*) from request_rate").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_answered_503_in_time_and_needs_no_restart() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("RATES__ANSWER_MS", "300")])).await;
    take(&auth, &[item(1, 10, 1)]).await;
    let admin = ground.db.admin().await;
    admin.batch_execute("begin; lock table request_rate in access exclusive mode").await.unwrap();
    let body = json!({ "items": [item(1, 10, 1)] });
    let (status, refused) = problem(auth.internal("POST", PATH).json(&body).send().await.unwrap()).await;
    assert_eq!((status, &refused["type"]), (503, &json!("/problems/rates-unavailable")));
    admin.batch_execute("rollback").await.unwrap();
    testkit::wait_until("tokens again", PATIENCE, async || {
        let answer = auth.internal("POST", PATH).json(&body).send().await.unwrap();
        if answer.status() == 200 { Ok(()) } else { Err(answer.status()) }
    })
    .await;
}
