//! Which requests must prove that they come from our own pages, and how they do it.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, ORIGIN};
use api::headers::CSRF_ANSWER;

use crate::csrf::Provenance;
use crate::identity::Credential;

const FETCH_SITE: &str = "sec-fetch-site";
const FORM: &[u8] = b"application/x-www-form-urlencoded";
const FORM_WITH_FILES: &[u8] = b"multipart/form-data";
const JSON: &[u8] = b"application/json";

/// How a request proves where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof<'a> {
    /// It changes nothing, or no browser sends it without being told by the program that holds the credential.
    NotNeeded,
    /// By a header.
    Header(&'a [u8]),
    /// By a field of its form.
    Field,
    /// By the first part of its form with files.
    Part,
    /// Not at all.
    Missing,
}

impl<'a> Proof<'a> {
    /// Finds the proof of a request. `origins` are those of our pages; empty takes the host.
    pub(crate) fn of(request: &'a HttpRequest, credential: Credential<'_>, origins: &[String]) -> Self {
        let headers = request.headers();
        if is_safe(request.method()) || matches!(credential, Credential::Bearer(_)) || is_program(headers) {
            return Self::NotNeeded;
        }
        if !provenance(headers).is_ours(origins) {
            return Self::Missing;
        }
        match headers.get(CSRF_ANSWER) {
            Some(answer) => Self::Header(answer.as_bytes()),
            None if has_media_type(headers, FORM) => Self::Field,
            None if has_media_type(headers, FORM_WITH_FILES) => Self::Part,
            None => Self::Missing,
        }
    }
}

/// Whether a request says that one of our pages sent it. Where it says nothing, it is not ours.
pub(crate) fn is_own_page(headers: &HeaderMap, origins: &[String]) -> bool {
    headers.contains_key(ORIGIN) && provenance(headers).is_ours(origins)
}

/// Whether a method changes nothing (RFC 9110, section 9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A program that signs in: it has no cookie yet, and a browser would say where it stands and ask before it sends JSON
/// elsewhere.
fn is_program(headers: &HeaderMap) -> bool {
    let says_nothing =
        ![COOKIE.as_str(), ORIGIN.as_str(), FETCH_SITE].iter().any(|name| headers.contains_key(*name));
    says_nothing && has_media_type(headers, JSON)
}

fn provenance(headers: &HeaderMap) -> Provenance<'_> {
    Provenance {
        host: headers.get(HOST).map_or(&[], HeaderValue::as_bytes),
        origin: headers.get(ORIGIN).map(HeaderValue::as_bytes),
        fetch_site: headers.get(FETCH_SITE).map(HeaderValue::as_bytes),
    }
}

fn has_media_type(headers: &HeaderMap, wanted: &[u8]) -> bool {
    let value =
        headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
    value.is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn proof(method: Method, headers: &[(&'static str, &str)]) -> String {
        let mut request = TestRequest::default().method(method).append_header(("host", "y.example"));
        for header in headers {
            request = request.append_header(*header);
        }
        let request = request.to_http_request();
        match Proof::of(&request, Credential::of(&request), &[]) {
            Proof::NotNeeded => "not needed".to_owned(),
            Proof::Header(answer) => String::from_utf8(answer.to_vec()).unwrap(),
            Proof::Field => "field".to_owned(),
            Proof::Part => "part".to_owned(),
            Proof::Missing => "missing".to_owned(),
        }
    }

    const SESSION: (&str, &str) = ("cookie", "__Host-session=s");
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    const JSON: (&str, &str) = ("content-type", "application/json");
    const ANSWER: (&str, &str) = ("x-csrf-token", "t");

    #[test]
    fn what_changes_something_needs_a_proof() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(proof(method, &[SESSION]), "not needed");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(proof(method.clone(), &[SESSION]), "missing");
            assert_eq!(proof(method.clone(), &[SESSION, JSON]), "missing");
            assert_eq!(proof(method.clone(), &[SESSION, JSON, ANSWER]), "t");
            assert_eq!(proof(method.clone(), &[SESSION, FORM]), "field");
            assert_eq!(proof(method, &[SESSION, FORM, ANSWER]), "t");
        }
        assert_eq!(
            proof(Method::POST, &[SESSION, ("content-type", "multipart/form-data; boundary=x")]),
            "part"
        );
        assert_eq!(proof(Method::POST, &[FORM]), "field");
        assert_eq!(proof(Method::POST, &[]), "missing");
    }

    #[test]
    fn a_proof_from_another_site_is_none() {
        assert_eq!(proof(Method::POST, &[SESSION, ANSWER, ("origin", "https://y.example")]), "t");
        assert_eq!(proof(Method::POST, &[SESSION, ANSWER, ("origin", "https://z.example")]), "missing");
        assert_eq!(proof(Method::POST, &[SESSION, ANSWER, ("origin", "null")]), "missing");
        assert_eq!(proof(Method::POST, &[SESSION, ANSWER, ("sec-fetch-site", "cross-site")]), "missing");
        assert_eq!(proof(Method::POST, &[SESSION, ANSWER, ("sec-fetch-site", "same-origin")]), "t");
    }

    #[test]
    fn programs_need_none() {
        assert_eq!(proof(Method::POST, &[("authorization", "Bearer b")]), "not needed");
        assert_eq!(
            proof(Method::POST, &[("authorization", "Bearer b"), ("origin", "https://z.example")]),
            "not needed"
        );
        assert_eq!(proof(Method::POST, &[JSON]), "not needed");
        assert_eq!(proof(Method::POST, &[JSON, ("cookie", "theme=dark")]), "missing");
        assert_eq!(proof(Method::POST, &[JSON, ("origin", "https://y.example")]), "missing");
        assert_eq!(proof(Method::POST, &[JSON, ("sec-fetch-site", "cross-site")]), "missing");
    }
}
