//! The URL table: what each address answers, and what it needs. There is no address beside it.

use actix_web::web::to;
use domain::Capability;
use service::permission::Needs::{AnySignIn, BrokerKey, Call, InternalKey, Nothing, OwnAccount};
use service::permission::{PermissionTable, Route};

use crate::{
    account, broker, elevation, events, groups, handset_rules, identity, keys, openapi, own_factors, rates,
    recovery, revocations, sessions, sign_in, sign_in_factor, step_up, tokens, users,
};

/// Every address of auth; of two that fit, the first answers.
pub const ROUTES: PermissionTable = PermissionTable { routes: TABLE, factor_page: None };

const TABLE: &[Route] = &[
    Route::get("/api/v1/accounts/openapi.json", Nothing, || to(openapi::document)),
    // Signing in and out.
    Route::post("/api/v1/session", Nothing, || to(sign_in::sign_in)),
    Route::get("/api/v1/session", AnySignIn, || to(sessions::get_session)),
    Route::delete("/api/v1/session", AnySignIn, || to(sessions::sign_out)),
    Route::post("/api/v1/session/factor", Nothing, || to(sign_in_factor::give_factor)),
    Route::post("/api/v1/session/factor/options", Nothing, || to(sign_in_factor::begin_passkey)),
    // Mailed links.
    Route::post("/api/v1/recovery", Nothing, || to(recovery::ask_recovery)),
    Route::post("/api/v1/recovery/token", Nothing, || to(recovery::use_recovery)),
    Route::post("/api/v1/email-verification", Nothing, || to(recovery::verify_email)),
    // One's own account.
    Route::put("/api/v1/account/password", OwnAccount, || to(account::change_password)),
    Route::get("/api/v1/account/sessions", OwnAccount, || to(account::list_sessions)),
    Route::delete("/api/v1/account/sessions", OwnAccount, || to(account::end_other_sessions)),
    Route::delete("/api/v1/account/sessions/{id}", OwnAccount, || to(account::end_session)),
    Route::get("/api/v1/account/devices", OwnAccount, || to(account::list_devices)),
    Route::delete("/api/v1/account/devices/{id}", OwnAccount, || to(account::forget_device)),
    Route::post("/api/v1/account/step-up", OwnAccount, || to(step_up::step_up)),
    Route::post("/api/v1/account/step-up/options", OwnAccount, || to(step_up::begin_passkey)),
    Route::get("/api/v1/account/factors", OwnAccount, || to(own_factors::list_factors)),
    Route::post("/api/v1/account/totp", OwnAccount, || to(own_factors::begin_totp)),
    Route::put("/api/v1/account/totp", OwnAccount, || to(own_factors::confirm_totp)),
    Route::delete("/api/v1/account/totp", OwnAccount, || to(own_factors::remove_totp)),
    Route::post("/api/v1/account/recovery-codes", OwnAccount, || to(own_factors::new_recovery_codes)),
    Route::get("/api/v1/account/passkeys", OwnAccount, || to(own_factors::list_passkeys)),
    Route::post("/api/v1/account/passkeys", OwnAccount, || to(own_factors::add_passkey)),
    Route::post("/api/v1/account/passkeys/options", OwnAccount, || to(own_factors::begin_passkey)),
    Route::delete("/api/v1/account/passkeys/{id}", OwnAccount, || to(own_factors::remove_passkey)),
    Route::post("/api/v1/account/email/verification", OwnAccount, || to(recovery::ask_verification)),
    // Tokens of handsets, keys of other programs.
    Route::post("/api/v1/tokens", Nothing, || to(tokens::issue_tokens)),
    Route::delete("/api/v1/tokens", AnySignIn, || to(tokens::release_tokens)),
    Route::post("/api/v1/tokens/refresh", Nothing, || to(tokens::refresh_tokens)),
    Route::get("/api/v1/handset-rules", Call(Capability::Admin), || to(handset_rules::get_rules)),
    Route::put("/api/v1/handset-rules", Call(Capability::Admin), || to(handset_rules::set_rules)),
    Route::get("/api/v1/keys", Call(Capability::Admin), || to(keys::list_keys)),
    Route::post("/api/v1/keys", Call(Capability::Admin), || to(keys::make_key)),
    Route::delete("/api/v1/keys/{id}", Call(Capability::Admin), || to(keys::revoke_key)),
    // People and groups, for administrators.
    Route::get("/api/v1/users", Call(Capability::Admin), || to(users::list_users)),
    Route::post("/api/v1/users", Call(Capability::Admin), || to(users::add_user)),
    Route::get("/api/v1/users/{id}", Call(Capability::Admin), || to(users::get_user)),
    Route::patch("/api/v1/users/{id}", Call(Capability::Admin), || to(users::change_user)),
    Route::put("/api/v1/users/{id}/capabilities", Call(Capability::Admin), || to(users::set_capabilities)),
    Route::put("/api/v1/users/{id}/sites", Call(Capability::Admin), || to(users::set_sites)),
    Route::put("/api/v1/users/{id}/groups", Call(Capability::Admin), || to(users::set_groups)),
    Route::post("/api/v1/users/{id}/invitation", Call(Capability::Admin), || to(users::invite_user)),
    Route::get("/api/v1/users/{id}/sessions", Call(Capability::Admin), || to(users::list_sessions)),
    Route::delete("/api/v1/users/{id}/sessions", Call(Capability::Admin), || to(users::end_sessions)),
    Route::delete("/api/v1/users/{id}/factors", Call(Capability::Admin), || to(users::remove_factors)),
    Route::delete("/api/v1/users/{id}/handset", Call(Capability::Admin), || to(users::release_handset)),
    Route::post("/api/v1/users/{id}/unlock", Call(Capability::Admin), || to(users::unlock_user)),
    Route::get("/api/v1/groups", Call(Capability::Admin), || to(groups::list_groups)),
    Route::put("/api/v1/groups/{id}/capabilities", Call(Capability::Admin), || {
        to(groups::set_group_capabilities)
    }),
    // Looking into another client.
    Route::post("/api/v1/elevation", Call(Capability::Support), || to(elevation::begin_elevation)),
    Route::delete("/api/v1/elevation", AnySignIn, || to(elevation::end_elevation)),
    // For our own processes.
    Route::post("/internal/identity", InternalKey, || to(identity::exchange_token)),
    Route::get("/internal/revocations", InternalKey, || to(revocations::follow_revocations)),
    Route::post("/internal/rates", InternalKey, || to(rates::take_tokens)),
    Route::post("/internal/events", InternalKey, || to(events::record_events)),
    // For brokers.
    Route::post("/internal/mosquitto/user", BrokerKey, || to(broker::mosquitto_user)),
    Route::post("/internal/mosquitto/superuser", BrokerKey, || to(broker::mosquitto_superuser)),
    Route::post("/internal/mosquitto/acl", BrokerKey, || to(broker::mosquitto_access)),
    Route::post("/internal/emqx/authn", BrokerKey, || to(broker::emqx_login)),
    Route::post("/internal/emqx/authz", BrokerKey, || to(broker::emqx_access)),
];
