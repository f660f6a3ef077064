//! The admin listener.

use crate::bench::Bench;

#[tokio::test]
async fn a_started_process_is_alive_and_ready() {
    let bench = Bench::start().await;
    assert_eq!(bench.admin("GET", "/livez").send().await.unwrap().text().await.unwrap(), "alive\n");
    bench.readyz(200).await;
}

#[tokio::test]
async fn metrics_name_the_route_template_and_the_error() {
    let bench = Bench::start().await;
    bench.request("GET", "/orders/7").send().await.unwrap();
    bench.request("GET", "/orders/x7").send().await.unwrap();
    bench.request("BREW", "/teapot").send().await.unwrap();
    let metrics = bench.metrics().await;
    let has = |labels: &str| {
        metrics.lines().any(|line| line.starts_with("http_requests_total") && line.contains(labels))
    };
    assert!(has("method=\"GET\",route=\"/orders/{number}\",status=\"200\",error_type=\"\""), "{metrics}");
    assert!(has("route=\"/orders/{number}\",status=\"404\",error_type=\"malformed-path\""), "{metrics}");
    assert!(has("method=\"OTHER\",route=\"unmatched\",status=\"404\",error_type=\"not-found\""), "{metrics}");
    assert!(metrics.contains("http_request_duration_seconds_bucket"));
    assert!(metrics.contains("youtility_build{service=\"kitchen\",version=\"1.2.3\"} 1"), "{metrics}");
    assert!(!metrics.contains("teapot") && !metrics.contains("BREW"));
}

#[tokio::test]
async fn a_wrong_log_filter_is_refused() {
    let bench = Bench::start().await;
    let refused = bench.admin("PUT", "/log").body("info,store=loud").send().await.unwrap();
    assert_eq!(refused.json::<api::Problem>().await.unwrap().code(), "log-filter-invalid");
}

#[tokio::test]
async fn work_spawned_from_a_handler_runs_on_the_process_runtime() {
    let bench = Bench::start().await;
    let answer = bench.request("POST", "/task").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "cooked");
}
