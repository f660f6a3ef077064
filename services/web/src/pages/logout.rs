//! `POST /logout`: ends the session.

use actix_web::HttpResponse;
use actix_web::http::Method;
use service::{Caller, Problem};

use super::login::SESSION;
use crate::auth::Auth;

/// Ends the session at auth and leads to the sign-in page.
pub(crate) async fn submit(_caller: Caller, auth: Auth) -> Result<HttpResponse, Problem> {
    match auth.order(&Method::DELETE, SESSION).await? {
        Ok(done) => Ok(done.see_other("/login")),
        Err(refused) => Err(Problem::upstream_failed().because(refused.words())),
    }
}
