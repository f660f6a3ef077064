//! `GET /`: where the day begins.

use crate::answer;
use crate::frame::Frame;
use actix_web::HttpResponse;

/// Leads to the first page of the reader's navigation.
pub(crate) async fn show(frame: Frame) -> HttpResponse {
    answer::see_other(frame.shell.start())
}
