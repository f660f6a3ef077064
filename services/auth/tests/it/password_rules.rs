//! Changing the password: which ones are taken, and what ends with the old one.

use serde_json::json;

use crate::person::Browser;
use crate::stage::{Auth, Ground, PASSWORD, env_with, problem};

/// A password that is taken.
pub(crate) const NEXT: &str = "lamp river stone fog";

fn form(current: &str, new: &str) -> serde_json::Value {
    json!({ "current": current, "new": new })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_the_old_one_and_every_other_session() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let other = auth.token_of("asha", PASSWORD).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let before = browser.token.clone();
    let answer = browser.send_json("PUT", "/api/v1/account/password", form(PASSWORD, NEXT)).await;
    assert_eq!(answer.status(), 204);
    assert_ne!(browser.token, before, "what a password opened has another token");
    assert_eq!(auth.exchange(&browser.token).await.status(), 200);
    for gone in [&other, &before] {
        assert_eq!(auth.exchange(gone).await.status(), 401);
    }
    assert_eq!(auth.sign_in("asha", PASSWORD).send().await.unwrap().status(), 401);
    assert_eq!(auth.sign_in("asha", NEXT).send().await.unwrap().status(), 201);
    let sql = "select args::text from task where kind = 'account.mail'";
    let rows = ground.db.admin().await.query(sql, &[]).await.unwrap();
    let args: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(args.len(), 1, "the person is told");
    assert!(args[0].contains("PASSWORD_CHANGED") && !args[0].contains(NEXT), "{args:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_that_break_rules_are_named_and_change_nothing() {
    let ground = Ground::lay().await;
    ground.change("update person set email = 'a.rao@facility.example'").await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    for weak in [
        "short-7Kq",
        "password12345",
        "qwertyuiop12",
        "aaaaaaaaaaaaaa",
        "asha lamp river stone",
        "FACILITY lamp river",
        "acme lamp river stone",
        &"lamp river ".repeat(20),
    ] {
        let answer = browser.send_json("PUT", "/api/v1/account/password", form(PASSWORD, weak)).await;
        let (status, problem) = problem(answer).await;
        assert_eq!((status, &problem["type"]), (422, &json!("/problems/password-refused")), "{weak}");
        assert_eq!(problem["errors"][0]["pointer"], "/new");
        assert!(!problem.to_string().contains(weak.trim()), "an answer never holds a password");
    }
    assert_eq!(auth.sign_in("asha", PASSWORD).send().await.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_kinds_of_characters_and_up_to_128_are_taken_as_they_are() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut current = PASSWORD.to_owned();
    let long: String =
        "ü7 ".chars().cycle().take(96).chain("Kq9mXw2tZp4vRb8nHc6jLd3sGf5yTe1u".chars()).collect();
    assert_eq!(long.chars().count(), 128);
    for fine in ["пять рыжих слонов летят", " leading and trailing ", &long] {
        let mut browser = Browser { auth: &auth, token: auth.token_of("asha", &current).await };
        let answer = browser.send_json("PUT", "/api/v1/account/password", form(&current, fine)).await;
        assert_eq!(answer.status(), 204, "{fine}");
        fine.clone_into(&mut current);
    }
    auth.token_of("asha", &long).await;
    let almost: String = long.chars().take(127).collect();
    assert_eq!(auth.sign_in("asha", &almost).send().await.unwrap().status(), 401, "nothing is cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_current_password_is_counted_and_after_five_nobody_may_try() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    for _ in 0..5 {
        let answer = browser.send_json("PUT", "/api/v1/account/password", form("wrong", NEXT)).await;
        assert_eq!(problem(answer).await.1["type"], "/problems/factor-refused");
    }
    let answer = browser.send_json("PUT", "/api/v1/account/password", form(PASSWORD, NEXT)).await;
    assert_eq!(problem(answer).await.1["type"], "/problems/factor-limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_at_once_one_wins_and_the_other_is_refused() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (one, two) = (Browser::of(&auth, "asha").await, Browser::of(&auth, "asha").await);
    let path = "/api/v1/account/password";
    let requests = [
        one.call("PUT", path).await.json(&form(PASSWORD, NEXT)).send(),
        two.call("PUT", path).await.json(&form(PASSWORD, "copper meadow violin tax")).send(),
    ];
    let answers = futures_util::future::join_all(requests).await;
    let mut statuses: Vec<u16> =
        answers.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 204);
    assert!([401, 403, 404].contains(&statuses[1]), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_passwords_is_refused_besides() {
    let ground = Ground::lay().await;
    let file = std::env::temp_dir().join(format!("common-{}.txt", std::process::id()));
    std::fs::write(&file, format!("something else\n{}\n", NEXT.to_uppercase())).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let auth = Auth::start(env_with(&ground.db, &[("PASSWORD_RULES__COMMON_FILE", &path)])).await;
    std::fs::remove_file(&file).unwrap();
    let mut browser = Browser::of(&auth, "asha").await;
    let answer = browser.send_json("PUT", "/api/v1/account/password", form(PASSWORD, NEXT)).await;
    assert_eq!(problem(answer).await.1["type"], "/problems/password-refused");
}
