//! What is looked for in requests.

use std::ops::RangeInclusive;

use inspect::{Class, FieldRule, Limits, Mode, Place, Policy};
use serde::{Deserialize, Serialize};
use service::Mistakes;

use super::BYTES_MAX;
use crate::routes::{covers, is_prefix};

/// `[inspection]`: what is looked for in requests, and what happens then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectionSettings {
    /// What happens on routes that say nothing else.
    pub mode: Mode,
    /// The score at which a request is refused.
    pub threshold: u16,
    /// Bytes of one value that are looked at.
    pub value_bytes_max: usize,
    /// Bytes of all values of one request.
    pub request_bytes_max: usize,
    /// Fields of one request.
    pub fields_max: usize,
    /// How deeply JSON may be nested.
    pub json_depth_max: usize,
    /// Parts of a multipart body.
    pub multipart_parts_max: usize,
    /// Fields that are treated otherwise; the first that fits counts.
    pub exemptions: Vec<Exemption>,
}

/// `[[inspection.exemptions]]`: a mode of its own for some fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The path and everything below it, by whole segments.
    #[serde(default = "root")]
    pub prefix: String,
    /// Where the field stands; anywhere if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Its name, for JSON its pointer; a `*` stands for any text.
    pub name: String,
    /// The classes it is about; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// What happens to findings there.
    pub mode: Mode,
}

fn root() -> String {
    "/".to_owned()
}

impl InspectionSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        const NUMBERS: RangeInclusive<usize> = 1..=1_000_000;
        mistakes.range("inspection.threshold", self.threshold, 1..=1_000);
        mistakes.range("inspection.value_bytes_max", self.value_bytes_max, 1..=BYTES_MAX);
        mistakes.range("inspection.request_bytes_max", self.request_bytes_max, 1..=BYTES_MAX);
        mistakes.range("inspection.fields_max", self.fields_max, NUMBERS);
        mistakes.range("inspection.json_depth_max", self.json_depth_max, 1..=128);
        mistakes.range("inspection.multipart_parts_max", self.multipart_parts_max, NUMBERS);
        for (index, exemption) in self.exemptions.iter().enumerate() {
            if !is_prefix(&exemption.prefix) {
                let what = format!("`{}` is not a plain path", exemption.prefix);
                mistakes.add(format!("inspection.exemptions[{index}].prefix"), what);
            }
            if exemption.name.is_empty() {
                mistakes.add(format!("inspection.exemptions[{index}].name"), "is empty; `*` is any name");
            }
        }
    }

    /// The policy of everything below a path, with the mode of its route.
    pub(crate) fn policy(&self, prefix: &str, mode: Option<Mode>) -> Policy {
        let fits = |exemption: &&Exemption| covers(exemption.prefix.trim_end_matches('/'), prefix);
        Policy {
            mode: mode.unwrap_or(self.mode),
            threshold: self.threshold,
            fields: self.exemptions.iter().filter(fits).map(Exemption::rule).collect(),
            limits: Limits {
                value_bytes_max: self.value_bytes_max,
                request_bytes_max: self.request_bytes_max,
                fields_max: self.fields_max,
                json_depth_max: self.json_depth_max,
                multipart_parts_max: self.multipart_parts_max,
            },
        }
    }
}

impl Exemption {
    fn rule(&self) -> FieldRule {
        FieldRule {
            place: self.place,
            name: self.name.clone(),
            classes: self.classes.clone(),
            mode: self.mode,
        }
    }
}
