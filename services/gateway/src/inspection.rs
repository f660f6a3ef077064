//! Requests are looked at for attacks: which inspector judges a path, and what becomes of its verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use domain::security::SecurityEventKind;
use inspect::{Action, Finding, Inspector, Mode, Place, RequestParts, Verdict};
use serde_json::json;

use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::routes::{Routes, covers};
use crate::settings::InspectionSettings;
use crate::spool::Sighting;
use crate::upload::Skim;
use crate::visit::Visit;

/// What is said of a request that the inspector could not finish.
const UNFINISHED: &str = "inspection-failed";

/// Media types that are not text in any of our services: their bodies are not read here.
const OPAQUE: [&str; 8] = [
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "application/gzip",
];

const MULTIPART: &str = "multipart/form-data";

/// Bytes of an upload beside its files that are kept where nothing is looked at: enough for its token.
const UNWATCHED_BYTES_MAX: usize = 65_536;

/// An inspector for each path that has rules of its own, longest first.
#[derive(Debug)]
pub(crate) struct Inspectors(Vec<(String, Inspector)>);

impl Inspectors {
    /// One for each route and each exemption: what holds for a path holds below it.
    pub(crate) fn new(settings: &InspectionSettings, routes: &Routes) -> Self {
        let exempt = settings.exemptions.iter().map(|exemption| exemption.prefix.as_str());
        let mut prefixes: Vec<&str> =
            routes.prefixes().chain(exempt).chain(["/"]).map(|prefix| prefix.trim_end_matches('/')).collect();
        prefixes.sort_by_key(|prefix| (std::cmp::Reverse(prefix.len()), *prefix));
        prefixes.dedup();
        let inspector = |prefix: &str| {
            let mode = routes.find(prefix).and_then(|line| line.route.inspect);
            (prefix.to_owned(), Inspector::new(settings.policy(prefix, mode)))
        };
        Self(prefixes.into_iter().map(inspector).collect())
    }

    /// The inspector of a path; none where nothing is looked at.
    pub(crate) fn find(&self, path: &str) -> Option<&Inspector> {
        let found = self.0.iter().find(|(prefix, _)| covers(prefix, path));
        found.map(|(_, inspector)| inspector).filter(|inspector| inspector.policy().mode != Mode::Off)
    }
}

/// Refuses a request whose path, query, headers or cookies look like an attack.
pub(crate) fn inspect_head(visit: &Visit<'_>, gate: &Gate) -> Result<(), Refusal> {
    let Some(inspector) = visit.inspector else {
        return Ok(());
    };
    let parts = parts(visit.request, None);
    let headers = visit.request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    act(judge(|| inspector.inspect_head(&parts, headers)), tell(visit, gate))
}

/// Refuses a request whose body looks like an attack, or is not what it says it is.
pub(crate) fn inspect_body(visit: &Visit<'_>, gate: &Gate, body: &[u8]) -> Result<(), Refusal> {
    let Some(inspector) = visit.inspector.filter(|_inspector| !body.is_empty()) else {
        return Ok(());
    };
    let parts = parts(visit.request, Some(body));
    act(judge(|| inspector.inspect_body(&parts)), tell(visit, gate))
}

/// Whether a body must be here as a whole before it is passed on, because it is going to be looked at.
pub(crate) fn must_be_read(visit: &Visit<'_>) -> bool {
    if visit.inspector.is_none() {
        return false;
    }
    !OPAQUE.into_iter().any(|known| begins_with(media_type(visit.request), known))
}

/// The largest body of a request that uploads files; `None` when it does not, or may not here.
pub(crate) fn upload_bytes_max(visit: &Visit<'_>) -> Option<usize> {
    let may = visit.identity.get().is_some() && begins_with(media_type(visit.request), MULTIPART);
    visit.route.upload_bytes_max.filter(|_bytes| may)
}

/// Looks at an upload on its way; what it finds is told when the upload ends.
pub(crate) fn watch_upload(visit: &Visit<'_>, gate: &Gate) -> Watch {
    let content_type = media_type(visit.request).to_owned();
    let boundary = inspect::multipart::boundary(&content_type).unwrap_or("");
    let bytes_max =
        visit.inspector.map_or(UNWATCHED_BYTES_MAX, |inspector| inspector.policy().limits.request_bytes_max);
    let (spool, clock) = (Arc::clone(&gate.spool), gate.clock.clone());
    let sighting = visit.sighting(SecurityEventKind::RequestBlocked, serde_json::Value::Null);
    Watch {
        skim: Skim::new(boundary, bytes_max),
        inspector: visit.inspector.cloned(),
        tell: Box::new(move |kind, detail| spool.record(Sighting { kind, detail, ..sighting }, clock.now())),
        content_type,
    }
}

/// An upload that is being looked at.
pub(crate) struct Watch {
    pub(crate) skim: Skim,
    content_type: String,
    inspector: Option<Inspector>,
    tell: Box<dyn FnOnce(SecurityEventKind, serde_json::Value)>,
}

impl Watch {
    /// Refuses the upload, whose end is not said then.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let Self { skim, content_type, inspector, tell } = self;
        let Some(inspector) = inspector else {
            return Ok(());
        };
        let parts = RequestParts { content_type: Some(&content_type), ..RequestParts::default() };
        let verdict = skim
            .form()
            .ok()
            .and_then(|form| judge(|| inspector.inspect_body(&RequestParts { body: Some(&form), ..parts })));
        act(verdict, tell)
    }
}

fn begins_with(text: &str, known: &str) -> bool {
    text.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
}

fn media_type(request: &HttpRequest) -> &str {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("").trim_start()
}

fn parts<'a>(request: &'a HttpRequest, body: Option<&'a [u8]>) -> RequestParts<'a> {
    let target = request.uri();
    RequestParts {
        method: request.method().as_str(),
        path: target.path(),
        query: target.query(),
        content_type: Some(media_type(request)),
        body,
    }
}

/// Runs the inspector; `None` when it panicked. It must not take the request with it, nor let it pass.
fn judge(inspect: impl FnOnce() -> Verdict) -> Option<Verdict> {
    catch_unwind(AssertUnwindSafe(inspect)).ok()
}

/// What becomes of a request; without a verdict it does not pass.
fn act(
    verdict: Option<Verdict>,
    tell: impl FnOnce(SecurityEventKind, serde_json::Value),
) -> Result<(), Refusal> {
    let Some(verdict) = verdict else {
        tell(SecurityEventKind::RequestBlocked, json!({ "rule": UNFINISHED }));
        return Err(Refusal::Blocked(UNFINISHED.to_owned()));
    };
    match verdict.action {
        Action::Pass => Ok(()),
        Action::Report => {
            tell(SecurityEventKind::RequestSuspected, reason(&verdict));
            Ok(())
        }
        Action::Block if verdict.is_only_malformed() => {
            Err(Refusal::BodyMalformed(verdict.worst().map_or(UNFINISHED, |finding| finding.rule)))
        }
        Action::Block => {
            tell(SecurityEventKind::RequestBlocked, reason(&verdict));
            Err(Refusal::Blocked(verdict.worst().map_or_else(|| UNFINISHED.to_owned(), words)))
        }
    }
}

fn tell<'a>(
    visit: &'a Visit<'_>,
    gate: &'a Gate,
) -> impl FnOnce(SecurityEventKind, serde_json::Value) + use<'a> {
    |kind, detail| gate.spool.record(visit.sighting(kind, detail), gate.clock.now())
}

/// What the log says: never a value.
fn words(finding: &Finding) -> String {
    format!("{} by {} in {}", finding.class, finding.rule, finding.location)
}

/// What the security log says. The first bytes of a header or cookie may be a credential.
fn reason(verdict: &Verdict) -> serde_json::Value {
    let Some(finding) = verdict.worst() else {
        return json!({ "score": verdict.score });
    };
    let is_telling = !matches!(finding.location.place, Place::Header | Place::Cookie);
    json!({
        "class": finding.class,
        "rule": finding.rule,
        "place": finding.location.to_string(),
        "score": verdict.score,
        "excerpt": is_telling.then_some(finding.excerpt.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspectors() -> Inspectors {
        let settings: InspectionSettings = serde_json::from_value(json!({
            "mode": "block", "threshold": 10, "value_bytes_max": 65_536, "request_bytes_max": 65_536,
            "fields_max": 100, "json_depth_max": 8, "multipart_parts_max": 10,
            "exemptions": [
                { "prefix": "/notes/drafts", "name": "text", "mode": "off" },
                { "name": "*password*", "mode": "off" },
            ],
        }))
        .unwrap();
        let routes = json!([
            { "prefix": "/", "upstream": "web", "access": "required" },
            { "prefix": "/notes", "upstream": "web", "access": "required", "inspect": "monitor" },
            { "prefix": "/assets/", "upstream": "web", "access": "public", "inspect": "off" },
        ]);
        Inspectors::new(&settings, &Routes::new(serde_json::from_value(routes).unwrap()))
    }

    #[test]
    fn a_path_is_inspected_as_its_route_and_its_exemptions_say() {
        let inspectors = inspectors();
        let found = |path: &str| {
            inspectors.find(path).map(|inspector| {
                let names: Vec<_> = inspector.policy().fields.iter().map(|rule| rule.name.as_str()).collect();
                format!("{:?} {}", inspector.policy().mode, names.join(","))
            })
        };
        assert_eq!(found("/").as_deref(), Some("Block *password*"));
        assert_eq!(found("/tickets").as_deref(), Some("Block *password*"));
        assert_eq!(found("/notes/1").as_deref(), Some("Monitor *password*"));
        assert_eq!(found("/notes/drafts/1").as_deref(), Some("Monitor text,*password*"));
        assert_eq!(found("/notes/draftsx").as_deref(), Some("Monitor *password*"));
        assert_eq!(found("/assets/a.js"), None);
    }

    #[test]
    fn a_panic_of_the_inspector_is_no_verdict() {
        assert!(judge(|| panic!("an inspector that fails")).is_none());
        assert!(judge(Verdict::default).is_some());
    }
}
