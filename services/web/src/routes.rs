//! The URL table: what each address answers, and what it needs. There is no address beside it.

use actix_web::web::to;
use domain::Capability::{Admin, Operate, Security, Support, TicketsRead, TicketsWrite};
use service::permission::Needs::{AnySignIn, Call, Nothing, OwnAccount, Page, PageFor};
use service::permission::{PermissionTable, Route};

use crate::pages::{account, operate, setup};
use crate::{assets, files, pages, rest};

/// Every address of web; of two that fit, the first answers.
pub const ROUTES: PermissionTable = PermissionTable { routes: TABLE, factor_page: Some("/account") };

const TABLE: &[Route] = &[
    // For everybody; the gateway lets them through without identity.
    Route::get("/assets/{file}", Nothing, || to(assets::file)),
    Route::get("/login", Nothing, || to(pages::login::show)),
    Route::post("/login", Nothing, || to(pages::login::submit)),
    Route::get("/login/factor", Nothing, || to(pages::factor::show)),
    Route::post("/login/factor", Nothing, || to(pages::factor::submit)),
    Route::get("/forgot", Nothing, || to(pages::recovery::forgot)),
    Route::post("/forgot", Nothing, || to(pages::recovery::send_link)),
    Route::get("/reset/{token}", Nothing, || to(pages::recovery::reset)),
    Route::post("/reset", Nothing, || to(pages::recovery::choose_password)),
    Route::get("/verify/{token}", Nothing, || to(pages::recovery::verify)),
    Route::post("/verify", Nothing, || to(pages::recovery::prove_address)),
    Route::get("/problems/{code}", Nothing, || to(pages::problem::show)),
    // For who is signed in. Everybody may leave.
    Route::get("/", Page, || to(pages::home::show)),
    Route::post("/logout", AnySignIn, || to(pages::logout::submit)),
    Route::get("/tickets", PageFor(TicketsRead), || to(pages::tickets::list::show)),
    Route::post("/tickets", PageFor(TicketsWrite), || to(pages::tickets::create::submit)),
    Route::get("/tickets/new", PageFor(TicketsWrite), || to(pages::tickets::create::show)),
    Route::get("/tickets/{id}", PageFor(TicketsRead), || to(pages::tickets::show::show)),
    Route::get("/tickets/{id}/cancel", PageFor(TicketsWrite), || to(pages::tickets::cancel::show)),
    Route::post("/tickets/{id}/state", PageFor(TicketsWrite), || to(pages::tickets::change::submit_state)),
    Route::post("/tickets/{id}/comments", PageFor(TicketsWrite), || {
        to(pages::tickets::change::submit_comment)
    }),
    Route::post("/tickets/{id}/attachments", PageFor(TicketsWrite), || to(pages::tickets::files::submit)),
    Route::post("/tickets/{id}/attachments/{file}/removal", PageFor(TicketsWrite), || {
        to(pages::tickets::files::remove)
    }),
    Route::get("/files/{id}", PageFor(TicketsRead), || to(files::download)),
    // For everybody about their own account.
    Route::get("/account", OwnAccount, || to(account::show::show)),
    Route::post("/account/email", OwnAccount, || to(account::show::verify_email)),
    Route::get("/account/password", OwnAccount, || to(account::password::show)),
    Route::post("/account/password", OwnAccount, || to(account::password::submit)),
    Route::get("/account/totp", OwnAccount, || to(account::totp::show)),
    Route::post("/account/totp", OwnAccount, || to(account::totp::begin)),
    Route::post("/account/totp/confirm", OwnAccount, || to(account::totp::confirm)),
    Route::get("/account/totp/removal", OwnAccount, || to(account::totp::ask_removal)),
    Route::post("/account/totp/removal", OwnAccount, || to(account::totp::remove)),
    Route::get("/account/recovery-codes", OwnAccount, || to(account::codes::ask)),
    Route::post("/account/recovery-codes", OwnAccount, || to(account::codes::make)),
    Route::get("/account/passkeys/new", OwnAccount, || to(account::passkeys::add)),
    Route::get("/account/passkeys/{id}/removal", OwnAccount, || to(account::passkeys::ask_removal)),
    Route::post("/account/passkeys/{id}/removal", OwnAccount, || to(account::passkeys::remove)),
    Route::post("/account/sessions/end-others", OwnAccount, || to(account::sessions::end_others)),
    Route::post("/account/sessions/{id}/end", OwnAccount, || to(account::sessions::end)),
    Route::post("/account/devices/{id}/forget", OwnAccount, || to(account::sessions::forget)),
    Route::get("/step-up", OwnAccount, || to(pages::step_up::show)),
    Route::post("/step-up", OwnAccount, || to(pages::step_up::submit)),
    // For administrators, for who reads the security log, for who helps other clients.
    Route::get("/setup/users", PageFor(Admin), || to(setup::users::list)),
    Route::post("/setup/users", PageFor(Admin), || to(setup::users::add)),
    Route::get("/setup/users/new", PageFor(Admin), || to(setup::users::new)),
    Route::get("/setup/users/{id}", PageFor(Admin), || to(setup::user::show)),
    Route::post("/setup/users/{id}/profile", PageFor(Admin), || to(setup::user::profile)),
    Route::post("/setup/users/{id}/access", PageFor(Admin), || to(setup::user::access)),
    Route::post("/setup/users/{id}/capabilities", PageFor(Admin), || to(setup::user::set_capabilities)),
    Route::post("/setup/users/{id}/groups", PageFor(Admin), || to(setup::user::set_groups)),
    Route::post("/setup/users/{id}/unlock", PageFor(Admin), || to(setup::user::unlock)),
    Route::post("/setup/users/{id}/sites", PageFor(Admin), || to(setup::user::set_sites)),
    Route::post("/setup/users/{id}/invitation", PageFor(Admin), || to(setup::user::invite)),
    Route::post("/setup/users/{id}/sessions/end", PageFor(Admin), || to(setup::user::end_sessions)),
    Route::post("/setup/users/{id}/handset/release", PageFor(Admin), || to(setup::user::release_handset)),
    Route::post("/setup/users/{id}/factors/remove", PageFor(Admin), || to(setup::user::remove_factors)),
    Route::get("/setup/groups", PageFor(Admin), || to(setup::groups::list)),
    Route::get("/setup/groups/{id}", PageFor(Admin), || to(setup::groups::show)),
    Route::post("/setup/groups/{id}", PageFor(Admin), || to(setup::groups::set_capabilities)),
    Route::get("/setup/security", PageFor(Security), || to(setup::security::ours)),
    Route::get("/support", PageFor(Support), || to(setup::support::show)),
    Route::post("/support", PageFor(Support), || to(setup::support::begin)),
    Route::post("/support/end", AnySignIn, || to(setup::support::end)),
    // For programs.
    Route::get("/api/v1/openapi.json", Nothing, || to(rest::openapi::document)),
    Route::get("/api/v1/tickets", Call(TicketsRead), || to(rest::tickets::list)),
    Route::post("/api/v1/tickets", Call(TicketsWrite), || to(rest::tickets::create)),
    Route::get("/api/v1/tickets/{id}", Call(TicketsRead), || to(rest::tickets::get)),
    Route::post("/api/v1/tickets/{id}/state", Call(TicketsWrite), || to(rest::tickets::move_to)),
    Route::post("/api/v1/tickets/{id}/comments", Call(TicketsWrite), || to(rest::tickets::comment)),
    Route::get("/api/v1/tickets/{id}/attachments", Call(TicketsRead), || to(rest::attachments::list)),
    Route::post("/api/v1/tickets/{id}/attachments", Call(TicketsWrite), || to(rest::attachments::add)),
    Route::get("/api/v1/attachments/{id}", Call(TicketsRead), || to(rest::attachments::get)),
    Route::delete("/api/v1/attachments/{id}", Call(TicketsWrite), || to(rest::attachments::remove)),
    Route::get("/api/v1/people/lookup", Call(TicketsRead), || to(rest::people::lookup)),
    Route::get("/api/v1/sites", Call(TicketsRead), || to(rest::sites::list)),
    Route::get("/api/v1/security-events", Call(Security), || to(rest::security::ours)),
    // For operators.
    Route::get("/operate/security", PageFor(Operate), || to(setup::security::of_nobody)),
    Route::get("/operate/tasks", PageFor(Operate), || to(operate::overview::show)),
    Route::post("/operate/tasks/queues/{queue}/pause", PageFor(Operate), || to(operate::overview::pause)),
    Route::post("/operate/tasks/queues/{queue}/resume", PageFor(Operate), || to(operate::overview::resume)),
    Route::get("/operate/tasks/live", PageFor(Operate), || to(operate::list::live)),
    Route::get("/operate/tasks/history", PageFor(Operate), || to(operate::list::history)),
    Route::get("/operate/tasks/dead-letters", PageFor(Operate), || to(operate::dead_letters::show)),
    Route::post("/operate/tasks/dead-letters/{id}/retry", PageFor(Operate), || {
        to(operate::dead_letters::retry)
    }),
    Route::get("/operate/tasks/dead-letters/{id}/discard", PageFor(Operate), || {
        to(operate::dead_letters::ask)
    }),
    Route::post("/operate/tasks/dead-letters/{id}/discard", PageFor(Operate), || {
        to(operate::dead_letters::discard)
    }),
    Route::get("/operate/tasks/schedules", PageFor(Operate), || to(operate::schedules::show)),
    Route::post("/operate/tasks/schedules/pause", PageFor(Operate), || to(operate::schedules::pause)),
    Route::post("/operate/tasks/schedules/resume", PageFor(Operate), || to(operate::schedules::resume)),
    Route::post("/operate/tasks/schedules/run", PageFor(Operate), || to(operate::schedules::run)),
    Route::get("/operate/tasks/audit", PageFor(Operate), || to(operate::audit::show)),
    Route::get("/operate/tasks/{id}", PageFor(Operate), || to(operate::task::show)),
    Route::get("/operate/tasks/{id}/cancel", PageFor(Operate), || to(operate::task::ask_cancel)),
    Route::post("/operate/tasks/{id}/cancel", PageFor(Operate), || to(operate::task::cancel)),
    Route::post("/operate/tasks/{id}/retry", PageFor(Operate), || to(operate::task::retry)),
    // For operators' programs.
    Route::get("/api/v1/operate/security-events", Call(Operate), || to(rest::security::of_nobody)),
    Route::get("/api/v1/operate/tasks", Call(Operate), || to(rest::tasks::live)),
    Route::get("/api/v1/operate/tasks/queues", Call(Operate), || to(rest::tasks::queues)),
    Route::post("/api/v1/operate/tasks/queues/{queue}/pause", Call(Operate), || to(rest::tasks::pause)),
    Route::post("/api/v1/operate/tasks/queues/{queue}/resume", Call(Operate), || to(rest::tasks::resume)),
    Route::get("/api/v1/operate/tasks/dead-letters", Call(Operate), || to(rest::tasks::dead_letters)),
    Route::post("/api/v1/operate/tasks/dead-letters/{id}/retry", Call(Operate), || {
        to(rest::tasks::retry_dead_letter)
    }),
    Route::post("/api/v1/operate/tasks/dead-letters/{id}/discard", Call(Operate), || {
        to(rest::tasks::discard_dead_letter)
    }),
    Route::get("/api/v1/operate/tasks/{id}", Call(Operate), || to(rest::tasks::get)),
    Route::post("/api/v1/operate/tasks/{id}/cancel", Call(Operate), || to(rest::tasks::cancel)),
    Route::post("/api/v1/operate/tasks/{id}/retry", Call(Operate), || to(rest::tasks::retry)),
];
