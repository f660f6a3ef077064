//! The question to a service: does the process live, and is it ready.

use reqwest::{Client, Response};
use serde_json::Value;

use crate::finding::Finding;

/// Longer answers are not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Asks one service's admin listener.
pub(crate) struct ServiceProbe {
    client: Client,
    livez: String,
    readyz: String,
}

impl ServiceProbe {
    /// Takes the base of the admin listener, such as `http://auth:9080`.
    pub(crate) fn new(client: Client, base: &str) -> Self {
        let base = base.trim_end_matches('/');
        Self { client, livez: format!("{base}/livez"), readyz: format!("{base}/readyz") }
    }

    /// Asks.
    pub(crate) async fn ask(&mut self) -> Finding {
        match self.questions().await {
            Ok(finding) => finding,
            Err(error) if error.is_connect() => Finding::unhealthy("cannot be reached"),
            Err(error) if error.is_timeout() => Finding::unhealthy("does not answer in time"),
            Err(_) => Finding::unhealthy("gives no readable answer"),
        }
    }

    async fn questions(&self) -> Result<Finding, reqwest::Error> {
        let alive = self.client.get(&self.livez).send().await?;
        if !alive.status().is_success() {
            return Ok(Finding::unhealthy(format!("says it is not alive: {}", alive.status().as_u16())));
        }
        let ready = self.client.get(&self.readyz).send().await?;
        if ready.status().is_success() {
            return Ok(Finding::healthy("ready"));
        }
        Ok(not_ready(ready).await)
    }
}

/// Why a service is not ready, as it says itself.
async fn not_ready(mut answer: Response) -> Finding {
    let finding = Finding::unhealthy("alive, but not ready");
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return finding;
        }
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(said) => finding.internal("said", said),
        Err(_) => finding,
    }
}
