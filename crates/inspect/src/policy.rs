//! What is inspected how strictly: the part of the inspector that comes from settings.

use serde::{Deserialize, Serialize};

use crate::verdict::{Class, Place};

/// The score of a strong pattern, and of two independent signals: what a default policy blocks.
pub const THRESHOLD_DEFAULT: u16 = 10;

/// What happens to a request that reaches the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is inspected.
    Off,
    /// The request passes and its findings are reported.
    Monitor,
    /// The request is refused.
    #[default]
    Block,
}

/// How one route is inspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What happens at the threshold.
    pub mode: Mode,
    /// The score at which a request is refused: 10 is one strong pattern or two signals, 5 one signal.
    pub threshold: u16,
    /// Fields that are treated otherwise; for each finding the first rule that fits counts.
    pub fields: Vec<FieldRule>,
    /// What is read at most.
    pub limits: Limits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            threshold: THRESHOLD_DEFAULT,
            fields: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// A mode of its own for the fields it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// Where the field stands; anywhere if absent.
    #[serde(default)]
    pub place: Option<Place>,
    /// The name of the field, for JSON its pointer (`/notes/0/text`); a `*` stands for any text. Headers and cookies are
    /// compared without regard to case.
    pub name: String,
    /// The classes it is about; all if empty.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// What happens to findings there: `off` is an exemption, `monitor` reports without refusing.
    pub mode: Mode,
}

impl FieldRule {
    pub(crate) fn fits(&self, place: Place, name: &[u8], class: Class) -> bool {
        let has_place = self.place.is_none_or(|wanted| wanted == place);
        let has_class = self.classes.is_empty() || self.classes.contains(&class);
        let folds = matches!(place, Place::Header | Place::Cookie);
        has_place && has_class && fits_name(self.name.as_bytes(), name, folds.then_some(Fold::Case))
    }
}

/// How names are compared.
#[derive(Clone, Copy)]
enum Fold {
    Case,
}

/// Whether a pattern with `*` fits a whole name.
fn fits_name(pattern: &[u8], name: &[u8], fold: Option<Fold>) -> bool {
    let equal = |left: &[u8], right: &[u8]| match fold {
        Some(Fold::Case) => left.eq_ignore_ascii_case(right),
        None => left == right,
    };
    let mut pieces = pattern.split(|byte| *byte == b'*');
    let first = pieces.next().unwrap_or(b"");
    let Some((start, mut rest)) = name.split_at_checked(first.len()) else {
        return false;
    };
    if !equal(start, first) {
        return false;
    }
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let found = (0..=rest.len())
            .find(|at| rest.get(*at..at + piece.len()).is_some_and(|part| equal(part, piece)));
        let Some(behind) = found.and_then(|at| rest.get(at + piece.len()..)) else {
            return false;
        };
        rest = behind;
    }
    rest.len().checked_sub(last.len()).and_then(|at| rest.get(at..)).is_some_and(|end| equal(end, last))
}

/// What is read at most. A value or request beyond a limit is a finding that blocks, since what was not read may hold
/// anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one value that are looked at. Letters, digits, `_`, `-`, `+`, `=` and single `/` alone never count.
    pub value_bytes_max: usize,
    /// Bytes of all values of one request together, files of uploads excepted.
    pub request_bytes_max: usize,
    /// Fields of one request: query, headers, cookies, form fields, JSON keys and elements together.
    pub fields_max: usize,
    /// How deeply JSON may be nested.
    pub json_depth_max: usize,
    /// Parts of a multipart body.
    pub multipart_parts_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            value_bytes_max: 64 * 1024,
            request_bytes_max: 1024 * 1024,
            fields_max: 10_000,
            json_depth_max: 64,
            multipart_parts_max: 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_in_names_stand_for_any_text() {
        for (pattern, name, fits) in [
            ("q", "q", true),
            ("q", "Q", false),
            ("q", "qq", false),
            ("*", "", true),
            ("*", "anything", true),
            ("/notes/*/text", "/notes/0/text", true),
            ("/notes/*/text", "/notes/0/title", false),
            ("/a/*/b/*/c", "/a/1/b/2/c", true),
            ("/a/*/b/*/c", "/a/1/c", false),
            ("x*", "x", true),
            ("*x", "yx", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits_name(pattern.as_bytes(), name.as_bytes(), None), fits, "{pattern} {name}");
        }
        assert!(fits_name(b"user-agent", b"User-Agent", Some(Fold::Case)));
    }

    #[test]
    fn a_policy_reads_from_settings_and_refuses_unknown_keys() {
        let policy: Policy = serde_json::from_str(
            r#"{"mode": "monitor", "fields": [{"place": "file-name", "name": "*", "classes": ["sql-injection"], "mode": "off"}]}"#,
        )
        .unwrap();
        assert_eq!(policy.threshold, THRESHOLD_DEFAULT);
        assert_eq!(policy.fields[0].place, Some(Place::FileName));
        assert!(serde_json::from_str::<Policy>(r#"{"mod": "off"}"#).is_err());
    }
}
