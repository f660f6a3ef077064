//! Limits of requests: tokens of buckets that all gateways share.

use store::Store;
pub use store::request_rate::{KEY_BYTES, TokenGrant, TokenRequest};

use crate::Error;

/// Buckets one statement forgets.
const BUCKETS_AT_ONCE: i32 = 10_000;

/// Takes tokens of several buckets, each named once; the answer has them in no order. Exact over every process that asks.
///
/// # Errors
/// Those of the store, and then nothing is known of any bucket.
pub async fn take(store: &Store, requests: &[TokenRequest]) -> Result<Vec<TokenGrant>, Error> {
    let taken =
        store.run_single("take_request_tokens", |tx| async move { tx.take_request_tokens(requests).await });
    Ok(taken.await?)
}

/// Forgets buckets that are full, and so no different from new ones; answers how many.
///
/// # Errors
/// Those of the store; what was forgotten until then stays forgotten.
pub async fn clean_up(store: &Store) -> Result<i64, Error> {
    let mut forgotten = 0;
    loop {
        let some = store.run_single("clean_up_request_rates", |tx| async move {
            tx.clean_up_request_rates(BUCKETS_AT_ONCE).await
        });
        let some: i64 = some.await?;
        forgotten += some;
        if some < i64::from(BUCKETS_AT_ONCE) {
            return Ok(forgotten);
        }
    }
}
