//! The operators' API.

use domain::TaskId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Web, pointers};
use crate::operate::{dead_letter, live, operator};

const TASKS: &str = "/api/v1/operate/tasks";

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sees_queues_and_stops_one() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    live(&web, "READY", "").await;
    let request = web.ask(Method::POST, &format!("{TASKS}/queues/email/pause"), Some(&who));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let (status, overview) = web.get(&format!("{TASKS}/queues"), &who).await;
    assert_eq!(status, StatusCode::OK);
    let queues = overview["queues"].as_array().unwrap();
    let email = queues.iter().find(|queue| queue["name"] == "email").unwrap();
    assert_eq!(email["paused"], true);
    assert_eq!(email["ready"], json!({"number": 1, "at_least": false}));
    let request = web.ask(Method::POST, &format!("{TASKS}/queues/nothing/resume"), Some(&who));
    let (status, problem) = crate::harness::json(request.send().await.unwrap()).await;
    assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("/problems/queue-not-found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_live_tasks_follow_each_other_without_gap_or_repeat() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    let mut expected = Vec::new();
    for number in 0..7 {
        let id = live(&web, "READY", &format!("tenant = '{}', priority = {number}", tenant.client)).await;
        expected.insert(0, json!(id.to_string()));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = web.get(&format!("{TASKS}?limit=3{after}"), &who).await;
        assert_eq!(status, StatusCode::OK);
        let items = page["items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["tenant"]["code"] == "ACME" && item["state"] == "READY"));
        seen.extend(items.iter().map(|item| item["id"].clone()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    let (status, problem) = web.get(&format!("{TASKS}?state=LOST&limit=101"), &who).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["type"], "/problems/invalid-task-filter");
    assert_eq!(pointers(&problem), ["/state", "/limit"]);
}

async fn post(web: &Web, path: &str, who: &api::Identity) -> (StatusCode, Value) {
    let response = web.ask(Method::POST, &format!("{TASKS}/{path}"), Some(who)).send().await.unwrap();
    if response.status() == StatusCode::NO_CONTENT {
        return (StatusCode::NO_CONTENT, Value::Null);
    }
    crate::harness::json(response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_run_before_its_time_and_cancelled() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (id, who) = (live(&web, "DELAYED", "").await, operator(&tenant));
    let (status, task) = post(&web, &format!("{id}/retry"), &who).await;
    assert_eq!((status, &task["state"]), (StatusCode::OK, &json!("READY")));
    assert_eq!(task["args"], json!({"ticket": 7}));
    assert_eq!(task["actions"][0]["actor"], format!("person:{} Asha Patil", tenant.person));
    let (status, task) = post(&web, &format!("{id}/cancel"), &who).await;
    assert_eq!((status, &task["state"]), (StatusCode::OK, &json!("CANCELLED")));
    let (status, problem) = post(&web, &format!("{id}/cancel"), &who).await;
    assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/task-moved")));
    let (status, problem) = post(&web, &format!("{}/cancel", TaskId::generate()), &who).await;
    assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("/problems/task-not-found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_retried_and_discarded() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    let who = operator(&acme);
    let first = dead_letter(&web, &other, "the relay refused").await;
    let (status, list) = web.get(&format!("{TASKS}/dead-letters?queue=email"), &who).await;
    assert_eq!((status, list["items"].as_array().unwrap().len()), (StatusCode::OK, 1));
    assert_eq!(list["items"][0]["error"], "the relay refused");
    assert_eq!(list["items"][0]["tenant"]["name"], "OTHER Ltd");
    let holder = live(&web, "READY", "unique_key = 'ticket:7'").await;
    let (status, problem) = post(&web, &format!("dead-letters/{first}/retry"), &who).await;
    assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/task-key-held")));
    post(&web, &format!("{holder}/cancel"), &who).await;
    let (status, task) = post(&web, &format!("dead-letters/{first}/retry"), &who).await;
    assert_eq!((status, &task["state"], &task["attempts"]), (StatusCode::OK, &json!("READY"), &json!(0)));
    assert_eq!(task["tries"].as_array().unwrap().len(), 3);
    let second = dead_letter(&web, &other, "the relay refused").await;
    let (status, _) = post(&web, &format!("dead-letters/{second}/discard"), &who).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, list) = web.get(&format!("{TASKS}/dead-letters"), &who).await;
    assert_eq!(list, json!({"items": []}));
}
