//! `/account/passkeys`: one added by the browser's own means, or removed.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::{Factors, Passkey};
use domain::PasskeyId;
use service::Problem;
use service::extract::{Form, Path};

use super::{ButtonForm, FACTORS, settle};
use crate::answer;
use crate::auth::Auth;
use crate::frame::{Frame, OwnFrame};
use crate::state::Shared;
use crate::view::account::{ConfirmPage, PasskeyPage, Question};

/// Shows the page on which a script adds one.
pub(crate) async fn add(OwnFrame(frame): OwnFrame, state: Shared) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, "/account/passkeys/new") {
        return Ok(first);
    }
    answer::page(StatusCode::OK, &PasskeyPage { shell: frame.shell })
}

fn path(id: PasskeyId) -> String {
    format!("/account/passkeys/{id}/removal")
}

fn removal(frame: Frame, passkey: &Passkey, refusal: Option<String>) -> ConfirmPage {
    let question = Question {
        title: format!("Remove passkey “{}”?", passkey.name),
        trail: "Passkey",
        warning: "It opens your account no more. Delete it in your telephone, computer or password manager as well.",
        action: path(passkey.id),
        button: "Remove the passkey",
    };
    ConfirmPage { shell: frame.shell, question, refusal }
}

async fn find(auth: &Auth, id: PasskeyId) -> Result<Passkey, Problem> {
    let factors: Factors = auth.get(FACTORS).await?;
    factors.passkeys.into_iter().find(|passkey| passkey.id == id).ok_or_else(Problem::not_found)
}

/// Asks before one is removed.
pub(crate) async fn ask_removal(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    id: Path<PasskeyId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, &path(*id)) {
        return Ok(first);
    }
    let passkey = find(&auth, *id).await?;
    answer::page(StatusCode::OK, &removal(frame, &passkey, None))
}

/// Removes one.
pub(crate) async fn remove(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    id: Path<PasskeyId>,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    match auth.order(&Method::DELETE, &format!("/api/v1/account/passkeys/{}", *id)).await? {
        Err(refused) if !refused.asks_for_step_up() && refused.is_about_the_form() => {
            let passkey = find(&auth, *id).await?;
            answer::page(refused.status, &removal(frame, &passkey, Some(refused.words())))
        }
        outcome => settle(outcome, "/account?said=passkey-removed", &path(*id)),
    }
}
