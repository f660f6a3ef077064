//! The first look at a request: may it be read at all, and in one way only?

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use service::Problem;

use crate::refusal::Refusal;

/// Refuses what two servers could read in two ways.
pub(crate) fn check(request: &HttpRequest, target_bytes_max: usize) -> Result<(), Problem> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Problem::method_not_allowed());
    }
    inspect(request, target_bytes_max).map_err(|refusal| Refusal::from(refusal).into())
}

/// Refuses another protocol.
pub(crate) fn check_plain(request: &HttpRequest) -> Result<(), Problem> {
    if request.headers().contains_key(UPGRADE) { Err(Problem::upgrade_refused()) } else { Ok(()) }
}

fn inspect(request: &HttpRequest, target_bytes_max: usize) -> Result<(), inspect::Refusal> {
    let target = request.uri();
    if target.scheme().is_some() || target.authority().is_some() {
        return Err(inspect::Refusal::TargetForm);
    }
    inspect::path::check_target(target.path(), target.query(), target_bytes_max)?;
    let headers = request.headers();
    for (name, value) in headers {
        inspect::header::check_name(name.as_str().as_bytes())?;
        inspect::header::check_value(value.as_bytes())?;
    }
    let values = |name: HeaderName| headers.get_all(name).map(HeaderValue::as_bytes);
    inspect::header::check_host(values(HOST))?;
    inspect::framing::check_framing(values(CONTENT_LENGTH), values(TRANSFER_ENCODING))
}
