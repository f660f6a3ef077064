//! Pages of who is not signed in yet, and the one that asks again.

use askama::Template;
use domain::account::SecondFactor;

use crate::frame;
use crate::view::{Mistakes, Shell};

/// Asks for login name and password.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The local path to go to afterwards.
    pub(crate) next: String,
    /// The login name typed before.
    pub(crate) login: String,
    /// Whether the browser is to be known the next time.
    pub(crate) remember: bool,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
    /// What was done before the reader came here.
    pub(crate) said: Option<&'static str>,
}

/// Asks for the second factor after the password was right.
#[derive(Template)]
#[template(path = "sign-in/factor.html")]
pub(crate) struct FactorPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The local path to go to afterwards.
    pub(crate) next: String,
    /// What the person can prove.
    pub(crate) factors: Vec<SecondFactor>,
    /// Which of it this page asks for.
    pub(crate) way: SecondFactor,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
}

/// A link to another way to prove who one is.
pub(crate) struct OtherWay {
    /// What it says.
    pub(crate) title: &'static str,
    /// Where it leads.
    pub(crate) href: String,
}

impl FactorPage {
    fn has_passkey(&self) -> bool {
        self.factors.contains(&SecondFactor::Passkey)
    }

    /// The factors as the query names them.
    fn labels(&self) -> String {
        labels(&self.factors)
    }

    /// The ways this page does not ask for.
    fn others(&self) -> Vec<OtherWay> {
        let others = self.factors.iter().filter(|way| **way != self.way);
        let title = |way: SecondFactor| match way {
            SecondFactor::Totp => "Type a code of the authenticator app",
            SecondFactor::Passkey => "Use a passkey only",
            SecondFactor::Recovery => "Use a recovery code",
        };
        others
            .map(|way| OtherWay {
                title: title(*way),
                href: factor_path(&self.factors, Some(*way), &self.next),
            })
            .collect()
    }
}

fn labels(factors: &[SecondFactor]) -> String {
    factors.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(",")
}

/// The address of the page that asks for a second factor.
pub(crate) fn factor_path(factors: &[SecondFactor], way: Option<SecondFactor>, next: &str) -> String {
    let way = way.map(|way| format!("&{}", frame::pair("way", way.as_str()))).unwrap_or_default();
    format!("/login/factor?{}{way}&{}", frame::pair("factors", &labels(factors)), frame::pair("next", next))
}

/// Asks whose password is forgotten, and then says where to look.
#[derive(Template)]
#[template(path = "sign-in/forgot.html")]
pub(crate) struct ForgotPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Whether a link was asked for.
    pub(crate) sent: bool,
    /// The login name typed before.
    pub(crate) login: String,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
}

/// Where a mailed link leads: a new password.
#[derive(Template)]
#[template(path = "sign-in/reset.html")]
pub(crate) struct ResetPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What the link carries.
    pub(crate) token: String,
    /// Whether the link was found to be good for nothing.
    pub(crate) is_dead: bool,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
    /// What is wrong with the password.
    pub(crate) mistakes: Mistakes,
}

/// Where a mailed link leads: a proven address.
#[derive(Template)]
#[template(path = "sign-in/verify.html")]
pub(crate) struct VerifyPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What the link carries.
    pub(crate) token: String,
    /// Whether the link was found to be good for nothing.
    pub(crate) is_dead: bool,
}

/// With what somebody proves that they still sit there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The password, of who has nothing else.
    Password,
    /// A code of an authenticator.
    Code,
    /// A passkey, of who has no authenticator beside.
    Passkey,
}

/// Asks somebody who is signed in to prove it again.
#[derive(Template)]
#[template(path = "sign-in/step_up.html")]
pub(crate) struct StepUpPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The local path to go to afterwards.
    pub(crate) next: String,
    /// What the form asks for.
    pub(crate) way: Way,
    /// Whether a passkey would do as well.
    pub(crate) has_passkey: bool,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
}

impl StepUpPage {
    /// No entry of the navigation: the page stands before any other.
    const SECTION: &'static str = "";
}
