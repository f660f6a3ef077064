//! `youtility status`.

use anyhow::Result;
use service::HttpClientSettings;

use crate::args::Place;
use crate::home::Home;
use crate::say;

/// How long a process may take to say whether it is ready.
const ANSWER_MAX_MS: u64 = 2000;

/// Shows what runs and whether it is ready.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let home = Home::open(place)?;
    let Some(system) = home.running()? else {
        say::line("nothing runs here; start it with `make up`");
        return Ok(());
    };
    say::title(&format!("Youtility at {}", system.address));
    say::line(&format!("  mail page    {}", system.mail_page));
    say::line(&format!("  MQTT broker  {}", system.broker));
    for process in &system.processes {
        let state = if is_ready(process.admin_port).await { "ready" } else { "not ready" };
        say::line(&format!("  {:<12} pid {:<8} {state}", process.name, process.pid));
    }
    say::line(&format!("  logs         {}", home.logs().display()));
    Ok(())
}

/// Asks a process whether it is ready.
pub(crate) async fn is_ready(admin_port: u16) -> bool {
    let settings = HttpClientSettings {
        connect_timeout_ms: ANSWER_MAX_MS,
        timeout_ms: ANSWER_MAX_MS,
        idle_connections_max: 0,
    };
    let Ok(client) = service::http_client(&settings) else { return false };
    let asked = client.get(format!("http://127.0.0.1:{admin_port}/readyz")).send().await;
    asked.is_ok_and(|answer| answer.status().is_success())
}
