//! The public door.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue, SERVER};
use actix_web::web;
use api::headers;
use service::{Context, Problem, Process};

use crate::bench::{Bench, Keys, KitchenSettings, settings};

async fn start(ctx: Context<KitchenSettings>) -> anyhow::Result<Process> {
    let http = ctx.settings.http.clone();
    Process::new(&ctx).decorate_answers(decorate).serve_public(&http, |routes| {
        routes
            .service(web::resource("/slow").get(std::future::pending::<String>))
            .default_service(web::to(proxy));
    })
}

fn decorate(request: Option<&HttpRequest>, answer: &mut HeaderMap) {
    let made_by = if request.is_some() { "handler" } else { "server" };
    answer.insert(SERVER, HeaderValue::from_static(made_by));
}

async fn proxy(request: HttpRequest) -> Result<String, Problem> {
    service::name_route(&request, "/kitchen");
    if request.path() == "/kitchen/closed" {
        return Err(Problem::upstream_unavailable().retry_after(7));
    }
    Ok(service::correlation_id(&request).to_string())
}

#[tokio::test]
async fn a_public_listener_believes_no_callers_correlation_id_or_deadline() {
    let bench = Bench::around(settings(&[]), Keys::generate(), start).await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let request = bench.request("GET", "/kitchen").header(headers::CORRELATION_ID, id);
    let answer = request.header(headers::DEADLINE_MS, "0").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_ne!(answer.text().await.unwrap(), id);
}

#[tokio::test]
async fn every_answer_is_decorated_and_a_catch_all_names_its_routes() {
    let bench =
        Bench::around(settings(&[("YOUTILITY_HTTP__REQUEST_TIMEOUT_MS", "300")]), Keys::generate(), start)
            .await;
    for (path, status, made_by) in
        [("/kitchen/7", 200, "handler"), ("/kitchen/closed", 503, "handler"), ("/slow", 504, "server")]
    {
        let answer = bench.request("GET", path).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["server"].to_str().unwrap()),
            (status, made_by)
        );
        if status == 503 {
            assert_eq!(answer.headers()["retry-after"], "7");
        }
    }
    let metrics = bench.metrics().await;
    assert!(
        metrics.contains("route=\"/kitchen\",status=\"503\",error_type=\"upstream-unavailable\""),
        "{metrics}"
    );
}
