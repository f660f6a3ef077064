//! Sets of patterns with a name and a score each: one linear pass for all of a set.

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::scan::Hits;
use crate::verdict::Class;

/// One pattern: rule, score, expression over the canonical text.
pub(crate) type Pattern = (&'static str, u16, &'static str);

/// Patterns of one class, compiled into one automaton.
pub(crate) struct Patterns {
    class: Class,
    rules: Vec<(&'static str, u16)>,
    set: RegexSet,
}

/// Room for the states of one set; beyond it the automaton starts anew, at the same results.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

impl Patterns {
    pub(crate) fn new(class: Class, patterns: &[Pattern]) -> Self {
        Self::expanded(class, patterns, str::to_owned)
    }

    /// Compiles patterns that are written with abbreviations.
    pub(crate) fn expanded(class: Class, patterns: &[Pattern], expand: impl Fn(&str) -> String) -> Self {
        let set = RegexSetBuilder::new(patterns.iter().map(|(_, _, pattern)| expand(pattern)))
            .unicode(false)
            .dfa_size_limit(CACHE_BYTES)
            .build()
            .expect("the patterns are constants and compile in a test");
        Self { class, rules: patterns.iter().map(|(rule, score, _)| (*rule, *score)).collect(), set }
    }

    /// Adds a hit for every pattern that fits; returns the bytes read.
    pub(crate) fn check(&self, text: &[u8], hits: &mut Hits) -> usize {
        for index in &self.set.matches(text) {
            if let Some((rule, score)) = self.rules.get(index) {
                hits.add(self.class, rule, *score);
            }
        }
        text.len()
    }
}
