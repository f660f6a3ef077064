//! What a route needs of everybody, and what happens when somebody's rights change.

use domain::Capability;
use domain::security::SecurityEventKind;
use testkit::wait_until;

use crate::world::{SOON, World, problem};

#[tokio::test]
async fn a_route_lets_nobody_pass_who_lacks_its_permission() {
    let world = World::start().await;
    world.auth.sign_in("nothing");
    let administrator = world.auth.sign_in_as("admin", |known| known.capabilities = vec![Capability::Admin]);
    let ask = |path: &str, token: &str| world.get(path).bearer_auth(token).send();
    for path in ["/setup/users", "/setup/groups/1", "/api/v1/users", "/api/v1/groups", "/api/v1/keys/1"] {
        assert_eq!(problem(ask(path, "nothing").await.unwrap()).await, "403 forbidden", "{path}");
        assert_eq!(ask(path, "admin").await.unwrap().status(), 200, "{path}");
        let nobody = world.get(path).send().await.unwrap().status();
        assert!(nobody == 401 || nobody == 303, "{path}: {nobody}");
    }
    for path in ["/operate/tasks", "/api/v1/operate/tasks", "/setup/security", "/api/v1/security-events"] {
        assert_eq!(problem(ask(path, "admin").await.unwrap()).await, "403 forbidden", "{path}");
    }
    let told = wait_until("the events", SOON, || async {
        let events = world.auth.events(SecurityEventKind::AccessRefused);
        (events.len() >= 9).then_some(events)
    })
    .await;
    let mine: Vec<_> = told.iter().filter(|event| event.person_id == Some(administrator.person_id)).collect();
    assert_eq!(mine.len(), 4);
    assert!(mine.iter().all(|event| event.client_id == Some(administrator.client_id)));
}

#[tokio::test]
async fn a_change_of_a_clients_rights_is_seen_at_once_and_costs_other_clients_nothing() {
    let world = World::start().await;
    let before = world.auth.sign_in_as("a", |known| known.capabilities = vec![Capability::Admin]);
    world.auth.sign_in("other");
    world.wait_for_cache("a").await;
    world.wait_for_cache("other").await;
    assert_eq!(world.get("/api/v1/users").bearer_auth("a").send().await.unwrap().status(), 200);
    world.auth.sign_in_as("a", |known| {
        (known.session_id, known.client_id, known.person_id) =
            (before.session_id, before.client_id, before.person_id);
    });
    assert_eq!(
        world.get("/api/v1/users").bearer_auth("a").send().await.unwrap().status(),
        200,
        "the answer was kept"
    );
    world.auth.rights_changed(before.client_id);
    wait_until("the change to arrive", SOON, || async {
        let answer = world.get("/api/v1/users").bearer_auth("a").send().await.unwrap();
        (answer.status() == 403).then_some(())
    })
    .await;
    let questions = world.auth.questions();
    assert_eq!(world.get("/tickets").bearer_auth("other").send().await.unwrap().status(), 200);
    assert_eq!(world.auth.questions(), questions);
}
