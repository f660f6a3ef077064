//! The URL table.

use actix_web::web;

use crate::{identity, revocations, sessions, sign_in};

/// Registers the URLs.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/api/v1/session")
                .post(sign_in::sign_in)
                .get(sessions::get_session)
                .delete(sessions::sign_out),
        )
        .service(web::resource("/internal/identity").post(identity::exchange_token))
        .service(web::resource("/internal/revocations").get(revocations::follow_revocations));
}
