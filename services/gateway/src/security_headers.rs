//! What every answer tells the browser, whoever made the answer.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, SERVER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{HttpMessage, HttpRequest};
use aws_lc_rs::error::Unspecified;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The policy of files to be saved.
const DOWNLOAD_POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

/// Random bytes of a nonce.
const NONCE_BYTES: usize = 18;

/// Headers that are the same on every answer. Guards take photographs and say where they are; nothing else is asked of
/// the device.
const CONSTANT: [(HeaderName, HeaderValue); 7] = [
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        PERMISSIONS_POLICY,
        HeaderValue::from_static("camera=(self), geolocation=(self), microphone=(), payment=(), usb=()"),
    ),
    (OPENER_POLICY, HeaderValue::from_static("same-origin")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// What marks the scripts of one answer as ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(String);

impl Nonce {
    /// Makes a new one.
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(service::random::<NONCE_BYTES>()?)))
    }

    /// Its text, for the service that writes the page.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Sets the headers of an answer, in place of whatever an upstream said.
pub(crate) fn decorate_answer(request: Option<&HttpRequest>, headers: &mut HeaderMap) {
    let extensions = request.map(HttpMessage::extensions);
    decorate(headers, extensions.as_ref().and_then(|extensions| extensions.get::<Nonce>()));
}

/// An answer may be kept only where its upstream said so. Without a nonce no script may run.
fn decorate(headers: &mut HeaderMap, nonce: Option<&Nonce>) {
    for (name, value) in CONSTANT {
        headers.insert(name, value);
    }
    if is_download(headers) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOWNLOAD_POLICY));
    } else if let Ok(policy) =
        HeaderValue::from_maybe_shared(bytes::Bytes::from(content_security_policy(nonce)))
    {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.remove(SERVER);
}

/// Whether an answer is a file to be saved: somebody sent it, so nothing in it may do anything where it is shown all the same.
fn is_download(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_DISPOSITION).is_some_and(|value| value.as_bytes().starts_with(b"attachment"))
}

fn content_security_policy(nonce: Option<&Nonce>) -> String {
    let (open, nonce, close) = nonce.map_or(("'none'", "", ""), |nonce| ("'nonce-", nonce.as_str(), "'"));
    let parts = [
        "default-src 'none'; script-src ",
        open,
        nonce,
        close,
        "; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; \
         manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types htmx",
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_carries_the_same_policies() {
        let mut headers = HeaderMap::new();
        headers.insert(SERVER, HeaderValue::from_static("actix"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("ALLOWALL"));
        decorate(&mut headers, Some(&Nonce("N".to_owned())));
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        insta::assert_snapshot!(lines.join("\n"), @r"
        cache-control: no-store
        content-security-policy: default-src 'none'; script-src 'nonce-N'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx
        cross-origin-opener-policy: same-origin
        cross-origin-resource-policy: same-origin
        permissions-policy: camera=(self), geolocation=(self), microphone=(), payment=(), usb=()
        referrer-policy: same-origin
        strict-transport-security: max-age=63072000; includeSubDomains
        x-content-type-options: nosniff
        x-frame-options: DENY
        ");
    }

    #[test]
    fn an_upstream_may_allow_keeping() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        decorate(&mut headers, None);
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "public, max-age=31536000, immutable");
        let policy = headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.contains("script-src 'none';"), "{policy}");
    }

    #[test]
    fn a_file_to_be_saved_may_do_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"a.pdf\""));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("script-src *"));
        decorate(&mut headers, Some(&Nonce("N".to_owned())));
        let policies: Vec<_> = headers.get_all(CONTENT_SECURITY_POLICY).collect();
        assert_eq!(policies, [DOWNLOAD_POLICY]);
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(Nonce::generate().unwrap(), Nonce::generate().unwrap());
    }
}
