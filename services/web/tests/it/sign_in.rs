//! Sign-in and sign-out, with the real auth behind.

use reqwest::{Method, StatusCode};

use crate::harness::{Web, location, text, urlencoded};
use crate::house::{House, token};

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_gives_a_session_and_leads_where_one_wanted_to_go() {
    let house = House::start().await;
    let fields = [("login", "asha"), ("password", "correct horse battery"), ("next", "/tickets?state=OPEN")];
    let response = house.sign_in(&fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&response), "/tickets?state=OPEN");
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-session=") && cookie.contains("HttpOnly") && cookie.contains("Secure")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_ends_the_session_one_came_with() {
    let house = House::start().await;
    let fields = [("login", "asha"), ("password", "correct horse battery")];
    let earlier = token(&house.sign_in(&fields).await);
    let identity = house.identity(&earlier).await.unwrap();
    let again = |password| {
        let request = house.web.ask(Method::POST, "/login", None).header(api::headers::IDENTITY, &identity);
        urlencoded(request, &[("login", "asha"), ("password", password)]).send()
    };
    assert_eq!(again("wrong-password-x").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(house.identity(&earlier).await.is_ok(), "a refused sign-in ends nothing");
    let later = token(&again("correct horse battery").await.unwrap());
    assert_eq!(house.identity(&earlier).await, Err(StatusCode::UNAUTHORIZED));
    assert!(house.identity(&later).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sign_in_leads_away_from_our_pages() {
    let house = House::start().await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", ""] {
        let fields = [("login", "asha"), ("password", "correct horse battery"), ("next", next)];
        let response = house.sign_in(&fields).await;
        assert_eq!(location(&response), "/", "{next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_shows_the_form_again_without_the_password() {
    let house = House::start().await;
    let fields =
        [("login", "as<ha"), ("password", "wrong-password-x"), ("next", "/tickets/1"), ("csrf_token", "t")];
    let (status, page) =
        text(house.sign_in(&[("login", "asha"), fields[1], fields[2], fields[3]]).await).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        page.contains("role=\"alert\"")
            && page.contains("value=\"asha\"")
            && page.contains("value=\"/tickets/1\"")
    );
    assert!(!page.contains("wrong-password-x"));
    let (status, page) = text(house.sign_in(&fields).await).await;
    assert!(status.is_client_error() && page.contains("as&#60;ha"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_too_many_tries_the_page_says_how_long_to_wait() {
    let house = House::start().await;
    for _ in 0..5 {
        house.sign_in(&[("login", "asha"), ("password", "wrong")]).await;
    }
    let response = house.sign_in(&[("login", "asha"), ("password", "correct horse battery")]).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&seconds));
    assert!(text(response).await.1.contains("Too many"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auth_the_page_stays_and_says_so() {
    let house = House::start().await;
    let House { web, auth, .. } = house;
    auth.stop().await.unwrap();
    let request = web.ask(Method::POST, "/login", None).header("accept", "text/html");
    let response = urlencoded(request, &[("login", "asha"), ("password", "x")]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert!(text(response).await.1.contains("not available"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_whose_session_ended_loads_the_sign_in_page_whole() {
    let web = Web::start().await;
    let request = web
        .ask(Method::GET, "/login?next=%2Ftickets", None)
        .header("hx-request", "true")
        .header("hx-request-type", "partial")
        .header("hx-current-url", "https://here.example/tickets?state=NEW");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["hx-redirect"], "/login?next=%2Ftickets%3Fstate%3DNEW");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_did_not_come_through_the_gateway_is_refused() {
    let web = Web::start().await;
    let address = web.running.address.unwrap();
    let request = web.http.post(format!("http://{address}/login"));
    let response = urlencoded(request, &[("login", "asha"), ("password", "x")]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}
