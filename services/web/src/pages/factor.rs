//! `GET` and `POST /login/factor`: the second step of a sign-in.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::session::GiveFactor;
use domain::account::SecondFactor;
use serde::Deserialize;
use service::Problem;
use service::extract::{Form, Query};

use super::login::{SESSION, UNAVAILABLE, unavailable};
use crate::answer;
use crate::auth::Auth;
use crate::frame::{self, PublicFrame, local_or_start};
use crate::view::FactorPage;

/// The query of the page. What stands in it only chooses which field is shown: auth knows what is owed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FactorQuery {
    factors: String,
    way: String,
    next: String,
}

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FactorForm {
    factors: String,
    way: String,
    next: String,
    code: Option<String>,
    recovery_code: Option<String>,
    #[serde(rename = "csrf_token")]
    _csrf_token: String,
}

/// Shows the field for what the person can prove.
pub(crate) async fn show(frame: PublicFrame, query: Query<FactorQuery>) -> Result<HttpResponse, Problem> {
    let FactorQuery { factors, way, next } = query.into_inner();
    answer::page(StatusCode::OK, &page(frame, &factors, &way, &next))
}

fn page(frame: PublicFrame, factors: &str, way: &str, next: &str) -> FactorPage {
    let factors: Vec<SecondFactor> = SecondFactor::ALL
        .iter()
        .copied()
        .filter(|one| factors.split(',').any(|label| label == one.as_str()))
        .collect();
    let factors = if factors.is_empty() { vec![SecondFactor::Totp, SecondFactor::Recovery] } else { factors };
    let wished = factors.iter().find(|one| one.as_str() == way);
    let way = wished.or(factors.first()).copied().unwrap_or(SecondFactor::Totp);
    FactorPage { shell: frame.shell, next: local_or_start(next), factors, way, refusal: None }
}

/// Finishes the sign-in at auth, or shows the field again with the reason. Whoever took too long begins again.
pub(crate) async fn submit(
    frame: PublicFrame,
    auth: Auth,
    form: Form<FactorForm>,
) -> Result<HttpResponse, Problem> {
    let FactorForm { factors, way, next, code, recovery_code, .. } = form.into_inner();
    let page = page(frame, &factors, &way, &next);
    let given = GiveFactor {
        code: code.as_deref().map(trimmed),
        recovery_code: recovery_code.as_deref().map(trimmed),
        passkey: None,
    };
    match auth.ask(&Method::POST, &format!("{SESSION}/factor"), &given).await {
        Ok(Ok(done)) => Ok(done.see_other(&page.next)),
        Ok(Err(refused)) if refused.status == StatusCode::UNAUTHORIZED => {
            Ok(answer::see_other(&format!("/login?said=late&{}", frame::pair("next", &page.next))))
        }
        Ok(Err(refused)) => {
            let page = FactorPage { refusal: Some(refused.words()), ..page };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(problem) => unavailable(&problem, &FactorPage { refusal: Some(UNAVAILABLE.to_owned()), ..page }),
    }
}

/// Without the blanks people copy along, also those in the middle of `123 456`.
pub(crate) fn trimmed(typed: &str) -> String {
    typed.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_taken_with_the_blanks_people_copy_along() {
        assert_eq!(trimmed(" 123 456\u{a0}\n"), "123456");
    }
}
