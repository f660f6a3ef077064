//! Every mistake of a JSON body at once: a body that could not be read is compared with the schema that is published.

use std::collections::BTreeMap;

use domain::FieldError;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Mistakes that are named at most.
const MISTAKES_MAX: usize = 20;

/// How deep schemas are followed.
const DEPTH_MAX: usize = 32;

/// Characters of a name in a pointer; a name nobody knows is the sender's.
const NAME_MAX: usize = 100;

/// Where the published schemas of other types stand.
const COMPONENTS: &str = "#/components/schemas/";

/// Names everything in a body that its schema does not allow; nothing where the schema allows it all.
pub(super) fn mistakes<T: ToSchema>(body: &[u8]) -> Vec<FieldError> {
    let (Ok(body), Ok(schema)) = (serde_json::from_slice(body), serde_json::to_value(T::schema())) else {
        return Vec::new();
    };
    let mut others = Vec::new();
    T::schemas(&mut others);
    let others =
        others.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)));
    let mut walk = Walk { others: others.collect(), found: Vec::new() };
    walk.compare(&schema, &body, "", 0);
    walk.found
}

/// A comparison under way.
struct Walk {
    others: BTreeMap<String, Value>,
    found: Vec<FieldError>,
}

impl Walk {
    fn compare(&mut self, schema: &Value, value: &Value, pointer: &str, depth: usize) {
        if depth > DEPTH_MAX || self.found.len() >= MISTAKES_MAX {
            return;
        }
        if let Some(other) = schema.get("$ref").and_then(Value::as_str) {
            let other = other.strip_prefix(COMPONENTS).and_then(|name| self.others.get(name)).cloned();
            if let Some(other) = other {
                self.compare(&other, value, pointer, depth + 1);
            }
            return;
        }
        for either in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(either).and_then(Value::as_array) {
                return self.compare_either(choices, value, pointer, depth);
            }
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.compare(part, value, pointer, depth + 1);
        }
        if let Some(words) = wrong_kind(schema, value) {
            return self.add(pointer, words);
        }
        match value {
            Value::Object(fields) => self.compare_object(schema, fields, pointer, depth),
            Value::Array(items) => {
                let Some(schema) = schema.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.compare(schema, item, &format!("{pointer}/{index}"), depth + 1);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                if let Some(words) = wrong_value(schema, value) {
                    self.add(pointer, words);
                }
            }
        }
    }

    /// Of several schemas the one with the fewest mistakes is meant; where that is none, all is well.
    fn compare_either(&mut self, choices: &[Value], value: &Value, pointer: &str, depth: usize) {
        let mut best: Option<Vec<FieldError>> = None;
        for choice in choices {
            let before = std::mem::take(&mut self.found);
            self.compare(choice, value, pointer, depth + 1);
            let found = std::mem::replace(&mut self.found, before);
            // `null` beside a real choice is never what somebody meant who sent something else.
            let is_null = choice.get("type").and_then(Value::as_str) == Some("null");
            if is_null && !found.is_empty() && choices.len() > 1 {
                continue;
            }
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        for found in best.unwrap_or_default() {
            self.add(&found.pointer, found.detail);
        }
    }

    fn compare_object(&mut self, schema: &Value, fields: &Map<String, Value>, pointer: &str, depth: usize) {
        let known = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).collect(),
            None => Vec::new(),
        };
        for name in &required {
            if !fields.contains_key(*name) {
                self.add(&join(pointer, name), "This field is missing.");
            }
        }
        let is_closed = schema.get("additionalProperties").and_then(Value::as_bool) == Some(false);
        for (name, value) in fields {
            match known.and_then(|known| known.get(name)) {
                // What may be absent may be `null`.
                Some(_) if value.is_null() && !required.contains(&name.as_str()) => {}
                Some(schema) => self.compare(schema, value, &join(pointer, name), depth + 1),
                None if is_closed => self.add(&join(pointer, name), "No field has this name."),
                None => {}
            }
        }
    }

    fn add(&mut self, pointer: &str, words: impl Into<String>) {
        if self.found.len() < MISTAKES_MAX {
            self.found.push(FieldError::new(pointer, words));
        }
    }
}

/// A pointer to a field (RFC 6901).
pub(super) fn join(pointer: &str, name: &str) -> String {
    let name: String = name.chars().take(NAME_MAX).collect();
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What should stand where a value of another kind does.
fn wrong_kind(schema: &Value, value: &Value) -> Option<String> {
    let kinds: Vec<&str> = match schema.get("type")? {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let is_of = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if kinds.iter().any(|kind| is_of(kind)) {
        return None;
    }
    let words = kinds.iter().filter(|kind| **kind != "null").map(|kind| match *kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        _ => "an object",
    });
    Some(format!("Give {} here.", words.collect::<Vec<_>>().join(" or ")))
}

/// What is wrong with a value of the right kind.
fn wrong_value(schema: &Value, value: &Value) -> Option<String> {
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        return Some(format!("Use one of {}.", allowed.join(", ")));
    }
    let is_uuid = schema.get("format").and_then(Value::as_str) == Some("uuid");
    if is_uuid && value.as_str().is_some_and(|text| uuid::Uuid::parse_str(text).is_err()) {
        return Some("Give a UUID here.".to_owned());
    }
    let number = value.as_f64()?;
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if bound("minimum").is_some_and(|least| number < least)
        || bound("maximum").is_some_and(|most| number > most)
    {
        return Some("This number is out of range.".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema and whether it can be read count")]
    struct Order {
        dish: String,
        guests: u8,
        #[serde(default)]
        note: Option<String>,
        seats: Vec<Seat>,
        #[schema(schema_with = colours)]
        colour: String,
        place: Option<Seat>,
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema and whether it can be read count")]
    struct Seat {
        number: i32,
        quiet: bool,
    }

    fn colours() -> utoipa::openapi::Object {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["RED", "BLUE"])).build()
    }

    fn found(body: &Value) -> Vec<String> {
        let found = mistakes::<Order>(body.to_string().as_bytes());
        found.into_iter().map(|one| format!("{} {}", one.pointer, one.detail)).collect()
    }

    #[test]
    fn every_mistake_is_named_where_it_stands() {
        let body = json!({
            "guests": "many", "note": null, "seats": [{"number": 1, "quiet": true}, {"number": 1.5, "loud": 1}, 7],
            "colour": "GREEN", "a/b~c": 1, "place": {"number": 1},
        });
        let mut found = found(&body);
        found.sort();
        assert_eq!(
            found,
            [
                "/a~1b~0c No field has this name.",
                "/colour Use one of RED, BLUE.",
                "/dish This field is missing.",
                "/guests Give a whole number here.",
                "/place/quiet This field is missing.",
                "/seats/1/loud No field has this name.",
                "/seats/1/number Give a whole number here.",
                "/seats/1/quiet This field is missing.",
                "/seats/2 Give an object here.",
            ]
        );
    }

    #[test]
    fn what_can_be_read_has_no_mistakes() {
        let body = json!({
            "dish": "dal", "guests": 2, "seats": [{"number": 1, "quiet": true}], "colour": "RED", "place": null,
        });
        serde_json::from_value::<Order>(body.clone()).unwrap();
        assert_eq!(found(&body), [""; 0]);
    }

    #[test]
    fn no_more_than_twenty_are_named_and_nothing_that_was_sent_is_repeated_at_length() {
        let many: Map<String, Value> =
            (0..500).map(|number| (format!("{number}{}", "x".repeat(300)), json!(1))).collect();
        let found = mistakes::<Order>(&serde_json::to_vec(&many).unwrap());
        assert_eq!(found.len(), MISTAKES_MAX);
        assert!(found.iter().all(|one| one.pointer.len() <= NAME_MAX + 1));
        assert_eq!(mistakes::<Order>(b"[").len(), 0);
        assert_eq!(mistakes::<Order>(b"7").len(), 1);
    }
}
