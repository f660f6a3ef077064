//! The whole request, place by place.

use crate::inspection::Inspection;
use crate::policy::{Mode, Policy};
use crate::verdict::{Place, Verdict};
use crate::{fields, headers, json, multipart};

/// What is inspected of a request, as it was received.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestParts<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as sent, without the query.
    pub path: &'a str,
    /// The query, as sent, without its question mark.
    pub query: Option<&'a str>,
    /// The value of `Content-Type`; says how the body is read.
    pub content_type: Option<&'a str>,
    /// The body, in clear: without transfer and content encoding.
    pub body: Option<&'a [u8]>,
}

/// Judges requests by one policy.
///
/// Inspectors share the compiled patterns; one more costs its policy alone.
#[derive(Clone, Debug, Default)]
pub struct Inspector {
    policy: Policy,
}

impl Inspector {
    /// Creates an inspector and compiles the patterns if none did before.
    pub fn new(policy: Policy) -> Self {
        crate::scan::warm_up();
        Self { policy }
    }

    /// Returns the policy it judges by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Judges a whole request.
    pub fn inspect<'a>(
        &self,
        request: &RequestParts<'a>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Verdict {
        self.judge(|inspection| {
            inspect_head(inspection, request, headers);
            inspect_body(inspection, request);
        })
    }

    /// Judges path, query, headers and cookies.
    pub fn inspect_head<'a>(
        &self,
        request: &RequestParts<'a>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Verdict {
        self.judge(|inspection| inspect_head(inspection, request, headers))
    }

    /// Judges the body.
    pub fn inspect_body(&self, request: &RequestParts<'_>) -> Verdict {
        self.judge(|inspection| inspect_body(inspection, request))
    }

    fn judge(&self, read: impl FnOnce(&mut Inspection<'_>)) -> Verdict {
        if self.policy.mode == Mode::Off {
            return Verdict::default();
        }
        let mut inspection = Inspection::new(&self.policy);
        read(&mut inspection);
        inspection.into_verdict()
    }
}

fn inspect_head<'a>(
    inspection: &mut Inspection<'_>,
    request: &RequestParts<'a>,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) {
    fields::inspect_path(inspection, request.path);
    if let Some(query) = request.query {
        fields::inspect_pairs(inspection, Place::Query, query.as_bytes());
    }
    for (name, value) in headers {
        headers::inspect_header(inspection, name, value);
    }
}

fn inspect_body(inspection: &mut Inspection<'_>, request: &RequestParts<'_>) {
    let Some(body) = request.body.filter(|body| !body.is_empty()) else {
        return;
    };
    match Format::of(request.content_type.unwrap_or("")) {
        Format::Json => json::inspect_json(inspection, body),
        Format::Form => fields::inspect_pairs(inspection, Place::Form, body),
        Format::Multipart(boundary) => multipart::inspect_multipart(inspection, body, boundary),
        Format::Text => inspection.value(Place::Body, b"", body),
        Format::OtherCharset => inspection.finding(Place::Body, b"", crate::protocol::CHARSET),
        Format::Opaque => {}
    }
}

/// How a body is read.
enum Format<'c> {
    Json,
    Form,
    /// With its boundary, empty if there is none.
    Multipart(&'c str),
    Text,
    /// Text in something else than UTF-8, which would be read otherwise behind us.
    OtherCharset,
    /// Pictures, archives and the like: no text to look at.
    Opaque,
}

impl<'c> Format<'c> {
    fn of(content_type: &'c str) -> Self {
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let kind = kind.trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        let ends = |suffix: &str| {
            kind.len()
                .checked_sub(suffix.len())
                .and_then(|at| kind.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        };
        let starts =
            |prefix: &str| kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if is("multipart/form-data") {
            return Self::Multipart(multipart::parameter(parameters, "boundary").unwrap_or(""));
        }
        let is_text =
            kind.is_empty() || starts("text/") || ends("/xml") || ends("+xml") || is("application/graphql");
        let format = if is("application/json") || ends("+json") || is("application/csp-report") {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else if is_text {
            Self::Text
        } else {
            return Self::Opaque;
        };
        match multipart::parameter(parameters, "charset") {
            Some(charset) if !is_unicode(charset) => Self::OtherCharset,
            Some(_) | None => format,
        }
    }
}

fn is_unicode(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}
