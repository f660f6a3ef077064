//! What the log is told of statements that take long.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use store::{Statement, Store};
use testkit::Database;

static NAP: Statement<(), ()> = Statement::new("test::NAP", "select pg_sleep_for('60 ms')");

/// Lines of the log, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().map_err(|_poisoned| io::Error::other("a test panicked"))?;
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the log holds after a statement of 60 ms.
async fn told(slow_statement_ms: u64) -> (String, String) {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let settings = store::DatabaseSettings { slow_statement_ms, ..db.settings("web") };
    let store = Store::new(&settings, "test").unwrap();
    store.check().await.unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let listening = tracing::subscriber::set_default(log);
    store.read(&actor, "take_a_nap", |tx| async move { tx.execute(&NAP, ()).await }).await.unwrap();
    drop(listening);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    (text, actor.correlation_id.to_string())
}

#[tokio::test]
async fn a_slow_statement_is_told_with_its_name_and_the_request_it_served() {
    let (text, correlation) = told(50).await;
    let slow: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["target"] == "slow_statement" && line["fields"]["statement"] == "test::NAP")
        .collect();
    assert_eq!(slow.len(), 1, "{text}");
    let fields = &slow[0]["fields"];
    assert_eq!(
        (&fields["transaction"], &fields["correlation_id"]),
        (&"take_a_nap".into(), &correlation.into())
    );
    assert!(fields["elapsed_ms"].as_u64().unwrap() >= 60, "{text}");
}

#[tokio::test]
async fn nothing_is_told_when_the_limit_is_off_or_not_reached() {
    for limit in [0, 30_000] {
        let (text, _) = told(limit).await;
        assert!(!text.contains("slow_statement"), "{text}");
    }
}
