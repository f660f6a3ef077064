//! The end of a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use service::{Context, Process};

use crate::bench::{ABOUT, Bench, INSIDE, Keys, KitchenSettings, settings, start};

#[tokio::test]
async fn a_draining_process_is_unready_and_serves_on_during_the_delay() {
    let mut bench = Bench::start_with(&[("YOUTILITY_PROCESS__DRAIN_DELAY_MS", "60000")]).await;
    bench.readyz(200).await;
    let stopping = bench.begin_stop();
    bench.readyz(503).await;
    assert_eq!(bench.request("GET", "/orders").send().await.unwrap().status(), 200);
    assert_eq!(bench.admin("GET", "/livez").send().await.unwrap().status(), 200);
    drop(stopping);
}

#[tokio::test]
async fn a_request_inside_finishes_after_the_port_is_closed() {
    let mut bench = Bench::start().await;
    let request = bench.request("GET", "/until-closed").send();
    let stop = async {
        INSIDE.notified().await;
        bench.begin_stop().join_next().await.unwrap().unwrap()
    };
    let (answer, stopped) = tokio::join!(request, stop);
    assert_eq!(answer.unwrap().text().await.unwrap(), "finished");
    stopped.unwrap();
}

#[tokio::test]
async fn the_drain_waits_for_tasks_and_cuts_off_those_that_do_not_end() {
    let settings = settings(&[("YOUTILITY_PROCESS__STOP_TIMEOUT_MS", "1000")]);
    let done = Arc::new(AtomicBool::new(false));
    let flag = done.clone();
    let polite = move |ctx: Context<KitchenSettings>| {
        let drain = ctx.drain.clone();
        ctx.tasks.spawn("polite", async move {
            drain.begun().await;
            flag.store(true, Ordering::Release);
        });
        start(ctx)
    };
    service::spawn(ABOUT, settings.clone(), polite).await.unwrap().stop().await.unwrap();
    assert!(done.load(Ordering::Acquire));
    let stubborn = |ctx: Context<KitchenSettings>| {
        ctx.tasks.spawn("stubborn", std::future::pending());
        start(ctx)
    };
    let stopped = service::spawn(ABOUT, settings, stubborn).await.unwrap().stop().await;
    assert!(stopped.unwrap_err().to_string().contains("cut off"));
}

#[tokio::test]
async fn a_process_is_ready_once_its_dependency_answers() {
    let answers = Arc::new(AtomicBool::new(false));
    let asked = answers.clone();
    let depends = move |ctx: Context<KitchenSettings>| {
        ctx.readiness.add("stove", move || {
            let answer = if asked.load(Ordering::Acquire) { Ok(()) } else { Err("cold".to_owned()) };
            std::future::ready(answer)
        });
        start(ctx)
    };
    let bench = Bench::around(settings(&[]), Keys::generate(), depends).await;
    bench.readyz(503).await;
    answers.store(true, Ordering::Release);
    bench.readyz(200).await;
    answers.store(false, Ordering::Release);
    bench.readyz(503).await;
    let report = bench.admin("GET", "/readyz").send().await.unwrap().text().await.unwrap();
    assert!(report.contains("{\"name\":\"stove\",\"ready\":false,\"reason\":\"cold\"}"), "{report}");
}

#[tokio::test]
async fn a_process_without_listeners_runs_too() {
    let bare = |ctx: Context<KitchenSettings>| std::future::ready(Ok(Process::new(&ctx)));
    let running = service::spawn(ABOUT, settings(&[]), bare).await.unwrap();
    assert!(running.address.is_none());
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_failing_start_says_why() {
    let fails = |_ctx: Context<KitchenSettings>| std::future::ready(Err(anyhow::anyhow!("no stove")));
    let error = service::spawn(ABOUT, settings(&[]), fails).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "starting: no stove");
}
