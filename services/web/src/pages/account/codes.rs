//! `/account/recovery-codes`: new recovery codes in place of the old ones.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::RecoveryCodes;
use service::Problem;
use service::extract::Form;

use super::ButtonForm;
use crate::answer;
use crate::auth::Auth;
use crate::frame::{OwnFrame, step_up_path};
use crate::state::Shared;
use crate::view::account::CodesPage;

const PATH: &str = "/account/recovery-codes";

/// Asks first: the old ones work no more.
pub(crate) async fn ask(OwnFrame(frame): OwnFrame, state: Shared) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, PATH) {
        return Ok(first);
    }
    answer::page(StatusCode::OK, &CodesPage { shell: frame.shell, codes: None, said: None })
}

/// Has them made, and shows them once.
pub(crate) async fn make(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    match auth.order(&Method::POST, "/api/v1/account/recovery-codes").await? {
        Ok(done) => {
            let codes: RecoveryCodes = done.json()?;
            let page = CodesPage { shell: frame.shell, codes: Some(codes.recovery_codes), said: None };
            Ok(done.with(answer::page(StatusCode::OK, &page)?))
        }
        Err(refused) if refused.asks_for_step_up() => Ok(answer::see_other(&step_up_path(PATH))),
        Err(refused) => Err(refused.into()),
    }
}
