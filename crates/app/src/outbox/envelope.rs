//! Splitting a group of recipients into messages.

use std::collections::{BTreeMap, BTreeSet};

use domain::MailId;
use domain::mail::{RecipientState, domain_of};
use store::outbox::{Envelope, MailRecipient};

use crate::mail::Recipient;

/// Recipients of one message at most; relays commonly refuse more than 100 in one conversation.
const RECIPIENTS_MAX: usize = 100;
/// Characters of an address at most.
const ADDRESS_CHARS_MAX: usize = 254;
/// Characters of a subject at most.
const SUBJECT_CHARS_MAX: usize = 1000;

/// Who is mailed to at one domain.
#[derive(Default)]
struct Domain {
    colleagues: Vec<MailRecipient>,
    outside: Vec<MailRecipient>,
}

/// One message for each domain, several when more recipients share it than one message takes, and one for each address
/// outside of the client: who is no colleague neither reads others' addresses nor is read. Each address once; what is none
/// is left out and told to operators.
pub(super) fn split(to: &[Recipient]) -> Vec<Envelope> {
    let mut met = BTreeSet::new();
    let mut by_domain: BTreeMap<String, Domain> = BTreeMap::new();
    for recipient in to {
        let email = recipient.email.trim().to_lowercase();
        let Some(domain) = domain_of(&email).filter(|_| email.chars().count() <= ADDRESS_CHARS_MAX) else {
            tracing::warn!(target: "mail", "an address cannot be mailed to and is left out");
            continue;
        };
        if met.insert(email.clone()) {
            let at_domain = by_domain.entry(domain).or_default();
            let group = if recipient.is_outside { &mut at_domain.outside } else { &mut at_domain.colleagues };
            group.push(MailRecipient {
                name: recipient.name.as_deref().map(one_line),
                email,
                state: RecipientState::Queued,
                reply_code: None,
            });
        }
    }
    by_domain
        .into_iter()
        .flat_map(|(domain, Domain { colleagues, outside })| {
            let parts = colleagues.chunks(RECIPIENTS_MAX).chain(outside.chunks(1));
            let parts: Vec<Vec<MailRecipient>> = parts.map(<[MailRecipient]>::to_vec).collect();
            (0..).zip(parts).map(move |(part, recipients)| Envelope {
                id: MailId::generate(),
                part,
                domain: domain.clone(),
                recipients,
            })
        })
        .collect()
}

/// The same on one line, of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(SUBJECT_CHARS_MAX)
        .collect();
    match line.trim() {
        "" => "-".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(email: &str) -> Recipient {
        Recipient { name: None, email: email.to_owned(), is_outside: false }
    }

    #[test]
    fn who_shares_a_domain_shares_a_message_and_gets_it_once() {
        let to = ["asha@a.example", "ben@b.example", "ASHA@A.example", "nobody", "chitra@a.example"];
        let envelopes = split(&to.map(recipient));
        let split: Vec<(&str, Vec<&str>)> = envelopes
            .iter()
            .map(|envelope| {
                let emails = envelope.recipients.iter().map(|recipient| recipient.email.as_str()).collect();
                (envelope.domain.as_str(), emails)
            })
            .collect();
        assert_eq!(
            split,
            [("a.example", vec!["asha@a.example", "chitra@a.example"]), ("b.example", vec!["ben@b.example"])]
        );
    }

    #[test]
    fn who_is_outside_of_the_client_shares_a_message_with_nobody() {
        let outside = |email| Recipient { is_outside: true, ..recipient(email) };
        let to = [
            outside("vendor@mail.example"),
            recipient("asha@mail.example"),
            outside("duty@mail.example"),
            recipient("ben@mail.example"),
        ];
        let parts: Vec<(i16, Vec<String>)> = split(&to)
            .into_iter()
            .map(|envelope| {
                let emails = envelope.recipients.into_iter().map(|recipient| recipient.email).collect();
                (envelope.part, emails)
            })
            .collect();
        let group = |emails: &[&str]| emails.iter().map(|email| (*email).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            parts,
            [
                (0, group(&["asha@mail.example", "ben@mail.example"])),
                (1, group(&["vendor@mail.example"])),
                (2, group(&["duty@mail.example"])),
            ]
        );
    }

    #[test]
    fn a_message_takes_a_hundred_recipients() {
        let to: Vec<Recipient> = (0..250).map(|n| recipient(&format!("p{n}@a.example"))).collect();
        let envelopes = split(&to);
        let parts: Vec<(i16, usize)> =
            envelopes.iter().map(|envelope| (envelope.part, envelope.recipients.len())).collect();
        assert_eq!(parts, [(0, 100), (1, 100), (2, 50)]);
    }

    #[test]
    fn a_subject_is_one_line_that_says_something() {
        assert_eq!(one_line("Leak\r\nBcc: all@example.com"), "Leak  Bcc: all@example.com");
        assert_eq!(one_line(" \n "), "-");
        assert_eq!(one_line(&"x".repeat(5000)).len(), SUBJECT_CHARS_MAX);
    }
}
