//! Guesses at what is no password: counted exactly, apart from each other, and forgotten only for whoever was right.

use domain::sign_in::{AttemptLimit, GuessKind, LoginName};
use jiff::SignedDuration;
use store::Store;
use store::sign_in::Guess;
use testkit::Database;
use tokio::task::JoinSet;

const WINDOW: SignedDuration = SignedDuration::from_mins(15);

async fn guess(store: &Store, kind: GuessKind, subject: &str) -> Guess {
    store
        .run_single("reserve_guess", |tx| async move { tx.reserve_guess(kind, subject, WINDOW, 5).await })
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_five_of_two_hundred_guesses_over_three_replicas_are_looked_at() {
    let db = Database::create().await;
    let mut rivals = JoinSet::new();
    for store in [db.store("auth"), db.store("auth"), db.store("auth")] {
        for _ in 0..67 {
            let store = store.clone();
            rivals.spawn(async move { guess(&store, GuessKind::Factor, "asha").await });
        }
    }
    let answers = rivals.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_granted).count(), 5, "of {}", answers.len());
    let blocked = answers.iter().find(|answer| !answer.is_granted).unwrap();
    assert!((1..=900).contains(&blocked.retry_after_seconds), "{blocked:?}");
}

#[tokio::test]
async fn each_kind_and_each_subject_is_counted_apart_and_apart_from_passwords() {
    let db = Database::create().await;
    let auth = &db.store("auth");
    for _ in 0..5 {
        assert!(guess(auth, GuessKind::Factor, "asha").await.is_granted);
    }
    assert!(!guess(auth, GuessKind::Factor, "asha").await.is_granted);
    assert!(guess(auth, GuessKind::StepUp, "asha").await.is_granted);
    assert!(guess(auth, GuessKind::Factor, "ben").await.is_granted);
    let login = &LoginName::parse("asha").unwrap();
    let address = "192.0.2.1".parse().unwrap();
    let password = auth.run_single("reserve_sign_in", |tx| async move {
        tx.reserve_sign_in(login, address, &AttemptLimit::DEFAULT, None).await
    });
    assert!(password.await.unwrap().is_granted);
}

#[tokio::test]
async fn whoever_was_right_has_no_guesses_counted_but_asking_for_links_stays_counted() {
    let db = Database::create().await;
    let auth = &db.store("auth");
    for _ in 0..6 {
        guess(auth, GuessKind::Factor, "asha").await;
    }
    let forget = |kind| {
        auth.run_single("forget_guesses", move |tx| async move { tx.forget_guesses(kind, "asha").await })
    };
    assert!(forget(GuessKind::Factor).await.unwrap());
    assert!(guess(auth, GuessKind::Factor, "asha").await.is_granted);
    for kind in [GuessKind::Reset, GuessKind::Link] {
        assert!(forget(kind).await.is_err(), "{kind}");
    }
}

#[tokio::test]
async fn no_kind_reaches_the_counters_of_sign_in() {
    let db = Database::create().await;
    let client = db.admin().await;
    client.batch_execute("set role youtility_auth").await.unwrap();
    for kind in ["login", "network", "device", "", "factor:x"] {
        let sql = "select is_granted from reserve_guess($1, 'asha', interval '1 minute', 5)";
        let refused = client.query(sql, &[&kind]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "22023", "{kind}");
    }
}
