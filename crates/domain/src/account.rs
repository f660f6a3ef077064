//! What belongs to somebody's account: kinds of sessions, second factors, mailed links, handsets.

use crate::{text_enum, text_value};

text_enum! {
    /// What somebody is signed in with.
    SessionKind {
        /// A browser with a cookie.
        Web = "WEB",
        /// A handset with a short token that is refreshed.
        Mobile = "MOBILE",
        /// Another program with a key. No session is stored for it; the key's id stands where a session's does.
        Key = "KEY",
    }
}

text_enum! {
    /// What a mailed link is for.
    TokenPurpose {
        /// Sets a new password.
        Reset = "RESET",
        /// Proves an address.
        Verify = "VERIFY",
        /// Sets the first password.
        Invite = "INVITE",
    }
}

text_enum! {
    /// What a passkey is asked for.
    CeremonyPurpose {
        /// To be added to an account.
        Register = "REGISTER",
        /// To finish a sign-in.
        SignIn = "SIGN_IN",
        /// To prove again who sits there.
        StepUp = "STEP_UP",
    }
}

text_enum! {
    /// Whether a client's people must have a second factor.
    SecondFactorRule {
        /// Whoever wants one has one.
        Optional = "OPTIONAL",
        /// Whoever has none may do nothing but set one up.
        Required = "REQUIRED",
    }
}

text_enum! {
    /// How somebody proves who they are after the password.
    SecondFactor {
        /// A code of an authenticator.
        Totp = "totp",
        /// A passkey.
        Passkey = "passkey",
        /// A recovery code, each good once.
        Recovery = "recovery",
    }
}

fn is_device_key(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_imei(text: &str) -> bool {
    (8..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

text_value! {
    /// What a handset calls itself, the same on every sign-in.
    DeviceKey, is_device_key, "use 1 to 200 visible ASCII characters"
}

text_value! {
    /// The number of a handset's radio, or what its maker gives instead.
    Imei, is_imei, "use 8 to 40 letters, digits or `-`"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handset_is_named_by_what_can_be_typed() {
        assert!(DeviceKey::parse("a1b2:c3").is_ok() && DeviceKey::parse(&"x".repeat(200)).is_ok());
        for wrong in ["", "a b", "ä", "\u{0}", &"x".repeat(201)] {
            assert!(DeviceKey::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_imei_is_8_to_40_letters_and_digits() {
        assert!(Imei::parse("490154203237518").is_ok() && Imei::parse(&"1".repeat(40)).is_ok());
        for wrong in ["4901542", "49015420323751 8", "490154203237518;", &"1".repeat(41)] {
            assert!(Imei::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
