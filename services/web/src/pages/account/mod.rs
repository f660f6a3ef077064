//! Pages of somebody's own account: whoever is signed in has them.

pub(crate) mod codes;
pub(crate) mod passkeys;
pub(crate) mod password;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod totp;

use actix_web::HttpResponse;
use serde::Deserialize;
use service::Problem;

use crate::answer;
use crate::auth::Outcome;
use crate::frame::step_up_path;

/// The page everything of these leads back to.
pub(super) const PATH: &str = "/account";

/// What second factors somebody has.
const FACTORS: &str = "/api/v1/account/factors";

/// The fields of a button that needs no more than its address says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ButtonForm {
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Leads on after a button: to `done`, or first to a proof of who sits there and then back to `asked_at`.
pub(super) fn settle(outcome: Outcome, done: &str, asked_at: &str) -> Result<HttpResponse, Problem> {
    match outcome {
        Ok(said) => Ok(said.see_other(done)),
        Err(refused) if refused.asks_for_step_up() => Ok(answer::see_other(&step_up_path(asked_at))),
        Err(refused) => Err(refused.into()),
    }
}
