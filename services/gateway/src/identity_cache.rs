//! Identities that auth made a moment ago, by the hash of the token they were made for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::headers::IDENTITY;
use api::{Identity, IdentityResponse};
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{Capability, ClientId, PersonId, SessionId};
use http::header::{HeaderName, HeaderValue};
use ipnet::IpNet;
use quick_cache::sync::{Cache, DefaultLifecycle, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, UnitWeighter};

use crate::caller::Caller;
use crate::client_address::Client;

/// SHA-256 of a token: the cache never holds a credential.
pub(crate) type TokenHash = [u8; digest::SHA256_OUTPUT_LEN];

/// A signed identity as it is forwarded.
#[derive(Clone, Debug)]
pub(crate) struct SignedIdentity {
    /// The value of [`IDENTITY`].
    pub(crate) header: HeaderValue,
    /// The session or key it came from.
    pub(crate) session_id: SessionId,
    /// Whose rights it carries.
    pub(crate) client_id: Option<ClientId>,
    /// The person.
    pub(crate) person_id: Option<PersonId>,
    /// Who sends requests with it, as far as limits are concerned.
    pub(crate) caller: Caller,
    /// What it may do at most.
    pub(crate) capabilities: BTreeSet<Capability>,
    /// Where alone it may be used from; empty means anywhere.
    networks: Vec<IpNet>,
}

impl SignedIdentity {
    /// The header it is forwarded in.
    pub(crate) const HEADER: HeaderName = HeaderName::from_static(IDENTITY);

    /// Takes auth's answer.
    pub(crate) fn new(answer: &IdentityResponse) -> anyhow::Result<Self> {
        let mut header =
            HeaderValue::from_str(&answer.identity).context("putting the identity into a header")?;
        header.set_sensitive(true);
        let claims = claims(&answer.identity)?;
        let networks = answer.networks.iter().map(|network| network.parse::<IpNet>());
        Ok(Self {
            header,
            session_id: answer.session_id,
            client_id: answer.client_id,
            person_id: answer.person_id,
            caller: Caller::of_identity(&claims),
            capabilities: claims.capabilities,
            networks: networks.collect::<Result<_, _>>().context("reading the identity's networks")?,
        })
    }

    /// Whether it may be used from where the client is. An uncertain address is in no network.
    pub(crate) fn admits(&self, client: Client) -> bool {
        self.networks.is_empty()
            || client.is_certain && self.networks.iter().any(|network| network.contains(&client.address))
    }
}

/// What a signed identity says. Its signature is for the services behind: here it comes from auth itself.
fn claims(identity: &str) -> anyhow::Result<Identity> {
    let payload = identity.split('.').nth(1).context("finding the claims of the identity")?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).context("decoding the claims of the identity")?;
    serde_json::from_slice(&payload).context("reading the claims of the identity")
}

/// What auth said about a token; `None`: it is nobody's, and stays so, because tokens are random.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Whose token it is.
    pub(crate) identity: Option<Arc<SignedIdentity>>,
    /// Until when this may be used.
    pub(crate) fresh_until: Instant,
    /// Until when the identity may be used at all.
    pub(crate) valid_until: Instant,
}

impl Entry {
    /// An entry that is fresh for a while, and is good for a while longer when nobody can be asked.
    pub(crate) fn new(identity: Option<Arc<SignedIdentity>>, fresh: Duration, valid: Duration) -> Self {
        let now = Instant::now();
        Self { identity, fresh_until: now + fresh.min(valid), valid_until: now + valid }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }

    fn belongs_to(&self, session: SessionId) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.session_id == session)
    }

    /// An identity that does not say whose rights it carries may carry any; a token of nobody's may be somebody's again.
    fn carries_rights_of(&self, client: ClientId) -> bool {
        self.identity.as_ref().is_none_or(|identity| identity.client_id.is_none_or(|own| own == client))
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

    /// Finds an identity that is good still, though it may not be fresh: for when nobody can be asked.
    pub(crate) fn recall(&self, token: &str) -> Option<Arc<SignedIdentity>> {
        let entry = self.entries.get(&hash(token)).filter(|entry| Instant::now() < entry.valid_until)?;
        entry.identity
    }

    /// Removes what carries the rights of a client's people, because those changed.
    pub(crate) fn revoke_client(&self, client: ClientId) {
        self.revocations.fetch_add(1, Ordering::AcqRel);
        self.entries.retain(|_, entry| !entry.carries_rights_of(client));
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

    fn identity(change: impl FnOnce(&mut IdentityResponse)) -> SignedIdentity {
        let claims = testkit::identity::of(ClientId::generate(), PersonId::generate(), &[Capability::Web]);
        let mut answer = IdentityResponse {
            identity: testkit::identity::Signer::shared().token(&claims),
            session_id: claims.session_id,
            expires_at: 0,
            client_id: Some(claims.client_id),
            person_id: Some(claims.sub),
            networks: vec![],
        };
        change(&mut answer);
        SignedIdentity::new(&answer).unwrap()
    }

    fn entry(session: SessionId, lifetime: Duration) -> Entry {
        let identity = identity(|answer| answer.session_id = session);
        Entry::new(Some(Arc::new(identity)), lifetime, lifetime)
    }

    #[test]
    fn an_identity_says_what_it_may_do_and_from_where() {
        let anywhere = identity(|_answer| {});
        assert!(anywhere.capabilities.contains(&Capability::Web));
        assert_eq!(anywhere.caller, Caller::Person(anywhere.person_id.unwrap()));
        let at_home = identity(|answer| answer.networks = vec!["10.0.0.0/8".to_owned()]);
        let admits = |identity: &SignedIdentity, address: &str, is_certain| {
            identity.admits(Client { address: address.parse().unwrap(), is_certain })
        };
        assert!(admits(&anywhere, "192.0.2.1", false));
        assert!(admits(&at_home, "10.1.2.3", true));
        assert!(!admits(&at_home, "10.1.2.3", false));
        assert!(!admits(&at_home, "192.0.2.1", true));
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_no_identity() {
        let broken = |identity: &str, networks: &[&str]| {
            SignedIdentity::new(&IdentityResponse {
                identity: identity.to_owned(),
                session_id: SessionId::generate(),
                expires_at: 0,
                client_id: None,
                person_id: None,
                networks: networks.iter().map(|network| (*network).to_owned()).collect(),
            })
            .is_err()
        };
        let claims = testkit::identity::of(ClientId::generate(), PersonId::generate(), &[]);
        let signed = testkit::identity::Signer::shared().token(&claims);
        assert!(!broken(&signed, &["10.0.0.0/8"]));
        assert!(broken(&signed, &["10.0.0.0/8", "home"]));
        assert!(broken("signed", &[]));
        assert!(broken("a.b.c", &[]));
    }

    #[tokio::test]
    async fn a_change_of_rights_removes_the_clients_entries_only() {
        let cache = IdentityCache::new(100);
        let client = ClientId::generate();
        let of = |client: Option<ClientId>| {
            Entry::new(Some(Arc::new(identity(|answer| answer.client_id = client))), MINUTE, MINUTE)
        };
        fill(&cache, "changed", of(Some(client))).await;
        fill(&cache, "unknown", of(None)).await;
        fill(&cache, "other", of(Some(ClientId::generate()))).await;
        cache.revoke_client(client);
        assert!(!knows(&cache, "changed").await);
        assert!(!knows(&cache, "unknown").await);
        assert!(knows(&cache, "other").await);
    }

    #[tokio::test]
    async fn what_is_not_fresh_may_be_recalled_for_as_long_as_it_is_valid() {
        let cache = IdentityCache::new(100);
        let of = |fresh, valid| Entry::new(Some(Arc::new(identity(|_answer| {}))), fresh, valid);
        fill(&cache, "stale", of(Duration::ZERO, MINUTE)).await;
        fill(&cache, "over", of(Duration::ZERO, Duration::ZERO)).await;
        fill(&cache, "nobody", Entry::new(None, MINUTE, MINUTE)).await;
        assert!(cache.recall("stale").is_some());
        assert!(cache.recall("over").is_none());
        assert!(cache.recall("nobody").is_none());
        assert!(cache.recall("unknown").is_none());
        cache.clear();
        assert!(cache.recall("stale").is_none());
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
        fill(&cache, "b", Entry::new(None, MINUTE, MINUTE)).await;
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
