//! `GET` and `POST /step-up`: a new proof of who sits there, before something that can lock people out.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::{Factors, StepUp};
use serde::Deserialize;
use service::Problem;
use service::extract::{Form, Query};

use super::factor::trimmed;
use crate::answer;
use crate::auth::Auth;
use crate::frame::{OwnFrame, local_or_start};
use crate::view::{StepUpPage, Way};

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StepUpQuery {
    /// Where to go afterwards.
    next: String,
}

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StepUpForm {
    next: String,
    password: Option<String>,
    code: Option<String>,
    #[serde(rename = "csrf_token")]
    _csrf_token: String,
}

/// Asks for what the person has: a code, a passkey, or the password of who has nothing else.
pub(crate) async fn show(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    query: Query<StepUpQuery>,
) -> Result<HttpResponse, Problem> {
    let factors: Factors = auth.get("/api/v1/account/factors").await?;
    let page = StepUpPage {
        shell: frame.shell,
        next: local_or_start(&query.next),
        way: way(&factors),
        has_passkey: !factors.passkeys.is_empty(),
        refusal: None,
    };
    answer::page(StatusCode::OK, &page)
}

fn way(factors: &Factors) -> Way {
    match (factors.totp, factors.passkeys.is_empty()) {
        (true, _) => Way::Code,
        (false, false) => Way::Passkey,
        (false, true) => Way::Password,
    }
}

/// Proves it at auth and goes on, or asks again with the reason.
pub(crate) async fn submit(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    form: Form<StepUpForm>,
) -> Result<HttpResponse, Problem> {
    let StepUpForm { next, password, code, .. } = form.into_inner();
    let next = local_or_start(&next);
    let given = StepUp { password, code: code.as_deref().map(trimmed), passkey: None };
    match auth.ask(&Method::POST, "/api/v1/account/step-up", &given).await? {
        Ok(done) => Ok(done.see_other(&next)),
        Err(refused) if refused.is_about_the_form() => {
            let factors: Factors = auth.get("/api/v1/account/factors").await?;
            let page = StepUpPage {
                shell: frame.shell,
                next,
                way: way(&factors),
                has_passkey: !factors.passkeys.is_empty(),
                refusal: Some(refused.words()),
            };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(refused) => Err(refused.into()),
    }
}
