//! What auth did, or why it did not.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use domain::FieldError;
use serde::de::DeserializeOwned;
use service::Problem;

use crate::answer;
use crate::refusal::Refusal;
use crate::view::Mistakes;

/// The code with which auth asks for a proof that the person still sits there.
const STEP_UP_REQUIRED: &str = "step-up-required";

/// What auth made of a question.
pub(crate) type Outcome = Result<Done, Refused>;

/// Auth did it.
pub(crate) struct Done {
    /// 202 says that something is owed yet.
    pub(crate) status: StatusCode,
    /// Cookies for the browser.
    pub(crate) cookies: Vec<HeaderValue>,
    /// What it says.
    pub(crate) body: Vec<u8>,
}

/// Auth did not do it, for a reason the reader is told.
pub(crate) struct Refused {
    /// The status, which is also ours.
    pub(crate) status: StatusCode,
    /// The reason.
    pub(crate) problem: api::Problem,
    /// Seconds to wait, as auth said it.
    pub(crate) retry_after: Option<HeaderValue>,
}

impl Done {
    /// What it says, as the contract promises it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| Problem::upstream_failed().because(error))
    }

    /// Hands the cookies on with an answer.
    pub(crate) fn with(self, mut response: HttpResponse) -> HttpResponse {
        for cookie in self.cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Leads to another page of ours.
    pub(crate) fn see_other(self, path: &str) -> HttpResponse {
        self.with(answer::see_other(path))
    }
}

impl Refused {
    /// Whether the person shall first prove that they still sit there.
    pub(crate) fn asks_for_step_up(&self) -> bool {
        self.problem.code() == STEP_UP_REQUIRED
    }

    /// Whether what was typed can be corrected on the page it was typed on.
    pub(crate) fn is_about_the_form(&self) -> bool {
        matches!(
            self.status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::CONFLICT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
        )
    }

    /// What a form shows of it: what is wrong with the fields it has, and everything else as one text.
    pub(crate) fn at(&self, fields: &[&str]) -> (Mistakes, Option<String>) {
        let is_here = |error: &&FieldError| fields.contains(&error.pointer.trim_start_matches('/'));
        let here: Vec<FieldError> = self.problem.errors.iter().filter(is_here).cloned().collect();
        let refusal = (here.len() < self.problem.errors.len() || here.is_empty()).then(|| self.words());
        (Mistakes::of_fields(&here), refusal)
    }

    /// The reason in one text: that of its fields when it names fields, each a sentence.
    pub(crate) fn words(&self) -> String {
        if self.problem.errors.is_empty() {
            return self.problem.detail.clone();
        }
        let sentences: Vec<String> =
            self.problem.errors.iter().map(|error| sentence(&error.detail)).collect();
        sentences.join(" ")
    }

    /// Says on an answer how long to wait.
    pub(crate) fn with(&self, mut response: HttpResponse) -> HttpResponse {
        if let Some(seconds) = &self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.clone());
        }
        response
    }
}

/// What is wrong, from a capital letter to a full stop.
fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map_or_else(String::new, |first| first.to_uppercase().collect());
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// A refusal no page of ours expects: auth's reason where it has one for the reader, else that auth did not answer.
impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let because = |problem: Problem| problem.because(format!("auth said {}", refused.problem.code()));
        match refused.status {
            StatusCode::UNAUTHORIZED => because(Self::sign_in_required()),
            StatusCode::FORBIDDEN => because(Refusal::Forbidden(refused.problem.detail.clone()).into()),
            StatusCode::NOT_FOUND => because(Self::not_found()),
            StatusCode::SERVICE_UNAVAILABLE => because(Self::upstream_unavailable()),
            _ => because(Self::upstream_failed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errors: &[(&str, &str)]) -> Refused {
        let problem = api::Problem {
            r#type: "/problems/invalid-user".to_owned(),
            title: "Unprocessable Entity".to_owned(),
            status: 422,
            detail: "Correct the named fields.".to_owned(),
            instance: String::new(),
            errors: errors.iter().map(|(pointer, detail)| FieldError::new(*pointer, *detail)).collect(),
        };
        Refused { status: StatusCode::UNPROCESSABLE_ENTITY, problem, retry_after: None }
    }

    #[test]
    fn what_a_form_has_no_field_for_is_said_above_it() {
        let (mistakes, refusal) =
            refused(&[("/name", "use one line"), ("", "this is your own account")]).at(&["name"]);
        assert_eq!(mistakes.of("name"), Some("Use one line"));
        assert_eq!(refusal.as_deref(), Some("Use one line. This is your own account."));
        let (mistakes, refusal) = refused(&[("/name", "use one line")]).at(&["name", "email"]);
        assert_eq!((mistakes.all().len(), refusal), (1, None));
        let (mistakes, refusal) = refused(&[]).at(&["name"]);
        assert!(mistakes.is_empty());
        assert_eq!(refusal.as_deref(), Some("Correct the named fields."));
    }
}
