//! Mail about accounts: links that nobody else knows, and word of changes.

use app::recovery::{AccountMail, MAIL_KIND, MAIL_QUEUE, Notice};
use domain::PersonId;
use local::mail::{Answer, Mail};
use queue::NewTask;
use uuid::Uuid;

use crate::world::World;

const TASKS: &str = "select count(*) from task";

async fn person(world: &World, code: &str) -> PersonId {
    let sql = "select id from person where code = $1";
    PersonId::from_uuid(world.admin.query_one(sql, &[&code]).await.unwrap().get::<_, Uuid>(0))
}

async fn give_login(world: &World, code: &str) {
    let sql = "insert into credential (client_id, person_id, login, password_hash)
               select client_id, id, code, '$argon2id$' from person where code = $1";
    assert_eq!(world.admin.execute(sql, &[&code]).await.unwrap(), 1);
}

async fn enqueue(world: &World, mail: &AccountMail) {
    let task = NewTask::new(MAIL_KIND, mail).queue(MAIL_QUEUE);
    // Who forgot a password names no client.
    let task = match mail {
        AccountMail::Reset { .. } => task,
        AccountMail::Invite { .. } | AccountMail::Verify { .. } | AccountMail::Notice { .. } => {
            task.tenant(*world.client.as_uuid())
        }
    };
    queue::enqueue(&world.admin, &[task]).await.unwrap();
}

/// The token in a mail's link.
fn token_in(mail: &Mail, page: &str) -> String {
    let link = format!("https://app.example.com/{page}/");
    let rest = mail.text.split(&link).nth(1).unwrap_or_else(|| panic!("no {link} in {}", mail.text));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// How long a token's link is good, in seconds; a wrong hash finds none.
async fn lifetime(world: &World, token: &str, purpose: &str) -> i64 {
    let sql = "select extract(epoch from expires_at - now())::bigint
                 from account_token
                where token_hash = sha256(decode(translate($1, '-_', '+/') || '=', 'base64'))
                  and purpose = $2 and used_at is null and email = 'asha@example.com'";
    world.admin.query_one(sql, &[&token, &purpose]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_forgotten_password_is_answered_with_a_link_that_is_kept_as_a_hash_only() {
    let world = World::start().await;
    give_login(&world, "asha").await;
    enqueue(&world, &AccountMail::Reset { login: "asha".to_owned() }).await;
    let mail = world.wait_for_mails(1).await.remove(0);
    assert_eq!(
        (mail.to.as_slice(), mail.subject.as_str()),
        (["asha@example.com".to_owned()].as_slice(), "Set a new password")
    );
    let token = token_in(&mail, "reset");
    assert_eq!(token.len(), 43, "256 random bits");
    assert!((500..=600).contains(&lifetime(&world, &token, "RESET").await));
    world.db.wait_for_count(TASKS, 0).await;
    let sql = "select coalesce(string_agg(row::text, ' '), '')
                 from (select mail::text as row from mail union all select account_token::text from account_token
                       union all select task_history::text from task_history) as everything";
    let kept: String = world.admin.query_one(sql, &[]).await.unwrap().get(0);
    assert!(!kept.contains(&token), "the link is in nobody's reach once it was sent");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn nobody_and_whoever_was_stopped_get_nothing_and_no_task_fails() {
    let world = World::start().await;
    give_login(&world, "asha").await;
    give_login(&world, "ben").await;
    world.admin.execute("update person set enabled = false where code = 'asha'", &[]).await.unwrap();
    world.admin.execute("update person set email = null where code = 'ben'", &[]).await.unwrap();
    for login in ["nobody", "asha", "ben"] {
        enqueue(&world, &AccountMail::Reset { login: login.to_owned() }).await;
    }
    let asha = person(&world, "asha").await;
    enqueue(&world, &AccountMail::Verify { person_id: asha }).await;
    world.db.wait_for_count(TASKS, 0).await;
    for table in ["mail", "account_token", "task_dead_letter"] {
        let sql = format!("select count(*) from {table}");
        assert_eq!(world.admin.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 0, "{table}");
    }
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn invitations_and_proofs_of_an_address_have_links_of_their_own() {
    let world = World::start().await;
    let person_id = person(&world, "asha").await;
    for (mail, page, purpose) in [
        (AccountMail::Invite { person_id }, "reset", "INVITE"),
        (AccountMail::Verify { person_id }, "verify", "VERIFY"),
    ] {
        enqueue(&world, &mail).await;
        let expected = if purpose == "INVITE" { 1 } else { 2 };
        let mails = world.wait_for_mails(expected).await;
        let mail = mails.iter().find(|mail| mail.text.contains(&format!("/{page}/"))).unwrap();
        let lasting = lifetime(&world, &token_in(mail, page), purpose).await;
        assert!((86_000..=86_400).contains(&lasting), "{purpose}: {lasting}");
    }
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn word_of_a_change_carries_no_token() {
    let world = World::start().await;
    let person_id = person(&world, "asha").await;
    enqueue(&world, &AccountMail::Notice { person_id, notice: Notice::PasswordChanged }).await;
    let mail = world.wait_for_mails(1).await.remove(0);
    assert_eq!(mail.subject, "Your password was changed");
    let sql = "select count(*) from account_token";
    assert_eq!(world.admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_relay_that_puts_off_gets_the_same_link_again() {
    let world = World::start().await;
    give_login(&world, "asha").await;
    world.sink.answer(Answer::PutOff);
    enqueue(&world, &AccountMail::Reset { login: "asha".to_owned() }).await;
    let tried = "select coalesce(max(attempt), 0)::bigint from task_attempt where outcome = 'FAILED'";
    world.db.wait_for_count(tried, 2).await;
    world.sink.answer(Answer::Accept);
    let mail = world.wait_for_mails(1).await.remove(0);
    lifetime(&world, &token_in(&mail, "reset"), "RESET").await;
    let sql = "select count(*) from account_token";
    assert_eq!(world.admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn what_ran_out_is_removed_and_what_did_not_stays() {
    let world = World::start().await;
    let person_id = person(&world, "asha").await;
    let insert = "insert into account_token (client_id, id, person_id, purpose, token_hash, email, expires_at)
                  select client_id, gen_random_uuid(), id, 'RESET', sha256($2::text::bytea), email, now() + $3::text::interval
                    from person where id = $1";
    for (token, ends) in [("long ago", "-31 days"), ("yesterday", "-1 day"), ("good", "10 minutes")] {
        world.admin.execute(insert, &[&person_id, &token, &ends]).await.unwrap();
    }
    let task = NewTask::new("account.cleanup", &()).queue("maintenance");
    queue::enqueue(&world.admin, &[task]).await.unwrap();
    world.db.wait_for_count(TASKS, 0).await;
    let sql = "select count(*) from account_token";
    assert_eq!(world.admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 2);
    world.worker.stop().await.unwrap();
}
