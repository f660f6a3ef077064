//! What a mail about an account says.

use std::time::Duration;

use anyhow::{Context, Result};
use app::mail::Letter;
use app::recovery::{Addressee, Notice};
use askama::Template;
use domain::account::TokenPurpose;

/// Where links lead, and to whom the letter goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letters<'a> {
    /// The address of the pages.
    pub(crate) public_url: &'a str,
    /// Whom it goes to.
    pub(crate) to: &'a Addressee,
}

/// A letter with a link that is good once.
pub(crate) fn link(
    letters: Letters<'_>,
    purpose: TokenPurpose,
    token: &str,
    lifetime: Duration,
) -> Result<Letter> {
    let url = letters.public_url;
    let lasting = in_words(lifetime);
    let (heading, body, action, link) = match purpose {
        TokenPurpose::Reset => (
            "Set a new password",
            "Somebody asked for a new password of your account. Your password stays as it is until you follow the link.",
            "Set a new password",
            format!("{url}/reset/{token}"),
        ),
        TokenPurpose::Invite => (
            "Set your password",
            "An account was made for you. Set a password to begin.",
            "Set your password",
            format!("{url}/reset/{token}"),
        ),
        TokenPurpose::Verify => (
            "Prove your address",
            "Follow the link to prove that mail of your account reaches you at this address.",
            "This is my address",
            format!("{url}/verify/{token}"),
        ),
    };
    let advice = format!(
        "The link is good once, for {lasting}. If you did not expect this mail, do nothing and tell nobody the link."
    );
    letters.write(Words { heading, body, action, link: &link, advice: &advice, name: "", client: "" })
}

/// A letter that tells of a change.
pub(crate) fn notice(letters: Letters<'_>, notice: Notice) -> Result<Letter> {
    let (heading, body) = match notice {
        Notice::PasswordChanged => (
            "Your password was changed",
            "The password of your account was changed. Every other session was ended.",
        ),
        Notice::FactorAdded => {
            ("A second factor was added", "An authenticator or a passkey was added to your account.")
        }
        Notice::FactorRemoved => {
            ("A second factor was removed", "An authenticator or a passkey was removed from your account.")
        }
        Notice::RecoveryCodeUsed => {
            ("A recovery code was used", "Somebody signed in to your account with a recovery code.")
        }
    };
    let link = format!("{}/account", letters.public_url);
    let advice = "If that was not you, set a new password at once and tell your administrator.";
    letters.write(Words {
        heading,
        body,
        action: "Look at your account",
        link: &link,
        advice,
        name: "",
        client: "",
    })
}

fn in_words(lifetime: Duration) -> String {
    let minutes = lifetime.as_secs().div_ceil(60);
    match (minutes / 60, minutes % 60) {
        (1, 0) => "1 hour".to_owned(),
        (hours, 0) => format!("{hours} hours"),
        _ => format!("{minutes} minutes"),
    }
}

impl Letters<'_> {
    fn write(self, words: Words<'_>) -> Result<Letter> {
        let words = Words { name: &self.to.name, client: &self.to.client_name, ..words };
        Ok(Letter {
            subject: words.heading.to_owned(),
            text: PlainLetter { words }.render().context("writing a mail's text")?,
            html: HtmlLetter { words }.render().context("writing a mail's page")?,
        })
    }
}

/// What both forms say.
#[derive(Clone, Copy)]
struct Words<'a> {
    heading: &'a str,
    body: &'a str,
    action: &'a str,
    link: &'a str,
    advice: &'a str,
    name: &'a str,
    client: &'a str,
}

#[derive(Template)]
#[template(path = "account.txt")]
struct PlainLetter<'a> {
    words: Words<'a>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct HtmlLetter<'a> {
    words: Words<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asha() -> Addressee {
        Addressee {
            name: "Asha <b>Rao</b>".to_owned(),
            email: "asha@example.com".to_owned(),
            client_name: "ACME Ltd".to_owned(),
        }
    }

    #[test]
    fn each_link_leads_to_its_page_and_says_how_long_it_is_good() {
        let to = asha();
        let letters = Letters { public_url: "https://app.example.com", to: &to };
        for (purpose, path) in [
            (TokenPurpose::Reset, "reset"),
            (TokenPurpose::Invite, "reset"),
            (TokenPurpose::Verify, "verify"),
        ] {
            let letter = link(letters, purpose, "abc", Duration::from_mins(10)).unwrap();
            for form in [&letter.text, &letter.html] {
                assert!(form.contains(&format!("https://app.example.com/{path}/abc")), "{form}");
                assert!(form.contains("10 minutes"), "{form}");
            }
            assert!(!letter.subject.contains("abc") && !letter.html.contains("<b>"), "{}", letter.html);
        }
    }

    #[test]
    fn a_notice_carries_no_link_that_does_anything() {
        let to = asha();
        let letters = Letters { public_url: "https://app.example.com", to: &to };
        for one in
            [Notice::PasswordChanged, Notice::FactorAdded, Notice::FactorRemoved, Notice::RecoveryCodeUsed]
        {
            let letter = notice(letters, one).unwrap();
            assert_eq!(letter.text.matches("https://").count(), 1, "{}", letter.text);
            assert!(letter.text.contains("https://app.example.com/account"), "{}", letter.text);
        }
    }

    #[test]
    fn times_are_told_in_words() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(
            [words(600), words(3_600), words(86_400), words(5_400)],
            ["10 minutes", "1 hour", "24 hours", "90 minutes"]
        );
    }
}
