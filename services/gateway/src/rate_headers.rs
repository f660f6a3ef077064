//! What an answer says about limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use api::rate::{LIMIT, POLICY};

/// How a caller stands after a request.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Which limit holds.
    pub(crate) policy: HeaderValue,
    /// How many requests are left, as far as is known.
    pub(crate) remaining: u64,
    /// When all are back; after a refusal, when the next may come.
    pub(crate) reset_seconds: u64,
}

impl Standing {
    /// Keeps it for the answer, whoever makes that.
    pub(crate) fn keep(self, request: &HttpRequest) {
        request.extensions_mut().insert(self);
    }

    /// `"page";r=12;t=3`: the name is that of the policy.
    fn limit(&self) -> Option<HeaderValue> {
        let policy = self.policy.to_str().ok()?;
        let name = policy.split(';').next()?;
        HeaderValue::try_from(format!("{name};r={};t={}", self.remaining, self.reset_seconds)).ok()
    }
}

/// Sets the headers of an answer to a request that was counted.
pub(crate) fn decorate_answer(request: &HttpRequest, headers: &mut HeaderMap) {
    let extensions = request.extensions();
    let Some(standing) = extensions.get::<Standing>() else {
        return;
    };
    if let Some(limit) = standing.limit() {
        headers.insert(HeaderName::from_static(LIMIT), limit);
        headers.insert(HeaderName::from_static(POLICY), standing.policy.clone());
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_answer_says_how_its_caller_stands() {
        let request = TestRequest::default().to_http_request();
        let mut headers = HeaderMap::new();
        decorate_answer(&request, &mut headers);
        assert!(headers.is_empty());
        let policy = HeaderValue::from_static("\"page\";q=100;w=10");
        Standing { policy, remaining: 12, reset_seconds: 3 }.keep(&request);
        decorate_answer(&request, &mut headers);
        assert_eq!(headers.get("ratelimit").unwrap(), "\"page\";r=12;t=3");
        assert_eq!(headers.get("ratelimit-policy").unwrap(), "\"page\";q=100;w=10");
    }
}
