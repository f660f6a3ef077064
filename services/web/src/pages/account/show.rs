//! `GET /account`: everything about somebody's account; `POST /account/email`: a link that proves the address.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::{Devices, Factors, Sessions};
use serde::Deserialize;
use service::Problem;
use service::extract::{Form, Query};

use super::{ButtonForm, FACTORS, PATH, settle};
use crate::answer;
use crate::auth::Auth;
use crate::frame::OwnFrame;
use crate::view::account::AccountPage;

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccountQuery {
    /// What was done before.
    said: String,
}

/// Shows it.
pub(crate) async fn show(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    query: Query<AccountQuery>,
) -> Result<HttpResponse, Problem> {
    let factors: Factors = auth.get(FACTORS).await?;
    let sessions: Sessions = auth.get("/api/v1/account/sessions").await?;
    let devices: Devices = auth.get("/api/v1/account/devices").await?;
    let page = AccountPage {
        shell: frame.shell,
        factors,
        sessions: sessions.sessions,
        devices,
        owes_factor: frame.owes_factor,
        said: said(&query.said),
    };
    answer::page(StatusCode::OK, &page)
}

/// The words for what led to the page.
fn said(word: &str) -> Option<&'static str> {
    match word {
        "password" => Some("Your password is changed. Everywhere else you are signed out."),
        "totp-removed" => Some("The authenticator app is removed."),
        "passkey" => Some("The passkey is added."),
        "passkey-removed" => Some("The passkey is removed."),
        "session" => Some("That session is ended."),
        "others" => Some("You are signed in here only."),
        "device" => Some("That device is forgotten."),
        "mailed" => Some("A mail with a link is on its way to you."),
        "verified" => Some("Your e-mail address is confirmed."),
        _ => None,
    }
}

/// Has a link mailed that proves the address.
pub(crate) async fn verify_email(
    _frame: OwnFrame,
    auth: Auth,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    let outcome = auth.order(&Method::POST, "/api/v1/account/email/verification").await?;
    settle(outcome, "/account?said=mailed", PATH)
}
