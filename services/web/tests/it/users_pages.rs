//! Pages of users and groups, with the real auth behind.

use domain::Capability;
use reqwest::StatusCode;

use crate::harness::{location, text};
use crate::house::{House, PASSWORD};

const NEW: [(&str, &str); 4] =
    [("name", "Marek Nowak"), ("code", "M-1"), ("email", "marek@acme.example"), ("login", "marek")];

async fn add(house: &House, asha: &str) -> String {
    let response = house.submit("/setup/users", asha, &NEW).await;
    let to = location(&response).to_owned();
    to.strip_suffix("?said=added").unwrap_or_else(|| panic!("{to}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_added_found_and_given_exactly_what_is_ticked() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    let marek = add(&house, &asha).await;
    let (_, list) = text(house.page("/setup/users?q=nowak", &asha).await).await;
    assert!(list.contains(&format!("href=\"{marek}\"")) && !list.contains(">Asha Patil</a></th>"));
    let ticked = [("capability", "WEB"), ("capability", "TICKETS_READ")];
    let response = house.submit(&format!("{marek}/capabilities"), &asha, &ticked).await;
    assert_eq!(location(&response), format!("{marek}?said=capabilities"));
    let fewer = [("capability", "WEB")];
    house.submit(&format!("{marek}/capabilities"), &asha, &fewer).await;
    let held = "select count(*) from person_capability join person on person.id = person_id where person.code = 'M-1'";
    assert_eq!(house.web.count(held).await, 1);
    let (status, page) = text(house.page(&marek, &asha).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("name=\"capability\" value=\"WEB\" checked"));
    assert!(page.contains("name=\"capability\" value=\"TICKETS_READ\">"));
    assert!(!page.contains("value=\"OPERATE\"") && !page.contains("value=\"SUPPORT\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_form_comes_back_as_typed_with_every_mistake() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    let fields = [("name", "<b>Marek"), ("code", "not a code!"), ("email", "nonsense"), ("login", "a b")];
    let (status, page) = text(house.submit("/setup/users", &asha, &fields).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("value=\"&#60;b&#62;Marek\"") && page.contains("value=\"nonsense\""));
    for field in ["code", "email", "login"] {
        assert!(page.contains(&format!("id=\"{field}-mistake\"")), "{field}");
    }
    assert_eq!(house.web.count("select count(*) from person").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_give_is_refused_on_the_page_and_a_nonsense_tick_is_no_form() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    let marek = add(&house, &asha).await;
    let (status, page) =
        text(house.submit(&format!("{marek}/capabilities"), &asha, &[("capability", "SUPPORT")]).await).await;
    assert!(status.is_client_error() && page.contains("role=\"alert\""), "{status}");
    let response = house.submit(&format!("{marek}/capabilities"), &asha, &[("capability", "<b>")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let response = house.submit(&format!("{marek}/sites"), &asha, &[("site", "everywhere")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        house.web.count("select count(*) from person_capability where capability = 'SUPPORT'").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_locks_themselves_out_by_mistake() {
    let house = House::start().await;
    let asha = house.enter("asha").await;
    let own = format!("/setup/users/{}", house.asha);
    for (path, fields) in
        [("access", vec![("enabled", "false")]), ("capabilities", vec![("capability", "WEB")])]
    {
        let (status, page) = text(house.submit(&format!("{own}/{path}"), &asha, &fields).await).await;
        assert!(status.is_client_error() && page.contains("id=\"refusal\""), "{path}: {status}");
    }
    assert_eq!(house.web.count("select count(*) from person where enabled").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clients_person_is_not_there() {
    let house = House::start().await;
    let other = house.web.db.client("OTHER").await;
    let theirs = house.web.db.person(other, "olga").name("Olga Secret").login("olga", PASSWORD).await;
    let asha = house.enter("asha").await;
    let path = format!("/setup/users/{theirs}");
    assert_eq!(house.page(&path, &asha).await.status(), StatusCode::NOT_FOUND);
    let response = house.submit(&format!("{path}/access"), &asha, &[("enabled", "false")]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(!text(house.page("/setup/users", &asha).await).await.1.contains("Olga Secret"));
    assert_eq!(house.web.count("select count(*) from person where not enabled").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_person_has_no_session_left() {
    let house = House::start().await;
    let marek = house.web.db.person(house.client, "marek").capabilities(&[Capability::Web]);
    let marek = marek.login("marek", PASSWORD).await;
    house.enter("marek").await;
    let asha = house.enter("asha").await;
    let path = format!("/setup/users/{marek}/access");
    let response = house.submit(&path, &asha, &[("enabled", "false")]).await;
    assert_eq!(location(&response), format!("/setup/users/{marek}?said=access"));
    assert_eq!(house.web.count("select count(*) from session where revoked_at is null").await, 1);
    let refused = house.sign_in(&[("login", "marek"), ("password", PASSWORD)]).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}
