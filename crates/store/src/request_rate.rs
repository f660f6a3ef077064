//! Limits of requests: one bucket a key for all gateways, in the database's time.

use crate::{Error, Tx, queries, row};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

/// What is wanted of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The bucket.
    pub key: [u8; KEY_BYTES],
    /// Microseconds of one token.
    pub interval_us: i64,
    /// How many tokens lie there at most.
    pub burst: i32,
    /// How many are wanted at most.
    pub wanted: i32,
}

/// What was given of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGrant {
    /// The bucket.
    pub key: Vec<u8>,
    /// How many tokens.
    pub granted: i32,
    /// How many are left.
    pub remaining: i32,
    /// When the next one comes, if none was given.
    pub retry_after_micros: i64,
}

row! { TokenGrant { key, granted, remaining, retry_after_micros } }

queries! {
    /// Takes tokens of several buckets, each named once.
    TAKE: (Vec<Vec<u8>>, Vec<i64>, Vec<i32>, Vec<i32>) => TokenGrant = "
        select key, granted, remaining, retry_after_micros
          from take_request_tokens($1, $2, $3, $4)";
    /// Forgets buckets that are full, some at a time.
    CLEAN_UP: (i32,) => i64 = "
        select clean_up_request_rates($1)";
}

impl Tx {
    /// Takes tokens of several buckets, each named once; the answer has them in no order.
    pub async fn take_request_tokens(&self, requests: &[TokenRequest]) -> Result<Vec<TokenGrant>, Error> {
        let keys: Vec<Vec<u8>> = requests.iter().map(|request| request.key.to_vec()).collect();
        let intervals: Vec<i64> = requests.iter().map(|request| request.interval_us).collect();
        let bursts: Vec<i32> = requests.iter().map(|request| request.burst).collect();
        let wanted: Vec<i32> = requests.iter().map(|request| request.wanted).collect();
        self.all(&TAKE, (keys, intervals, bursts, wanted)).await
    }

    /// Forgets at most `limit` buckets that are full; fewer than `limit` means that none are left.
    pub async fn clean_up_request_rates(&self, limit: i32) -> Result<i64, Error> {
        self.one(&CLEAN_UP, (limit,)).await
    }
}
