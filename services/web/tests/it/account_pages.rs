//! Pages of somebody's own account, with the real auth behind.

use domain::account::SecondFactorRule;
use reqwest::StatusCode;

use crate::harness::{location, text};
use crate::house::{House, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_shows_its_owners_sessions_and_nobody_elses() {
    let house = House::start().await;
    let other = house.web.db.person(house.client, "marek").login("marek", PASSWORD).await;
    house.web.db.session(house.client, other).await;
    let asha = house.enter("asha").await;
    house.enter("asha").await;
    let (status, page) = text(house.page("/account", &asha).await).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((page.matches("This one").count(), page.matches("/end\"").count()), (1, 1));
    assert!(page.contains("asha@acme.example") && page.contains("Not set up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_is_ended_and_a_foreign_one_is_not_there() {
    let house = House::start().await;
    let other = house.web.db.person(house.client, "marek").login("marek", PASSWORD).await;
    let foreign = house.web.db.session(house.client, other).await;
    let asha = house.enter("asha").await;
    house.enter("asha").await;
    let path = format!("/account/sessions/{}/end", foreign.id);
    assert_eq!(house.submit(&path, &asha, &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(house.web.count("select count(*) from session where revoked_at is null").await, 3);
    let response = house.submit("/account/sessions/end-others", &asha, &[]).await;
    assert_eq!(location(&response), "/account?said=others");
    assert_eq!(house.web.count("select count(*) from session where revoked_at is null").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_lock_people_out_leads_to_a_new_proof_first() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    assert_eq!(house.page("/account/totp", &asha).await.status(), StatusCode::OK);
    house.change("update session set authenticated_at = now() - interval '1 hour'").await;
    // The identity is a minute old at most and may say otherwise; auth looks.
    let response = house.submit("/account/totp", &asha, &[]).await;
    assert_eq!(location(&response), "/step-up?next=%2Faccount%2Ftotp");
    let (status, page) = text(house.page("/step-up?next=%2Faccount%2Ftotp", &asha).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("name=\"password\"") && !page.contains("name=\"code\""));
    let wrong = [("next", "/account/totp"), ("password", "not the password")];
    let (status, page) = text(house.submit("/step-up", &asha, &wrong).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("id=\"refusal\"") && !page.contains("not the password"));
    let right = [("next", "/account/totp"), ("password", PASSWORD)];
    let response = house.submit("/step-up", &asha, &right).await;
    assert_eq!(location(&response), "/account/totp");
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-session="));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proof_leads_away_from_our_pages() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", ""] {
        let fields = [("next", next), ("password", PASSWORD)];
        assert_eq!(location(&house.submit("/step-up", &asha, &fields).await), "/", "{next}");
        let fresh = house.enter("asha").await;
        assert_ne!(fresh, asha);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_by_who_knows_the_old_one_and_none_is_sent_back() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    let change = |current: &'static str, new: &'static str| {
        let fields = vec![("current", current), ("new", new)];
        let (house, asha) = (&house, &asha);
        async move { house.submit("/account/password", asha, &fields).await }
    };
    let (status, page) = text(change("wrong-one-here", "eleven quiet harbours").await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("current-mistake") && !page.contains("harbours") && !page.contains("wrong-one"));
    let (status, page) = text(change(PASSWORD, "short").await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("new-mistake") && !page.contains("battery"));
    assert_eq!(location(&change(PASSWORD, "eleven quiet harbours").await), "/account?said=password");
    let old = house.sign_in(&[("login", "asha"), ("password", PASSWORD)]).await;
    assert_eq!(old.status(), StatusCode::UNAUTHORIZED);
    let new = house.sign_in(&[("login", "asha"), ("password", "eleven quiet harbours")]).await;
    assert_eq!(new.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_shows_the_same_secret_again_and_nothing_that_only_looks_like_one() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    let (status, page) = text(house.submit("/account/totp", &asha, &[]).await).await;
    assert_eq!(status, StatusCode::OK);
    let uri = page.split("name=\"uri\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let uri = uri.replace("&#38;", "&").replace("&amp;", "&");
    assert!(page.contains("<svg class=\"qr\""));
    let (status, again) =
        text(house.submit("/account/totp/confirm", &asha, &[("uri", &uri), ("code", "000000")]).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let secret = |page: &str| {
        page.split("class=\"secret\"").nth(1).unwrap().split("</code>").next().unwrap().to_owned()
    };
    assert_eq!(secret(&again), secret(&page));
    for hostile in ["javascript:alert(1)", "otpauth://totp/x?secret=<b>", "https://evil.example/?secret=AAAA"]
    {
        let response =
            house.submit("/account/totp/confirm", &asha, &[("uri", hostile), ("code", "000000")]).await;
        assert_eq!(location(&response), "/account/totp", "{hostile}");
    }
    assert_eq!(house.web.count("select count(*) from totp where confirmed_at is not null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_owes_a_second_factor_finds_the_account_and_nothing_else() {
    let house = House::start().await;
    house.web.db.second_factor(house.client, SecondFactorRule::Required).await;
    let asha = house.enter("asha").await;
    for path in ["/", "/tickets", "/setup/users"] {
        assert_eq!(location(&house.page(path, &asha).await), "/account", "{path}");
    }
    let (status, page) = text(house.page("/account", &asha).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("wants everybody to have a second factor"));
    assert_eq!(house.page("/account/totp", &asha).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_step_asks_for_what_is_there_and_an_unknown_step_begins_anew() {
    let house = House::start().await;
    let (status, page) =
        text(house.page("/login/factor?factors=totp,recovery&next=%2Ftickets", "").await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("name=\"code\"") && page.contains("way=recovery") && !page.contains("yt-passkey"));
    let (_, page) =
        text(house.page("/login/factor?factors=<b>&way=\"><i>&next=//evil.example", "").await).await;
    assert!(page.contains("name=\"code\"") && !page.contains("<b>") && !page.contains("evil.example"));
    let response = house.submit("/login/factor", "", &[("code", "123456"), ("next", "/tickets")]).await;
    assert_eq!(location(&response), "/login?said=late&next=%2Ftickets");
}
