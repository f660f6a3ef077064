//! Limits of requests are one bucket a key, however many processes take from it.

use std::time::{Duration, Instant};

use store::Store;
use store::request_rate::{TokenGrant, TokenRequest};
use testkit::{Database, PATIENCE, wait_until};
use tokio::task::JoinSet;

/// So long that no token comes back while a test runs.
const NEVER_US: i64 = 3_600_000_000;

fn key(number: u8) -> [u8; 16] {
    [number; 16]
}

fn request(number: u8, burst: i32, wanted: i32) -> TokenRequest {
    TokenRequest { key: key(number), interval_us: NEVER_US, burst, wanted }
}

async fn take(store: &Store, requests: Vec<TokenRequest>) -> Vec<TokenGrant> {
    let requests = &requests;
    store
        .run_single("take_request_tokens", |tx| async move { tx.take_request_tokens(requests).await })
        .await
        .unwrap()
}

async fn take_one(store: &Store, request: TokenRequest) -> TokenGrant {
    take(store, vec![request]).await.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_is_granted_over_three_replicas() {
    let db = Database::create().await;
    let mut rivals = JoinSet::new();
    for replica in [db.store("auth"), db.store("auth"), db.store("auth")] {
        for _ in 0..8 {
            let store = replica.clone();
            rivals.spawn(async move {
                let mut granted = 0;
                for _ in 0..20 {
                    granted += take_one(&store, request(1, 100, 1)).await.granted;
                }
                granted
            });
        }
    }
    assert_eq!(rivals.join_all().await.into_iter().sum::<i32>(), 100, "of 480 that asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_many_keys_over_three_replicas_grant_exactly_the_limit_of_each() {
    let db = Database::create().await;
    let mut rivals = JoinSet::new();
    for replica in [db.store("auth"), db.store("auth"), db.store("auth")] {
        for turn in 0..8_u8 {
            let store = replica.clone();
            rivals.spawn(async move {
                // Half of them name the keys backwards: whoever locked in the order given would deadlock.
                let mut keys: Vec<u8> = (0..10).collect();
                if turn % 2 == 0 {
                    keys.reverse();
                }
                let mut granted = [0; 10];
                for _ in 0..10 {
                    let batch = keys.iter().map(|number| request(*number, 55, 3)).collect();
                    for grant in take(&store, batch).await {
                        granted[usize::from(grant.key[0])] += grant.granted;
                    }
                }
                granted
            });
        }
    }
    let all = rivals.join_all().await;
    for number in 0..10 {
        assert_eq!(all.iter().map(|granted| granted[number]).sum::<i32>(), 55, "key {number}");
    }
}

#[tokio::test]
async fn what_is_left_is_given_and_whoever_gets_nothing_hears_when_to_come_again() {
    let db = Database::create().await;
    let store = db.store("auth");
    let first = take_one(&store, request(1, 10, 7)).await;
    assert_eq!((first.granted, first.remaining, first.retry_after_micros), (7, 3, 0));
    let second = take_one(&store, request(1, 10, 7)).await;
    assert_eq!((second.granted, second.remaining, second.retry_after_micros), (3, 0, 0));
    let third = take_one(&store, request(1, 10, 7)).await;
    assert_eq!((third.granted, third.remaining), (0, 0));
    assert!((1..=NEVER_US).contains(&third.retry_after_micros), "{third:?}");
    assert_eq!(take_one(&store, request(2, 10, 50)).await.granted, 10, "another key is not touched");
}

#[tokio::test]
async fn a_token_comes_back_when_it_was_said_to() {
    let db = Database::create().await;
    let store = &db.store("auth");
    let wish = TokenRequest { key: key(1), interval_us: 300_000, burst: 1, wanted: 1 };
    assert_eq!(take_one(store, wish).await.granted, 1);
    let asked = Instant::now();
    let refused = take_one(store, wish).await;
    assert_eq!(refused.granted, 0);
    assert!((1..=300_000).contains(&refused.retry_after_micros), "{refused:?}");
    wait_until("the next token", PATIENCE, async || match take_one(store, wish).await.granted {
        1 => Ok(()),
        other => Err(other),
    })
    .await;
    let said = Duration::from_micros(refused.retry_after_micros.unsigned_abs());
    assert!(asked.elapsed() >= said, "{:?} is sooner than {said:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_any_time_no_more_is_granted_than_the_burst_and_what_came_back() {
    let db = Database::create().await;
    let wish = TokenRequest { key: key(1), interval_us: 5_000, burst: 20, wanted: 2 };
    let began = Instant::now();
    let mut rivals = JoinSet::new();
    for store in [db.store("auth"), db.store("auth"), db.store("auth")] {
        rivals.spawn(async move {
            let mut granted = 0;
            for _ in 0..100 {
                granted += take_one(&store, wish).await.granted;
            }
            granted
        });
    }
    let granted: i32 = rivals.join_all().await.into_iter().sum();
    let came_back = i32::try_from(began.elapsed().as_millis() / 5).unwrap() + 1;
    assert!((20..=20 + came_back).contains(&granted), "{granted} of 20 and {came_back}");
}

#[tokio::test]
async fn only_full_buckets_are_forgotten_and_only_by_the_worker() {
    let db = Database::create().await;
    let (auth, worker) = (db.store("auth"), db.store("worker"));
    let brief = TokenRequest { key: key(1), interval_us: 1, burst: 1, wanted: 1 };
    take(&auth, vec![brief, request(2, 5, 5)]).await;
    let clean_up = |store: Store| async move {
        store.run_single("clean_up_rates", |tx| async move { tx.clean_up_request_rates(100).await }).await
    };
    assert!(clean_up(auth.clone()).await.is_err());
    assert_eq!(clean_up(worker).await.unwrap(), 1);
    assert_eq!(take_one(&auth, request(2, 5, 5)).await.granted, 0, "an empty bucket stays empty");
}
