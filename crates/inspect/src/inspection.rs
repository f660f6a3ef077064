//! One inspection on its way: limits, scores, findings.

use crate::policy::{FieldRule, Mode, Policy};
use crate::scan::{Hit, STRONG, Scanner};
use crate::verdict::{Action, Class, FINDINGS_MAX, Finding, Location, Place, Verdict};

/// Bytes of a value or name that a finding shows at most.
const EXCERPT_BYTES_MAX: usize = 64;

pub(crate) struct Inspection<'p> {
    pub(crate) policy: &'p Policy,
    scanner: Scanner,
    verdict: Verdict,
    fields: usize,
    bytes: usize,
}

impl<'p> Inspection<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        Self { policy, scanner: Scanner::default(), verdict: Verdict::default(), fields: 0, bytes: 0 }
    }

    pub(crate) fn into_verdict(mut self) -> Verdict {
        self.verdict.work += self.scanner.work;
        self.verdict
    }

    /// Looks at the name and the value of a field.
    pub(crate) fn field(&mut self, place: Place, name: &[u8], value: &[u8]) {
        if !self.begin_field(place, name) {
            return;
        }
        self.text(place, name, name);
        self.text(place, name, value);
    }

    /// Looks at a value whose name was looked at or is none.
    pub(crate) fn value(&mut self, place: Place, name: &[u8], value: &[u8]) {
        if self.begin_field(place, name) {
            self.text(place, name, value);
        }
    }

    /// Counts a field; `false` beyond the limit.
    pub(crate) fn begin_field(&mut self, place: Place, name: &[u8]) -> bool {
        self.fields += 1;
        let is_over = self.fields > self.policy.limits.fields_max;
        if is_over {
            self.finding(place, name, "limit.fields");
        }
        !is_over
    }

    /// Looks at one text as far as the limits allow.
    pub(crate) fn text(&mut self, place: Place, name: &[u8], value: &[u8]) {
        let limits = &self.policy.limits;
        let kinds = crate::canonical::Kinds::of(value);
        if crate::scan::is_identifier_like(value, kinds) {
            self.verdict.work += u64::try_from(value.len()).unwrap_or(u64::MAX);
            return;
        }
        self.bytes = self.bytes.saturating_add(value.len());
        if self.bytes > limits.request_bytes_max {
            return self.finding(place, name, "limit.request-bytes");
        }
        let seen = value.get(..limits.value_bytes_max).unwrap_or(value);
        if seen.len() < value.len() {
            self.finding(place, name, "limit.value-bytes");
        }
        let mut scanner = std::mem::take(&mut self.scanner);
        let hits = scanner.scan(place, seen, kinds);
        self.report(place, name, seen, hits);
        self.scanner = scanner;
    }

    /// Reports a broken rule of the format: a finding that blocks.
    pub(crate) fn finding(&mut self, place: Place, name: &[u8], rule: &'static str) {
        self.report(place, name, b"", &[Hit { class: Class::Protocol, rule, score: STRONG }]);
    }

    /// Reports something odd that blocks only together with others.
    pub(crate) fn signal(&mut self, place: Place, name: &[u8], rule: &'static str) {
        self.report(place, name, b"", &[Hit { class: Class::Protocol, rule, score: crate::scan::SIGNAL }]);
    }

    fn report(&mut self, place: Place, name: &[u8], value: &[u8], hits: &[Hit]) {
        let mut watched = [0_u16; Class::COUNT];
        let mut blocking = [0_u16; Class::COUNT];
        for hit in hits {
            let mode = self.mode_of(place, name, hit.class);
            if mode == Mode::Off {
                continue;
            }
            add(&mut watched, hit);
            if mode == Mode::Block {
                add(&mut blocking, hit);
            }
            if self.verdict.findings.len() < FINDINGS_MAX {
                self.verdict.findings.push(finding(place, name, value, hit));
            }
        }
        let score = watched.iter().copied().max().unwrap_or(0);
        let blocking = blocking.iter().copied().max().unwrap_or(0);
        self.verdict.score = self.verdict.score.max(score);
        let threshold = self.policy.threshold.max(1);
        let action = match () {
            () if blocking >= threshold => Action::Block,
            () if score >= threshold => Action::Report,
            () => Action::Pass,
        };
        self.verdict.action = self.verdict.action.max(action);
    }

    /// The stricter of the route's mode never widens a field's: `monitor` on the route blocks nothing.
    fn mode_of(&self, place: Place, name: &[u8], class: Class) -> Mode {
        let fits = |rule: &&FieldRule| rule.fits(place, name, class);
        let field = self.policy.fields.iter().find(fits).map_or(Mode::Block, |rule| rule.mode);
        match (self.policy.mode, field) {
            (Mode::Off, _) | (_, Mode::Off) => Mode::Off,
            (Mode::Monitor, _) | (_, Mode::Monitor) => Mode::Monitor,
            (Mode::Block, Mode::Block) => Mode::Block,
        }
    }
}

fn add(scores: &mut [u16; Class::COUNT], hit: &Hit) {
    if let Some(score) = scores.get_mut(hit.class.index()) {
        *score = score.saturating_add(hit.score);
    }
}

fn finding(place: Place, name: &[u8], value: &[u8], hit: &Hit) -> Finding {
    Finding {
        class: hit.class,
        location: Location { place, name: excerpt(name) },
        rule: hit.rule,
        score: hit.score,
        excerpt: excerpt(value),
    }
}

/// The first bytes, escaped: no line break, control byte or quote reaches a log.
fn excerpt(bytes: &[u8]) -> String {
    let cut = bytes.get(..EXCERPT_BYTES_MAX).unwrap_or(bytes);
    let mut text = cut.escape_ascii().to_string();
    if cut.len() < bytes.len() {
        text.push_str("...");
    }
    text
}
