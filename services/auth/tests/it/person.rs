//! Somebody with a browser: the cookies it has, and what their authenticator shows.

use api::account::{RecoveryCodes, TotpSecret};
use api::headers;
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::json;

use crate::stage::{ADDRESS, Auth, PASSWORD};

/// The value of a cookie an answer gives; empty when it takes the cookie away.
pub(crate) fn cookie(answer: &Response, name: &str) -> Option<String> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut cookies = cookies.map(|value| value.to_str().unwrap());
    cookies.find_map(|text| {
        let (given, rest) = text.split_once('=')?;
        (given == name).then(|| rest.split(';').next().unwrap().to_owned())
    })
}

/// A browser that is signed in.
pub(crate) struct Browser<'a> {
    pub(crate) auth: &'a Auth,
    pub(crate) token: String,
}

impl<'a> Browser<'a> {
    /// Signs somebody in who has a password and nothing else.
    pub(crate) async fn of(auth: &'a Auth, login: &str) -> Self {
        Self { auth, token: auth.token_of(login, PASSWORD).await }
    }

    /// A call as the gateway passes it on.
    pub(crate) async fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let (_, identity) = self.auth.identity_of(&self.token).await;
        self.auth
            .internal(method, path)
            .header(headers::CLIENT_ADDRESS, ADDRESS)
            .header(headers::IDENTITY, identity)
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str) -> Response {
        let answer = self.call(method, path).await.send().await.unwrap();
        self.keep(&answer);
        answer
    }

    pub(crate) async fn send_json(&mut self, method: &str, path: &str, body: serde_json::Value) -> Response {
        let answer = self.call(method, path).await.json(&body).send().await.unwrap();
        self.keep(&answer);
        answer
    }

    /// Keeps the token of a session that goes on with another one.
    fn keep(&mut self, answer: &Response) {
        if let Some(token) = cookie(answer, "__Host-session").filter(|token| !token.is_empty()) {
            self.token = token;
        }
    }

    /// Sets an authenticator up.
    pub(crate) async fn add_totp(&mut self) -> (Authenticator, Vec<String>) {
        let begun = self.send("POST", "/api/v1/account/totp").await;
        assert_eq!(begun.status(), StatusCode::OK, "{:?}", begun.text().await);
        let begun: TotpSecret = begun.json().await.unwrap();
        let mut authenticator = Authenticator::with(&begun.secret);
        let code = authenticator.code();
        let confirmed = self.send_json("PUT", "/api/v1/account/totp", json!({ "code": code })).await;
        assert_eq!(confirmed.status(), StatusCode::OK, "{:?}", confirmed.text().await);
        let codes: RecoveryCodes = confirmed.json().await.unwrap();
        (authenticator, codes.recovery_codes)
    }
}

/// An authenticator. Each code it shows is later than the one before, beginning with the earliest that is good: three of
/// them are good at one time.
pub(crate) struct Authenticator {
    secret: Vec<u8>,
    next: i64,
}

impl Authenticator {
    #[expect(clippy::disallowed_methods, reason = "services compare it with the system's clock")]
    fn with(secret: &str) -> Self {
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        // The test may begin at the very end of a step.
        let now = jiff::Timestamp::now().as_second() + 1;
        Self { secret, next: now / 30 - 1 }
    }

    /// The next code.
    pub(crate) fn code(&mut self) -> String {
        let code = self.code_of(self.next);
        self.next += 1;
        code
    }

    /// A code that is none of those which are good.
    pub(crate) fn wrong_code(&self) -> String {
        let good: Vec<String> = (-3..=3).map(|ahead| self.code_of(self.next + ahead)).collect();
        (0..10).map(|digit| digit.to_string().repeat(6)).find(|code| !good.contains(code)).unwrap()
    }

    fn code_of(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let offset = usize::from(tag.as_ref()[19] & 0x0f);
        let word = u32::from_be_bytes(tag.as_ref()[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}

/// A sign-in whose password was right: its step.
pub(crate) async fn step(auth: &Auth, login: &str) -> String {
    let answer = auth.sign_in(login, PASSWORD).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    cookie(&answer, "__Host-step").unwrap()
}

/// A second factor for a step, as the gateway passes it on.
pub(crate) fn factor(auth: &Auth, step: &str, body: &serde_json::Value) -> RequestBuilder {
    auth.internal("POST", "/api/v1/session/factor")
        .header(headers::CLIENT_ADDRESS, ADDRESS)
        .header(headers::STEP, step)
        .json(body)
}
