//! People and groups, as administrators change them.

use domain::{Capability, PersonId};
use reqwest::Response;
use serde_json::{Value, json};

use crate::person::Browser;
use crate::stage::{Auth, Ground, PASSWORD, problem};

async fn body(answer: Response) -> Value {
    answer.json().await.unwrap()
}

async fn code(answer: Response) -> (u16, String) {
    let (status, problem) = problem(answer).await;
    (status, problem["type"].as_str().unwrap().replace("/problems/", ""))
}

/// A colleague of asha who can sign in.
async fn ben(ground: &Ground, capabilities: &[Capability]) -> PersonId {
    ground.db.person(ground.acme, "ben").login("ben", PASSWORD).capabilities(capabilities).await
}

/// What somebody may do, in the eyes of the gateway.
async fn rights(auth: &Auth, token: &str) -> Vec<Capability> {
    auth.identity_of(token).await.0.capabilities.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_added_and_invited_and_nobody_can_sign_in_before_a_password_is_set() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut admin = Browser::of(&auth, "asha").await;
    let new = json!({"code": "ravi", "name": " Ravi Iyer ", "email": "ravi@example.com", "login": "ravi"});
    let added = admin.send_json("POST", "/api/v1/users", new.clone()).await;
    assert_eq!(added.status(), 201);
    let added = body(added).await;
    assert_eq!((&added["name"], &added["login"]), (&json!("Ravi Iyer"), &json!("ravi")));
    assert_eq!((&added["capabilities"], &added["all_sites"]), (&json!([]), &json!(false)));
    let mails = "select count(*) from task where kind = 'account.mail' and args ->> 'purpose' = 'INVITE'";
    assert_eq!(ground.db.count(mails).await, 1);
    assert_eq!(auth.sign_in("ravi", "whatever-it-is-42").send().await.unwrap().status(), 401);
    let path = format!("/api/v1/users/{}/invitation", added["id"].as_str().unwrap());
    assert_eq!(admin.send("POST", &path).await.status(), 202);
    assert_eq!(ground.db.count(mails).await, 2);
    // The same code or login again is a conflict.
    assert_eq!(
        code(admin.send_json("POST", "/api/v1/users", new).await).await,
        (409, "already-exists".into())
    );
    let lines = "select count(*) from audit_event where action in ('user_added', 'user_invited')";
    assert_eq!(ground.db.count(lines).await, 2);
    assert_eq!(ground.db.count("select count(*) from security_event where kind = 'rights_changed'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_about_a_person_is_named() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut admin = Browser::of(&auth, "asha").await;
    for (new, pointers) in [
        (
            json!({"code": "", "name": "", "email": "x", "login": "a b"}),
            vec!["/code", "/name", "/email", "/login"],
        ),
        (json!({"code": "x", "name": " ", "email": "nobody"}), vec!["/name", "/email"]),
    ] {
        let (status, problem) = problem(admin.send_json("POST", "/api/v1/users", new).await).await;
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!((status, named), (422, pointers));
    }
    let unknown =
        admin.send_json("POST", "/api/v1/users", json!({"code": "x", "name": "X", "admin": true})).await;
    assert_eq!(code(unknown).await, (400, "malformed-body".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_listed_by_code_a_page_at_a_time_and_found_by_their_words() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let sql = format!(
        "insert into person (client_id, id, code, name)
         select '{}', gen_random_uuid(), 'p' || to_char(number, 'FM000'), 'Person ' || number || '%'
           from generate_series(1, 60) as number",
        ground.acme
    );
    ground.change(&sql).await;
    let mut admin = Browser::of(&auth, "asha").await;
    let first = body(admin.send("GET", "/api/v1/users").await).await;
    let next = first["next"].as_str().unwrap();
    let second = body(admin.send("GET", &format!("/api/v1/users?after={next}")).await).await;
    let (first, rest) = (first["items"].as_array().unwrap(), second["items"].as_array().unwrap());
    assert_eq!((first.len(), rest.len(), second.get("next")), (50, 11, None));
    let found = body(admin.send("GET", "/api/v1/users?q=person%2060%25").await).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    // What stands for anything in a pattern stands for itself here.
    let found = body(admin.send("GET", "/api/v1/users?q=p__1").await).await;
    assert_eq!(found["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_counts_from_the_next_request_on_and_is_written_down() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let (mut admin, theirs) = (Browser::of(&auth, "asha").await, auth.token_of("ben", PASSWORD).await);
    assert_eq!(rights(&auth, &theirs).await, [Capability::Web]);
    let path = format!("/api/v1/users/{ben}/capabilities");
    let set = admin.send_json("PUT", &path, json!({"capabilities": ["WEB", "TICKETS_READ", "REPORT"]})).await;
    assert_eq!(set.status(), 204);
    assert_eq!(rights(&auth, &theirs).await, [Capability::Web, Capability::TicketsRead, Capability::Report]);
    assert_eq!(admin.send_json("PUT", &path, json!({"capabilities": []})).await.status(), 204);
    assert_eq!(rights(&auth, &theirs).await, []);
    let lines = format!(
        "select count(*) from audit_event
          where action = 'capabilities_set' and subject_id = '{ben}' and person_id = '{}'
            and detail ? 'before' and detail ? 'after'",
        ground.asha
    );
    assert_eq!(ground.db.count(&lines).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_client_has_and_hands_out_can_be_given() {
    let ground = Ground::lay().await;
    ground.change("delete from client_capability where capability = 'NOC'").await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let group = ground.db.group(ground.acme, "TECH").await;
    let mut admin = Browser::of(&auth, "asha").await;
    for path in [format!("/api/v1/users/{ben}/capabilities"), format!("/api/v1/groups/{group}/capabilities")]
    {
        for (wanted, pointer) in [
            (json!(["WEB", "NOC"]), "/capabilities/1"),
            (json!(["OPERATE"]), "/capabilities/0"),
            (json!(["SUPPORT"]), "/capabilities/0"),
        ] {
            let answer = admin.send_json("PUT", &path, json!({ "capabilities": wanted })).await;
            let (status, problem) = problem(answer).await;
            assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{path} {wanted}");
        }
    }
    assert_eq!(ground.db.count("select count(*) from group_capability").await, 0);
    let groups = body(admin.send("GET", "/api/v1/groups").await).await;
    let grantable = groups["grantable"].as_array().unwrap();
    assert!(!grantable.contains(&json!("NOC")) && !grantable.contains(&json!("SUPPORT")));
    assert!(grantable.contains(&json!("REPORT")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gives_its_members_what_it_has_and_takes_it_when_they_leave() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let group = ground.db.group(ground.acme, "TECH").await;
    let (mut admin, theirs) = (Browser::of(&auth, "asha").await, auth.token_of("ben", PASSWORD).await);
    let path = format!("/api/v1/groups/{group}/capabilities");
    assert_eq!(admin.send_json("PUT", &path, json!({"capabilities": ["TICKETS_READ"]})).await.status(), 204);
    assert_eq!(rights(&auth, &theirs).await, [Capability::Web]);
    let path = format!("/api/v1/users/{ben}/groups");
    assert_eq!(admin.send_json("PUT", &path, json!({ "groups": [group] })).await.status(), 204);
    assert_eq!(rights(&auth, &theirs).await, [Capability::Web, Capability::TicketsRead]);
    let user = body(admin.send("GET", &format!("/api/v1/users/{ben}")).await).await;
    assert_eq!((&user["capabilities"], &user["groups"]), (&json!(["WEB"]), &json!([group])));
    assert_eq!(user["effective_capabilities"], json!(["TICKETS_READ", "WEB"]));
    assert_eq!(admin.send_json("PUT", &path, json!({"groups": []})).await.status(), 204);
    assert_eq!(rights(&auth, &theirs).await, [Capability::Web]);
    let unknown = json!({"groups": [PersonId::generate()]});
    assert_eq!(admin.send_json("PUT", &path, unknown).await.status(), 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_raises_themselves_through_a_group_they_are_in() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let group = ground.db.group(ground.acme, "TECH").await;
    let rights = [Capability::Web, Capability::Admin];
    let cleo = ground.db.person(ground.acme, "cleo").login("cleo", PASSWORD).capabilities(&rights).await;
    let (mut other, mut member) = (Browser::of(&auth, "asha").await, Browser::of(&auth, "cleo").await);
    let path = format!("/api/v1/users/{cleo}/groups");
    assert_eq!(other.send_json("PUT", &path, json!({"groups": [group]})).await.status(), 204);
    let path = format!("/api/v1/groups/{group}/capabilities");
    let more = json!({"capabilities": ["TICKETS_READ"]});
    assert_eq!(member.send_json("PUT", &path, more.clone()).await.status(), 422);
    assert_eq!(other.send_json("PUT", &path, more).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_are_set_as_a_whole() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let (hq, annex) = (ground.db.site(ground.acme, "HQ").await, ground.db.site(ground.acme, "ANNEX").await);
    let (mut admin, theirs) = (Browser::of(&auth, "asha").await, auth.token_of("ben", PASSWORD).await);
    let path = format!("/api/v1/users/{ben}/sites");
    for sites in [vec![hq, annex], vec![annex], vec![]] {
        let set = admin.send_json("PUT", &path, json!({"all_sites": false, "sites": sites})).await;
        assert_eq!(set.status(), 204);
        let seen = auth.identity_of(&theirs).await.0.sites.unwrap();
        assert_eq!(seen, sites.into_iter().collect());
    }
    assert_eq!(admin.send_json("PUT", &path, json!({"all_sites": true})).await.status(), 204);
    assert_eq!(auth.identity_of(&theirs).await.0.sites, None);
    let other = ground.db.client("OTHER").await;
    let foreign = ground.db.site(other, "HQ").await;
    let set = admin.send_json("PUT", &path, json!({"all_sites": false, "sites": [foreign]})).await;
    assert_eq!(set.status(), 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_out_at_once_and_stays_out() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let (mut admin, theirs) = (Browser::of(&auth, "asha").await, auth.token_of("ben", PASSWORD).await);
    let path = format!("/api/v1/users/{ben}");
    assert_eq!(admin.send_json("PATCH", &path, json!({"enabled": false})).await.status(), 200);
    assert_eq!(auth.exchange(&theirs).await.status(), 401);
    assert_eq!(auth.sign_in("ben", PASSWORD).send().await.unwrap().status(), 401);
    assert_eq!(admin.send_json("PATCH", &path, json!({"enabled": true})).await.status(), 200);
    assert_eq!(auth.exchange(&theirs).await.status(), 401, "a session that ended stays so");
    auth.token_of("ben", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_is_to_be_proven_and_voids_links_to_the_old_one() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    ground
        .change("update person set email = 'ben@example.com', email_verified_at = now() where code = 'ben'")
        .await;
    let link = format!(
        "insert into account_token (client_id, id, person_id, purpose, token_hash, email, expires_at)
         values ('{}', gen_random_uuid(), '{ben}', 'RESET', sha256('link'), 'ben@example.com', now() + interval '1 hour')",
        ground.acme
    );
    ground.change(&link).await;
    let mut admin = Browser::of(&auth, "asha").await;
    let path = format!("/api/v1/users/{ben}");
    let same = body(admin.send_json("PATCH", &path, json!({"email": "ben@example.com"})).await).await;
    assert!(same["email_verified_at"].is_string(), "{same}");
    let other = body(admin.send_json("PATCH", &path, json!({"email": "ben@example.org"})).await).await;
    assert_eq!((&other["email"], other.get("email_verified_at")), (&json!("ben@example.org"), None));
    assert_eq!(ground.db.count("select count(*) from account_token where used_at is null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_their_own_rights_and_the_last_administrator_stays() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut admin = Browser::of(&auth, "asha").await;
    let own = format!("/api/v1/users/{}", ground.asha);
    for (method, path, change) in [
        ("PATCH", own.clone(), json!({"enabled": false})),
        ("PUT", format!("{own}/capabilities"), json!({"capabilities": ["WEB", "ADMIN"]})),
        ("PUT", format!("{own}/sites"), json!({"all_sites": true})),
        ("PUT", format!("{own}/groups"), json!({"groups": []})),
    ] {
        let answer = admin.send_json(method, &path, change).await;
        assert_eq!(code(answer).await, (422, "invalid-user".into()), "{method} {path}");
    }
    // Who administers by a group alone is the last one as well: the group keeps its right.
    let ben = ben(&ground, &[Capability::Web]).await;
    let group = ground.db.group(ground.acme, "ADMINS").await;
    let path = format!("/api/v1/groups/{group}/capabilities");
    assert_eq!(admin.send_json("PUT", &path, json!({"capabilities": ["ADMIN"]})).await.status(), 204);
    let join = format!("/api/v1/users/{ben}/groups");
    assert_eq!(admin.send_json("PUT", &join, json!({ "groups": [group] })).await.status(), 204);
    let mut second = Browser::of(&auth, "ben").await;
    ground.change("delete from person_capability where capability in ('OPERATE', 'SUPPORT')").await;
    let strip = format!("/api/v1/users/{}/capabilities", ground.asha);
    assert_eq!(second.send_json("PUT", &strip, json!({"capabilities": ["WEB"]})).await.status(), 204);
    let answer = second.send_json("PUT", &path, json!({"capabilities": []})).await;
    assert_eq!(code(answer).await, (409, "last-administrator".into()));
    assert!(rights(&auth, &second.token).await.contains(&Capability::Admin));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_administrators_who_strip_each_other_at_once_one_stays() {
    let ground = Ground::lay().await;
    ground.change("delete from person_capability where capability in ('OPERATE', 'SUPPORT')").await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web, Capability::Admin]).await;
    let (one, other) = (Browser::of(&auth, "asha").await, Browser::of(&auth, "ben").await);
    for _round in 0..5 {
        let strip = |browser: &Browser<'_>, whom: PersonId| {
            let path = format!("/api/v1/users/{whom}/capabilities");
            let call = auth.request("PUT", &path).json(&json!({"capabilities": ["WEB"]}));
            let (token, auth) = (browser.token.clone(), &auth);
            async move {
                let (_, identity) = auth.identity_of(&token).await;
                call.header(api::headers::IDENTITY, identity).send().await.unwrap().status().as_u16()
            }
        };
        let answers = tokio::join!(strip(&one, ben), strip(&other, ground.asha));
        let mut answers = [answers.0, answers.1];
        answers.sort_unstable();
        // The second is either no administrator any more when it asks, or the last one when it is heard.
        assert!(answers[0] == 204 && [403, 409].contains(&answers[1]), "{answers:?}");
        let administrators = "select count(*) from person_capability where capability = 'ADMIN'";
        assert_eq!(ground.db.count(administrators).await, 1);
        let again = "insert into person_capability (client_id, person_id, capability)
                     select client_id, id, 'ADMIN' from person on conflict do nothing";
        ground.change(again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_who_reaches_every_client_is_not_for_an_administrator_of_one() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let operator = ben(&ground, &[Capability::Web, Capability::Operate]).await;
    let plain = [Capability::Web, Capability::Admin];
    ground.db.person(ground.acme, "cleo").login("cleo", PASSWORD).capabilities(&plain).await;
    let mut admin = Browser::of(&auth, "cleo").await;
    let path = format!("/api/v1/users/{operator}");
    for (method, path, change) in [
        ("PATCH", path.clone(), json!({"email": "cleo@example.com"})),
        ("PUT", format!("{path}/capabilities"), json!({"capabilities": []})),
        ("POST", format!("{path}/invitation"), json!({})),
        ("DELETE", format!("{path}/factors"), json!({})),
        ("DELETE", format!("{path}/handset"), json!({})),
    ] {
        let answer = admin.send_json(method, &path, change).await;
        assert_eq!(code(answer).await, (403, "forbidden".into()), "{method} {path}");
    }
    // Who has the same right may, and what no client hands out stays when the rest is set.
    let mut operators = Browser::of(&auth, "asha").await;
    let set =
        operators.send_json("PUT", &format!("{path}/capabilities"), json!({"capabilities": ["WEB"]})).await;
    assert_eq!(set.status(), 204);
    let user = body(operators.send("GET", &path).await).await;
    assert_eq!(user["capabilities"], json!(["OPERATE", "WEB"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_ask_who_sits_there_after_five_minutes() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let group = ground.db.group(ground.acme, "TECH").await;
    let mut admin = Browser::of(&auth, "asha").await;
    ground.change("update session set authenticated_at = now() - interval '301 seconds'").await;
    let path = format!("/api/v1/users/{ben}");
    for (method, path, change) in [
        ("POST", "/api/v1/users".to_owned(), json!({"code": "x", "name": "X"})),
        ("PATCH", path.clone(), json!({"enabled": false})),
        ("PUT", format!("{path}/capabilities"), json!({"capabilities": []})),
        ("PUT", format!("{path}/sites"), json!({"all_sites": true})),
        ("PUT", format!("{path}/groups"), json!({"groups": []})),
        ("POST", format!("{path}/invitation"), json!({})),
        ("DELETE", format!("{path}/sessions"), json!({})),
        ("DELETE", format!("{path}/factors"), json!({})),
        ("DELETE", format!("{path}/handset"), json!({})),
        ("POST", format!("{path}/unlock"), json!({})),
        ("PUT", format!("/api/v1/groups/{group}/capabilities"), json!({"capabilities": []})),
    ] {
        let answer = admin.send_json(method, &path, change).await;
        assert_eq!(code(answer).await, (403, "step-up-required".into()), "{method} {path}");
    }
    assert_eq!(admin.send("GET", &path).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_ends_the_sessions_of_somebody() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let theirs = [auth.token_of("ben", PASSWORD).await, auth.token_of("ben", PASSWORD).await];
    let mut admin = Browser::of(&auth, "asha").await;
    let path = format!("/api/v1/users/{ben}/sessions");
    let listed = body(admin.send("GET", &path).await).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(admin.send("DELETE", &path).await.status(), 204);
    for token in theirs {
        assert_eq!(auth.exchange(&token).await.status(), 401);
    }
    assert_eq!(auth.exchange(&admin.token).await.status(), 200);
    assert_eq!(
        ground.db.count("select count(*) from security_event where kind = 'session_revoked'").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_takes_the_factors_of_who_lost_them() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    let mut theirs = Browser::of(&auth, "ben").await;
    theirs.add_totp().await;
    assert_eq!(auth.sign_in("ben", PASSWORD).send().await.unwrap().status(), 202);
    let mut admin = Browser::of(&auth, "asha").await;
    assert_eq!(admin.send("DELETE", &format!("/api/v1/users/{ben}/factors")).await.status(), 204);
    assert_eq!(auth.exchange(&theirs.token).await.status(), 401);
    assert_eq!(ground.db.count("select count(*) from totp").await, 0);
    auth.token_of("ben", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_lets_somebody_try_again() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ben = ben(&ground, &[Capability::Web]).await;
    for _wrong in 0..5 {
        assert_eq!(auth.sign_in("ben", "not-it").send().await.unwrap().status(), 401);
    }
    assert_eq!(auth.sign_in("ben", PASSWORD).send().await.unwrap().status(), 429);
    let mut admin = Browser::of(&auth, "asha").await;
    assert_eq!(admin.send("POST", &format!("/api/v1/users/{ben}/unlock")).await.status(), 204);
    auth.token_of("ben", PASSWORD).await;
}
