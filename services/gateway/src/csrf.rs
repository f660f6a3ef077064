//! Requests that change something must come from our own pages.
//!
//! A browser sends cookies whoever made it send the request. So an unsafe request carries a token that only our pages
//! know: an HMAC over the session token, or over the visitor's cookie before sign-in. Beside it, what the browser says
//! about the request's origin must not contradict.

use std::borrow::Cow;

use api::headers::CSRF_FIELD;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::Secret;

/// What a token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// The value of the session cookie.
    Session(&'a str),
    /// The value of the visitor cookie.
    Visitor(&'a str),
}

impl Subject<'_> {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Session(token) => ("session:", token),
            Self::Visitor(mark) => ("visitor:", mark),
        }
    }
}

/// Makes and checks tokens.
#[derive(Debug)]
pub(crate) struct Csrf {
    key: hmac::Key,
}

impl Csrf {
    /// Takes the key of every replica.
    pub(crate) fn new(secret: &Secret) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()) }
    }

    /// The token of a subject.
    pub(crate) fn token(&self, subject: Subject<'_>) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.sign(subject))
    }

    /// Whether an answer is the token of the subject, in constant time.
    pub(crate) fn accepts(&self, subject: Subject<'_>, answer: &[u8]) -> bool {
        let Ok(answer) = BASE64_URL_SAFE_NO_PAD.decode(answer) else {
            return false;
        };
        aws_lc_rs::constant_time::verify_slices_are_equal(self.sign(subject).as_ref(), &answer).is_ok()
    }

    fn sign(&self, subject: Subject<'_>) -> hmac::Tag {
        let (kind, text) = subject.parts();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind.as_bytes());
        context.update(text.as_bytes());
        context.sign()
    }
}

/// What a browser says about where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Provenance<'a> {
    /// The `Host` header.
    pub(crate) host: &'a [u8],
    /// The `Origin` header.
    pub(crate) origin: Option<&'a [u8]>,
    /// The `Sec-Fetch-Site` header.
    pub(crate) fetch_site: Option<&'a [u8]>,
}

impl Provenance<'_> {
    /// Whether nothing the browser says points to another site. `origins` replaces the host when it is not empty.
    pub(crate) fn is_ours(&self, origins: &[String]) -> bool {
        self.fetch_site.is_none_or(|site| site == b"same-origin")
            && self.origin.is_none_or(|origin| self.owns(origin, origins))
    }

    fn owns(&self, origin: &[u8], origins: &[String]) -> bool {
        if origins.is_empty() {
            is_at_host(origin, self.host)
        } else {
            origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
        }
    }
}

/// Whether `https://host:1` is at `host:1`. A default port is left out of an origin, so it is of the host too.
fn is_at_host(origin: &[u8], host: &[u8]) -> bool {
    let at = |scheme: &[u8], port: &[u8]| {
        let authority = origin.strip_prefix(scheme)?;
        let host = host.strip_suffix(port).unwrap_or(host);
        Some(authority.eq_ignore_ascii_case(host))
    };
    at(b"https://", b":443").or_else(|| at(b"http://", b":80")) == Some(true)
}

/// The answer in a form body.
pub(crate) fn form_answer(body: &[u8]) -> Option<String> {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = serde_urlencoded::from_bytes(body).ok()?;
    pairs.into_iter().find(|(name, _)| name == CSRF_FIELD).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csrf() -> Csrf {
        Csrf::new(&Secret::new("q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB"))
    }

    #[test]
    fn a_token_belongs_to_one_subject_and_one_key() {
        let token = csrf().token(Subject::Session("abc"));
        assert!(csrf().accepts(Subject::Session("abc"), token.as_bytes()));
        assert!(!csrf().accepts(Subject::Session("abd"), token.as_bytes()));
        assert!(!csrf().accepts(Subject::Visitor("abc"), token.as_bytes()));
        assert!(!Csrf::new(&Secret::new("other")).accepts(Subject::Session("abc"), token.as_bytes()));
        for broken in ["", "x", "!", token.trim_end_matches(char::is_alphanumeric), &format!("{token}A")] {
            assert!(!csrf().accepts(Subject::Session("abc"), broken.as_bytes()), "{broken}");
        }
    }

    #[test]
    fn what_the_browser_says_must_not_point_elsewhere() {
        let is_ours = |host: &str, origin: Option<&str>, fetch_site: Option<&str>| {
            let provenance = Provenance {
                host: host.as_bytes(),
                origin: origin.map(str::as_bytes),
                fetch_site: fetch_site.map(str::as_bytes),
            };
            provenance.is_ours(&[])
        };
        assert!(is_ours("y.example", None, None));
        assert!(is_ours("y.example", Some("https://y.example"), Some("same-origin")));
        assert!(is_ours("y.example:443", Some("https://y.example"), None));
        assert!(is_ours("y.example:80", Some("http://y.example"), None));
        assert!(is_ours("Y.example:8080", Some("http://y.example:8080"), None));
        assert!(!is_ours("y.example", Some("https://z.example"), None));
        assert!(!is_ours("y.example", Some("https://y.example.z.example"), None));
        assert!(!is_ours("y.example", Some("https://y.example:8443"), None));
        assert!(!is_ours("y.example:443", Some("http://y.example"), None));
        assert!(!is_ours("y.example", Some("null"), None));
        assert!(!is_ours("y.example", Some(""), None));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!is_ours("y.example", None, Some(site)), "{site}");
        }
    }

    #[test]
    fn configured_origins_replace_the_host() {
        let origins = vec!["https://public.example".to_owned()];
        let from = |origin: &'static str| Provenance {
            host: b"inner:8080",
            origin: Some(origin.as_bytes()),
            fetch_site: None,
        };
        assert!(from("https://public.example").is_ours(&origins));
        assert!(!from("http://inner:8080").is_ours(&origins));
    }

    #[test]
    fn the_form_field_is_found_wherever_it_stands() {
        assert_eq!(form_answer(b"title=a%26b&csrf_token=t-_1").as_deref(), Some("t-_1"));
        assert_eq!(form_answer(b"csrf_token=&x=1").as_deref(), Some(""));
        assert_eq!(form_answer(b"title=csrf_token"), None);
        assert_eq!(form_answer(b"\xff\xfe"), None);
    }
}
