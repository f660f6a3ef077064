//! The URL table: what each address answers, and which capability its use case asks for.

use actix_web::web::{self, ServiceConfig};

use crate::{assets, pages, rest};

/// Every address of web.
pub(crate) fn configure(config: &mut ServiceConfig) {
    public_pages(config);
    signed_in_pages(config);
    api(config);
}

/// For everybody; the gateway lets them through without identity.
fn public_pages(config: &mut ServiceConfig) {
    config
        .service(web::resource("/assets/{file}").get(assets::file))
        .service(web::resource("/login").get(pages::login::show).post(pages::login::submit))
        .service(web::resource("/problems/{code}").get(pages::problem::show));
}

/// For who is signed in and has `WEB`; lists and tickets need `TICKETS_READ`, forms `TICKETS_WRITE`. Everybody may leave.
fn signed_in_pages(config: &mut ServiceConfig) {
    config
        .service(web::resource("/").get(pages::home::show))
        .service(web::resource("/logout").post(pages::logout::submit))
        .service(
            web::resource("/tickets").get(pages::tickets::list::show).post(pages::tickets::create::submit),
        )
        .service(web::resource("/tickets/new").get(pages::tickets::create::show))
        .service(web::resource("/tickets/{id}").get(pages::tickets::show::show))
        .service(web::resource("/tickets/{id}/cancel").get(pages::tickets::cancel::show))
        .service(web::resource("/tickets/{id}/state").post(pages::tickets::change::submit_state))
        .service(web::resource("/tickets/{id}/comments").post(pages::tickets::change::submit_comment));
}

/// For programs; `TICKETS_READ` to read, `TICKETS_WRITE` to write.
fn api(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/openapi.json").get(rest::openapi::document))
        .service(web::resource("/api/v1/tickets").get(rest::tickets::list).post(rest::tickets::create))
        .service(web::resource("/api/v1/tickets/{id}").get(rest::tickets::get))
        .service(web::resource("/api/v1/tickets/{id}/state").post(rest::tickets::move_to))
        .service(web::resource("/api/v1/tickets/{id}/comments").post(rest::tickets::comment))
        .service(web::resource("/api/v1/people/lookup").get(rest::people::lookup))
        .service(web::resource("/api/v1/sites").get(rest::sites::list));
}
