//! Raising, listing and changing tickets.

use app::Error;
use app::ticket::{self, Assignment, Comment, Draft, Filter};
use domain::ticket::{TicketEventKind, TicketState};
use domain::{Capability, Fault, FaultKind, SiteId, TicketEventId, TicketId};
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::world::{World, noon, seen};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_who_raise_at_once_get_numbers_without_gaps() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let stores = [world.db.store("web"), world.db.store("web"), world.db.store("web")];
    let raising = (0..20).map(|number| {
        let (store, actor) = (stores[number % 3].clone(), actor.clone());
        let draft = world.draft(&format!("Leak {number}"));
        async move { ticket::create(&store, &actor, &draft, noon()).await.unwrap().number }
    });
    let mut numbers = join_all(raising).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<i64>>());
    assert_eq!(world.count("ticket_event where kind = 'CREATED'").await, 20);
    assert_eq!(world.count("task where kind = 'ticket.mail'").await, 20);
}

#[tokio::test]
async fn raising_twice_under_one_id_raises_one() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let draft = world.draft("Leak");
    let first = ticket::create(&world.web, &actor, &draft, noon()).await.unwrap();
    let second = ticket::create(&world.web, &actor, &draft, noon()).await.unwrap();
    assert!(first.is_new);
    assert!(!second.is_new);
    assert_eq!((first.id, first.number), (second.id, second.number));
    assert_eq!(world.count("ticket").await, 1);
    assert_eq!(world.count("ticket_event").await, 1);
    assert_eq!(world.count("task").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_who_raise_under_one_id_raise_one() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let draft = world.draft("Leak");
    let raising = (0..8).map(|_| ticket::create(&world.web, &actor, &draft, noon()));
    let raised: Vec<_> = join_all(raising).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(raised.iter().filter(|one| one.is_new).count(), 1);
    assert_eq!(world.count("ticket").await, 1);
}

#[tokio::test]
async fn an_id_used_for_another_content_is_refused() {
    let world = World::create().await;
    let draft = world.draft("Leak");
    ticket::create(&world.web, &world.actor(world.asha), &draft, noon()).await.unwrap();
    let other = Draft { id: draft.id, ..world.draft("Fire") };
    let refused = ticket::create(&world.web, &world.actor(world.asha), &other, noon()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Conflict, "ticket-exists"));
    let refused = ticket::create(&world.web, &world.actor(world.ben), &draft, noon()).await.unwrap_err();
    assert_eq!(refused.code(), "ticket-exists");
}

#[tokio::test]
async fn another_client_and_another_site_see_no_ticket() {
    let world = World::create().await;
    let raised =
        ticket::create(&world.web, &world.actor(world.asha), &world.draft("Leak"), noon()).await.unwrap();
    let other = world.db.client("OTHER").await;
    let zoe = world.db.person(other, "zoe").await;
    let strangers = [
        domain::Actor { client_id: other, ..world.actor(zoe) },
        world.actor_at(world.ben, &[SiteId::generate()]),
    ];
    for stranger in &strangers {
        let refused = ticket::get(&world.web, stranger, raised.id).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (FaultKind::NotFound, "ticket-not-found"));
        let moved = ticket::move_to(&world.web, stranger, seen(raised.id), TicketState::Open, noon()).await;
        assert_eq!(moved.unwrap_err().code(), "ticket-not-found");
        let comment = Comment::parse(TicketEventId::generate(), "hello").unwrap();
        let said = ticket::comment(&world.web, stranger, raised.id, &comment, noon()).await;
        assert_eq!(said.unwrap_err().code(), "ticket-not-found");
        assert!(ticket::list(&world.web, stranger, &Filter::default()).await.unwrap().rows.is_empty());
    }
    assert_eq!(world.count("ticket_event").await, 1);
}

#[tokio::test]
async fn a_site_of_another_client_and_an_unknown_assignee_are_named_together() {
    let world = World::create().await;
    let other = world.db.client("OTHER").await;
    let site = world.db.site(other, "HQ").await;
    let zoe = world.db.person(other, "zoe").await;
    let draft = Draft { site_id: site, assignee_id: Some(zoe), ..world.draft("Leak") };
    let refused = ticket::create(&world.web, &world.actor(world.asha), &draft, noon()).await.unwrap_err();
    let pointers: Vec<&str> = refused.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(refused.kind(), FaultKind::Invalid);
    assert_eq!(pointers, ["/site_id", "/assignee_id"]);
}

#[tokio::test]
async fn a_capability_is_needed_for_each_use() {
    let world = World::create().await;
    let reader = world.actor_with(world.asha, &[Capability::Web, Capability::TicketsRead]);
    let refused = ticket::create(&world.web, &reader, &world.draft("Leak"), noon()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Forbidden, "forbidden"));
    assert!(ticket::list(&world.web, &reader, &Filter::default()).await.is_ok());
    let nobody = world.actor_with(world.asha, &[Capability::Web]);
    assert_eq!(ticket::list(&world.web, &nobody, &Filter::default()).await.unwrap_err().code(), "forbidden");
    assert_eq!(app::site::list(&world.web, &nobody).await.unwrap_err().code(), "forbidden");
    assert_eq!(app::person::lookup(&world.web, &nobody, "a", 10).await.unwrap_err().code(), "forbidden");
}

#[tokio::test]
async fn the_slower_of_two_writers_is_told_and_changes_nothing() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    ticket::move_to(&world.web, &actor, seen(raised.id), TicketState::Open, noon()).await.unwrap();
    let late = ticket::move_to(&world.web, &actor, seen(raised.id), TicketState::Cancelled, noon()).await;
    let refused = late.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Stale, "ticket-stale"));
    let details = ticket::get(&world.web, &actor, raised.id).await.unwrap();
    assert_eq!((details.named.ticket.state, details.named.ticket.version), (TicketState::Open, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_moves_at_once_one_wins() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let moving =
        (0..8).map(|_| ticket::move_to(&world.web, &actor, seen(raised.id), TicketState::Open, noon()));
    let outcomes = join_all(moving).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.into_iter().filter_map(Result::err).all(|error| matches!(error, Error::TicketStale(_))));
    assert_eq!(world.count("ticket_event where kind = 'MOVED'").await, 1);
}

#[tokio::test]
async fn a_move_against_the_rules_is_refused() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let refused =
        ticket::move_to(&world.web, &actor, seen(raised.id), TicketState::Closed, noon()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Conflict, "ticket-move-refused"));
}

#[tokio::test]
async fn a_history_tells_who_did_what_in_order() {
    let world = World::create().await;
    let (asha, ben) = (world.actor(world.asha), world.actor(world.ben));
    let raised = ticket::create(&world.web, &asha, &world.draft("Leak"), noon()).await.unwrap();
    let later = noon() + SignedDuration::from_mins(5);
    let comment = Comment::parse(TicketEventId::generate(), "On my way.").unwrap();
    ticket::comment(&world.web, &ben, raised.id, &comment, later).await.unwrap();
    ticket::comment(&world.web, &ben, raised.id, &comment, later).await.unwrap();
    let to = Assignment { person_id: Some(world.ben), group_id: None };
    let later = later + SignedDuration::from_mins(5);
    ticket::assign(&world.web, &asha, seen(raised.id), to, later).await.unwrap();
    let details = ticket::get(&world.web, &ben, raised.id).await.unwrap();
    let told: Vec<_> = details
        .history
        .iter()
        .map(|entry| (entry.kind, entry.person_name.as_deref().unwrap(), entry.detail.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (TicketEventKind::Created, "asha", "Raised with priority high."),
            (TicketEventKind::Commented, "ben", "On my way."),
            (TicketEventKind::Assigned, "asha", "Given to ben."),
        ]
    );
    assert_eq!(details.named.assignee_name.as_deref(), Some("ben"));
    assert_eq!(details.named.site_name, "Site HQ");
}

#[tokio::test]
async fn a_long_history_ends_with_what_was_said_last() {
    let world = World::create().await;
    let asha = world.actor(world.asha);
    let raised = ticket::create(&world.web, &asha, &world.draft("Leak"), noon()).await.unwrap();
    for minute in 1..=510 {
        let comment = Comment::parse(TicketEventId::generate(), &format!("Remark {minute}")).unwrap();
        let at = noon() + SignedDuration::from_mins(minute);
        ticket::comment(&world.web, &asha, raised.id, &comment, at).await.unwrap();
    }
    let history = ticket::get(&world.web, &asha, raised.id).await.unwrap().history;
    assert_eq!(history.len(), 500);
    assert_eq!(history.last().unwrap().detail, "Remark 510");
    assert_eq!(history.first().unwrap().detail, "Remark 11");
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    // Three tickets share each moment, so that the id has to decide.
    for number in 0..33 {
        let at = noon() + SignedDuration::from_mins(number / 3);
        ticket::create(&world.web, &actor, &world.draft(&format!("Leak {number}")), at).await.unwrap();
    }
    let whole = ticket::list(&world.web, &actor, &Filter { limit: 100, ..Filter::default() }).await.unwrap();
    assert_eq!((whole.rows.len(), whole.has_more), (33, false));
    let mut found: Vec<TicketId> = Vec::new();
    let mut filter = Filter { limit: 7, ..Filter::default() };
    loop {
        let page = ticket::list(&world.web, &actor, &filter).await.unwrap();
        filter.after = page.rows.last().map(|row| (row.created_at, row.id));
        found.extend(page.rows.iter().map(|row| row.id));
        if !page.has_more {
            break;
        }
    }
    assert_eq!(found, whole.rows.iter().map(|row| row.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_and_words_choose_and_pages_of_a_search_fit_together() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let depot = world.db.site(world.client, "DEPOT").await;
    for number in 0..9 {
        let title = if number % 3 == 0 { "Pump 100% wet" } else { "Lamp_out" };
        let site_id = if number < 4 { depot } else { world.site };
        let draft = Draft { site_id, ..world.draft(title) };
        let raised =
            ticket::create(&world.web, &actor, &draft, noon() + SignedDuration::from_secs(number)).await;
        if number % 2 == 0 {
            ticket::move_to(&world.web, &actor, seen(raised.unwrap().id), TicketState::Open, noon())
                .await
                .unwrap();
        }
    }
    let count = async |filter: Filter| ticket::list(&world.web, &actor, &filter).await.unwrap().rows.len();
    let words = |words: &str| Filter { words: Some(words.to_owned()), ..Filter::default() };
    assert_eq!(count(words("pump WET")).await, 3);
    assert_eq!(count(words("100%")).await, 3);
    assert_eq!(count(words("00% w")).await, 3);
    assert_eq!(count(words("lampXout")).await, 0);
    assert_eq!(count(words("p_mp")).await, 0);
    assert_eq!(count(Filter { state: Some(TicketState::Open), ..words("pump") }).await, 2);
    assert_eq!(count(Filter { site_id: Some(depot), ..words("pump") }).await, 2);
    assert_eq!(count(Filter { state: Some(TicketState::Open), ..Filter::default() }).await, 5);
    assert_eq!(count(Filter { site_id: Some(depot), ..Filter::default() }).await, 4);
    let both = Filter { state: Some(TicketState::New), site_id: Some(depot), ..Filter::default() };
    assert_eq!(count(both).await, 2);
    let first = ticket::list(&world.web, &actor, &Filter { limit: 2, ..words("pump") }).await.unwrap();
    assert!(first.has_more);
    let after = first.rows.last().map(|row| (row.created_at, row.id));
    assert_eq!(count(Filter { limit: 2, after, ..words("pump") }).await, 1);
    let guard = world.actor_at(world.ben, &[depot]);
    let seen = ticket::list(&world.web, &guard, &words("pump")).await.unwrap();
    assert_eq!(seen.rows.len(), 2);
}

#[tokio::test]
async fn a_lookup_finds_people_by_any_order_of_words_within_the_scope() {
    let world = World::create().await;
    let depot = world.db.site(world.client, "DEPOT").await;
    world.db.person(world.client, "P7").name("Siobhán O'Brien").sites(&[depot]).await;
    world.db.person(world.client, "P8").name("Shankar 100%_Rao").sites(&[world.site]).await;
    let actor = world.actor(world.asha);
    let names = async |actor: &domain::Actor, words: &str| -> Vec<String> {
        let found = app::person::lookup(&world.web, actor, words, 20).await.unwrap();
        found.into_iter().map(|choice| choice.name).collect()
    };
    assert_eq!(names(&actor, "o'brien SIOB").await, ["Siobhán O'Brien"]);
    assert_eq!(names(&actor, "sh").await, ["Shankar 100%_Rao"]);
    assert_eq!(names(&actor, "100%_").await, ["Shankar 100%_Rao"]);
    assert_eq!(names(&actor, "p7").await, ["Siobhán O'Brien"]);
    assert_eq!(names(&actor, "").await.len(), 4);
    let guard = world.actor_at(world.ben, &[world.site]);
    assert_eq!(names(&guard, "brien").await, Vec::<String>::new());
    assert_eq!(names(&guard, "shankar").await, ["Shankar 100%_Rao"]);
    let codes: Vec<String> = app::site::list(&world.web, &guard)
        .await
        .unwrap()
        .into_iter()
        .map(|site| site.code.as_str().to_owned())
        .collect();
    assert_eq!(codes, ["HQ"]);
}

#[tokio::test]
async fn a_comments_id_serves_one_comment() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let id = TicketEventId::generate();
    let said = Comment::parse(id, "On my way.").unwrap();
    for _ in 0..2 {
        ticket::comment(&world.web, &actor, raised.id, &said, noon()).await.unwrap();
    }
    let other = Comment::parse(id, "Part ordered.").unwrap();
    let refused = ticket::comment(&world.web, &actor, raised.id, &other, noon()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Conflict, "ticket-exists"));
    let stranger = world.actor(world.ben);
    assert!(ticket::comment(&world.web, &stranger, raised.id, &said, noon()).await.is_err());
    assert_eq!(world.count("ticket_event where kind = 'COMMENTED'").await, 1);
}

#[tokio::test]
async fn work_is_given_to_people_of_the_tickets_site_only() {
    let world = World::create().await;
    let depot = world.db.site(world.client, "DEPOT").await;
    let away = world.db.person(world.client, "away").sites(&[depot]).await;
    let near = world.db.person(world.client, "near").sites(&[world.site]).await;
    let actor = world.actor(world.asha);
    let draft = Draft { assignee_id: Some(away), ..world.draft("Leak") };
    let refused = ticket::create(&world.web, &actor, &draft, noon()).await.unwrap_err();
    assert_eq!(refused.fields()[0].pointer, "/assignee_id");
    let draft = Draft { assignee_id: Some(near), ..world.draft("Leak") };
    let raised = ticket::create(&world.web, &actor, &draft, noon()).await.unwrap();
    let to = Assignment { person_id: Some(away), group_id: None };
    let refused = ticket::assign(&world.web, &actor, seen(raised.id), to, noon()).await.unwrap_err();
    assert_eq!(refused.fields()[0].pointer, "/assignee_id");
}
