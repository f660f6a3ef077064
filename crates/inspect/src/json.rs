//! JSON in one pass: every key and text at its pointer.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use crate::inspection::Inspection;
use crate::protocol::JSON_SYNTAX;
use crate::verdict::Place;

/// Looks at every key and text of a JSON body.
pub(crate) fn inspect_json(inspection: &mut Inspection<'_>, body: &[u8]) {
    let mut walk = Walk {
        inspection,
        pointer: Vec::new(),
        depth: 0,
        seen: HashSet::new(),
        objects: 0,
        hasher: RandomState::new(),
        is_cut: false,
    };
    let mut deserializer = Deserializer::from_slice(body);
    let read = Node { walk: &mut walk }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    let is_cut = walk.is_cut;
    if read.is_err() && !is_cut {
        inspection.finding(Place::Json, b"", JSON_SYNTAX);
        // What is not JSON is still a text that somebody behind us may read more kindly.
        inspection.value(Place::Body, b"", body);
    }
}

struct Walk<'w, 'p> {
    inspection: &'w mut Inspection<'p>,
    /// The pointer of the value that is read.
    pointer: Vec<u8>,
    depth: usize,
    /// Keys of all objects: the number of the object and the key, hashed.
    seen: HashSet<u64>,
    objects: u64,
    hasher: RandomState,
    /// Reading stopped at a limit, which is a finding of its own.
    is_cut: bool,
}

impl Walk<'_, '_> {
    fn push(&mut self, token: &[u8]) -> usize {
        let length = self.pointer.len();
        self.pointer.push(b'/');
        for byte in token {
            match *byte {
                b'~' => self.pointer.extend_from_slice(b"~0"),
                b'/' => self.pointer.extend_from_slice(b"~1"),
                byte => self.pointer.push(byte),
            }
        }
        length
    }

    fn count(&mut self) -> bool {
        let is_within = self.inspection.begin_field(Place::Json, &self.pointer);
        self.is_cut |= !is_within;
        is_within
    }

    fn enter(&mut self) -> bool {
        self.depth += 1;
        let is_within = self.depth <= self.inspection.policy.limits.json_depth_max;
        if !is_within {
            self.is_cut = true;
            self.inspection.finding(Place::Json, &self.pointer, "json.depth");
        }
        is_within
    }

    fn key(&mut self, object: u64, key: &str) {
        if !self.seen.insert(self.hasher.hash_one((object, key))) {
            self.inspection.signal(Place::Json, &self.pointer, "json.duplicate-key");
        }
        self.inspection.text(Place::Json, &self.pointer, key.as_bytes());
    }
}

/// One value of the document.
struct Node<'n, 'w, 'p> {
    walk: &'n mut Walk<'w, 'p>,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.walk.inspection.text(Place::Json, &self.walk.pointer, text.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if !self.walk.enter() {
            return Err(A::Error::custom("too deep"));
        }
        let mut index = 0_usize;
        loop {
            let length = self.walk.push(index.to_string().as_bytes());
            let element = elements.next_element_seed(Node { walk: self.walk })?;
            let is_within = element.is_none() || self.walk.count();
            self.walk.pointer.truncate(length);
            match (element, is_within) {
                (None, _) => break,
                (Some(()), false) => return Err(A::Error::custom("too many")),
                (Some(()), true) => index += 1,
            }
        }
        self.walk.depth -= 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if !self.walk.enter() {
            return Err(A::Error::custom("too deep"));
        }
        self.walk.objects += 1;
        let object = self.walk.objects;
        while let Some(length) = entries.next_key_seed(Key { walk: self.walk, object })? {
            let is_within = self.walk.count();
            if !is_within {
                return Err(A::Error::custom("too many"));
            }
            entries.next_value_seed(Node { walk: self.walk })?;
            self.walk.pointer.truncate(length);
        }
        self.walk.depth -= 1;
        Ok(())
    }
}

/// A key: looked at, and pushed to the pointer; its value is the pointer's length before.
struct Key<'n, 'w, 'p> {
    walk: &'n mut Walk<'w, 'p>,
    object: u64,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_, '_> {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_, '_> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<usize, E> {
        let length = self.walk.push(key.as_bytes());
        self.walk.key(self.object, key);
        Ok(length)
    }
}
