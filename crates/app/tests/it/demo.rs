//! The demo tenants.

use std::collections::BTreeMap;

use app::demo::{self, Passwords};
use app::ticket::{self, Filter};
use domain::sign_in::LoginName;
use domain::{Actor, CorrelationId};
use testkit::Database;

use crate::world::{count, noon};

#[tokio::test]
async fn seeding_twice_is_seeding_once() {
    let db = Database::create().await;
    let owner = db.store("owner");
    let passwords = Passwords { people: "Walk-the-site-42".to_owned(), devices: BTreeMap::new() };
    let first = demo::seed(&owner, &passwords, noon()).await.unwrap();
    assert!(first.created);
    assert_eq!((first.clients, first.people, first.devices, first.tickets), (2, 61, 12, 300));
    let tables = [
        "client where demo",
        "site",
        "person",
        "device",
        "alarm_rule",
        "escalation_rule",
        "ticket",
        "ticket_event",
        "telemetry_reading",
        "task",
        "credential",
    ];
    let mut before = Vec::new();
    for table in tables {
        before.push(count(&db, table).await);
    }
    let second = demo::seed(&owner, &passwords, noon()).await.unwrap();
    assert_eq!(second, demo::Report { created: false, ..first });
    for (table, rows) in tables.into_iter().zip(before) {
        assert_eq!(count(&db, table).await, rows, "{table}");
        assert!(rows > 0, "{table}");
    }
    assert_eq!(count(&db, "(select distinct state from ticket) as states").await, 6);
    assert_eq!(count(&db, "ticket where source = 'ALARM'").await, 1);
    assert_eq!(count(&db, "ticket where created_at > '2030-01-01T12:00:00Z'").await, 0);
    everybody_can_sign_in(&db).await;
    neither_client_sees_the_other(&db).await;
}

async fn everybody_can_sign_in(db: &Database) {
    let auth = db.store("auth");
    let logins = demo::logins();
    assert_eq!(logins.len(), 7);
    for login in logins {
        let name = LoginName::parse(&login.login).unwrap();
        let credential = app::sign_in::find_credential(&auth, &name).await.unwrap().unwrap();
        assert!(app::password::verify(&credential.password_hash, "Walk-the-site-42").unwrap());
    }
}

async fn neither_client_sees_the_other(db: &Database) {
    let worker = db.store("worker");
    let web = db.store("web");
    let mut seen = 0;
    for client in app::escalation::list_client_ids(&worker).await.unwrap() {
        let actor = Actor::process(client, CorrelationId::generate());
        let mut filter = Filter { limit: 100, ..Filter::default() };
        loop {
            let page = ticket::list(&web, &actor, &filter).await.unwrap();
            seen += page.rows.len();
            filter.after = page.rows.last().map(|row| (row.created_at, row.id));
            if !page.has_more {
                break;
            }
        }
        let codes: Vec<_> =
            app::site::list(&web, &actor).await.unwrap().into_iter().map(|site| site.name).collect();
        assert_eq!(codes.iter().filter(|name| *name == "Head office").count(), 1);
    }
    assert_eq!(seen, 301);
}
