//! `/account/totp`: an authenticator app set up and removed.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::{ConfirmTotp, RecoveryCodes, TotpSecret};
use serde::Deserialize;
use service::Problem;
use service::extract::Form;

use super::{ButtonForm, settle};
use crate::answer;
use crate::auth::Auth;
use crate::frame::{Frame, OwnFrame, step_up_path};
use crate::pages::factor::trimmed;
use crate::state::Shared;
use crate::view::account::{Begun, CodesPage, ConfirmPage, Question, TotpPage};

const PATH: &str = "/account/totp";
const AT_AUTH: &str = "/api/v1/account/totp";

/// What the secret's address begins with, and how long it can be.
const URI_PREFIX: &str = "otpauth://totp/";
const URI_BYTES_MAX: usize = 600;

/// The fields of the form that proves that the app has the secret. The secret travels along, so that a wrong code does
/// not cost the picture; auth believes its own copy only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmForm {
    uri: String,
    code: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Says what an authenticator app is, and asks whether to begin.
pub(crate) async fn show(OwnFrame(frame): OwnFrame, state: Shared) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, PATH) {
        return Ok(first);
    }
    answer::page(StatusCode::OK, &TotpPage { shell: frame.shell, begun: None, refusal: None })
}

/// Has a secret made, and shows it.
pub(crate) async fn begin(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    match auth.order(&Method::POST, AT_AUTH).await? {
        Ok(done) => {
            let begun = begun(done.json()?)?;
            let page = TotpPage { shell: frame.shell, begun: Some(begun), refusal: None };
            Ok(done.with(answer::page(StatusCode::OK, &page)?))
        }
        Err(refused) if refused.asks_for_step_up() => Ok(answer::see_other(&step_up_path(PATH))),
        Err(refused) => Err(refused.into()),
    }
}

fn begun(secret: TotpSecret) -> Result<Begun, Problem> {
    Begun::of(secret).ok_or_else(|| Problem::internal().because("the secret does not fit into a QR code"))
}

/// Proves at auth that the app has the secret, and shows recovery codes; a wrong code shows the picture again.
pub(crate) async fn confirm(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    form: Form<ConfirmForm>,
) -> Result<HttpResponse, Problem> {
    let ConfirmForm { uri, code, .. } = form.into_inner();
    match auth.ask(&Method::PUT, AT_AUTH, &ConfirmTotp { code: trimmed(&code) }).await? {
        Ok(done) => {
            let codes: RecoveryCodes = done.json()?;
            let said =
                Some("Your authenticator app is set up. The next time you sign in you are asked for a code.");
            let page = CodesPage { shell: frame.shell, codes: Some(codes.recovery_codes), said };
            Ok(done.with(answer::page(StatusCode::OK, &page)?))
        }
        Err(refused) if refused.asks_for_step_up() => Ok(answer::see_other(&step_up_path(PATH))),
        Err(refused) if refused.is_about_the_form() => {
            let Some(secret) = carried(uri) else { return Ok(answer::see_other(PATH)) };
            let page =
                TotpPage { shell: frame.shell, begun: Some(begun(secret)?), refusal: Some(refused.words()) };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The secret that the form carried, if it has the shape of one.
fn carried(uri: String) -> Option<TotpSecret> {
    let fits = uri.starts_with(URI_PREFIX) && uri.len() <= URI_BYTES_MAX;
    let (_, query) = uri.split_once('?').filter(|_| fits)?;
    let secret = query.split('&').find_map(|pair| pair.strip_prefix("secret="))?.to_owned();
    let is_base32 = secret.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'));
    is_base32.then_some(TotpSecret { secret, uri })
}

fn removal(frame: Frame, refusal: Option<String>) -> ConfirmPage {
    let question = Question {
        title: "Remove the authenticator app?".to_owned(),
        trail: "Authenticator app",
        warning: "Its codes open your account no more. Without another second step the recovery codes are gone as well.",
        action: "/account/totp/removal".to_owned(),
        button: "Remove the app",
    };
    ConfirmPage { shell: frame.shell, question, refusal }
}

/// Asks before the app is removed.
pub(crate) async fn ask_removal(OwnFrame(frame): OwnFrame, state: Shared) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, "/account/totp/removal") {
        return Ok(first);
    }
    answer::page(StatusCode::OK, &removal(frame, None))
}

/// Removes it.
pub(crate) async fn remove(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    match auth.order(&Method::DELETE, AT_AUTH).await? {
        Err(refused) if !refused.asks_for_step_up() && refused.is_about_the_form() => {
            answer::page(refused.status, &removal(frame, Some(refused.words())))
        }
        outcome => settle(outcome, "/account?said=totp-removed", "/account/totp/removal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_secret_is_shown_again() {
        let uri = |query: &str| format!("otpauth://totp/Youtility:asha?{query}");
        let secret = carried(uri("secret=JBSWY3DPEHPK3PXP&issuer=Youtility")).unwrap();
        assert_eq!(secret.secret, "JBSWY3DPEHPK3PXP");
        for wrong in ["issuer=Youtility", "secret=<b>&issuer=x", "secret=abc"] {
            assert!(carried(uri(wrong)).is_none(), "{wrong}");
        }
        assert!(carried("https://evil.example/?secret=JBSW".to_owned()).is_none());
        assert!(carried(uri(&format!("secret={}", "A".repeat(700)))).is_none());
    }
}
