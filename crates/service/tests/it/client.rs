//! Calls to other processes.

use api::headers;

use crate::bench::Bench;

#[tokio::test]
async fn a_call_carries_correlation_id_deadline_and_trace() {
    let bench = Bench::start().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request =
        bench.request("GET", "/relay").header(headers::CORRELATION_ID, id).header("traceparent", trace);
    let seen = request.send().await.unwrap().text().await.unwrap();
    assert!(seen.contains(&format!("{}: {id}", headers::CORRELATION_ID)), "{seen}");
    assert!(seen.contains(&format!("traceparent: {trace}")), "{seen}");
    let left =
        seen.lines().find_map(|line| line.strip_prefix(&format!("{}: ", headers::DEADLINE_MS))).unwrap();
    assert!((1..=5000).contains(&left.parse::<u64>().unwrap()), "{seen}");
}

#[tokio::test]
async fn a_redirect_is_handed_back() {
    let bench = Bench::start().await;
    assert_eq!(bench.request("GET", "/moved").send().await.unwrap().status(), 303);
}
