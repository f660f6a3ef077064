//! Header names between gateway and services. The gateway drops every incoming `x-youtility-*` header.

/// Follows one cause through requests, tasks, messages and mail: a UUID.
pub const CORRELATION_ID: &str = "x-correlation-id";

/// The signed identity (a JWT, see [`crate::identity`]).
pub const IDENTITY: &str = "x-youtility-identity";

/// The client's address as the gateway saw it; believed only beside [`INTERNAL_KEY`].
pub const CLIENT_ADDRESS: &str = "x-youtility-client-address";

/// The secret shared by gateway, web and auth that opens `/internal/*`.
pub const INTERNAL_KEY: &str = "x-youtility-internal-key";

/// The nonce a page stamps on its scripts.
pub const NONCE: &str = "x-youtility-nonce";

/// The token a page puts into its forms.
pub const CSRF_TOKEN: &str = "x-youtility-csrf-token";

/// Milliseconds left until the gateway gives up.
pub const DEADLINE_MS: &str = "x-youtility-deadline-ms";

/// The header a script sends back with [`CSRF_TOKEN`]'s value.
pub const CSRF_ANSWER: &str = "x-csrf-token";

/// The form field a page without scripts sends back with [`CSRF_TOKEN`]'s value.
pub const CSRF_FIELD: &str = "csrf_token";

/// The session cookie.
pub const SESSION_COOKIE: &str = "__Host-session";

/// The cookie that ties the CSRF token of somebody who is not signed in.
pub const VISITOR_COOKIE: &str = "__Host-visitor";

/// The cookie of a sign-in that owes a second factor.
pub const STEP_COOKIE: &str = "__Host-step";

/// The cookie of a browser somebody signed in with before.
pub const DEVICE_COOKIE: &str = "__Host-device";

/// The value of [`STEP_COOKIE`], from the gateway to auth and web, and from web to auth.
pub const STEP: &str = "x-youtility-step";

/// The value of [`DEVICE_COOKIE`], from the gateway to auth and web, and from web to auth.
pub const DEVICE: &str = "x-youtility-device";

/// The secret with which a broker asks about accounts; it opens nothing else.
pub const BROKER_KEY: &str = "x-youtility-broker-key";
