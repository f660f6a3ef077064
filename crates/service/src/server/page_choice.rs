//! Program or browser?

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

/// Whether an error should be a page: a browser asks, and the address is none for programs.
pub fn prefers_page(request: &HttpRequest) -> bool {
    choose_page(request.path(), request.headers())
}

/// The same from path and headers.
pub(super) fn choose_page(path: &str, headers: &HeaderMap) -> bool {
    if path.starts_with("/api/") || path.starts_with("/internal/") {
        return false;
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let page = quality(accept, &["text/html", "application/xhtml+xml"]);
    let json = quality(accept, &["application/json", api::problem::MEDIA_TYPE]);
    page > 0.0 && page >= json
}

/// The best quality any of the media types is accepted with; wildcards do not count.
fn quality(accept: &str, media_types: &[&str]) -> f32 {
    accept
        .split(',')
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok())?;
            media_types.contains(&name.as_str()).then_some(weight)
        })
        .fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn page(path: &str, accept: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        choose_page(path, &headers)
    }

    #[test]
    fn browsers_get_pages_and_programs_get_problems() {
        assert!(page("/tickets", "text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!page("/tickets", "application/json, text/html;q=0.5"));
        assert!(!page("/tickets", "*/*"));
        assert!(!page("/tickets", ""));
    }

    #[test]
    fn addresses_for_programs_never_answer_with_pages() {
        assert!(!page("/api/v1/tickets", "text/html"));
        assert!(!page("/internal/identity", "text/html"));
    }
}
