//! The schema test finds mistakes that are planted for it.

use domain::{ClientId, PersonId, SiteId, TicketId};
use testkit::Database;

use crate::schema::Checker;

struct Place {
    id: SiteId,
    nickname: String,
}

store::row! { Place { id, nickname } }

store::queries! {
    /// A word that is no column.
    TYPO: (SiteId,) => String = "
        select name from site where idd = $1";
    /// A parameter of the wrong type.
    PARAMETER: (i64,) => String = "
        select name from site where id = $1";
    /// A column of the wrong type.
    COLUMN: (TicketId,) => i32 = "
        select number from ticket where id = $1";
    /// A column that may be null.
    NULLABLE: (TicketId,) => PersonId = "
        select assignee_id from ticket where id = $1";
    /// A column of a table that may be missing in the join.
    OUTER: (TicketId,) => String = "
        select person.name
          from ticket
          left join person on person.client_id = ticket.client_id and person.id = ticket.assignee_id
         where ticket.id = $1";
    /// A column that is not selected.
    MISSING: (SiteId,) => Place = "
        select id from site where id = $1";
    /// A parameter too many.
    COUNT: (SiteId, SiteId) => String = "
        select name from site where id = $1";
    /// A filter without an index.
    SCAN: (String,) => TicketId = "
        select id from ticket where description = $1";
    /// A change no service may make.
    FORBIDDEN: (ClientId,) => () = "
        delete from client where client_id = $1";
}

#[tokio::test]
async fn planted_mistakes_are_all_found() {
    let db = Database::create().await;
    let checker = Checker::new(&db).await;
    let mut findings = Vec::new();
    for statement in STATEMENTS {
        let found = checker.findings(*statement).await;
        let name = statement.name().rsplit("::").next().unwrap().to_owned();
        findings.push(format!("{name}: {}", found.join("; ")));
    }
    let expected = [
        "TYPO: does not prepare: column \"idd\" does not exist",
        "PARAMETER: $1 is uuid, passed as i64",
        "COLUMN: column 1 is int8, read as i32",
        "NULLABLE: column 1 may be null (assignee_id), read as domain::id::PersonId",
        "OUTER: column 1 may be null (person.name), read as alloc::string::String",
        "MISSING: there is no column nickname",
        "COUNT: declares 2 parameters, has 1",
    ];
    assert_eq!(findings[..expected.len()], expected);
    let scan = &findings[expected.len()];
    assert!(scan.contains("reads as youtility_web: every row of the client in ticket"), "{scan}");
    assert_eq!(findings.last().unwrap(), "FORBIDDEN: no service's role may run it");
}
