//! Who sends requests, as far as limits are concerned.

use std::net::IpAddr;

use api::Identity;
use aws_lc_rs::digest;
use domain::account::SessionKind;
use domain::{PersonId, SessionId};

use crate::rate::network;

/// Bytes of a key that auth counts under.
pub(crate) const KEY_BYTES: usize = 16;

/// Somebody who has limits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// A person, with all sessions and handsets together.
    Person(PersonId),
    /// A program with a key.
    Key(SessionId),
    /// Everybody at an address who is not signed in; by /64 of IPv6.
    Network(IpAddr),
}

impl Caller {
    /// The caller behind an identity.
    pub(crate) fn of_identity(identity: &Identity) -> Self {
        match identity.kind {
            SessionKind::Web | SessionKind::Mobile => Self::Person(identity.sub),
            SessionKind::Key => Self::Key(identity.session_id),
        }
    }

    /// Whoever has one address of an IPv6 network of 64 bits has them all.
    pub(crate) fn of_network(address: IpAddr) -> Self {
        Self::Network(network(address))
    }

    /// What auth counts under: a hash, so that its table holds neither addresses nor people.
    pub(crate) fn key(&self, class: &str) -> [u8; KEY_BYTES] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(class.as_bytes());
        match self {
            Self::Person(person) => {
                context.update(b":person:");
                context.update(person.as_uuid().as_bytes());
            }
            Self::Key(key) => {
                context.update(b":key:");
                context.update(key.as_uuid().as_bytes());
            }
            Self::Network(address) => {
                context.update(b":network:");
                context.update(address.to_string().as_bytes());
            }
        }
        let digest = context.finish();
        let mut key = [0; KEY_BYTES];
        key.iter_mut().zip(digest.as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_and_class_has_a_key_of_its_own() {
        let (person, session) = (PersonId::generate(), SessionId::generate());
        let callers = [
            Caller::Person(person),
            Caller::Key(SessionId::from_uuid(*person.as_uuid())),
            Caller::Key(session),
            Caller::of_network("192.0.2.1".parse().unwrap()),
            Caller::of_network("2001:db8::1".parse().unwrap()),
        ];
        let keys: std::collections::BTreeSet<_> =
            callers.iter().flat_map(|caller| [caller.key("page"), caller.key("api")]).collect();
        assert_eq!(keys.len(), 10);
        assert_eq!(
            Caller::of_network("2001:db8::1".parse().unwrap()),
            Caller::of_network("2001:db8::2:2".parse().unwrap())
        );
    }
}
