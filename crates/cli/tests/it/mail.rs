//! Addresses that are not mailed.

use testkit::Database;

use crate::home::Folder;
use crate::youtility;

#[tokio::test]
async fn an_address_of_one_client_is_listed_and_lifted_with_a_line_in_its_audit_trail() {
    let (db, home) = (Database::create().await, Folder::new());
    let home_env = ("YOUTILITY_HOME".to_owned(), home.path().to_str().unwrap().to_owned());
    let command = youtility().env(db.env("worker")).env([home_env]);
    let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
    let sql = "insert into mail_bounce (client_id, email, mail_id, reply_code, reason, bounced_at, refusal_days,
                                        suppressed_until)
               select client_id, email, gen_random_uuid(), 550, E'gone \\u001b[2K', now(), days,
                      case when days = 0 then now() + interval '9 days' end
                 from (values ($1::uuid, 'ben@a.example', 0), ($1, 'chitra@a.example', 2), ($2, 'ben@a.example', 0))
                      as given (client_id, email, days)";
    db.admin().await.execute(sql, &[&acme, &other]).await.unwrap();

    let said = command.run(&["mail", "bounces", "--client", "ACME"]).await.succeeded();
    assert!(said.contains("2 addresses") && said.contains("ben@a.example  not mailed until 20"), "{said}");
    assert!(said.contains("chitra@a.example  refused on 2 days") && !said.contains('\u{1b}'), "{said}");
    let said = command.run(&["mail", "lift", "Ben@a.example", "--client", "ACME"]).await.succeeded();
    assert!(said.contains("is mailed again"), "{said}");
    let lifted = "select count(*) from audit_event
                   where action = 'mail_address_lifted' and detail->>'actor' like 'cli:%'";
    assert_eq!(db.count(lifted).await, 1);
    assert_eq!(db.count("select count(*) from mail_bounce where suppressed_until > now()").await, 1);
    let again = command.run(&["mail", "lift", "ben@a.example", "--client", "ACME"]).await.failed();
    assert!(again.contains("mail bounces --client ACME"), "{again}");
    let nobody = command.run(&["mail", "bounces", "--client", "NONE"]).await.failed();
    assert!(nobody.contains("no active client NONE"), "{nobody}");
}
