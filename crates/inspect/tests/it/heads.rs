//! Paths, queries, headers and cookies.

use inspect::{Action, Class, Inspector, Place, Policy, RequestParts, Verdict};

fn judge(path: &str, query: Option<&str>, headers: &[(&str, &str)]) -> Verdict {
    let request = RequestParts { method: "GET", path, query, ..RequestParts::default() };
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    Inspector::new(Policy::default()).inspect(&request, headers)
}

fn place_of(verdict: &Verdict) -> Option<(Place, String)> {
    assert_eq!(verdict.action, Action::Block, "{verdict:?}");
    verdict.worst().map(|finding| (finding.location.place, finding.location.name.clone()))
}

#[test]
fn a_browser_s_request_passes_without_any_finding() {
    let headers = [
        ("Host", "portal.youtility.example"),
        ("Sec-CH-UA", r#""Chromium";v="142", "Not;A=Brand";v="8""#),
        ("Sec-CH-UA-Platform", r#""Linux""#),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
        ),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Accept-Language", "de-DE,de;q=0.9"),
        ("Referer", "https://portal.youtility.example/tickets?state=open&q=it%27s"),
        ("Cookie", "session=4fGk2mQ9xX0b7nY3c5v8; theme=dark; list=a,b,c"),
        ("If-None-Match", "W/\"5f3-abc\""),
        ("Authorization", "Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let verdict =
        judge("/tickets/0197c3a0", Some("state=open&q=pump+room+5&after=2026-11-25T03%3A00Z"), &headers);
    assert_eq!(verdict.findings, []);
    assert_eq!((verdict.action, verdict.score), (Action::Pass, 0));
}

#[test]
fn the_finding_says_where_and_what() {
    let verdict = judge("/", Some("a=b&q=1%27%20or%20%271%27%3D%271"), &[]);
    let finding = verdict.worst().unwrap();
    assert_eq!(finding.location.to_string(), "query:q");
    assert_eq!(finding.class, Class::SqlInjection);
    assert!(finding.rule.starts_with("sql."));
    assert_eq!(finding.excerpt, r"1\' or \'1\'=\'1");
}

#[test]
fn every_part_of_the_head_is_looked_at() {
    for (verdict, place, name) in [
        (judge("/tickets/1'%20or%20'1'='1", None, &[]), Place::Path, ""),
        (judge("/a/%2e%2e/%2e%2e/etc/passwd", None, &[]), Place::Path, ""),
        (judge("/", Some("q=<svg/onload=alert(1)>"), &[]), Place::Query, "q"),
        (judge("/", Some("a[$ne]=1"), &[]), Place::Query, "a[$ne]"),
        (judge("/", None, &[("User-Agent", "' union select 1,2--")]), Place::Header, "user-agent"),
        (judge("/", None, &[("Referer", "https://x/?a=%3Cscript%3E")]), Place::Header, "referer"),
        (judge("/", None, &[("Accept", "${jndi:ldap://x}")]), Place::Header, "accept"),
        (judge("/", None, &[("X-Forwarded-For", "() { :;}; /bin/id")]), Place::Header, "x-forwarded-for"),
        (judge("/", None, &[("X-Own", "<script>")]), Place::Header, "x-own"),
        (judge("/", None, &[("Cookie", "a=b; c=' or 1=1--")]), Place::Cookie, "c"),
        (judge("/", None, &[("Cookie", "a=b; <script>=1")]), Place::Cookie, "<script>"),
    ] {
        assert_eq!(place_of(&verdict), Some((place, name.to_owned())));
    }
}

#[test]
fn values_that_would_split_a_header_are_refused() {
    for (query, cookie) in [
        ("next=%2F%0d%0aSet-Cookie:%20a=b", ""),
        ("next=a%0aLocation:%20//x.example", ""),
        ("q=%00", ""),
        ("", "a=b\0"),
    ] {
        let verdict = judge("/", Some(query), &[("Cookie", cookie)]);
        assert_eq!(verdict.action, Action::Block, "{query} {cookie}");
        assert!(verdict.findings.iter().any(|finding| finding.class == Class::Protocol), "{verdict:?}");
    }
    assert_eq!(judge("/", Some("q=first%0d%0asecond"), &[]).action, Action::Pass);
}

#[test]
fn a_log_line_cannot_be_forged_by_names_or_values() {
    let verdict = judge("/", Some("%0a%1b[31m=%27%20or%201=1--%0aINFO%20all%20is%20well"), &[]);
    let finding = verdict.worst().unwrap();
    assert!(finding.excerpt.is_ascii() && !finding.excerpt.contains('\n'), "{finding:?}");
    assert_eq!(finding.location.name, r"\n\x1b[31m");
}

#[test]
fn a_long_value_is_shown_only_in_its_beginning() {
    let query = format!("q={}%27%20or%201=1--", "secret".repeat(100));
    let verdict = judge("/", Some(&query), &[]);
    assert_eq!(verdict.action, Action::Block);
    assert!(verdict.findings.iter().all(|finding| finding.excerpt.len() < 80));
}
