//! `GET /assets/{file}`: style sheets, scripts, the icon.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag, Header as _, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use service::Problem;
use service::extract::Path;

use crate::bundle::{self, File};

/// A hashed name never means anything else.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A plain name may mean something else after an upgrade.
const FOR_A_WHILE: &str = "public, max-age=300";

/// Codings of the compressed twins, the smaller first, and how their names end.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Answers with a file of the bundle, compressed when the client takes it.
pub(crate) async fn file(name: Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let content_type = content_type(&name).ok_or_else(Problem::not_found)?;
    let (coding, file) = choose(&name, &request).ok_or_else(Problem::not_found)?;
    let tag = EntityTag::new_strong(format!("{}-{}", file.tag, coding.unwrap_or("plain")));
    let known = is_known(&request, &tag);
    let mut response = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    let age = if bundle::names().is_hashed(&name) { FOR_EVER } else { FOR_A_WHILE };
    response.insert_header((header::CACHE_CONTROL, age)).insert_header((header::VARY, "Accept-Encoding"));
    response.insert_header(header::ETag(tag));
    if known {
        return Ok(response.finish());
    }
    if let Some(coding) = coding {
        response.insert_header((header::CONTENT_ENCODING, coding));
    }
    Ok(response.content_type(content_type).body(file.bytes))
}

fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn choose(name: &str, request: &HttpRequest) -> Option<(Option<&'static str>, File)> {
    let accepted =
        request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    CODINGS
        .iter()
        .filter(|(coding, _)| takes(accepted, coding))
        .find_map(|(coding, ending)| Some((Some(*coding), bundle::file(&format!("{name}{ending}"))?)))
        .or_else(|| Some((None, bundle::file(name)?)))
}

/// Whether an `Accept-Encoding` names a coding without refusing it.
fn takes(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case(coding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key(header::IF_NONE_MATCH),
        Ok(IfNoneMatch::Items(items)) => items.iter().any(|item| item.weak_eq(tag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_used_only_when_the_client_takes_it() {
        assert!(takes("gzip, deflate, br;q=0.9", "br"));
        assert!(!takes("gzip, br;q=0", "br"));
        assert!(!takes("", "gzip"));
        assert!(!takes("brotli", "br"));
    }
}
