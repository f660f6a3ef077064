//! Checked text: enums stored as text, and value objects that cannot hold a wrong value.

use std::fmt;

/// A text that does not fit its type, with the rule it broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct InvalidText {
    /// The rule as a sentence for the person who typed it.
    pub rule: &'static str,
}

impl InvalidText {
    /// States the rule that was broken.
    pub const fn new(rule: &'static str) -> Self {
        Self { rule }
    }
}

/// A text that is none of an enum's labels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{label}` is not one of {expected}")]
pub struct UnknownLabel {
    /// What was read.
    pub label: String,
    /// All labels, for the message.
    pub expected: &'static str,
}

/// An enum stored as checked text; the schema test compares `LABELS` with the check constraint.
pub trait TextEnum: Copy + fmt::Display + 'static {
    /// Every label, in declaration order.
    const LABELS: &'static [&'static str];
}

/// Declares an enum that is stored, sent and shown as text.
#[macro_export]
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $label)] $variant,)+
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stored label.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl $name {
            /// The label as words of a sentence: `ON_HOLD` reads "on hold".
            pub fn in_words(self) -> String {
                self.as_str().to_ascii_lowercase().replace('_', " ")
            }

            /// The label as words that stand alone: `ON_HOLD` reads "On hold".
            pub fn caption(self) -> String {
                let words = self.in_words();
                let mut letters = words.chars();
                letters.next().map_or_else(String::new, |first| {
                    std::iter::once(first.to_ascii_uppercase()).chain(letters).collect()
                })
            }
        }

        impl $crate::text::TextEnum for $name {
            const LABELS: &'static [&'static str] = &[$($label,)+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::UnknownLabel;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($label => Ok(Self::$variant),)+
                    _ => Err($crate::text::UnknownLabel {
                        label: text.to_owned(),
                        expected: concat!($($label, " "),+),
                    }),
                }
            }
        }

        impl postgres_types::ToSql for $name {
            fn to_sql(
                &self,
                ty: &postgres_types::Type,
                out: &mut bytes::BytesMut,
            ) -> Result<postgres_types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
                self.as_str().to_sql(ty, out)
            }

            fn accepts(ty: &postgres_types::Type) -> bool {
                <&str as postgres_types::ToSql>::accepts(ty)
            }

            postgres_types::to_sql_checked!();
        }

        impl<'a> postgres_types::FromSql<'a> for $name {
            fn from_sql(
                ty: &postgres_types::Type,
                raw: &'a [u8],
            ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
                Ok(<&str as postgres_types::FromSql>::from_sql(ty, raw)?.parse::<Self>()?)
            }

            fn accepts(ty: &postgres_types::Type) -> bool {
                <&str as postgres_types::FromSql>::accepts(ty)
            }
        }
    };
}

/// Declares a text newtype with a `parse` that enforces its rule.
#[macro_export]
macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $check:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[derive(postgres_types::ToSql, postgres_types::FromSql)]
        #[serde(transparent)]
        #[postgres(transparent)]
        pub struct $name(String);

        impl $name {
            /// The rule, as a sentence.
            pub const RULE: &'static str = $rule;

            /// Takes a text that keeps the rule; leading and trailing blanks are dropped.
            pub fn parse(text: &str) -> Result<Self, $crate::text::InvalidText> {
                let text = text.trim();
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err($crate::text::InvalidText::new($rule))
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::InvalidText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Whether a text is a code: letters, digits, `-` and `_`, 1 to 50 of them.
pub fn is_code(text: &str) -> bool {
    (1..=50).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether a text is 1 to `max` characters without control characters (line breaks allowed).
pub fn is_prose(text: &str, max: usize) -> bool {
    let length = text.chars().count();
    (1..=max).contains(&length)
        && !text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t'))
}

text_value! {
    /// A short name for machines and topics, unique among its siblings.
    Code, is_code, "use 1 to 50 letters, digits, `-` or `_`"
}

#[cfg(test)]
mod tests {
    use crate::ticket::{TicketPriority, TicketState};

    #[test]
    fn a_label_reads_as_words_inside_a_sentence_and_alone() {
        assert_eq!(TicketState::OnHold.in_words(), "on hold");
        assert_eq!(TicketState::OnHold.caption(), "On hold");
        assert_eq!(TicketPriority::High.caption(), "High");
    }
}
