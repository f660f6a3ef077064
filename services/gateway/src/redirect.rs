//! The listener without TLS beside the one with it: it sends people to the other, and programs nowhere.
//!
//! A program that is redirected in silence goes on sending its credentials in the clear (ASVS 4.1.2).

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::Url;
use service::Problem;

use crate::gate::Gate;
use crate::guard;
use crate::refusal::Refusal;

/// The port that needs not be named.
const HTTPS_PORT: u16 = 443;

/// Answers every request of that listener.
pub(crate) async fn answer(request: HttpRequest, gate: web::Data<Gate>) -> Result<HttpResponse, Problem> {
    guard::check(&request, gate.target_bytes_max)?;
    guard::check_plain(&request)?;
    let snapshot = gate.snapshot();
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD)
        && !request.path().starts_with("/api/")
        && snapshot.table.routes.find(request.path()).is_some();
    if !is_page {
        return Err(Refusal::NeedsTls.into());
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let origin = secure_origin(host, &gate.origins, gate.tls_port).ok_or(Refusal::NeedsTls)?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let location = HeaderValue::try_from(format!("{origin}{target}"))
        .map_err(|error| Problem::internal().because(error))?;
    Ok(HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}

/// The origin with TLS for a host: one of our own where they are configured, so that no stranger's name is sent on.
fn secure_origin(host: &str, origins: &[String], port: u16) -> Option<String> {
    let name = host_name(host);
    if origins.is_empty() {
        let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
        return (!name.is_empty()).then(|| format!("https://{name}{port}"));
    }
    let is_secure = |origin: &&String| origin.starts_with("https://");
    let is_named = |origin: &&String| {
        Url::parse(origin).is_ok_and(|url| url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    };
    let mut secure = origins.iter().filter(is_secure);
    secure.clone().find(is_named).or_else(|| secure.next()).cloned()
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    let end_of_address = host.rfind(']').map_or(0, |end| end + 1);
    host.get(end_of_address..)
        .and_then(|rest| rest.find(':'))
        .and_then(|colon| host.get(..end_of_address + colon))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_origins_the_host_is_kept_and_its_port_replaced() {
        let origin = |host: &str, port| secure_origin(host, &[], port);
        assert_eq!(origin("y.example:80", 443).as_deref(), Some("https://y.example"));
        assert_eq!(origin("y.example", 8443).as_deref(), Some("https://y.example:8443"));
        assert_eq!(origin("[::1]:8080", 8443).as_deref(), Some("https://[::1]:8443"));
        assert_eq!(origin("[::1]", 443).as_deref(), Some("https://[::1]"));
        assert_eq!(origin("", 443), None);
    }

    #[test]
    fn with_origins_nobody_is_sent_anywhere_else() {
        let ours = ["https://a.example".to_owned(), "https://b.example:8443".to_owned()];
        let origin = |host: &str| secure_origin(host, &ours, 443);
        assert_eq!(origin("B.example:80").as_deref(), Some("https://b.example:8443"));
        assert_eq!(origin("evil.example").as_deref(), Some("https://a.example"));
        assert_eq!(secure_origin("a.example", &["http://a.example".to_owned()], 443), None);
    }
}
