//! Bodies whose length nobody announced.

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header;
use futures_util::StreamExt;

/// Makes a chunked body fail with [`PayloadError::Overflow`] once it is larger than the limit.
pub(super) fn limit_chunks(request: &mut ServiceRequest, bytes_max: usize) {
    if !request.headers().contains_key(header::TRANSFER_ENCODING) {
        return;
    }
    let mut arrived = 0_usize;
    let counted = request.take_payload().map(move |chunk| {
        let chunk = chunk?;
        arrived = arrived.saturating_add(chunk.len());
        if arrived > bytes_max { Err(PayloadError::Overflow) } else { Ok(chunk) }
    });
    request.set_payload(Payload::Stream { payload: Box::pin(counted) });
}
