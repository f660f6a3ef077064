//! Identities that auth made a moment ago, by the hash of the token they were made for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::IdentityResponse;
use api::headers::IDENTITY;
use aws_lc_rs::digest;
use domain::SessionId;
use http::header::{HeaderName, HeaderValue, InvalidHeaderValue};
use quick_cache::sync::{Cache, DefaultLifecycle, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, UnitWeighter};

/// SHA-256 of a token: the cache never holds a credential.
pub(crate) type TokenHash = [u8; digest::SHA256_OUTPUT_LEN];

/// A signed identity as it is forwarded.
#[derive(Clone, Debug)]
pub(crate) struct SignedIdentity {
    /// The value of [`IDENTITY`].
    pub(crate) header: HeaderValue,
    /// The session it came from.
    pub(crate) session_id: SessionId,
}

impl SignedIdentity {
    /// The header it is forwarded in.
    pub(crate) const HEADER: HeaderName = HeaderName::from_static(IDENTITY);

    /// Takes auth's answer.
    pub(crate) fn new(answer: &IdentityResponse) -> Result<Self, InvalidHeaderValue> {
        let mut header = HeaderValue::from_str(&answer.identity)?;
        header.set_sensitive(true);
        Ok(Self { header, session_id: answer.session_id })
    }
}

/// What auth said about a token; `None`: it is nobody's, and stays so, because tokens are random.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Whose token it is.
    pub(crate) identity: Option<Arc<SignedIdentity>>,
    /// Until when this may be used.
    pub(crate) fresh_until: Instant,
}

impl Entry {
    /// An entry for a while.
    pub(crate) fn new(identity: Option<Arc<SignedIdentity>>, lifetime: Duration) -> Self {
        Self { identity, fresh_until: Instant::now() + lifetime }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }

    fn belongs_to(&self, session: SessionId) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.session_id == session)
    }
}

type Guard<'a> = PlaceholderGuard<
    'a,
    TokenHash,
    Entry,
    UnitWeighter,
    DefaultHashBuilder,
    DefaultLifecycle<TokenHash, Entry>,
>;

/// Bounded, and emptied of whatever a revocation names.
pub(crate) struct IdentityCache {
    entries: Cache<TokenHash, Entry>,
    /// Counts revocations: an answer that was asked for before one is not kept after it.
    revocations: AtomicU64,
}

/// Either an entry, or the right and duty to ask auth while others wait for the answer.
pub(crate) enum Lookup<'a> {
    /// Auth was asked a moment ago.
    Known(Entry),
    /// Nobody asked.
    Unknown(Vacancy<'a>),
}

/// A place to be filled with auth's answer.
pub(crate) struct Vacancy<'a> {
    cache: &'a IdentityCache,
    hash: TokenHash,
    guard: Guard<'a>,
    revocations: u64,
}

impl IdentityCache {
    /// An empty cache.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: Cache::new(entries_max), revocations: AtomicU64::new(0) }
    }

    /// Finds what is known about a token. Callers that ask for the same unknown token wait for the first of them.
    pub(crate) async fn look_up(&self, token: &str) -> Lookup<'_> {
        let hash = hash(token);
        loop {
            match self.entries.get_value_or_guard_async(&hash).await {
                Ok(entry) if entry.is_fresh() => return Lookup::Known(entry),
                Ok(_stale) => {
                    self.entries.remove_if(&hash, |entry| !entry.is_fresh());
                }
                Err(guard) => {
                    let revocations = self.revocations.load(Ordering::Acquire);
                    return Lookup::Unknown(Vacancy { cache: self, hash, guard, revocations });
                }
            }
        }
    }

    /// Removes what came from a session.
    pub(crate) fn revoke(&self, session: SessionId) {
        self.revocations.fetch_add(1, Ordering::AcqRel);
        self.entries.retain(|_, entry| !entry.belongs_to(session));
    }

    /// Removes everything, because revocations may have passed unheard.
    pub(crate) fn clear(&self) {
        self.revocations.fetch_add(1, Ordering::AcqRel);
        self.entries.clear();
    }
}

impl Vacancy<'_> {
    /// Keeps the answer, unless a session ended since the question: the answer may be about that one.
    pub(crate) fn fill(self, entry: Entry) {
        let is_current = || self.cache.revocations.load(Ordering::Acquire) == self.revocations;
        if !is_current() {
            return;
        }
        let kept = self.guard.insert(entry).is_ok();
        if kept && !is_current() {
            self.cache.entries.remove(&self.hash);
        }
    }
}

fn hash(token: &str) -> TokenHash {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn entry(session: SessionId, lifetime: Duration) -> Entry {
        let answer = IdentityResponse { identity: "signed".to_owned(), session_id: session, expires_at: 0 };
        Entry::new(Some(Arc::new(SignedIdentity::new(&answer).unwrap())), lifetime)
    }

    async fn fill(cache: &IdentityCache, token: &str, entry: Entry) {
        match cache.look_up(token).await {
            Lookup::Known(_) => panic!("{token} is known already"),
            Lookup::Unknown(vacancy) => vacancy.fill(entry),
        }
    }

    async fn knows(cache: &IdentityCache, token: &str) -> bool {
        matches!(cache.look_up(token).await, Lookup::Known(_))
    }

    #[tokio::test]
    async fn a_revocation_removes_the_sessions_entries_only() {
        let cache = IdentityCache::new(100);
        let (ended, living) = (SessionId::generate(), SessionId::generate());
        fill(&cache, "a", entry(ended, MINUTE)).await;
        fill(&cache, "b", entry(ended, MINUTE)).await;
        fill(&cache, "c", entry(living, MINUTE)).await;
        cache.revoke(ended);
        assert!(!knows(&cache, "a").await);
        assert!(!knows(&cache, "b").await);
        assert!(knows(&cache, "c").await);
        cache.clear();
        assert!(!knows(&cache, "c").await);
    }

    #[tokio::test]
    async fn an_answer_older_than_a_revocation_is_not_kept() {
        let cache = IdentityCache::new(100);
        let session = SessionId::generate();
        let Lookup::Unknown(vacancy) = cache.look_up("a").await else {
            panic!("an empty cache knows nothing");
        };
        cache.revoke(session);
        vacancy.fill(entry(session, MINUTE));
        assert!(!knows(&cache, "a").await);
    }

    #[tokio::test]
    async fn an_entry_is_used_only_while_it_is_fresh() {
        let cache = IdentityCache::new(100);
        fill(&cache, "a", entry(SessionId::generate(), Duration::ZERO)).await;
        assert!(!knows(&cache, "a").await);
        fill(&cache, "b", Entry::new(None, MINUTE)).await;
        assert!(knows(&cache, "b").await);
    }

    #[tokio::test]
    async fn callers_for_one_unknown_token_share_one_question() {
        let cache = IdentityCache::new(100);
        let Lookup::Unknown(vacancy) = cache.look_up("a").await else {
            panic!("an empty cache knows nothing");
        };
        let answer = async { vacancy.fill(entry(SessionId::generate(), MINUTE)) };
        let (second, third, ()) = tokio::join!(knows(&cache, "a"), knows(&cache, "a"), answer);
        assert!(second && third);
    }

    #[tokio::test]
    async fn the_cache_is_bounded() {
        let cache = IdentityCache::new(10);
        for token in 0..1_000 {
            fill(&cache, &token.to_string(), entry(SessionId::generate(), MINUTE)).await;
        }
        assert!(cache.entries.len() <= 10);
    }
}
