//! Which new passwords are taken: those of the domain's rules that are hard to guess as well.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use app::account::AccountOwner;
use domain::FieldError;
use domain::password::{self, CommonPasswords, Owner};

use crate::account_settings::PasswordRuleSettings;

/// Bytes a file of common passwords may have.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Judges new passwords. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct PasswordRules {
    common: Arc<CommonPasswords>,
    strength_min: u8,
}

impl PasswordRules {
    /// Reads the file of common passwords, if one is named.
    pub(crate) fn new(settings: &PasswordRuleSettings) -> anyhow::Result<Self> {
        let file = &settings.common_file;
        let common = if file.is_empty() {
            CommonPasswords::default()
        } else {
            read(Path::new(file)).with_context(|| format!("reading common passwords from {file}"))?
        };
        Ok(Self { common: Arc::new(common), strength_min: settings.strength_min })
    }

    /// Every rule a new password breaks, under the pointer of its field. Slow: call it on a thread that may block.
    ///
    /// The estimate is zxcvbn's, which knows some 100,000 passwords, names and words that many people use, rows of keys,
    /// dates and repetitions. It reads the first 100 characters.
    pub(crate) fn broken(&self, pointer: &str, password: &str, owner: &AccountOwner) -> Vec<FieldError> {
        let email = owner.email.as_deref().unwrap_or("");
        let login = owner.login.as_deref().unwrap_or("");
        let whose = Owner { login, name: &owner.name, email, client: &owner.client_name };
        let mut broken = password::check(pointer, password, &whose, &self.common);
        if broken.is_empty() {
            let own = [login, &owner.name, email, &owner.client_name, "youtility"];
            let strength = u8::from(zxcvbn::zxcvbn(password, &own).score());
            if strength < self.strength_min {
                let words = "this is easy to guess; use several words that do not belong together";
                broken.push(FieldError::new(pointer, words));
            }
        }
        broken
    }
}

fn read(file: &Path) -> anyhow::Result<CommonPasswords> {
    let length = std::fs::metadata(file)?.len();
    anyhow::ensure!(length <= FILE_BYTES_MAX, "the file has more than {FILE_BYTES_MAX} bytes");
    let text = std::fs::read_to_string(file)?;
    Ok(CommonPasswords::new(text.lines()))
}

#[cfg(test)]
mod tests {
    use domain::account::SecondFactorRule;

    use super::*;

    fn broken(password: &str) -> Vec<FieldError> {
        let owner = AccountOwner {
            name: "Asha Rao".to_owned(),
            email: Some("asha.rao@facility.example".to_owned()),
            email_verified: false,
            login: Some("asha77".to_owned()),
            client_name: "ACME Works".to_owned(),
            second_factor: SecondFactorRule::Optional,
        };
        let settings = PasswordRuleSettings { strength_min: 3, common_file: String::new() };
        PasswordRules::new(&settings).unwrap().broken("/new", password, &owner)
    }

    #[test]
    fn passwords_that_many_choose_are_refused_however_long() {
        for common in [
            "password1234",
            "123456789012",
            "qwertyuiop12",
            "iloveyou2024",
            "administrator",
            "basketball12",
            "1q2w3e4r5t6y",
            "P@ssw0rd2025",
            "passwordpassword",
        ] {
            assert!(!broken(common).is_empty(), "{common}");
        }
    }

    #[test]
    fn words_that_do_not_belong_together_are_taken() {
        for fine in ["lamp river stone fog", "Walk-the-site-42", "7K9mQ2xT4wZp", "пять рыжих слонов летят"]
        {
            assert_eq!(broken(fine), [], "{fine}");
        }
    }

    #[test]
    fn words_about_the_owner_are_refused() {
        for about in ["Asha77-lamp-river", "facility-lamp-river", "acme lamp river fog"] {
            assert!(!broken(about).is_empty(), "{about}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_stops_the_start() {
        let settings =
            PasswordRuleSettings { strength_min: 3, common_file: "/nowhere/common.txt".to_owned() };
        assert!(PasswordRules::new(&settings).is_err());
    }
}
