//! The URL table: what each address answers, and which capability its use case asks for.

use actix_web::web::{self, ServiceConfig};

use crate::pages::operate;
use crate::{assets, pages, rest};

/// Every address of web.
pub(crate) fn configure(config: &mut ServiceConfig) {
    public_pages(config);
    signed_in_pages(config);
    operators_pages(config);
    api(config);
    operators_api(config);
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

/// For operators, who have `WEB` and `OPERATE`.
fn operators_pages(config: &mut ServiceConfig) {
    config
        .service(web::resource("/operate/tasks").get(operate::overview::show))
        .service(web::resource("/operate/tasks/queues/{queue}/pause").post(operate::overview::pause))
        .service(web::resource("/operate/tasks/queues/{queue}/resume").post(operate::overview::resume))
        .service(web::resource("/operate/tasks/live").get(operate::list::live))
        .service(web::resource("/operate/tasks/history").get(operate::list::history))
        .service(web::resource("/operate/tasks/dead-letters").get(operate::dead_letters::show))
        .service(web::resource("/operate/tasks/dead-letters/{id}/retry").post(operate::dead_letters::retry))
        .service(
            web::resource("/operate/tasks/dead-letters/{id}/discard")
                .get(operate::dead_letters::ask)
                .post(operate::dead_letters::discard),
        )
        .service(web::resource("/operate/tasks/schedules").get(operate::schedules::show))
        .service(web::resource("/operate/tasks/schedules/pause").post(operate::schedules::pause))
        .service(web::resource("/operate/tasks/schedules/resume").post(operate::schedules::resume))
        .service(web::resource("/operate/tasks/schedules/run").post(operate::schedules::run))
        .service(web::resource("/operate/tasks/audit").get(operate::audit::show))
        .service(web::resource("/operate/tasks/{id}").get(operate::task::show))
        .service(
            web::resource("/operate/tasks/{id}/cancel")
                .get(operate::task::ask_cancel)
                .post(operate::task::cancel),
        )
        .service(web::resource("/operate/tasks/{id}/retry").post(operate::task::retry));
}

/// For operators' programs; `OPERATE`.
fn operators_api(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/operate/tasks").get(rest::tasks::live))
        .service(web::resource("/api/v1/operate/tasks/queues").get(rest::tasks::queues))
        .service(web::resource("/api/v1/operate/tasks/queues/{queue}/pause").post(rest::tasks::pause))
        .service(web::resource("/api/v1/operate/tasks/queues/{queue}/resume").post(rest::tasks::resume))
        .service(web::resource("/api/v1/operate/tasks/dead-letters").get(rest::tasks::dead_letters))
        .service(
            web::resource("/api/v1/operate/tasks/dead-letters/{id}/retry")
                .post(rest::tasks::retry_dead_letter),
        )
        .service(
            web::resource("/api/v1/operate/tasks/dead-letters/{id}/discard")
                .post(rest::tasks::discard_dead_letter),
        )
        .service(web::resource("/api/v1/operate/tasks/{id}").get(rest::tasks::get))
        .service(web::resource("/api/v1/operate/tasks/{id}/cancel").post(rest::tasks::cancel))
        .service(web::resource("/api/v1/operate/tasks/{id}/retry").post(rest::tasks::retry));
}
