//! Whole lists as materialized views, and the cache of answers, under the names operators know.

use jiff::Timestamp;
use serde_json::Value;

use crate::{Error, Tx, queries, row};

/// How much is cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStats {
    /// Answers.
    pub answers: i64,
    /// Those of them that ran out.
    pub ran_out: i64,
    /// Bytes of all.
    pub bytes: i64,
    /// When the oldest was made.
    pub oldest_at: Option<Timestamp>,
}

/// A whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The materialized view.
    pub name: String,
    /// When it was made anew.
    pub refreshed_at: Timestamp,
    /// Whether its table changed since.
    pub changed: bool,
}

row! { CacheStats { answers, ran_out, bytes, oldest_at } }
row! { List { name, refreshed_at, changed } }

queries! {
    /// Removes cached answers that ran out or are older than some days.
    CLEAN_UP: (i32,) => Value = "
        select cleanup_select2_cache($1)";
    /// How much is cached for a client, or for all, as the owner.
    STATS: (Option<String>,) => CacheStats = "
        select count(*) as answers, count(*) filter (where expires_at < now()) as ran_out,
               coalesce(sum(pg_column_size(value)), 0)::bigint as bytes, min(select2_cache.created_at) as oldest_at
          from select2_cache
          join client on client.client_id = select2_cache.client_id
         where $1::text is null or client.code = $1";
    /// How many answers a clean-up would remove, as the owner.
    COUNT_DUE: (i32,) => i64 = "
        select count(*)
          from select2_cache
         where created_at < now() - make_interval(days => $1) or expires_at < now()";
    /// Removes everything that is cached for a client, or for all, as the owner.
    CLEAR: (Option<String>,) => () = "
        delete from select2_cache
         using client
         where client.client_id = select2_cache.client_id
           and ($1::text is null or client.code = $1)";
    /// The lists and how old they are, as the owner.
    LISTS: () => List = "
        select name, refreshed_at, exists (select from select2_change where list = name) as changed
          from select2_list
         order by name";
    /// Refreshes the lists that changed.
    REFRESH: () => Value = "
        select refresh_select2_materialized_views(true)";
}

impl Tx {
    /// Removes cached answers that ran out or are older than some days; answers how many went.
    pub async fn clean_up_select2_cache(&self, days: i32) -> Result<Value, Error> {
        self.one(&CLEAN_UP, (days,)).await
    }

    /// Measures what is cached for the client of a code, or for all.
    pub async fn select2_stats(&self, client: Option<&str>) -> Result<CacheStats, Error> {
        self.one(&STATS, (client,)).await
    }

    /// Counts the answers a clean-up would remove.
    pub async fn count_due_answers(&self, days: i32) -> Result<i64, Error> {
        self.one(&COUNT_DUE, (days,)).await
    }

    /// Removes everything that is cached for the client of a code, or for all; answers how many answers went.
    pub async fn clear_select2_cache(&self, client: Option<&str>) -> Result<u64, Error> {
        self.execute(&CLEAR, (client,)).await
    }

    /// Lists the whole lists and how old they are.
    pub async fn select2_lists(&self) -> Result<Vec<List>, Error> {
        self.all(&LISTS, ()).await
    }

    /// Refreshes the lists that changed; answers which.
    pub async fn refresh_select2_views(&self) -> Result<Value, Error> {
        self.one(&REFRESH, ()).await
    }
}
