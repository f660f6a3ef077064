//! Whether upstreams and routes fit together.

use std::collections::BTreeMap;

use reqwest::Url;
use service::Mistakes;

use super::{AUTH, BYTES_MAX, RateSettings};
use crate::list::List;
use crate::routes::{Access, Route, is_prefix};

pub(super) fn check_upstreams(upstreams: &BTreeMap<String, List<Url>>, mistakes: &mut Mistakes) {
    if !upstreams.contains_key(AUTH) {
        mistakes.add("upstreams.auth", "is missing: it says who somebody is");
    }
    for (name, urls) in upstreams {
        let key = format!("upstreams.{name}");
        if urls.as_slice().is_empty() {
            mistakes.add(key.as_str(), "needs at least one address");
        }
        for url in urls.as_slice().iter().filter(|url| !is_origin(url)) {
            mistakes.add(key.as_str(), format!("`{url}` must be http://, host and port alone"));
        }
    }
}

fn is_origin(url: &Url) -> bool {
    url.scheme() == "http"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
}

pub(super) fn check_routes(
    routes: &[Route],
    upstreams: &BTreeMap<String, List<Url>>,
    rates: &RateSettings,
    mistakes: &mut Mistakes,
) {
    for (index, route) in routes.iter().enumerate() {
        let mut add = |key: &str, what: String| mistakes.add(format!("routes[{index}].{key}"), what);
        let Route { prefix, upstream, .. } = route;
        if !upstreams.contains_key(upstream) {
            add("upstream", format!("`{upstream}` is not one of [upstreams]"));
        }
        if !is_prefix(prefix) {
            add("prefix", format!("`{prefix}` is not a plain path"));
        }
        let same = |other: &Route| other.prefix.trim_end_matches('/') == prefix.trim_end_matches('/');
        if routes.iter().take(index).any(same) {
            add("prefix", format!("`{prefix}` is there twice"));
        }
        if let Some(class) = route.class.as_ref().filter(|class| !rates.classes.contains_key(*class)) {
            add("class", format!("`{class}` is not one of [rates.classes]"));
        }
        if route.permission.is_some() && route.access != Access::Required {
            add("permission", "needs access = \"required\"".to_owned());
        }
        if route.upload_bytes_max.is_some_and(|bytes| !(1..=BYTES_MAX).contains(&bytes)) {
            add("upload_bytes_max", format!("must be from 1 to {BYTES_MAX}"));
        }
    }
}
