//! Values and bodies that break the rules of their own format.

use std::sync::LazyLock;

use crate::canonical::Kinds;
use crate::patterns::{Pattern, Patterns};
use crate::scan::{Hits, SIGNAL, STRONG};
use crate::verdict::{Class, Place};

/// The body is not JSON.
pub(crate) const JSON_SYNTAX: &str = "json.syntax";
/// The body is not a multipart body.
pub(crate) const MULTIPART_SYNTAX: &str = "multipart.syntax";
/// The body is in another character set than UTF-8.
pub(crate) const CHARSET: &str = "body.charset";

/// Whether a rule says no more than that a body is not what its content type says.
pub(crate) fn is_syntax(rule: &str) -> bool {
    matches!(rule, JSON_SYNTAX | MULTIPART_SYNTAX | CHARSET)
}

static TEXT: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(Class::Protocol, WORDS));
static LINES: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(Class::Protocol, SPLITS));

/// Adds what the bytes of a value say by themselves.
pub(crate) fn check_value(place: Place, kinds: Kinds, value: &[u8], hits: &mut Hits) {
    if kinds.has_any(Kinds::CONTROL) && memchr::memchr(0, value).is_some() {
        let is_text = matches!(place, Place::Json | Place::Body);
        hits.add(Class::Protocol, "value.nul", if is_text { SIGNAL } else { STRONG });
    }
    let is_line = matches!(place, Place::Path | Place::Header | Place::Cookie | Place::FileName);
    if is_line && kinds.has_any(Kinds::LINE) {
        hits.add(Class::Protocol, "value.line-break", STRONG);
    }
}

/// Adds the rules that fit a canonical text; returns the bytes read.
pub(crate) fn check_text(place: Place, text: &[u8], hits: &mut Hits) -> usize {
    match place {
        Place::Query | Place::Path | Place::Cookie | Place::Header => {
            LINES.check(text, hits) + TEXT.check(text, hits)
        }
        Place::Form | Place::Json | Place::Multipart | Place::FileName | Place::Body => {
            TEXT.check(text, hits)
        }
    }
}

#[rustfmt::skip]
const WORDS: &[Pattern] = &[
    ("value.response-split", STRONG, r"[\r\n]\s*set-cookie\s*:\s*\w+=|[\r\n]+http/[01]\.\d\s+\d{3}|\r\n\r\n\s*<"),
    ("value.request-split", STRONG, r"[\r\n](?:get|post|put|delete|head|options|patch)\s+\S+\s+http/[0-9]"),
];

/// Where a value stays on one line.
#[rustfmt::skip]
const SPLITS: &[Pattern] = &[
    ("value.header-split", STRONG, r"[\r\n]+\s*(?:set-cookie|location|content-(?:type|length|encoding|disposition)|host|transfer-encoding|refresh|x-[\w-]+|status|access-control-[\w-]+)\s*:"),
    ("value.header-split", STRONG, r"[\r\n]+http/[0-9]"),
];
