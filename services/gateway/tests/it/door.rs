//! Which request may pass, and where it goes.

use crate::world::{CSRF_SECRET, World, header, problem, received, status};

#[tokio::test]
async fn each_path_goes_to_its_upstream() {
    let world = World::signed_in("t").await;
    for (path, upstream) in [
        ("/", "web"),
        ("/tickets?state=OPEN&q=a%20b", "web"),
        ("/login", "web"),
        ("/assets/x.css", "web"),
        ("/problems/not-found", "web"),
        ("/api/v1/tickets", "web"),
        ("/api/v1/openapi.json", "web"),
        ("/api/v1/session", "auth"),
        ("/health/", "health"),
        ("/health/detailed/", "health"),
        ("/ready/", "health"),
        ("/alive/", "health"),
    ] {
        let received = received(world.get(path).bearer_auth("t").send().await.unwrap()).await;
        assert_eq!((received.upstream.as_str(), received.target.as_str()), (upstream, path));
    }
}

#[tokio::test]
async fn internal_paths_do_not_exist_outside() {
    let world = World::signed_in("t").await;
    for path in ["/internal/identity", "/internal/revocations", "/internal"] {
        assert_eq!(
            problem(world.get(path).bearer_auth("t").send().await.unwrap()).await,
            "404 not-found",
            "{path}"
        );
    }
}

#[tokio::test]
async fn some_paths_are_for_some_networks_only() {
    let world = World::with(|settings| {
        settings.trusted_proxies.networks = vec!["127.0.0.1/32".parse().unwrap()].into();
    })
    .await;
    let ask =
        |address: &'static str| world.get("/health/detailed/").header("x-forwarded-for", address).send();
    assert_eq!(problem(ask("198.51.100.1").await.unwrap()).await, "404 not-found");
    assert_eq!(received(ask("127.0.0.9").await.unwrap()).await.upstream, "health");
}

#[tokio::test]
async fn who_comes_through_an_unknown_proxy_is_in_no_network() {
    let world = World::start().await;
    for header in ["x-forwarded-for", "x-real-ip", "forwarded"] {
        let ask = |path: &str| world.get(path).header(header, "127.0.0.1").send();
        assert_eq!(problem(ask("/health/detailed/").await.unwrap()).await, "404 not-found", "{header}");
        assert_eq!(received(ask("/health/").await.unwrap()).await.upstream, "health");
    }
}

#[test]
fn production_demands_to_know_what_stands_in_front() {
    let complaint = |none_in_front: &str, networks: &str, environment: &str| {
        let pairs = [
            ("CSRF__SECRET", CSRF_SECRET),
            ("TRUST__INTERNAL_KEY", testkit::INTERNAL_KEY),
            ("TRUSTED_PROXIES__NONE_IN_FRONT", none_in_front),
            ("TRUSTED_PROXIES__NETWORKS", networks),
            ("PROCESS__ENVIRONMENT", environment),
        ];
        let pairs = pairs.map(|(key, value)| (format!("YOUTILITY_{key}"), value.to_owned()));
        let loaded = service::load_settings::<gateway::Settings>(&gateway::about(), &[], pairs);
        loaded.err().map(|mistakes| mistakes.to_string())
    };
    assert!(complaint("false", "", "production").unwrap().starts_with("trusted_proxies.networks"));
    assert!(
        complaint("true", "10.0.0.0/8", "production").unwrap().starts_with("trusted_proxies.none_in_front")
    );
    assert_eq!(complaint("true", "", "production"), None);
    assert_eq!(complaint("false", "10.0.0.0/8", "production"), None);
    assert_eq!(complaint("false", "", "development"), None);
}

#[tokio::test]
async fn targets_that_two_servers_would_read_differently_are_refused() {
    let world = World::start().await;
    for target in [
        "/assets/../tickets",
        "/assets/%2e%2e/tickets",
        "/assets/..;/tickets",
        "/assets%2f..%2ftickets",
        "/assets%5ctickets",
        "/assets\\tickets",
        "/assets/%00",
        "/assets/%252e%252e/tickets",
        "/health/%64etailed/",
        "/%6cogin",
        "/assets/%c0%ae%c0%ae/tickets",
        "//assets/x",
        "/assets//x",
        "/assets/%zz",
        "/login?next=%00",
        "*",
        "http://other.example/login",
    ] {
        assert_eq!(world.status_of("GET", target, "").await, "400", "{target}");
    }
    let long = format!("/login?q={}", "x".repeat(9000));
    assert_eq!(world.status_of("GET", &long, "").await, "400");
    assert_eq!(world.status_of("GET", "/login", "").await, "200");
}

#[tokio::test]
async fn headers_that_two_servers_would_read_differently_are_refused() {
    let world = World::start().await;
    for headers in [
        "Host: z.example\r\n",
        "Transfer_Encoding: chunked\r\n",
        "X.Y: 1\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: +1\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
    ] {
        assert_eq!(world.status_of("POST", "/login", headers).await, "400", "{headers}");
    }
    for host in ["", "a,b", "user@host", "host/path", "host:port"] {
        let request = format!("GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&world.raw(&request).await), "400", "{host}");
    }
    assert_eq!(status(&world.raw("GET /login HTTP/1.1\r\nConnection: close\r\n\r\n").await), "400");
}

#[tokio::test]
async fn an_upgrade_is_refused_at_once() {
    let world = World::start().await;
    for headers in ["Upgrade: websocket\r\n", "Upgrade: h2c\r\nHTTP2-Settings: x\r\n"] {
        let answer = world
            .raw(&format!("GET /login HTTP/1.1\r\nHost: y\r\nConnection: close, upgrade\r\n{headers}\r\n"))
            .await;
        assert_eq!(status(&answer), "400");
        assert!(answer.contains("/problems/upgrade-refused"), "{answer}");
    }
}

#[tokio::test]
async fn methods_that_are_for_proxies_are_refused() {
    let world = World::start().await;
    assert_eq!(world.status_of("TRACE", "/login", "").await, "405");
    assert_eq!(world.status_of("CONNECT", "y.example:80", "").await, "405");
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_the_sign_in_page_and_programs_are_told() {
    let world = World::start().await;
    let page = world.get("/tickets?state=OPEN&q=a%20b").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 303);
    assert_eq!(header(&page, "location"), Some("/login?next=/tickets%3Fstate%3DOPEN%26q%3Da%2520b"));
    assert_eq!(header(&page, "cache-control"), Some("no-store"));
    let api = world.get("/api/v1/tickets").header("accept", "text/html").send().await.unwrap();
    assert_eq!(header(&api, "content-type"), Some("application/problem+json"));
    assert_eq!(problem(api).await, "401 sign-in-required");
    assert_eq!(problem(world.post("/tickets").send().await.unwrap()).await, "401 sign-in-required");
}
