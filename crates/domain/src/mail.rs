//! Mail on its way: where a message stands, where each of its recipients stands.

use crate::text_enum;

text_enum! {
    /// Where a message of the outbox stands.
    MailState {
        /// Somebody is still to get it.
        Queued = "QUEUED",
        /// The relay took it for one recipient at least, and nobody waits for it any more.
        Sent = "SENT",
        /// Refused for good to everybody who has not got it.
        Refused = "REFUSED",
        /// Somebody did not get it within the attempts allowed.
        GivenUp = "GIVEN_UP",
    }
}

text_enum! {
    /// Where a message stands for one recipient.
    RecipientState {
        /// Still to get it.
        Queued = "QUEUED",
        /// The relay took it.
        Sent = "SENT",
        /// The relay refused it for good.
        Refused = "REFUSED",
        /// Not tried: an earlier mail to this address was refused for good.
        Suppressed = "SUPPRESSED",
    }
}

impl MailState {
    /// Where a message stands once its recipients stand so, and the relay may be asked again or not.
    pub fn of(recipients: &[RecipientState], chances: Chances) -> Self {
        let any = |state| recipients.contains(&state);
        match (any(RecipientState::Queued), chances) {
            (true, Chances::Left) => Self::Queued,
            (true, Chances::UsedUp) => Self::GivenUp,
            (false, _) if any(RecipientState::Sent) => Self::Sent,
            (false, _) => Self::Refused,
        }
    }
}

/// Whether a message may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chances {
    /// It may.
    Left,
    /// This was the last attempt.
    UsedUp,
}

/// The part of an address that says which servers take mail for it, in lower case. None when there is none.
pub fn domain_of(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then(|| domain.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_queued_while_somebody_waits_and_chances_are_left() {
        use RecipientState::{Queued, Refused, Sent, Suppressed};
        let states = [
            (vec![Sent, Queued], Chances::Left, MailState::Queued),
            (vec![Sent, Queued], Chances::UsedUp, MailState::GivenUp),
            (vec![Sent, Refused], Chances::UsedUp, MailState::Sent),
            (vec![Suppressed, Refused], Chances::Left, MailState::Refused),
            (vec![], Chances::Left, MailState::Refused),
        ];
        for (recipients, chances, state) in states {
            assert_eq!(MailState::of(&recipients, chances), state, "{recipients:?}");
        }
    }

    #[test]
    fn the_domain_follows_the_last_at_sign() {
        assert_eq!(domain_of("Asha@Example.COM").as_deref(), Some("example.com"));
        assert_eq!(domain_of("\"a@b\"@example.com").as_deref(), Some("example.com"));
        assert_eq!((domain_of("asha"), domain_of("@example.com"), domain_of("asha@")), (None, None, None));
    }
}
