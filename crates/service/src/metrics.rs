//! The metrics every process has, and the one recorder behind them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{About, Drain, Tasks};

/// Requests answered.
const REQUESTS_TOTAL: &str = "http_requests_total";
/// Time until the answer began.
const REQUEST_DURATION_SECONDS: &str = "http_request_duration_seconds";
/// Requests being answered.
const REQUESTS_IN_FLIGHT: &str = "http_requests_in_flight";
/// Which build runs: always 1.
const BUILD: &str = "youtility_build";

/// Upper bounds of latency buckets, in seconds; other crates' `_seconds` histograms share them.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How often histograms are folded when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder belongs to the whole program; several services in one test share it.
static RECORDER: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();

/// Gives the recorder's handle, installing it on first use.
pub(crate) fn recorder() -> anyhow::Result<PrometheusHandle> {
    let installed = RECORDER.get_or_init(|| install().map_err(|error| format!("{error:#}")));
    installed.clone().map_err(anyhow::Error::msg).context("installing the metrics recorder")
}

fn install() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()?;
    describe_counter!(
        REQUESTS_TOTAL,
        Unit::Count,
        "Requests answered, by method, route, status and error type"
    );
    describe_histogram!(REQUEST_DURATION_SECONDS, Unit::Seconds, "Time until the answer began");
    describe_gauge!(REQUESTS_IN_FLIGHT, Unit::Count, "Requests being answered");
    describe_gauge!(BUILD, Unit::Count, "Which build runs: always 1");
    Ok(handle)
}

/// Marks the build and keeps the recorder's memory small until the drain.
pub(crate) fn keep(about: &About, handle: PrometheusHandle, tasks: &Tasks, drain: Drain) {
    gauge!(BUILD, "service" => about.name, "version" => about.version).set(1.0);
    tasks.spawn("metrics", async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                _ = ticks.tick() => handle.run_upkeep(),
                () = drain.begun() => return,
            }
        }
    });
}

/// What an answered request adds.
pub(crate) struct Answered<'a> {
    pub(crate) method: &'static str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) error_type: &'static str,
    pub(crate) elapsed: Duration,
}

/// Counter and histogram of one set of labels.
struct Handles {
    route: Box<str>,
    error_type: &'static str,
    requests: Counter,
    duration: Histogram,
}

thread_local! {
    /// Finding a metric by its labels costs more than counting in it. Routes come from fixed tables, so that few are here.
    static HANDLES: RefCell<HashMap<(&'static str, u16), Vec<Handles>>> = RefCell::default();
    static IN_FLIGHT: Gauge = gauge!(REQUESTS_IN_FLIGHT);
}

/// Counts an answered request.
pub(crate) fn record(answered: &Answered<'_>) {
    HANDLES.with_borrow_mut(|known| {
        let known = known.entry((answered.method, answered.status)).or_default();
        let is_it = |handles: &Handles| {
            *handles.route == *answered.route && handles.error_type == answered.error_type
        };
        if let Some(handles) = known.iter().find(|handles| is_it(handles)) {
            handles.count(answered);
        } else {
            let handles = Handles::find(answered);
            handles.count(answered);
            known.push(handles);
        }
    });
}

impl Handles {
    fn find(answered: &Answered<'_>) -> Self {
        let labels = [
            ("method", answered.method.to_owned()),
            ("route", answered.route.to_owned()),
            ("status", answered.status.to_string()),
            ("error_type", answered.error_type.to_owned()),
        ];
        Self {
            route: Box::from(answered.route),
            error_type: answered.error_type,
            requests: counter!(REQUESTS_TOTAL, &labels),
            duration: histogram!(REQUEST_DURATION_SECONDS, &labels),
        }
    }

    fn count(&self, answered: &Answered<'_>) {
        self.requests.increment(1);
        self.duration.record(answered.elapsed);
    }
}

/// One request being answered, until it is dropped.
pub(crate) struct InFlight;

impl InFlight {
    /// Counts one more.
    pub(crate) fn begin() -> Self {
        IN_FLIGHT.with(|gauge| gauge.increment(1.0));
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // A request that ends with its thread is counted by the gauge itself.
        if IN_FLIGHT.try_with(|gauge| gauge.decrement(1.0)).is_err() {
            gauge!(REQUESTS_IN_FLIGHT).decrement(1.0);
        }
    }
}
