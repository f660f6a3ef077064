//! `POST /logout`: ends the session.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use service::{Caller, Problem};

use crate::state::Shared;
use crate::{answer, auth};

/// Ends the session at auth and leads to the sign-in page.
pub(crate) async fn submit(
    _caller: Caller,
    request: HttpRequest,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let said = auth::sign_out(&state, &request).await?;
    if let Some(refusal) = said.refusal {
        return Err(Problem::upstream_failed().because(refusal));
    }
    let mut response = answer::see_other("/login");
    for cookie in said.cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
