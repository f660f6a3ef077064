//! Sites, as look-ups see them.

use domain::SiteId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One site a ticket can be raised for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteChoice {
    /// The site.
    #[schema(schema_with = crate::schema::id)]
    pub id: SiteId,
    /// Name and code.
    pub label: String,
}
