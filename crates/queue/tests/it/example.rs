//! The example does what it shows.

use crate::support::empty_database;

#[path = "../../examples/ten_minutes.rs"]
#[expect(dead_code, reason = "an example begins in main, this test does not")]
mod ten_minutes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_runs_in_an_empty_database() {
    ten_minutes::run(empty_database().await).await.unwrap();
}
