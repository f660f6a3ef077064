//! Which passwords are taken: long enough, known to few, and not about their owner. Nothing is asked about kinds of
//! characters, and nothing about them is changed.

use std::collections::HashSet;

use crate::FieldError;

/// Characters at least.
pub const CHARACTERS_MIN: usize = 12;

/// Characters at most: the cost of hashing grows with them.
pub const CHARACTERS_MAX: usize = 128;

/// Shorter words about somebody are found in too many passwords to mean anything.
const OWN_WORD_CHARACTERS_MIN: usize = 4;

/// Whose password it is going to be. Its words are not to stand in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner<'a> {
    /// The login name.
    pub login: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// The person's address, empty when there is none.
    pub email: &'a str,
    /// The client's name.
    pub client: &'a str,
}

/// Passwords that many people choose.
#[derive(Clone, Debug, Default)]
pub struct CommonPasswords(HashSet<String>);

impl CommonPasswords {
    /// Takes them in any case.
    pub fn new<'a>(passwords: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            passwords
                .into_iter()
                .map(|one| one.trim().to_lowercase())
                .filter(|one| !one.is_empty())
                .collect(),
        )
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a password is one of them, in any case.
    pub fn contains(&self, password: &str) -> bool {
        self.0.contains(&password.to_lowercase())
    }
}

/// Every rule a new password breaks, under the pointer of its field; none means that it is taken.
pub fn check(pointer: &str, password: &str, owner: &Owner<'_>, common: &CommonPasswords) -> Vec<FieldError> {
    let characters = password.chars().count();
    let mut broken = Vec::new();
    if !(CHARACTERS_MIN..=CHARACTERS_MAX).contains(&characters) {
        broken.push(format!("use {CHARACTERS_MIN} to {CHARACTERS_MAX} characters"));
    }
    if characters > CHARACTERS_MAX {
        return broken.into_iter().map(|detail| FieldError::new(pointer, detail)).collect();
    }
    if common.contains(password) {
        broken.push("many people use this password; choose another".to_owned());
    }
    if is_one_run(password) {
        broken.push("use more than one character or row of characters".to_owned());
    }
    if is_about(password, owner) {
        broken.push("leave out your login, your name, your address and the name of your company".to_owned());
    }
    broken.into_iter().map(|detail| FieldError::new(pointer, detail)).collect()
}

/// Whether every character follows from the one before it by the same step: `aaaa…`, `1234…`, `zyxw…`.
fn is_one_run(password: &str) -> bool {
    let points: Vec<i64> = password.chars().map(|letter| i64::from(u32::from(letter))).collect();
    let steps: HashSet<i64> =
        points.iter().zip(points.iter().skip(1)).map(|(one, next)| next - one).collect();
    let runs = steps.len() <= 1 && steps.iter().all(|step| step.abs() <= 1);
    let distinct: HashSet<i64> = points.into_iter().collect();
    runs || distinct.len() <= 2
}

fn is_about(password: &str, owner: &Owner<'_>) -> bool {
    let folded = fold(password);
    let address = owner.email.rsplit_once('.').map_or(owner.email, |(all_but_end, _)| all_but_end);
    [owner.login, owner.name, address, owner.client]
        .iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()))
        .filter(|word| word.chars().count() >= OWN_WORD_CHARACTERS_MIN)
        .any(|word| folded.contains(&fold(word)))
}

/// The same letters for what reads alike: `P4$$w0rd` and `password`.
fn fold(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .map(|letter| match letter {
            '0' => 'o',
            '1' | '!' | '|' | 'l' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWNER: Owner<'_> =
        Owner { login: "asha", name: "Asha Rao", email: "a.rao@facility.example", client: "ACME Works" };

    fn broken(password: &str) -> usize {
        check("/password", password, &OWNER, &CommonPasswords::new(["correct horse battery", "iloveyou1234"]))
            .len()
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(broken("ä3kß7qü9äöx"), 1);
        assert_eq!(broken("ä3kß7qü9äöxz"), 0);
        assert_eq!(broken(&"ä3kß7qü9".repeat(16)), 0);
        assert_eq!(broken(&format!("{}x", "ä3kß7qü9".repeat(16))), 1);
    }

    #[test]
    fn what_many_choose_is_refused_in_any_case() {
        assert_eq!(broken("ILoveYou1234"), 1);
        assert_eq!(broken("Correct Horse Battery"), 1);
    }

    #[test]
    fn words_about_the_owner_are_found_however_they_are_written() {
        for about in ["xxxx-4sh@-9182", "w0rks-for-tea-9", "Facility&coffee!", "my-F4C1L1TY-key"] {
            assert_eq!(broken(about), 1, "{about}");
        }
        assert_eq!(broken("rao tea kettle 9"), 0, "words of three letters mean nothing");
    }

    #[test]
    fn one_letter_and_one_row_of_letters_are_refused() {
        for run in ["aaaaaaaaaaaaaaa", "abababababababab", "abcdefghijklmn", "987654321098".get(..9).unwrap()]
        {
            assert!(broken(run) >= 1, "{run}");
        }
    }

    #[test]
    fn any_kinds_of_characters_will_do() {
        for fine in ["lamp river stone", "7294618350274", "ÄÖÜ ßÿ ĳŉ ǆ ǉ", "🦊🐢🦉🌵🍉🚲🎈🔔🧭🪁🧵🪵"]
        {
            assert_eq!(broken(fine), 0, "{fine}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(password in any::<String>(), name in any::<String>()) {
            let owner = Owner { name: &name, ..Owner::default() };
            check("/password", &password, &owner, &CommonPasswords::default());
        }

        #[test]
        fn a_login_of_four_letters_is_found_anywhere(login in "[a-z]{4,12}", before in "[ -~]{0,20}") {
            let owner = Owner { login: &login, ..Owner::default() };
            let password = format!("{before}{}{before}zzqk", login.to_uppercase());
            prop_assert!(!check("/p", &password, &owner, &CommonPasswords::default()).is_empty());
        }
    }
}
