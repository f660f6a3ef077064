//! Sessions ended and devices forgotten by their owner.

use actix_web::HttpResponse;
use actix_web::http::Method;
use domain::SessionId;
use service::Problem;
use service::extract::{Form, Path};
use uuid::Uuid;

use super::{ButtonForm, PATH, settle};
use crate::auth::Auth;
use crate::frame::OwnFrame;

const SESSIONS: &str = "/api/v1/account/sessions";

/// Ends one session.
pub(crate) async fn end(
    _frame: OwnFrame,
    auth: Auth,
    id: Path<SessionId>,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    let outcome = auth.order(&Method::DELETE, &format!("{SESSIONS}/{}", *id)).await?;
    settle(outcome, "/account?said=session", PATH)
}

/// Ends every session but this one.
pub(crate) async fn end_others(
    _frame: OwnFrame,
    auth: Auth,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    let outcome = auth.order(&Method::DELETE, SESSIONS).await?;
    settle(outcome, "/account?said=others", PATH)
}

/// Forgets a browser, or releases the telephone.
pub(crate) async fn forget(
    _frame: OwnFrame,
    auth: Auth,
    id: Path<Uuid>,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    let outcome = auth.order(&Method::DELETE, &format!("/api/v1/account/devices/{}", *id)).await?;
    settle(outcome, "/account?said=device", PATH)
}
