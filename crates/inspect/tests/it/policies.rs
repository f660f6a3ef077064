//! Modes, thresholds, exemptions and limits.

use inspect::{Action, Class, FieldRule, Inspector, Limits, Mode, Place, Policy, RequestParts, Verdict};

fn judge(policy: Policy, query: &str, body: Option<&str>) -> Verdict {
    let request = RequestParts {
        method: "POST",
        path: "/notes",
        query: Some(query),
        content_type: Some("application/json"),
        body: body.map(str::as_bytes),
    };
    Inspector::new(policy).inspect(&request, [])
}

const ATTACK: &str = "q=1%27%20or%20%271%27%3D%271";

#[test]
fn the_mode_decides_between_passing_reporting_and_refusing() {
    for (mode, action, has_findings) in [
        (Mode::Off, Action::Pass, false),
        (Mode::Monitor, Action::Report, true),
        (Mode::Block, Action::Block, true),
    ] {
        let verdict = judge(Policy { mode, ..Policy::default() }, ATTACK, None);
        assert_eq!(verdict.action, action, "{mode:?}");
        assert_eq!(!verdict.findings.is_empty(), has_findings, "{mode:?}");
    }
}

#[test]
fn a_lower_threshold_refuses_single_signals_and_a_higher_one_reports_less() {
    let signal = "q=SLEEP(5)+in+the+code";
    for (threshold, action) in [(5, Action::Block), (10, Action::Pass)] {
        let verdict = judge(Policy { threshold, ..Policy::default() }, signal, None);
        assert_eq!((verdict.action, verdict.score), (action, 5), "{threshold}");
    }
    let verdict = judge(Policy { threshold: 1000, ..Policy::default() }, ATTACK, None);
    assert_eq!(verdict.action, Action::Pass);
    assert!(verdict.score >= 10);
}

fn rule(place: Option<Place>, name: &str, classes: &[Class], mode: Mode) -> FieldRule {
    FieldRule { place, name: name.to_owned(), classes: classes.to_vec(), mode }
}

#[test]
fn an_exemption_holds_for_its_field_place_and_class_only() {
    for (rule, action) in [
        (rule(Some(Place::Query), "q", &[], Mode::Off), Action::Pass),
        (rule(None, "q", &[Class::SqlInjection], Mode::Off), Action::Pass),
        (rule(None, "*", &[], Mode::Off), Action::Pass),
        (rule(None, "q", &[], Mode::Monitor), Action::Report),
        (rule(Some(Place::Json), "q", &[], Mode::Off), Action::Block),
        (rule(None, "other", &[], Mode::Off), Action::Block),
        (rule(None, "q", &[Class::CrossSiteScripting], Mode::Off), Action::Block),
    ] {
        let policy = Policy { fields: vec![rule.clone()], ..Policy::default() };
        assert_eq!(judge(policy, ATTACK, None).action, action, "{rule:?}");
    }
}

#[test]
fn the_first_rule_that_fits_counts() {
    let fields = vec![
        rule(Some(Place::Json), "/notes/*/code", &[Class::SqlInjection], Mode::Off),
        rule(Some(Place::Json), "/notes/*", &[], Mode::Monitor),
    ];
    let policy = Policy { fields, ..Policy::default() };
    let body = |field: &str| format!(r#"{{"notes":[{{"{field}":"' or 1=1--"}}]}}"#);
    assert_eq!(judge(policy.clone(), "", Some(&body("code"))).action, Action::Pass);
    assert_eq!(judge(policy.clone(), "", Some(&body("text"))).action, Action::Report);
    assert_eq!(judge(policy, "", Some(r#"{"title":"' or 1=1--"}"#)).action, Action::Block);
}

#[test]
fn a_route_that_only_monitors_refuses_no_field() {
    let fields = vec![rule(None, "q", &[], Mode::Block)];
    let policy = Policy { mode: Mode::Monitor, fields, ..Policy::default() };
    assert_eq!(judge(policy, ATTACK, None).action, Action::Report);
}

fn limited(limits: Limits) -> Policy {
    Policy { limits, ..Policy::default() }
}

fn rules_of(verdict: &Verdict) -> Vec<&'static str> {
    verdict.findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn values_requests_and_fields_beyond_their_limit_are_refused() {
    let body = |length: usize| format!(r#"{{"text":"{}"}}"#, "so it is. ".repeat(length / 10));
    let limits = Limits { value_bytes_max: 1000, ..Limits::default() };
    assert_eq!(judge(limited(limits), "", Some(&body(1000))).action, Action::Pass);
    assert_eq!(rules_of(&judge(limited(limits), "", Some(&body(1010)))), ["limit.value-bytes"]);

    let limits = Limits { request_bytes_max: 1000, ..Limits::default() };
    assert_eq!(judge(limited(limits), "", Some(&body(990))).action, Action::Pass);
    assert_eq!(rules_of(&judge(limited(limits), "", Some(&body(1010)))), ["limit.request-bytes"]);

    let limits = Limits { fields_max: 10, ..Limits::default() };
    assert_eq!(judge(limited(limits), &"a=b&".repeat(9), None).action, Action::Pass);
    let verdict = judge(limited(limits), &"a=b&".repeat(20), None);
    assert_eq!(verdict.action, Action::Block);
    assert!(rules_of(&verdict).iter().all(|rule| *rule == "limit.fields"));
    let elements = format!("[{}1]", "1,".repeat(20));
    assert_eq!(rules_of(&judge(limited(limits), "", Some(&elements))), ["limit.fields"]);
}

#[test]
fn a_picture_as_base64_does_not_count_against_the_limits() {
    let limits = Limits { value_bytes_max: 1000, request_bytes_max: 2000, ..Limits::default() };
    let body = format!(r#"{{"photo":"{}"}}"#, "aGVsbG8+/w".repeat(10_000));
    let verdict = judge(limited(limits), "", Some(&body));
    assert_eq!((verdict.action, verdict.findings.len()), (Action::Pass, 0));
}

#[test]
fn more_parts_than_allowed_are_refused() {
    let part = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n";
    let body = format!("{}--x--\r\n", part.repeat(5));
    let request = RequestParts {
        content_type: Some("multipart/form-data; boundary=x"),
        body: Some(body.as_bytes()),
        ..RequestParts::default()
    };
    for (parts, action) in [(5, Action::Pass), (4, Action::Block)] {
        let limits = Limits { multipart_parts_max: parts, ..Limits::default() };
        assert_eq!(Inspector::new(limited(limits)).inspect_body(&request).action, action, "{parts}");
    }
}

#[test]
fn two_looks_at_one_request_merge_into_the_verdict_of_one() {
    let inspector = Inspector::new(Policy::default());
    let request = RequestParts {
        path: "/",
        query: Some(ATTACK),
        content_type: Some("application/json"),
        body: Some(br#"["<script>"]"#),
        ..RequestParts::default()
    };
    let mut verdict = inspector.inspect_head(&request, []);
    verdict.merge(inspector.inspect_body(&request));
    assert_eq!(verdict, inspector.inspect(&request, []));
}
