//! What an inspection costs: an ordinary page, an ordinary JSON body, and hostile ones.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inspect::{Inspector, Policy, RequestParts};

/// What a browser sends with a page request.
const BROWSER: &[(&str, &[u8])] = &[
    ("host", b"portal.youtility.example"),
    ("connection", b"keep-alive"),
    ("cache-control", b"max-age=0"),
    ("sec-ch-ua", br#""Chromium";v="142", "Not_A Brand";v="99""#),
    ("sec-ch-ua-mobile", b"?0"),
    ("sec-ch-ua-platform", br#""Linux""#),
    ("upgrade-insecure-requests", b"1"),
    ("user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
    ("accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("sec-fetch-site", b"same-origin"),
    ("sec-fetch-mode", b"navigate"),
    ("sec-fetch-dest", b"document"),
    ("referer", b"https://portal.youtility.example/tickets?state=open&page=2"),
    ("accept-encoding", b"gzip, deflate, br, zstd"),
    ("accept-language", b"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("cookie", b"session=4fGk2mQ9xX0b7nY3c5v8Lw1pRtZaSdEf; theme=dark; site=0197c3a0-0000-7000-8000-000000000000"),
];

fn page() -> RequestParts<'static> {
    RequestParts {
        method: "GET",
        path: "/tickets/0197c3a0-0000-7000-8000-000000000000",
        query: Some("state=open&q=pump+room+5&sort=-created&after=2026-11-25T03%3A00%3A00Z"),
        ..RequestParts::default()
    }
}

/// A ticket of 1 KiB: identifiers, times, numbers and three texts with apostrophes.
const TICKET: &str = r#"{"id":"0197c3a0-0000-7000-8000-000000000000","site":"0197c3a0-1111-7000-8000-000000000000","title":"Pump in plant room 5 doesn't start","state":"open","priority":2,"created_at":"2026-11-25T03:00:00Z","reporter":{"name":"Siobhán O'Brien","email":"siobhan.obrien@example.org","phone":"+49 30 1234567"},"description":"The pump trips as soon as it is switched on. We've tried the other phase and it's the same; the breaker (F12, 16 A) is warm. Please select a contractor from the list & call before 5 pm - the tenant's meeting is at six.","checklist":[{"item":"Breaker checked","done":true,"value":16.2},{"item":"Bearing temperature < 80 degrees","done":true,"value":74.5},{"item":"Filter replaced, old one disposed of","done":false,"value":null}],"tags":["hvac","pump","urgent"],"location":{"building":"B2","floor":-1,"room":"5","lat":52.520008,"lon":13.404954},"attachments":["/files/0197c3a0/IMG_2041.jpg","/files/0197c3a0/IMG_2042.jpg"],"notes":"Ersatzteil bestellt, Lieferung in 3 Tagen; R\u00fcckruf unter +49 30 7654321."}"#;

fn ticket(body: &[u8]) -> RequestParts<'_> {
    RequestParts {
        method: "POST",
        path: "/api/v1/tickets",
        query: None,
        content_type: Some("application/json"),
        body: Some(body),
    }
}

fn ordinary(criterion: &mut Criterion) {
    let inspector = Inspector::new(Policy::default());
    let mut group = criterion.benchmark_group("ordinary");
    group.bench_function("page", |bencher| {
        bencher.iter(|| inspector.inspect(black_box(&page()), BROWSER.iter().copied()));
    });
    group.bench_function("json-1-kib", |bencher| {
        bencher.iter(|| inspector.inspect_body(black_box(&ticket(TICKET.as_bytes()))));
    });
    group.bench_function("json-1-kib-with-head", |bencher| {
        bencher.iter(|| inspector.inspect(black_box(&ticket(TICKET.as_bytes())), BROWSER.iter().copied()));
    });
    group.finish();
}

fn hostile(criterion: &mut Criterion) {
    let inspector = Inspector::new(Policy::default());
    let mut group = criterion.benchmark_group("hostile-64-kib");
    group.sample_size(20);
    for (name, unit) in [
        ("quotes", "'\\\""),
        ("tags", "<a \"'"),
        ("select", "select(1 from "),
        ("comments", "/*' or "),
        ("percent", "%2525253c"),
        ("handlers", "onload=on"),
        ("climbs", "../..\\\\"),
        ("expressions", "{{${#{%{"),
        ("commands", ";cat $(`|"),
        ("entities", "&#x3c;&#60"),
    ] {
        let body = unit.repeat(64 * 1024 / unit.len());
        group.throughput(Throughput::Bytes(64 * 1024));
        let request =
            RequestParts { content_type: Some("text/plain"), body: Some(body.as_bytes()), ..page() };
        group.bench_function(name, |bencher| bencher.iter(|| inspector.inspect_body(black_box(&request))));
    }
    group.finish();
}

criterion_group!(benches, ordinary, hostile);
criterion_main!(benches);
