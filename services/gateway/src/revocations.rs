//! Listens for ended sessions, so that a cached identity dies with its session.
//!
//! One stream is held to every address of auth; each carries every revocation and beats once a second. While none
//! beats auth is asked about every request, because nobody would tell that an entry is dead; only when auth does not
//! answer either, reads go on from the cache for a moment. A stream that begins empties the cache: revocations may have
//! passed unheard.

use std::sync::Arc;
use std::time::Duration;

use api::headers::INTERNAL_KEY;
use api::identity::Revocation;
use bytes::{Buf, BytesMut};
use http::header::HeaderValue;
use reqwest::{Client, Response};
use service::Drain;
use thiserror::Error;
use tokio::time::timeout;

use crate::identity_cache::IdentityCache;
use crate::pulse::Pulse;

/// The longest line a stream may send.
const LINE_BYTES_MAX: usize = 4096;

/// Why there is no stream.
#[derive(Debug, Error)]
enum StreamError {
    #[error("asking auth for revocations")]
    Http(#[from] reqwest::Error),
    #[error("auth was silent for too long")]
    Silent,
    #[error("auth closed the stream")]
    Closed,
    #[error("auth sent a line of more than {LINE_BYTES_MAX} bytes")]
    LongLine,
    #[error("auth sent a line that is no revocation")]
    Line(#[from] serde_json::Error),
}

/// One stream to one address of auth.
pub(crate) struct RevocationStream {
    /// Its place in the pulse.
    pub(crate) number: usize,
    /// Scheme, host and port of auth.
    pub(crate) origin: String,
    /// Opens it.
    pub(crate) client: Client,
    /// Proves who asks.
    pub(crate) internal_key: HeaderValue,
    /// What the revocations are for.
    pub(crate) cache: Arc<IdentityCache>,
    /// Where it beats.
    pub(crate) pulse: Arc<Pulse>,
    /// How it is held.
    pub(crate) limits: StreamLimits,
}

/// How a stream is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    /// A stream that is silent for longer is given up.
    pub(crate) silence_max: Duration,
    /// Pause before an address is asked again.
    pub(crate) pause: Duration,
    /// A stream is opened again after this, however well it is.
    pub(crate) lifetime: Duration,
}

impl RevocationStream {
    /// Holds the stream until the process stops, opening it again whenever it ends.
    pub(crate) async fn hold(self, drain: Drain) {
        tokio::select! {
            () = drain.begun() => {}
            () = self.hold_forever() => {}
        }
    }

    async fn hold_forever(&self) {
        let mut failures: u64 = 0;
        loop {
            match self.open().await {
                Ok(stream) => {
                    failures = 0;
                    tracing::info!(upstream.address = self.origin, "auth tells about ended sessions");
                    let error = self.follow(stream).await;
                    self.pulse.stop(self.number);
                    self.complain(error);
                }
                Err(error) if failures == 0 => {
                    failures = 1;
                    self.complain(error);
                }
                Err(_same_again) => failures += 1,
            }
            tokio::time::sleep(self.limits.pause).await;
        }
    }

    async fn open(&self) -> Result<Response, StreamError> {
        let request = self
            .client
            .get(format!("{}/internal/revocations", self.origin))
            .header(INTERNAL_KEY, self.internal_key.clone())
            .timeout(self.limits.lifetime);
        let answer = timeout(self.limits.silence_max, request.send())
            .await
            .map_err(|_elapsed| StreamError::Silent)??;
        Ok(answer.error_for_status()?)
    }

    /// Reads until the stream ends, and says why it did.
    async fn follow(&self, mut stream: Response) -> StreamError {
        let mut unread = BytesMut::new();
        let mut is_new = true;
        loop {
            let piece = match timeout(self.limits.silence_max, stream.chunk()).await {
                Err(_elapsed) => return StreamError::Silent,
                Ok(Err(error)) => return error.into(),
                Ok(Ok(None)) => return StreamError::Closed,
                Ok(Ok(Some(piece))) => piece,
            };
            if std::mem::take(&mut is_new) {
                self.cache.clear();
            }
            unread.extend_from_slice(&piece);
            if let Err(error) = take_lines(&mut unread, |revocation| self.hear(revocation)) {
                return error;
            }
        }
    }

    fn hear(&self, revocation: &Revocation) {
        if let Some(session) = revocation.session_id {
            self.cache.revoke(session);
        }
        if let Some(client) = revocation.client_id {
            self.cache.revoke_client(client);
        }
        self.pulse.beat(self.number);
    }

    fn complain(&self, error: StreamError) {
        tracing::warn!(
            upstream.address = self.origin,
            error.chain = format!("{:#}", anyhow::Error::from(error)),
            "auth does not tell about ended sessions; identities from it alone are not cached"
        );
    }
}

/// Takes every whole line out of the buffer.
fn take_lines(unread: &mut BytesMut, mut hear: impl FnMut(&Revocation)) -> Result<(), StreamError> {
    while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
        let line = unread.split_to(end);
        unread.advance(1);
        if !line.trim_ascii().is_empty() {
            hear(&serde_json::from_slice(&line)?);
        }
    }
    if unread.len() > LINE_BYTES_MAX { Err(StreamError::LongLine) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use domain::SessionId;

    use super::*;

    fn lines(pieces: &[&str]) -> Result<Vec<Option<SessionId>>, StreamError> {
        let mut heard = Vec::new();
        let mut unread = BytesMut::new();
        for piece in pieces {
            unread.extend_from_slice(piece.as_bytes());
            take_lines(&mut unread, |revocation| heard.push(revocation.session_id))?;
        }
        Ok(heard)
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let session = SessionId::generate();
        let line = format!("{{\"session_id\":\"{session}\"}}\n");
        let (head, tail) = line.split_at(20);
        assert_eq!(lines(&["{}\n\n{", "}\r\n", head, tail, "{"]).unwrap(), [None, None, Some(session)]);
    }

    #[test]
    fn what_is_no_revocation_ends_the_stream() {
        assert!(matches!(lines(&["<html>\n"]), Err(StreamError::Line(_))));
        assert!(matches!(lines(&[&"x".repeat(5000)]), Err(StreamError::LongLine)));
    }
}
