//! Sites: the places a client looks after.

use domain::text::Code;
use domain::{SiteId, SiteScope};

use crate::{Error, Tx, queries, row};

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
}

row! { Site { id, code, name } }

queries! {
    /// The sites of a scope (null: every site), by code.
    LIST: (Option<Vec<SiteId>>, i64) => Site = "
        select id, code, name
          from site
         where $1::uuid[] is null or id = any ($1)
         order by code
         limit $2";
    /// Whether a site exists.
    EXISTS: (SiteId,) => bool = "
        select exists (select from site where id = $1)";
    /// Adds a site; one that exists stays as it is.
    INSERT: (SiteId, Code, String) => () = "
        insert into site (id, code, name)
        values ($1, $2, $3)
        on conflict (client_id, id) do nothing";
}

impl Tx {
    /// Lists the sites of a scope by code, at most `limit`.
    pub async fn list_sites(&self, scope: &SiteScope, limit: i64) -> Result<Vec<Site>, Error> {
        self.all(&LIST, (scope.as_filter(), limit)).await
    }

    /// Whether the client has a site.
    pub async fn site_exists(&self, id: SiteId) -> Result<bool, Error> {
        self.one(&EXISTS, (id,)).await
    }

    /// Adds a site, unless it exists.
    pub async fn insert_site(&self, site: &Site) -> Result<u64, Error> {
        self.execute(&INSERT, (site.id, &site.code, &site.name)).await
    }
}
