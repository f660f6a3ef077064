//! People and groups, as administrators see them.

use domain::{Capability, GroupId, PersonId, SiteId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// Query of `GET /api/v1/users`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct UserQuery {
    /// Only names, codes and logins with this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Cursor from the previous page's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// One person of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserRow {
    /// The person.
    #[schema(schema_with = schema::id)]
    pub id: PersonId,
    /// Their code.
    pub code: String,
    /// Their name.
    pub name: String,
    /// Their login name, if they can sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Whether they may sign in.
    pub enabled: bool,
}

/// One person: `GET /api/v1/users/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The person.
    #[schema(schema_with = schema::id)]
    pub id: PersonId,
    /// Their code.
    pub code: String,
    /// Their name.
    pub name: String,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the address was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub email_verified_at: Option<Timestamp>,
    /// Their login name, if they can sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Whether they may sign in.
    pub enabled: bool,
    /// What was given to the person; what groups give comes on top.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
    /// What the person may do in effect.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub effective_capabilities: Vec<Capability>,
    /// Whether the person sees every site.
    pub all_sites: bool,
    /// The sites the person sees, when not all.
    #[schema(schema_with = schema::id_list)]
    pub sites: Vec<SiteId>,
    /// The person's groups.
    #[schema(schema_with = schema::id_list)]
    pub groups: Vec<GroupId>,
    /// Whether the person has a second factor.
    pub has_second_factor: bool,
}

/// `POST /api/v1/users`. Answers 201 [`User`], 409 `already-exists`, 422 `invalid-user`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// Their code, once per client.
    pub code: String,
    /// Their name.
    pub name: String,
    /// Their address: where the invitation goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

/// `PATCH /api/v1/users/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeUser {
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their address, which is to be proven anew; an empty text removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether they may sign in; their sessions end when not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// `PUT /api/v1/users/{id}/capabilities` and `PUT /api/v1/groups/{id}/capabilities`. Answers 204, 409
/// `last-administrator`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCapabilities {
    /// All of them from here on.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
}

/// `PUT /api/v1/users/{id}/sites`. Answers 204.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSites {
    /// Whether the person sees every site.
    pub all_sites: bool,
    /// The sites the person sees, when not all.
    #[serde(default)]
    #[schema(schema_with = schema::id_list)]
    pub sites: Vec<SiteId>,
}

/// `PUT /api/v1/users/{id}/groups`. Answers 204, 409 `last-administrator`, 422 `unknown-reference`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetGroups {
    /// All of the person's groups from here on.
    #[schema(schema_with = schema::id_list)]
    pub groups: Vec<GroupId>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// The group.
    #[schema(schema_with = schema::id)]
    pub id: GroupId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// How many people are in it.
    pub members: u32,
    /// What it gives them.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
}

/// A client's groups: `GET /api/v1/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Groups {
    /// By code.
    pub groups: Vec<Group>,
    /// What the client has and may hand out.
    #[serde(default)]
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub grantable: Vec<Capability>,
}
