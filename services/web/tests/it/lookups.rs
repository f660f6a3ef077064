//! Look-ups of people and sites.

use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::Web;

fn labels(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|choice| choice["label"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_letters_match_beginnings_of_words_and_three_match_anywhere() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    web.db.person(tenant.client, "m1").name("Marek Nowak").await;
    web.db.person(tenant.client, "t1").name("Tomas Sharma").await;
    let (status, found) = web.get("/api/v1/people/lookup?q=no", &tenant.somebody()).await;
    assert_eq!((status, labels(&found)), (StatusCode::OK, vec!["Marek Nowak (m1)"]));
    let (_, inside) = web.get("/api/v1/people/lookup?q=ar", &tenant.somebody()).await;
    assert_eq!(labels(&inside), Vec::<&str>::new(), "two letters inside a word do not match");
    let (_, anywhere) = web.get("/api/v1/people/lookup?q=arm", &tenant.somebody()).await;
    assert_eq!(labels(&anywhere), ["Tomas Sharma (t1)"]);
    let (_, any_order) = web.get("/api/v1/people/lookup?q=nowak%20mar", &tenant.somebody()).await;
    assert_eq!(labels(&any_order), ["Marek Nowak (m1)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_typed_gives_the_first_names_and_at_most_the_limit() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    for number in 0..25 {
        web.db.person(tenant.client, &format!("p{number:02}")).name(&format!("Person {number:02}")).await;
    }
    let (_, first) = web.get("/api/v1/people/lookup", &tenant.somebody()).await;
    assert_eq!(labels(&first).len(), 20);
    assert_eq!(labels(&first)[0], "Asha Patil (asha)");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_people_and_sites_never_appear() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    web.db.person(other.client, "zed").name("Zed Other").await;
    for q in ["", "ze", "zed", "asha", "%25", "_", "\\"] {
        let (status, found) = web.get(&format!("/api/v1/people/lookup?q={q}"), &acme.somebody()).await;
        assert_eq!(status, StatusCode::OK, "{q}");
        assert!(!found.to_string().contains("Zed"), "{q}");
        assert!(!found.to_string().contains(&other.person.to_string()), "{q}");
    }
    let (_, sites) = web.get("/api/v1/sites", &acme.somebody()).await;
    assert_eq!(labels(&sites), ["Site HQ (HQ)"]);
    assert!(!sites.to_string().contains(&other.site.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_by_a_control_character() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (status, found) = web.get("/api/v1/people/lookup?q=as%00ha", &tenant.somebody()).await;
    assert_eq!((status, labels(&found)), (StatusCode::OK, Vec::new()));
}
