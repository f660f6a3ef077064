//! `GET /`: where the day begins.

use crate::answer;
use crate::frame::Frame;
use actix_web::HttpResponse;

/// Leads to the tickets.
pub(crate) async fn show(_frame: Frame) -> HttpResponse {
    answer::see_other("/tickets")
}
