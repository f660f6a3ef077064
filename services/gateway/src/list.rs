//! Lists in settings: a TOML list, or one text with commas as the environment gives it.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A list of values that have a text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T: fmt::Display> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de, T> Deserialize<'de> for List<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for ListVisitor<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = List<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list, or one text with commas")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        let values = text.split(',').map(str::trim).filter(|value| !value.is_empty());
        values.map(parse).collect::<Result<Vec<T>, E>>().map(List)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<List<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(text) = sequence.next_element::<String>()? {
            values.push(parse(&text)?);
        }
        Ok(List(values))
    }
}

fn parse<T, E>(text: &str) -> Result<T, E>
where
    T: FromStr,
    T::Err: fmt::Display,
    E: Error,
{
    text.parse().map_err(|error| E::custom(format_args!("`{text}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_a_text_with_commas_mean_the_same() {
        let from_list: List<u16> = serde_json::from_str(r#"["1", "2"]"#).unwrap();
        let from_text: List<u16> = serde_json::from_str(r#""1, 2,""#).unwrap();
        assert_eq!(from_list, List(vec![1, 2]));
        assert_eq!(from_text, from_list);
    }

    #[test]
    fn a_bad_value_is_named() {
        let error = serde_json::from_str::<List<u16>>(r#"["1", "two"]"#).unwrap_err();
        assert!(error.to_string().starts_with("`two`: invalid digit"), "{error}");
    }
}
