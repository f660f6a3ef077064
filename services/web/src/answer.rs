//! How pages are answered.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use askama::Template;
use service::Problem;

use crate::frame::Htmx;

/// Tells htmx to load another page whole.
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// Tells htmx which address the swapped region has.
const HX_PUSH_URL: HeaderName = HeaderName::from_static("hx-push-url");

/// Answers with a page or a region of one.
pub(crate) fn page(status: StatusCode, view: &impl Template) -> Result<HttpResponse, Problem> {
    let html = view.render().map_err(|error| Problem::internal().because(error))?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "HX-Request, HX-Request-Type"))
        .body(html))
}

/// Names the address the browser shows for a swapped region.
pub(crate) fn at_address(mut response: HttpResponse, address: &str) -> HttpResponse {
    if let Ok(value) = HeaderValue::from_str(address) {
        response.headers_mut().insert(HX_PUSH_URL, value);
    }
    response
}

/// Sends the reader to another page of ours after a form was accepted.
pub(crate) fn go_to(htmx: &Htmx, path: &str) -> HttpResponse {
    if htmx.asks {
        HttpResponse::NoContent().insert_header((HX_REDIRECT, path)).finish()
    } else {
        see_other(path)
    }
}

/// Sends the reader on; htmx follows and swaps the region it gets.
pub(crate) fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// Says that trying again in a moment may help.
pub(crate) fn try_again(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}
