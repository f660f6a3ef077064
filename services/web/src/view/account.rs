//! Pages of somebody's own account.

use std::borrow::Cow;

use api::account::{Devices, Factors, SessionRow, TotpSecret};
use askama::Template;
use domain::account::SessionKind;

use crate::view::qr::Picture;
use crate::view::{Mistakes, Shell};

/// What the navigation knows these pages by.
const SECTION: &str = "/account";

/// Everything about somebody's account on one page.
#[derive(Template)]
#[template(path = "account/show.html")]
pub(crate) struct AccountPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What proves who the person is.
    pub(crate) factors: Factors,
    /// Where the person is signed in.
    pub(crate) sessions: Vec<SessionRow>,
    /// What is known of the person's devices.
    pub(crate) devices: Devices,
    /// Whether nothing else opens before a second factor is set up.
    pub(crate) owes_factor: bool,
    /// What was done before the reader came here.
    pub(crate) said: Option<&'static str>,
}

impl AccountPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;

    fn has_factor(&self) -> bool {
        self.factors.totp || !self.factors.passkeys.is_empty()
    }

    fn has_devices(&self) -> bool {
        self.devices.handset.is_some() || !self.devices.browsers.is_empty()
    }

    fn proof(session: &SessionRow) -> &'static str {
        match session.kind {
            SessionKind::Mobile => "Telephone",
            SessionKind::Key => "Key of a program",
            SessionKind::Web if session.factors > 1 => "Password and second step",
            SessionKind::Web => "Password",
        }
    }
}

/// Asks for the old password and a new one.
#[derive(Template)]
#[template(path = "account/password.html")]
pub(crate) struct PasswordPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
    /// What is wrong with the form.
    pub(crate) mistakes: Mistakes,
}

impl PasswordPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
}

/// A secret on its way into an authenticator.
pub(crate) struct Begun {
    /// The secret as an `otpauth:` address.
    pub(crate) uri: String,
    /// The same as a picture.
    pub(crate) picture: Picture,
    secret: String,
}

impl Begun {
    /// What auth gave, or what the form carried back.
    pub(crate) fn of(secret: TotpSecret) -> Option<Self> {
        Some(Self { picture: Picture::of(&secret.uri)?, uri: secret.uri, secret: secret.secret })
    }

    /// The secret in groups of four, as people copy it.
    fn spaced_secret(&self) -> String {
        let letters: Vec<char> = self.secret.chars().collect();
        letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }
}

/// Sets an authenticator up: asks whether to begin, then shows the secret and asks for a code.
#[derive(Template)]
#[template(path = "account/totp.html")]
pub(crate) struct TotpPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The secret, once begun.
    pub(crate) begun: Option<Begun>,
    /// Why the last code was refused.
    pub(crate) refusal: Option<String>,
}

impl TotpPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
}

/// Asks before new recovery codes are made, then shows them.
#[derive(Template)]
#[template(path = "account/codes.html")]
pub(crate) struct CodesPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The codes, once made.
    pub(crate) codes: Option<Vec<String>>,
    /// What was done beside.
    pub(crate) said: Option<&'static str>,
}

impl CodesPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
}

/// Adds a passkey; the one page that needs a script.
#[derive(Template)]
#[template(path = "account/passkey.html")]
pub(crate) struct PasskeyPage {
    /// The frame.
    pub(crate) shell: Shell,
}

impl PasskeyPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
}

/// What is asked before something is taken away.
pub(crate) struct Question {
    /// The question.
    pub(crate) title: String,
    /// The end of the trail.
    pub(crate) trail: &'static str,
    /// What follows from a yes.
    pub(crate) warning: &'static str,
    /// The address a yes goes to.
    pub(crate) action: String,
    /// The button that says yes.
    pub(crate) button: &'static str,
}

/// Asks before something is taken away.
#[derive(Template)]
#[template(path = "account/confirm.html")]
pub(crate) struct ConfirmPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What is asked.
    pub(crate) question: Question,
    /// Why a yes was refused.
    pub(crate) refusal: Option<String>,
}

impl ConfirmPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
}

/// Browsers by what only they say about themselves; the later ones also name those before them.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Systems in the same way.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
];

/// A browser's words about itself as a person says it: `Firefox on Windows`. What nobody knows stays as it is.
pub(crate) fn device(user_agent: &str) -> Cow<'_, str> {
    let known = |names: &'static [(&'static str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}").into(),
        (Some(browser), None) => browser.into(),
        (None, _) if user_agent.is_empty() => "Unknown program".into(),
        (None, _) => user_agent.chars().take(60).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_what_people_call_them() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        let telephone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                         Version/18.4 Mobile/15E148 Safari/604.1";
        assert_eq!(device(chrome), "Chrome on Linux");
        assert_eq!(device(telephone), "Safari on iPhone");
        assert_eq!(device(&chrome.replace("Safari/537.36", "Safari/537.36 Edg/156.0")), "Edge on Linux");
        assert_eq!(device("curl/8.5"), "curl/8.5");
        assert_eq!(device(""), "Unknown program");
        assert_eq!(device(&"x".repeat(500)).chars().count(), 60);
    }

    #[test]
    fn a_secret_is_shown_in_groups_of_four() {
        let secret =
            TotpSecret { secret: "JBSWY3DPEHPK3PXPAB".to_owned(), uri: "otpauth://totp/x".to_owned() };
        assert_eq!(Begun::of(secret).unwrap().spaced_secret(), "JBSW Y3DP EHPK 3PXP AB");
    }
}
