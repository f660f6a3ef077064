//! `/setup/groups`: groups, and what each gives its people.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::user::{Groups, SetCapabilities};
use domain::GroupId;
use service::Problem;
use service::extract::{Form, Path, Query};

use super::user::SaidQuery;
use super::{Fields, ticked};
use crate::answer;
use crate::auth::Auth;
use crate::frame::{Frame, step_up_path};
use crate::state::Shared;
use crate::view::setup::{CapabilityChoice, GroupPage, GroupsPage};

const PATH: &str = "/setup/groups";
const AT_AUTH: &str = "/api/v1/groups";

/// Shows the list.
pub(crate) async fn list(frame: Frame, auth: Auth) -> Result<HttpResponse, Problem> {
    let groups: Groups = auth.get(AT_AUTH).await?;
    answer::page(StatusCode::OK, &GroupsPage { shell: frame.shell, groups: groups.groups })
}

async fn page(frame: Frame, auth: &Auth, id: GroupId) -> Result<GroupPage, Problem> {
    let Groups { groups, grantable } = auth.get(AT_AUTH).await?;
    let group = groups.into_iter().find(|group| group.id == id).ok_or_else(Problem::not_found)?;
    Ok(GroupPage {
        shell: frame.shell,
        capabilities: CapabilityChoice::all(&grantable, &group.capabilities, &group.capabilities),
        group,
        said: None,
        refusal: None,
    })
}

/// Shows one group.
pub(crate) async fn show(
    frame: Frame,
    auth: Auth,
    id: Path<GroupId>,
    query: Query<SaidQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, &format!("{PATH}/{}", *id)) {
        return Ok(first);
    }
    let said = (query.said == "capabilities").then_some("The capabilities are kept. They hold at once.");
    answer::page(StatusCode::OK, &GroupPage { said, ..page(frame, &auth, *id).await? })
}

/// Gives everybody in it exactly the ticked capabilities.
pub(crate) async fn set_capabilities(
    frame: Frame,
    auth: Auth,
    id: Path<GroupId>,
    fields: Form<Fields>,
) -> Result<HttpResponse, Problem> {
    let set = SetCapabilities { capabilities: ticked(&fields, "capability")? };
    let here = format!("{PATH}/{}", *id);
    match auth.ask(&Method::PUT, &format!("{AT_AUTH}/{}/capabilities", *id), &set).await? {
        Ok(done) => Ok(done.see_other(&format!("{here}?said=capabilities"))),
        Err(refused) if refused.asks_for_step_up() => Ok(answer::see_other(&step_up_path(&here))),
        Err(refused) if refused.is_about_the_form() => {
            let page = GroupPage { refusal: Some(refused.words()), ..page(frame, &auth, *id).await? };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(refused) => Err(refused.into()),
    }
}
