//! Limits of requests: what gateways ask auth for, and what clients read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where tokens are taken.
pub const PATH: &str = "/internal/rates";

/// Keys in one request at most.
pub const ITEMS_MAX: usize = 500;

/// How much may be left, and when there is more (draft-ietf-httpapi-ratelimit-headers).
pub const LIMIT: &str = "ratelimit";

/// Which limits there are.
pub const POLICY: &str = "ratelimit-policy";

/// `POST /internal/rates`: takes tokens of several keys at once. Answers 200 [`TakenTokens`], or 503 `rates-unavailable`,
/// and then nothing is known of any key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeTokens {
    /// Each key once, at most [`ITEMS_MAX`].
    pub items: Vec<Take>,
}

/// What is wanted of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// 16 bytes in base 64.
    pub key: String,
    /// The time of one token.
    pub interval_us: i64,
    /// How many lie there at most.
    pub burst: i32,
    /// How many are wanted at most.
    pub wanted: i32,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TakenTokens {
    /// In the order of the items asked for.
    pub items: Vec<Taken>,
}

/// What was given of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// How many.
    pub granted: i32,
    /// How many are left.
    pub remaining: i32,
    /// When the next comes, for whoever was given none.
    pub retry_after_ms: u64,
}
