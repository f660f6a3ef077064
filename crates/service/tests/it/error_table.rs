//! Every error answer is a problem, whoever noticed the error.

use api::headers;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;

use crate::bench::Bench;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends, expects a problem, and gives it with the answer's headers.
async fn problem(request: RequestBuilder) -> (api::Problem, HeaderMap) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], api::problem::MEDIA_TYPE);
    let head = response.headers().clone();
    let status = response.status();
    let body: api::Problem = response.json().await.unwrap();
    assert_eq!(body.status, status.as_u16());
    assert_eq!(body.instance, format!("urn:uuid:{}", head[headers::CORRELATION_ID].to_str().unwrap()));
    (body, head)
}

async fn expect(request: RequestBuilder, status: u16, code: &str) {
    let (problem, _) = problem(request).await;
    assert_eq!((problem.status, problem.code()), (status, code), "{problem:?}");
}

#[tokio::test]
async fn every_error_has_its_status_and_code() {
    let bench = Bench::start().await;
    let post = |path: &str, body: &'static str| bench.request("POST", path).header(JSON.0, JSON.1).body(body);
    let long = "a".repeat(300);
    let chunks =
        futures_util::stream::iter(vec![Ok::<_, std::io::Error>("a".repeat(150)), Ok("a".repeat(150))]);
    let cases = [
        (bench.request("GET", "/nowhere"), 404, "not-found"),
        (bench.request("DELETE", "/orders"), 405, "method-not-allowed"),
        (post("/orders", "{\"dish\":"), 400, "malformed-body"),
        (post("/orders", "{\"dish\":\"dal\",\"guests\":\"many\"}"), 400, "malformed-body"),
        (post("/orders", "{\"dish\":\"dal\",\"guests\":2,\"x\":1}"), 400, "malformed-body"),
        (post("/orders", "{\"dish\":\"dal\",\"guests\":2} more"), 400, "malformed-body"),
        (post("/orders", "{\"dish\":\"dal\",\"guests\":0}"), 422, "no-guests"),
        (bench.request("POST", "/orders").body("dish"), 415, "unsupported-media-type"),
        (bench.request("POST", "/form").header(JSON.0, JSON.1).body("{}"), 415, "unsupported-media-type"),
        (bench.request("POST", "/orders").header(JSON.0, JSON.1).body(long.clone()), 413, "body-too-large"),
        (bench.request("POST", "/raw").body(long), 413, "body-too-large"),
        (bench.request("POST", "/raw").body(reqwest::Body::wrap_stream(chunks)), 413, "body-too-large"),
        (bench.request("GET", "/orders/seven"), 404, "malformed-path"),
        (bench.request("GET", "/orders?limit=lots"), 400, "malformed-query"),
        (bench.request("GET", "/orders?size=1"), 400, "malformed-query"),
        (bench.request("GET", "/panic"), 500, "internal"),
        (bench.request("GET", "/slow").header(headers::DEADLINE_MS, "20"), 504, "deadline-exceeded"),
        (bench.request("GET", "/orders").header("upgrade", "websocket"), 400, "upgrade-refused"),
        (bench.request("GET", "/caller"), 401, "sign-in-required"),
        (bench.request("GET", "/internal/open"), 401, "internal-only"),
        (
            bench.request("GET", "/internal/address").header(headers::CLIENT_ADDRESS, "1.2.3.4"),
            401,
            "internal-only",
        ),
    ];
    for (request, status, code) in cases {
        expect(request, status, code).await;
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_by_pointer_and_in_our_own_words() {
    let bench = Bench::start().await;
    let body = "{\"dish\":\"dal\",\"guests\":\"many\"}";
    let (problem, _) = problem(bench.request("POST", "/orders").header(JSON.0, JSON.1).body(body)).await;
    assert_eq!(problem.errors[0].pointer, "/guests");
    assert!(!format!("{problem:?}").contains("u8"));
}

#[tokio::test]
async fn a_fault_keeps_its_fields_and_hides_its_display() {
    let bench = Bench::start().await;
    let body = "{\"dish\":\"dal\",\"guests\":0}";
    let (problem, _) = problem(bench.request("POST", "/orders").header(JSON.0, JSON.1).body(body)).await;
    assert_eq!(problem.detail, "Somebody has to eat it.");
    assert_eq!(problem.errors[0].pointer, "/guests");
    assert!(!format!("{problem:?}").contains("table 7"));
}

#[tokio::test]
async fn a_panic_tells_nothing_and_the_process_goes_on() {
    let bench = Bench::start().await;
    let (problem, _) = problem(bench.request("GET", "/panic")).await;
    assert!(!format!("{problem:?}").contains("fire"));
    assert_eq!(bench.request("GET", "/orders").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let bench = Bench::start().await;
    let (_, head) = problem(bench.request("DELETE", "/orders")).await;
    assert_eq!(head["allow"], "GET, POST");
}

#[tokio::test]
async fn browsers_get_a_page_without_inline_script_or_style() {
    let bench = Bench::start().await;
    for path in ["/nowhere", "/panic", "/caller", "/orders/seven"] {
        let response =
            bench.request("GET", path).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
        let id = response.headers()[headers::CORRELATION_ID].to_str().unwrap().to_owned();
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        let page = response.text().await.unwrap();
        assert!(page.contains("/assets/error.css") && page.contains(&id), "{page}");
        assert!(!page.contains("<script") && !page.contains("<style") && !page.contains("style="), "{page}");
    }
    let api = bench.request("GET", "/api/v1/caller").header("accept", "text/html").send().await.unwrap();
    assert_eq!(api.headers()["content-type"], api::problem::MEDIA_TYPE);
}

#[tokio::test]
async fn the_correlation_id_is_kept_when_it_is_a_uuid() {
    let bench = Bench::start().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let kept = bench.request("GET", "/orders").header(headers::CORRELATION_ID, id).send().await.unwrap();
    assert_eq!(kept.headers()[headers::CORRELATION_ID], id);
    let made = bench.request("GET", "/orders").header(headers::CORRELATION_ID, "mine").send().await.unwrap();
    assert_ne!(made.headers()[headers::CORRELATION_ID], "mine");
}

#[tokio::test]
async fn a_right_request_is_answered() {
    let bench = Bench::start().await;
    let body = "{\"dish\":\"dal\",\"guests\":2}";
    let answer = bench.request("POST", "/orders").header(JSON.0, JSON.1).body(body).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "dal for 2");
    let form = bench.request("POST", "/form").header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body("dish=dal&guests=3").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "dal for 3");
}
