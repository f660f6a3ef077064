//! `/api/v1/groups`: groups of a client and what they give their members, for its administrators.

use actix_web::HttpResponse;
use actix_web::web::Data;
use api::user::{Group, Groups, SetCapabilities};
use domain::GroupId;
use service::extract::{Json, Path};
use service::{Caller, Problem};

use crate::state::State;
use crate::step_up;
use crate::users::seen;

/// Lists groups, and what may be given.
pub(crate) async fn list_groups(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let found = state.ask(app::people::groups(&state.store, &caller.actor)).await?;
    let groups = found
        .groups
        .into_iter()
        .map(|group| Group {
            id: group.id,
            code: group.code.to_string(),
            name: group.name,
            members: u32::try_from(group.members).unwrap_or(u32::MAX),
            capabilities: group.capabilities,
        })
        .collect();
    Ok(seen(&Groups { groups, grantable: found.grantable }))
}

/// Sets what a group gives its members.
pub(crate) async fn set_group_capabilities(
    caller: Caller,
    id: Path<GroupId>,
    body: Json<SetCapabilities>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let (wanted, now) = (&body.capabilities, state.clock.now());
    state.ask(app::people::set_group_capabilities(&state.store, &caller.actor, *id, wanted, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}
