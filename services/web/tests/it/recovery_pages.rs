//! Pages for a forgotten password and a proven address, with the real auth behind.

use reqwest::{Method, StatusCode};

use crate::harness::{location, text, urlencoded};
use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_login_name_nobody_has_is_answered_like_one_that_somebody_has() {
    let house = House::start().await;
    for login in ["asha", "nobody-at-all"] {
        let response = house.submit("/forgot", "", &[("login", login)]).await;
        assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/forgot?sent=yes"));
    }
    let (_, page) = text(house.page("/forgot?sent=yes", "").await).await;
    assert!(page.contains("If there is such a login name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_a_link_uses_nothing_up_and_a_dead_one_says_so() {
    let house = House::start().await;
    for path in ["/reset/x", "/verify/x", "/reset/%3Cb%3E"] {
        let (status, page) = text(house.page(path, "").await).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!page.contains("<b>"));
    }
    let fields =
        [("token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ("password", "eleven quiet harbours")];
    let (status, page) = text(house.submit("/reset", "", &fields).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("This link does not work") && !page.contains("harbours"));
    let (status, page) = text(house.submit("/verify", "", &fields[..1]).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("This link does not work"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auth_the_pages_stay_and_say_so() {
    let house = House::start().await;
    let House { web, auth, .. } = house;
    auth.stop().await.unwrap();
    for (path, fields) in [
        ("/forgot", vec![("login", "asha")]),
        ("/reset", vec![("token", "x"), ("password", "eleven quiet harbours")]),
        ("/login/factor", vec![("code", "123456")]),
    ] {
        let request = web.ask(Method::POST, path, None).header("accept", "text/html");
        let response = urlencoded(request, &fields).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(response.headers().contains_key("retry-after"), "{path}");
        let page = text(response).await.1;
        assert!(page.contains("not available") && !page.contains("harbours"), "{path}");
    }
}
