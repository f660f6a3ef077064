//! `GET /`: where the day begins.

use actix_web::HttpResponse;
use service::Caller;

use crate::answer;

/// Leads to the tickets.
pub(crate) async fn show(_caller: Caller) -> HttpResponse {
    answer::see_other("/tickets")
}
