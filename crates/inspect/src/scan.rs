//! One value through all stages: kinds of byte, canonical form, keyword gate, detectors.

use crate::canonical::{Canonical, Kinds};
use crate::gate::Gates;
use crate::verdict::{Class, Place};
use crate::{command, html, protocol, script, sql, template, traversal};

/// A strong pattern: blocks alone under the default threshold.
pub(crate) const STRONG: u16 = 10;
/// A signal: two of one class in one value block.
pub(crate) const SIGNAL: u16 = 5;
/// A hint: adds up, never decides.
pub(crate) const HINT: u16 = 2;

/// One rule that fits a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) class: Class,
    pub(crate) rule: &'static str,
    pub(crate) score: u16,
}

/// The rules that fit one value, each once.
#[derive(Debug, Default)]
pub(crate) struct Hits(Vec<Hit>);

impl Hits {
    pub(crate) fn add(&mut self, class: Class, rule: &'static str, score: u16) {
        match self.0.iter_mut().find(|hit| hit.rule == rule) {
            Some(hit) => hit.score = hit.score.max(score),
            None => self.0.push(Hit { class, rule, score }),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Hit] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn score_of(&self, class: Class) -> u16 {
        self.0.iter().filter(|hit| hit.class == class).map(|hit| hit.score).sum()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Scans values one after the other; keeps its memory between them.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    canonical: Canonical,
    sql: sql::Judge,
    hits: Hits,
    /// Bytes read by all stages so far.
    pub(crate) work: u64,
}

/// Whether a value can be passed over: identifiers, numbers, dates, base64.
pub(crate) fn is_identifier_like(value: &[u8], kinds: Kinds) -> bool {
    const WORDS: Kinds = Kinds::PLAIN.and(Kinds::EQUALS);
    if kinds.has_only(WORDS.and(Kinds::DOT)) {
        return memchr::memmem::find(value, b"--").is_none() && telling_name(value).is_none();
    }
    kinds.has_only(WORDS.and(Kinds::SLASH)) && value.len() > PATH_BYTES_MAX && !is_path(value)
}

/// Identifiers that mean something to a database or browser, and that nobody else sends as a whole value.
fn telling_name(value: &[u8]) -> Option<Class> {
    const NAMES: [(&[u8], Class); 15] = [
        (b"information_schema", Class::SqlInjection),
        (b"pg_catalog", Class::SqlInjection),
        (b"sqlite_master", Class::SqlInjection),
        (b"schema_name", Class::SqlInjection),
        (b"tempdb", Class::SqlInjection),
        (b"msdb", Class::SqlInjection),
        (b"mysql.db", Class::SqlInjection),
        (b"msysaccessobjects", Class::SqlInjection),
        (b"msysobjects", Class::SqlInjection),
        (b"xp_cmdshell", Class::SqlInjection),
        (b"document.cookie", Class::CrossSiteScripting),
        (b"document.write", Class::CrossSiteScripting),
        (b"window.location", Class::CrossSiteScripting),
        (b"__proto__", Class::CrossSiteScripting),
        (b"constructor.prototype", Class::CrossSiteScripting),
    ];
    if !(4..=21).contains(&value.len()) {
        return None;
    }
    NAMES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, class)| *class)
}

/// Longer texts of letters, digits and slashes are base64.
const PATH_BYTES_MAX: usize = 1024;

fn is_path(value: &[u8]) -> bool {
    matches!(value, [b'/', ..]) || value.windows(2).any(|pair| pair == b"//" || pair == b"--")
}

/// Conditions without any keyword of their own: `or 1=1`, `1 and true`, `7 (2=2)*3`.
fn needs_sql(text: &[u8], kinds: Kinds, gates: Gates) -> bool {
    let is_compared = kinds.has_any(Kinds::EQUALS.and(Kinds::ANGLE));
    let begins_with_number =
        text.first().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'(' | b')'));
    let begins_with_logic = text.starts_with(b"or ") || text.starts_with(b"and ");
    (gates.has(Gates::LOGIC) && (is_compared || begins_with_number))
        || (is_compared && (begins_with_logic || (begins_with_number && !kinds.has_any(Kinds::ANGLE))))
}

/// A longer text with line breaks is prose, not a value with a command behind it.
const LIST_BYTES_MAX: usize = 128;

/// Compiles every pattern, so that no request waits for it.
pub(crate) fn warm_up() {
    let value = br#"' ; ${{<union select> \n http/1. /etc/ \""#;
    Scanner::default().scan(Place::Query, value, Kinds::of(value));
}

impl Scanner {
    /// Returns the rules that fit `value`, which stands at `place` and is decoded as its format says.
    pub(crate) fn scan(&mut self, place: Place, value: &[u8], kinds: Kinds) -> &[Hit] {
        self.hits.clear();
        self.count(value.len());
        self.detect(place, value, kinds);
        self.hits.as_slice()
    }

    fn count(&mut self, bytes: usize) {
        self.work += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    fn detect(&mut self, place: Place, value: &[u8], raw_kinds: Kinds) {
        self.canonical.set(value, raw_kinds);
        let text = self.canonical.text.as_slice();
        let kinds = self.canonical.kinds;
        let gates = Gates::of(text);
        let hits = &mut self.hits;
        let mut bytes = text.len() * (2 + usize::from(self.canonical.rounds));
        protocol::check_value(place, raw_kinds, value, hits);
        if let Some(class) = telling_name(value) {
            hits.add(class, "value.telling-name", STRONG);
        }
        if gates.has(Gates::SQL) || kinds.has_any(Kinds::QUOTE) || needs_sql(text, kinds, gates) {
            bytes += self.sql.check(text, hits);
        }
        let is_marked_up = kinds.has_any(Kinds::ANGLE);
        let may_break_out = kinds.has_any(Kinds::QUOTE) && kinds.has_any(Kinds::EQUALS);
        if is_marked_up || may_break_out || gates.has(Gates::SCRIPT) {
            bytes += html::check(text, kinds, hits);
        }
        let has_scheme = kinds.has_any(Kinds::COLON) && html::has_active_scheme(text);
        if is_marked_up || has_scheme || gates.has(Gates::SCRIPT) {
            bytes += script::check(text, hits);
        }
        if gates.has(Gates::FILE) {
            bytes += traversal::check(place, text, hits);
        }
        let is_short_list = kinds.has_any(Kinds::LINE) && text.len() <= LIST_BYTES_MAX;
        if gates.has(Gates::COMMAND) || is_short_list || kinds.has_any(Kinds::SEPARATOR.and(Kinds::AMPERSAND))
        {
            bytes += command::check(text, hits);
        }
        if gates.has(Gates::TEMPLATE) {
            bytes += template::check(text, hits);
        }
        if gates.has(Gates::PROTOCOL) {
            bytes += protocol::check_text(place, text, hits);
        }
        self.count(bytes);
    }
}
