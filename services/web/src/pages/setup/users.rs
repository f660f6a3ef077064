//! `/setup/users`: the list of people, and a new one.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::Page;
use api::user::{AddUser, User, UserQuery, UserRow};
use service::Problem;
use service::extract::{Form, Query};

use crate::answer;
use crate::auth::Auth;
use crate::frame::{Frame, Htmx, step_up_path};
use crate::pages::operate::pager;
use crate::state::Shared;
use crate::view::Mistakes;
use crate::view::setup::{NewUserPage, UserForm, UsersPage};

/// The list.
pub(super) const PATH: &str = "/setup/users";

/// The list at auth.
pub(super) const AT_AUTH: &str = "/api/v1/users";

fn at(path: &str, query: &UserQuery) -> String {
    let text = serde_urlencoded::to_string(query).expect("a query holds texts only");
    if text.is_empty() { path.to_owned() } else { format!("{path}?{text}") }
}

/// Shows a page of the list; htmx gets the region only.
pub(crate) async fn list(
    frame: Frame,
    auth: Auth,
    htmx: Htmx,
    query: Query<UserQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let query = UserQuery { q: query.q.filter(|text| !text.trim().is_empty()), ..query };
    let people: Page<UserRow> = auth.get(&at(AT_AUTH, &query)).await?;
    let here = |after: Option<String>| at(PATH, &UserQuery { after, ..query.clone() });
    let page = UsersPage {
        shell: frame.shell,
        q: query.q.clone().unwrap_or_default(),
        rows: people.items,
        pager: pager(
            people.next.map(|next| here(Some(next))),
            query.after.as_ref().map(|_| here(None)),
            &htmx,
        ),
    };
    if htmx.region {
        let response = answer::page(StatusCode::OK, &page.as_list())?;
        return Ok(answer::at_address(response, &here(query.after.clone())));
    }
    answer::page(StatusCode::OK, &page)
}

fn page(frame: Frame, form: UserForm) -> NewUserPage {
    NewUserPage { shell: frame.shell, form, refusal: None, mistakes: Mistakes::default() }
}

/// Shows the empty form.
pub(crate) async fn new(frame: Frame, state: Shared) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, "/setup/users/new") {
        return Ok(first);
    }
    answer::page(StatusCode::OK, &page(frame, UserForm::default()))
}

/// Adds a person; a refused form comes back as typed.
pub(crate) async fn add(frame: Frame, auth: Auth, form: Form<UserForm>) -> Result<HttpResponse, Problem> {
    let form = form.into_inner();
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let user = AddUser {
        code: form.code.trim().to_owned(),
        name: form.name.trim().to_owned(),
        email: given(&form.email),
        login: given(&form.login),
    };
    match auth.ask(&Method::POST, AT_AUTH, &user).await? {
        Ok(done) => {
            let user: User = done.json()?;
            Ok(done.see_other(&format!("{PATH}/{}?said=added", user.id)))
        }
        Err(refused) if refused.asks_for_step_up() => {
            Ok(answer::see_other(&step_up_path("/setup/users/new")))
        }
        Err(refused) if refused.is_about_the_form() => {
            let (mistakes, refusal) = refused.at(&["name", "code", "email", "login"]);
            let page = NewUserPage { refusal, mistakes, ..page(frame, form) };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(refused) => Err(refused.into()),
    }
}
