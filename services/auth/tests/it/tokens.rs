//! Handsets: who gets tokens, for which client, with which handset, from where.

use api::headers;
use api::token::Tokens;
use domain::Capability;
use domain::account::SessionKind;
use reqwest::Response;
use serde_json::{Value, json};

use crate::person::Browser;
use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, env_with, problem};

/// The sign-in of asha's handset, with some fields changed.
pub(crate) async fn sign_in(auth: &Auth, changes: &[(&str, Value)]) -> Response {
    sign_in_from(auth, ADDRESS, changes).await
}

async fn sign_in_from(auth: &Auth, address: &str, changes: &[(&str, Value)]) -> Response {
    let mut body = json!({
        "client_code": "ACME",
        "login": "asha",
        "password": PASSWORD,
        "device_id": "handset-1",
        "imei": "490154203237518",
        "model": "Fairphone 5",
    });
    for (key, value) in changes {
        body[*key] = value.clone();
    }
    let request = auth.internal("POST", "/api/v1/tokens").header(headers::CLIENT_ADDRESS, address);
    request.header("user-agent", "field-app/2.1").json(&body).send().await.unwrap()
}

/// The tokens of asha's handset.
pub(crate) async fn tokens(auth: &Auth) -> Tokens {
    let answer = sign_in(auth, &[]).await;
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
    answer.json().await.unwrap()
}

/// What a sign-in is refused with.
async fn refusal(answer: Response) -> (u16, String) {
    let (status, refused) = problem(answer).await;
    (status, refused["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handset_gets_a_short_token_a_long_one_and_what_it_shows() {
    let ground = Ground::lay().await;
    let hq = ground.db.site(ground.acme, "HQ").await;
    let bela = ground.db.person(ground.acme, "bela").name("Bela").login("bela", PASSWORD).sites(&[hq]);
    let bela = bela.capabilities(&[Capability::Mob, Capability::TicketsRead]).await;
    let auth = Auth::on(&ground).await;
    let answer = sign_in(&auth, &[("login", json!("Bela"))]).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["cache-control"]),
        (201, &"no-store".parse().unwrap())
    );
    assert!(!answer.headers().contains_key("set-cookie"));
    let tokens: Tokens = answer.json().await.unwrap();
    let user = tokens.user.unwrap();
    assert_eq!((user.id, user.name.as_str(), user.client_name.as_str()), (bela, "Bela", "ACME Ltd"));
    assert_eq!(user.sites, Some(vec![hq]));
    assert_eq!((tokens.expires_in, tokens.refresh_expires_in), (600, 30 * 86_400));
    assert!(tokens.refresh_token.starts_with("yr_") && tokens.refresh_token.len() == 46);
    let (identity, _) = auth.identity_of(&tokens.access_token).await;
    assert_eq!((identity.sub, identity.kind, identity.factors), (bela, SessionKind::Mobile, 1));
    assert_eq!(identity.capabilities, [Capability::Mob, Capability::TicketsRead].into());
    assert_eq!(
        auth.exchange(&tokens.refresh_token).await.status(),
        401,
        "a refresh token opens nothing itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_stored_as_hashes_only() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let tokens = tokens(&auth).await;
    let sql = "select session::text || refresh_token::text from session, refresh_token";
    let stored: String = ground.db.admin().await.query_one(sql, &[]).await.unwrap().get(0);
    let bare = tokens.refresh_token.trim_start_matches("yr_");
    assert!(!stored.contains(&tokens.access_token) && !stored.contains(bare), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clients_code_reads_as_a_wrong_password_and_is_counted() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    ground.db.person(globex, "gita").login("gita", PASSWORD).await;
    let auth = Auth::on(&ground).await;
    let mut answers = Vec::new();
    for changes in [
        [("client_code", json!("GLOBEX"))],
        [("client_code", json!("NOBODY"))],
        [("client_code", json!("acme"))],
        [("password", json!("wrong"))],
    ] {
        answers.push(problem(sign_in(&auth, &changes).await).await);
    }
    assert_eq!(answers[0].1["type"], "/problems/sign-in-refused");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let sql = "select count(*) from auth_rate_limit_attempts where outcome = 'FAILED'";
    assert_eq!(ground.db.count(sql).await, 4);
    sign_in(&auth, &[("password", json!("wrong"))]).await;
    assert_eq!(refusal(sign_in(&auth, &[]).await).await, refused(429, "sign-in-limited"));
    assert_eq!(ground.db.count("select count(*) from session").await, 0);
    let sql = "select count(*) from security_event where kind = 'sign_in_failed' and login = 'asha'";
    assert_eq!(ground.db.count(sql).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_disabled_and_stopped_read_as_a_wrong_password() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let wrong = problem(sign_in(&auth, &[("password", json!("wrong"))]).await).await;
    let unknown = problem(sign_in(&auth, &[("login", json!("nobody"))]).await).await;
    ground.change("update person set enabled = false").await;
    let disabled = problem(sign_in(&auth, &[]).await).await;
    ground.change("update person set enabled = true").await;
    ground.change("update client set state = 'STOPPED'").await;
    let stopped = problem(sign_in(&auth, &[]).await).await;
    assert_eq!((&unknown, &disabled, &stopped), (&wrong, &wrong, &wrong));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_site_or_may_not_use_a_handset_is_told_so() {
    let ground = Ground::lay().await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).sites(&[]).await;
    let desk = ground.db.person(ground.acme, "desk").login("desk", PASSWORD);
    desk.capabilities(&[Capability::Web, Capability::TicketsRead]).await;
    let auth = Auth::on(&ground).await;
    let status = async |login: &str| refusal(sign_in(&auth, &[("login", json!(login))]).await).await;
    assert_eq!(status("bela").await, refused(403, "site-missing"));
    assert_eq!(status("desk").await, refused(403, "forbidden"));
    assert_eq!(ground.db.count("select count(*) from handset").await, 0, "and nothing was bound");
    let sql = "select count(*) from security_event where kind = 'handset_refused'";
    assert_eq!(ground.db.count(sql).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_works_with_one_handset_until_it_is_released() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let other = [("device_id", json!("handset-2"))];
    assert_eq!(refusal(sign_in(&auth, &other).await).await, refused(403, "handset-bound"));
    let again = tokens(&auth).await;
    assert_eq!(auth.exchange(&first.access_token).await.status(), 401, "its earlier session ended");
    let (_, signed) = auth.identity_of(&again.access_token).await;
    let release = auth.request("DELETE", "/api/v1/tokens").header(headers::IDENTITY, signed);
    assert_eq!(release.send().await.unwrap().status(), 204);
    assert_eq!(auth.exchange(&again.access_token).await.status(), 401);
    assert_eq!(sign_in(&auth, &other).await.status(), 201);
    let sql = "select count(*) from handset where released_at is null and device_key = 'handset-2'";
    assert_eq!(ground.db.count(sql).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_releases_the_handset_of_who_lost_it() {
    let ground = Ground::lay().await;
    let rights = Capability::ALL;
    ground.db.person(ground.acme, "cleo").login("cleo", PASSWORD).capabilities(rights).await;
    let auth = Auth::on(&ground).await;
    let lost = tokens(&auth).await;
    let owner = auth.identity_of(&lost.access_token).await.0.sub;
    let mut admin = Browser::of(&auth, "cleo").await;
    let path = format!("/api/v1/users/{owner}/handset");
    assert_eq!(admin.send("DELETE", &path).await.status(), 204);
    assert_eq!(auth.exchange(&lost.access_token).await.status(), 401);
    assert_eq!(sign_in(&auth, &[("device_id", json!("handset-2"))]).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_handsets_at_the_same_moment_one_is_bound() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let both = [[("device_id", json!("handset-1"))], [("device_id", json!("handset-2"))]];
    let answers = futures_util::future::join_all(both.iter().map(|changes| sign_in(&auth, changes))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    assert_eq!(ground.db.count("select count(*) from handset where released_at is null").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_lists_of_networks_and_handsets_hold_when_they_are_not_empty() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    let auth = Auth::on(&ground).await;
    let insert = format!("insert into client_imei (client_id, imei) values ('{globex}', '111111111111111')");
    ground.change(&insert).await;
    assert_eq!(sign_in(&auth, &[]).await.status(), 201, "another client's list is another client's");
    let network = "insert into client_network (client_id, network)
                   select client_id, network::cidr from client, unnest(array['192.0.2.0/24', '2001:db8::/32']) as network
                    where code = 'ACME'";
    ground.change(network).await;
    for (address, status) in
        [("192.0.2.200", 201), ("2001:db8:1::1", 201), ("192.0.3.1", 403), ("2001:db9::1", 403)]
    {
        let answer = sign_in_from(&auth, address, &[]).await;
        assert_eq!(answer.status(), status, "{address}");
    }
    let imei = "insert into client_imei (client_id, imei)
                select client_id, '490154203237518' from client where code = 'ACME'";
    ground.change(imei).await;
    for (imei, status) in
        [(json!("490154203237518"), 201), (json!("490154203237519"), 403), (Value::Null, 403)]
    {
        let answer = sign_in(&auth, &[("imei", imei.clone())]).await;
        assert_eq!(answer.status(), status, "{imei}");
    }
    assert_eq!(
        refusal(sign_in_from(&auth, "198.51.100.1", &[]).await).await,
        refused(403, "handset-refused")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_of_a_handset_names_the_networks_it_may_come_from() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let sql = "insert into client_network (client_id, network) select client_id, '192.0.2.0/24' from client";
    ground.change(sql).await;
    let tokens = tokens(&auth).await;
    let answer: api::IdentityResponse = auth.exchange(&tokens.access_token).await.json().await.unwrap();
    assert_eq!(answer.networks, ["192.0.2.0/24"]);
    let browser = auth.token_of("asha", PASSWORD).await;
    let answer: api::IdentityResponse = auth.exchange(&browser).await.json().await.unwrap();
    assert_eq!(answer.networks, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_an_authenticator_gives_its_code_or_a_recovery_code_each_good_once() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (mut phone, recovery) = Browser::of(&auth, "asha").await.add_totp().await;
    assert_eq!(refusal(sign_in(&auth, &[]).await).await, refused(403, "second-factor-owed"));
    let wrong = sign_in(&auth, &[("code", json!(phone.wrong_code()))]).await;
    assert_eq!(refusal(wrong).await, refused(403, "factor-refused"));
    let other = [("code", json!(phone.code())), ("client_code", json!("GLOBEX"))];
    assert_eq!(
        refusal(sign_in(&auth, &other).await).await,
        refused(401, "sign-in-refused"),
        "no code is looked at"
    );
    for code in [phone.code(), recovery[0].clone()] {
        let answer = sign_in(&auth, &[("code", json!(code))]).await;
        assert_eq!(answer.status(), 201, "{code}");
        let tokens: Tokens = answer.json().await.unwrap();
        assert_eq!(auth.identity_of(&tokens.access_token).await.0.factors, 2);
        assert_eq!(
            refusal(sign_in(&auth, &[("code", json!(code))]).await).await,
            refused(403, "factor-refused")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_demands_a_second_factor_lets_no_handset_in_without_one() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    ground.change("update client set second_factor = 'REQUIRED'").await;
    assert_eq!(refusal(sign_in(&auth, &[]).await).await, refused(403, "second-factor-owed"));
    let guessed = sign_in(&auth, &[("code", json!("000000"))]).await;
    assert_eq!(refusal(guessed).await, refused(403, "second-factor-owed"));
    assert_eq!(ground.db.count("select count(*) from session").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_ends_before_its_session() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("TOKENS__ACCESS_SECONDS", "60")])).await;
    let tokens = tokens(&auth).await;
    let (identity, _) = auth.identity_of(&tokens.access_token).await;
    assert!(identity.exp - identity.iat <= 60);
    ground.change("update session set access_expires_at = now() - interval '1 second'").await;
    assert_eq!(auth.exchange(&tokens.access_token).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_handset_keeps_its_session_through_a_clean_up() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("SESSIONS__IDLE_SECONDS", "60")])).await;
    let tokens = tokens(&auth).await;
    ground.change("update session set last_seen_at = now() - interval '5 min'").await;
    assert_eq!(auth.exchange(&tokens.access_token).await.status(), 200);
    let sql = "select count(*) from session where idle_expires_at > now() + interval '29 days'";
    assert_eq!(ground.db.count(sql).await, 1, "use does not shorten what only a refresh moves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_can_be_nobodys_is_refused_by_field_and_not_counted() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let changes = [
        ("client_code", json!("A C")),
        ("login", json!("a b")),
        ("password", json!("")),
        ("device_id", json!("")),
        ("imei", json!("49 015")),
        ("model", json!("two\nlines")),
    ];
    let (status, refused) = problem(sign_in(&auth, &changes).await).await;
    assert_eq!((status, &refused["type"]), (422, &json!("/problems/sign-in-invalid")));
    let errors = refused["errors"].as_array().unwrap();
    let pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/client_code", "/login", "/device_id", "/imei", "/password", "/model"]);
    assert_eq!(ground.db.count("select count(*) from auth_rate_limit_attempts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_internal_key_no_handset_can_try() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let body = json!({ "client_code": "ACME", "login": "asha", "password": PASSWORD, "device_id": "x" });
    for path in ["/api/v1/tokens", "/api/v1/tokens/refresh"] {
        let request = auth.request("POST", path).header(headers::CLIENT_ADDRESS, ADDRESS).json(&body);
        assert_eq!(refusal(request.send().await.unwrap()).await, refused(401, "internal-only"), "{path}");
    }
    let leave = auth.request("DELETE", "/api/v1/tokens").send().await.unwrap();
    assert_eq!(refusal(leave).await, refused(401, "sign-in-required"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_cannot_release_a_handset() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    let gita = ground.db.person(globex, "gita").await;
    let bela = ground.db.person(ground.acme, "bela").await;
    let auth = Auth::on(&ground).await;
    let tokens = tokens(&auth).await;
    let (of_asha, _) = auth.identity_of(&tokens.access_token).await;
    for (client, person) in [(globex, gita), (ground.acme, bela)] {
        let mut stranger = testkit::identity::of(client, person, Capability::ALL);
        stranger.session_id = of_asha.session_id;
        let signed = testkit::identity::Signer::shared().token(&stranger);
        auth.request("DELETE", "/api/v1/tokens").header(headers::IDENTITY, signed).send().await.unwrap();
        assert_eq!(auth.exchange(&tokens.access_token).await.status(), 200);
    }
    assert_eq!(ground.db.count("select count(*) from handset where released_at is null").await, 1);
}
