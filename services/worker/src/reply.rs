//! What the relay's answers mean.

use std::error::Error as _;

use app::outbox::{Reply, Verdict, Whole};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::{Category, Code};

/// Says there was no answer that could be understood.
const NO_ANSWER: &str = "no answer";

/// The relay's words, as the outbox keeps them.
pub(crate) fn reply(error: &Error) -> Reply {
    let reason = error.source().map_or_else(|| NO_ANSWER.to_owned(), ToString::to_string);
    Reply { code: error.status().map(number), reason }
}

/// What a refused recipient means.
pub(crate) fn verdict(code: Code, words: &str) -> Verdict {
    if !is_about_mail(code) {
        return Verdict::PutOff;
    }
    match (number(code), enhanced(words)) {
        // Too many recipients, or a mailbox that is full: both pass.
        (552, _) | (_, Some((2, 2))) => Verdict::PutOff,
        (_, Some((1, 1..=3 | 6 | 10) | (2, 1))) => Verdict::Gone,
        // The address, or us: we may be on a list, or may not relay. One such answer condemns nobody.
        (550 | 551 | 553, None) => Verdict::Unclear,
        (_, Some(_) | None) => Verdict::Refused,
    }
}

/// What an answer means that is not about one recipient.
pub(crate) fn whole(error: &Error) -> Whole {
    let reply = reply(error);
    match error.status() {
        Some(code) if is_about_mail(code) => Whole::Refused(reply),
        _ => Whole::PutOff(reply),
    }
}

/// That the relay took too long; it may still have taken the message.
pub(crate) fn too_slow() -> Whole {
    Whole::PutOff(Reply { code: None, reason: "the relay took too long".to_owned() })
}

/// Permanent answers 55x speak of a mail or its recipients. The others (no sign-in, command not known) speak of how we are
/// set up: after a correction the same mail goes through.
fn is_about_mail(code: Code) -> bool {
    number(code) >= 500 && code.category == Category::MailSystem
}

/// The three digits.
pub(crate) fn number(code: Code) -> u16 {
    code.into()
}

/// Subject and detail of an enhanced status code (RFC 3463) such as `5.1.1`, when the words begin with one.
fn enhanced(words: &str) -> Option<(u16, u16)> {
    let mut numbers = words.split_whitespace().next()?.split('.').map(str::parse::<u16>);
    let (class, subject, detail) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    (class == 5 && numbers.next().is_none()).then_some((subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lettre::transport::smtp::response::{Detail, Severity};

    fn code(number: u16) -> Code {
        let severity = if number >= 500 {
            Severity::PermanentNegativeCompletion
        } else {
            Severity::TransientNegativeCompletion
        };
        let category = match number / 10 % 10 {
            5 => Category::MailSystem,
            3 => Category::Unspecified3,
            _ => Category::Syntax,
        };
        let details = [
            Detail::Zero,
            Detail::One,
            Detail::Two,
            Detail::Three,
            Detail::Four,
            Detail::Five,
            Detail::Six,
            Detail::Seven,
            Detail::Eight,
            Detail::Nine,
        ];
        let detail = details[usize::from(number % 10)];
        Code { severity, category, detail }
    }

    #[test]
    fn an_address_is_gone_when_the_relay_says_so_of_the_address() {
        let cases = [
            (550, "5.1.1 there is no such mailbox", Verdict::Gone),
            (550, "5.1.10 the domain takes no mail", Verdict::Gone),
            (550, "5.2.1 mailbox disabled", Verdict::Gone),
            (550, "no such user", Verdict::Unclear),
            (550, "blocked", Verdict::Unclear),
            (551, "we do not relay", Verdict::Unclear),
            (553, "mailbox name not allowed", Verdict::Unclear),
            (550, "5.7.1 relaying denied", Verdict::Refused),
            (554, "5.7.1 you are on a list", Verdict::Refused),
            (554, "transaction failed", Verdict::Refused),
            (552, "too many recipients", Verdict::PutOff),
            (550, "5.2.2 mailbox full", Verdict::PutOff),
            (530, "5.7.0 sign in first", Verdict::PutOff),
            (503, "5.5.1 out of order", Verdict::PutOff),
            (450, "4.2.1 greylisted", Verdict::PutOff),
        ];
        for (number, words, expected) in cases {
            assert_eq!(verdict(code(number), words), expected, "{number} {words}");
        }
    }

    #[test]
    fn an_enhanced_code_is_the_first_word_or_there_is_none() {
        assert_eq!(enhanced("5.1.1 gone"), Some((1, 1)));
        assert_eq!(enhanced("<a@b.example>: 5.1.1"), None);
        assert_eq!(enhanced("4.1.1 later"), None);
        assert_eq!(enhanced("5.1 x"), None);
        assert_eq!(enhanced(""), None);
    }
}
