//! `/setup/users/{id}`: one person, and everything that can be done about them.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::Sessions;
use api::user::{ChangeUser, Groups, SetCapabilities, SetGroups, SetSites, User};
use domain::PersonId;
use serde::Deserialize;
use service::Problem;
use service::extract::{Form, Path, Query};

use super::users::{AT_AUTH, PATH};
use super::{Fields, ticked};
use crate::auth::{Auth, Outcome};
use crate::frame::{Frame, step_up_path};
use crate::pages::account::ButtonForm;
use crate::state::{Shared, State};
use crate::view::Mistakes;
use crate::view::setup::{CapabilityChoice, UserForm, UserPage};
use crate::{answer, contract};

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SaidQuery {
    /// What was done before.
    pub(super) said: String,
}

/// The field of the buttons that block somebody and let them in again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessForm {
    enabled: bool,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// One person, and who asks about them.
struct Visit<'a> {
    state: &'a State,
    auth: &'a Auth,
    id: PersonId,
}

impl Visit<'_> {
    fn at_auth(&self, what: &str) -> String {
        format!("{AT_AUTH}/{}{what}", self.id)
    }

    fn page_path(&self) -> String {
        format!("{PATH}/{}", self.id)
    }

    async fn page(&self, frame: Frame) -> Result<UserPage, Problem> {
        let user: User = self.auth.get(&self.at_auth("")).await?;
        let groups: Groups = self.auth.get("/api/v1/groups").await?;
        let sessions: Sessions = self.auth.get(&self.at_auth("/sessions")).await?;
        let sites = app::site::list_for_administration(&self.state.store, &frame.actor).await?;
        let grantable = &groups.grantable;
        Ok(UserPage {
            shell: frame.shell,
            form: UserForm::of(&user),
            capabilities: CapabilityChoice::all(grantable, &user.capabilities, &user.effective_capabilities),
            groups: groups.groups,
            sites: sites.iter().map(contract::site).collect(),
            sessions: sessions.sessions,
            user,
            said: None,
            refusal: None,
            mistakes: Mistakes::default(),
        })
    }

    /// Leads on after a form: back to the page with a word of what was done, to a proof of who sits there, or to the page
    /// with the reason and, where given, what was typed.
    async fn settle(
        &self,
        frame: Frame,
        outcome: Outcome,
        done: &str,
        typed: Option<UserForm>,
    ) -> Result<HttpResponse, Problem> {
        match outcome {
            Ok(said) => Ok(said.see_other(&format!("{}?said={done}", self.page_path()))),
            Err(refused) if refused.asks_for_step_up() => {
                Ok(answer::see_other(&step_up_path(&self.page_path())))
            }
            Err(refused) if refused.is_about_the_form() => {
                let (mistakes, refusal) = refused.at(&["name", "email"]);
                let page = self.page(frame).await?;
                let form = typed.unwrap_or_else(|| page.form.clone());
                let page = UserPage { form, refusal, mistakes, ..page };
                Ok(refused.with(answer::page(refused.status, &page)?))
            }
            Err(refused) => Err(refused.into()),
        }
    }
}

/// Shows the person.
pub(crate) async fn show(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    query: Query<SaidQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    if let Some(first) = frame.step_up_for(&state, &visit.page_path()) {
        return Ok(first);
    }
    let page = UserPage { said: said(&query.said), ..visit.page(frame).await? };
    answer::page(StatusCode::OK, &page)
}

/// The words for what led to the page.
fn said(word: &str) -> Option<&'static str> {
    match word {
        "added" => Some(
            "The person is added. Give them capabilities; an invitation goes out if they have a login and an address.",
        ),
        "profile" => Some("Name and address are kept."),
        "capabilities" => Some("The capabilities are kept. They hold at once."),
        "groups" => Some("The groups are kept. They hold at once."),
        "unlocked" => Some("The counted tries are forgotten."),
        "sites" => Some("The sites are kept."),
        "invited" => Some("The invitation is on its way."),
        "sessions" => Some("Every session of theirs is ended."),
        "handset" => Some("No handset is bound to them now."),
        "factors" => Some("The second step is taken away."),
        "access" => Some("That is kept."),
        _ => None,
    }
}

/// Changes name and address.
pub(crate) async fn profile(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    form: Form<UserForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let form = form.into_inner();
    let change = ChangeUser {
        name: Some(form.name.trim().to_owned()),
        email: Some(form.email.trim().to_owned()),
        enabled: None,
    };
    let outcome = auth.ask(&Method::PATCH, &visit.at_auth(""), &change).await?;
    visit.settle(frame, outcome, "profile", Some(form)).await
}

/// Blocks somebody, or lets them in again.
pub(crate) async fn access(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    form: Form<AccessForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let change = ChangeUser { enabled: Some(form.enabled), ..ChangeUser::default() };
    let outcome = auth.ask(&Method::PATCH, &visit.at_auth(""), &change).await?;
    visit.settle(frame, outcome, "access", None).await
}

/// Gives exactly the ticked capabilities.
pub(crate) async fn set_capabilities(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    fields: Form<Fields>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let set = SetCapabilities { capabilities: ticked(&fields, "capability")? };
    let outcome = auth.ask(&Method::PUT, &visit.at_auth("/capabilities"), &set).await?;
    visit.settle(frame, outcome, "capabilities", None).await
}

/// Puts the person into exactly the ticked groups.
pub(crate) async fn set_groups(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    fields: Form<Fields>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let set = SetGroups { groups: ticked(&fields, "group")? };
    let outcome = auth.ask(&Method::PUT, &visit.at_auth("/groups"), &set).await?;
    visit.settle(frame, outcome, "groups", None).await
}

/// Shows exactly the ticked sites to the person, or all.
pub(crate) async fn set_sites(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    fields: Form<Fields>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let all_sites = fields.iter().any(|(name, value)| name == "scope" && value == "all");
    let sites = if all_sites { Vec::new() } else { ticked(&fields, "site")? };
    let outcome = auth.ask(&Method::PUT, &visit.at_auth("/sites"), &SetSites { all_sites, sites }).await?;
    visit.settle(frame, outcome, "sites", None).await
}

/// Has an invitation mailed.
pub(crate) async fn invite(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let outcome = auth.order(&Method::POST, &visit.at_auth("/invitation")).await?;
    visit.settle(frame, outcome, "invited", None).await
}

/// Forgets what was counted of wrong tries.
pub(crate) async fn unlock(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let outcome = auth.order(&Method::POST, &visit.at_auth("/unlock")).await?;
    visit.settle(frame, outcome, "unlocked", None).await
}

/// Ends every session of the person.
pub(crate) async fn end_sessions(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let outcome = auth.order(&Method::DELETE, &visit.at_auth("/sessions")).await?;
    visit.settle(frame, outcome, "sessions", None).await
}

/// Releases the handset of somebody who lost it or has another one.
pub(crate) async fn release_handset(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let outcome = auth.order(&Method::DELETE, &visit.at_auth("/handset")).await?;
    visit.settle(frame, outcome, "handset", None).await
}

/// Takes the second factors of somebody away who lost them.
pub(crate) async fn remove_factors(
    frame: Frame,
    auth: Auth,
    id: Path<PersonId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let visit = Visit { state: &state, auth: &auth, id: *id };
    let outcome = auth.order(&Method::DELETE, &visit.at_auth("/factors")).await?;
    visit.settle(frame, outcome, "factors", None).await
}
