//! Who may sign in at the broker and which topics each may use.

use std::fmt::{self, Write as _};
use std::num::NonZeroU32;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Passwords are random and long, so stretching adds nothing; few rounds keep a mass reconnect cheap for the broker.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(101).expect("101 is not zero");

/// mosquitto 2.0 accepts no other length.
const SALT_BYTES: usize = 12;
const HASH_BYTES: usize = 64;

/// A password as mosquitto keeps it: `$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn of(password: &str) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).context("drawing a salt")?;
        let mut hash = [0; HASH_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ITERATIONS, &salt, password.as_bytes(), &mut hash);
        Ok(Self(format!("$7${ITERATIONS}${}${}", STANDARD.encode(salt), STANDARD.encode(hash))))
    }

    /// Takes a hash that was kept elsewhere.
    ///
    /// # Errors
    /// When mosquitto would not accept it.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "7", iterations, salt, hash] = parts.as_slice() else {
            anyhow::bail!("a broker password hash reads $7$iterations$salt$hash");
        };
        iterations.parse::<NonZeroU32>().context("reading the iterations of a broker password hash")?;
        let salt = STANDARD.decode(salt).context("reading the salt of a broker password hash")?;
        let hash = STANDARD.decode(hash).context("reading a broker password hash")?;
        ensure!(
            salt.len() == SALT_BYTES && hash.len() == HASH_BYTES,
            "a broker password hash has the wrong length"
        );
        Ok(Self(text.to_owned()))
    }
}

impl PasswordHash {
    /// Whether this is the hash of a password.
    pub fn is_of(&self, password: &str) -> bool {
        let parts: Vec<&str> = self.0.split('$').collect();
        let ["", "7", iterations, salt, hash] = parts.as_slice() else { return false };
        let (Ok(iterations), Ok(salt), Ok(hash)) =
            (iterations.parse(), STANDARD.decode(salt), STANDARD.decode(hash))
        else {
            return false;
        };
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, iterations, &salt, password.as_bytes(), &hash).is_ok()
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an account may do with the topics a filter names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Subscribe and receive.
    Read(String),
    /// Publish.
    Write(String),
}

/// One account of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name it signs in with.
    pub username: String,
    /// Its password, hashed.
    pub password: PasswordHash,
    /// Everything it may do.
    pub access: Vec<Access>,
}

impl Login {
    /// A device: publishes its readings, reads the answers to them and what it is to do.
    pub fn device(client_code: &str, device_code: &str, password: PasswordHash) -> Self {
        let topic = format!("yt/v1/{client_code}/{device_code}");
        Self {
            username: format!("{client_code}.{device_code}"),
            password,
            access: vec![
                Access::Write(format!("{topic}/telemetry")),
                Access::Read(format!("{topic}/ack")),
                Access::Read(format!("{topic}/cmd/#")),
            ],
        }
    }

    /// The bridge: reads every device's readings, answers each, tells devices what to do and others what happened.
    pub fn bridge(password: PasswordHash) -> Self {
        Self {
            username: "bridge".to_owned(),
            password,
            access: vec![
                Access::Read("yt/v1/+/+/telemetry".to_owned()),
                Access::Write("yt/v1/+/+/ack".to_owned()),
                Access::Write("yt/v1/+/+/cmd/#".to_owned()),
                Access::Write("yt/v1/+/.feed/#".to_owned()),
            ],
        }
    }

    /// The health service: may sign in, and nothing else.
    pub fn health(password: PasswordHash) -> Self {
        Self { username: "health".to_owned(), password, access: vec![] }
    }
}

/// The broker's password file.
///
/// # Errors
/// When a name would not survive the file's format.
pub fn password_file(logins: &[Login]) -> Result<String> {
    let mut text = String::new();
    for login in logins {
        ensure!(is_plain(&login.username, ":"), "`{}` cannot be a broker user name", login.username);
        writeln!(text, "{}:{}", login.username, login.password).context("writing the password file")?;
    }
    Ok(text)
}

/// The broker's access file. Without a topic an account may do nothing.
///
/// # Errors
/// When a topic filter would not survive the file's format.
pub fn access_file(logins: &[Login]) -> Result<String> {
    let mut text = "# Written by `youtility`; do not edit.\n".to_owned();
    for login in logins {
        writeln!(text, "\nuser {}", login.username).context("writing the access file")?;
        for access in &login.access {
            let (verb, filter) = match access {
                Access::Read(filter) => ("read", filter),
                Access::Write(filter) => ("write", filter),
            };
            ensure!(is_plain(filter, ""), "`{filter}` cannot be a topic filter");
            writeln!(text, "topic {verb} {filter}").context("writing the access file")?;
        }
    }
    Ok(text)
}

/// Whether a word survives a format of lines and blanks.
fn is_plain(word: &str, refused: &str) -> bool {
    !word.is_empty() && word.chars().all(|letter| letter.is_ascii_graphic() && !refused.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_and_differs_each_time() {
        let one = PasswordHash::of("a long and random password").unwrap();
        assert_eq!(PasswordHash::parse(&one.to_string()).unwrap(), one);
        assert_ne!(PasswordHash::of("a long and random password").unwrap(), one);
    }

    #[test]
    fn a_hash_is_of_its_password_only() {
        let hash = PasswordHash::of("a long and random password").unwrap();
        assert!(hash.is_of("a long and random password") && !hash.is_of("a long and random Password"));
    }

    #[test]
    fn hashes_of_other_kinds_are_refused() {
        for text in ["", "plain", "$6$salt$hash", "$7$101$AAAA$AAAA", "$7$0$AAAAAAAAAAAAAAAA$AAAA"] {
            assert!(PasswordHash::parse(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn a_device_gets_its_own_topics_only() {
        let password = PasswordHash::of("secret").unwrap();
        let text = access_file(&[Login::device("ACME", "PUMP-1", password.clone()), Login::health(password)])
            .unwrap();
        assert_eq!(
            text,
            "# Written by `youtility`; do not edit.\n\
             \nuser ACME.PUMP-1\n\
             topic write yt/v1/ACME/PUMP-1/telemetry\n\
             topic read yt/v1/ACME/PUMP-1/ack\n\
             topic read yt/v1/ACME/PUMP-1/cmd/#\n\
             \nuser health\n"
        );
    }

    #[test]
    fn a_name_that_would_break_the_files_is_refused() {
        let password = PasswordHash::of("secret").unwrap();
        let login = Login { username: "a:b\nuser root".to_owned(), password, access: vec![] };
        assert!(password_file(&[login]).is_err());
    }
}
