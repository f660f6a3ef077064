//! The cookies the gateway reads, writes and keeps to itself.

use std::borrow::Cow;

use api::headers::{DEVICE_COOKIE, SESSION_COOKIE, STEP_COOKIE, VISITOR_COOKIE};
use aws_lc_rs::error::Unspecified;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Random bytes of a visitor cookie.
const VISITOR_BYTES: usize = 18;

/// The longest credential worth asking auth about.
const CREDENTIAL_LENGTH_MAX: usize = 512;

/// The session token among the lines of a `Cookie` header.
pub(crate) fn session<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    find(lines, SESSION_COOKIE)
}

/// The visitor's mark among the lines of a `Cookie` header.
pub(crate) fn visitor<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    find(lines, VISITOR_COOKIE)
}

/// The mark of a sign-in that owes a second factor.
pub(crate) fn step<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    find(lines, STEP_COOKIE)
}

/// The mark of a browser somebody signed in with before.
pub(crate) fn device<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    find(lines, DEVICE_COOKIE)
}

/// Whether a text has the shape of a credential: it is short, printable, and can stand in a header.
pub(crate) fn is_credential(text: &str) -> bool {
    (1..=CREDENTIAL_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Makes the mark of a new visitor.
pub(crate) fn new_visitor() -> Result<String, Unspecified> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(service::random::<VISITOR_BYTES>()?))
}

/// The `Set-Cookie` value that leaves a mark with the visitor until the browser closes.
pub(crate) fn set_visitor(mark: &str) -> String {
    format!("{VISITOR_COOKIE}={mark}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// The cookies that only the gateway reads.
const OURS: [&str; 4] = [SESSION_COOKIE, VISITOR_COOKIE, STEP_COOKIE, DEVICE_COOKIE];

/// A `Cookie` line without the cookies that only the gateway reads; `None` when nothing is left.
pub(crate) fn without_ours(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_ours = |pair: &&[u8]| name(pair).is_some_and(|name| OURS.contains(&name));
    if !pairs(line).any(|pair| is_ours(&pair)) {
        return Some(Cow::Borrowed(line));
    }
    let kept: Vec<&[u8]> = pairs(line).filter(|pair| !is_ours(pair)).collect();
    if kept.is_empty() { None } else { Some(Cow::Owned(kept.join(&b"; "[..]))) }
}

fn find<'a>(mut lines: impl Iterator<Item = &'a [u8]>, wanted: &str) -> Option<&'a str> {
    lines.find_map(|line| {
        let pair = pairs(line).find(|pair| name(pair) == Some(wanted))?;
        let value = std::str::from_utf8(pair).ok()?.split_once('=')?.1.trim();
        is_credential(value).then_some(value)
    })
}

fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn name(pair: &[u8]) -> Option<&str> {
    let name = pair.split(|byte| *byte == b'=').next()?;
    std::str::from_utf8(name.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<'a>(texts: &'a [&'a str]) -> impl Iterator<Item = &'a [u8]> {
        texts.iter().map(|text| text.as_bytes())
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let found = |texts: &[&str]| session(lines(texts)).map(str::to_owned);
        assert_eq!(found(&["__Host-session=abc"]).as_deref(), Some("abc"));
        assert_eq!(found(&["theme=dark; __Host-session=abc; x=y"]).as_deref(), Some("abc"));
        assert_eq!(found(&["theme=dark", " __Host-session = abc "]).as_deref(), Some("abc"));
        assert_eq!(found(&["__Host-session-old=abc; session=x; __host-session=y"]), None);
        assert_eq!(found(&["__Host-session="]), None);
        assert_eq!(found(&["__Host-session"]), None);
        assert_eq!(found(&["__Host-session=a\u{e9}"]), None);
        assert_eq!(found(&[&format!("__Host-session={}", "x".repeat(513))]), None);
        assert_eq!(visitor(lines(&["__Host-visitor=v1"])), Some("v1"));
    }

    #[test]
    fn services_do_not_see_the_gateways_cookies() {
        let rest = |line: &str| {
            without_ours(line.as_bytes()).map(|kept| String::from_utf8(kept.into_owned()).unwrap())
        };
        assert_eq!(rest("theme=dark; size=2").as_deref(), Some("theme=dark; size=2"));
        assert_eq!(rest("theme=dark; __Host-session=abc; size=2").as_deref(), Some("theme=dark; size=2"));
        assert_eq!(rest("__Host-session=abc; __Host-visitor=v"), None);
        assert_eq!(rest("__Host-step=s; x=y; __Host-device=d").as_deref(), Some("x=y"));
    }

    #[test]
    fn the_visitor_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        assert_eq!(set_visitor("m"), "__Host-visitor=m; Path=/; Secure; HttpOnly; SameSite=Lax");
        let mark = new_visitor().unwrap();
        assert_eq!(mark.len(), 24);
        assert!(is_credential(&mark));
        assert_ne!(mark, new_visitor().unwrap());
    }
}
